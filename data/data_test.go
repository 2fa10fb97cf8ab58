package data_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/simplifiedchinese"

	"lian/data"
	"lian/data/document"
	"lian/data/read"
)

func options(in, out string) data.Options {
	return data.Options{Input: []string{in}, Output: out, Seed: 1, HeldOut: 0.1, MaxBytes: 1 << 26, GoBytes: 1 << 20, MaxFileBytes: 1 << 26, Similarity: 0.8, MinTrainBytes: 1 << 20}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func gb18030(t *testing.T, text string) string {
	t.Helper()
	b, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func documents(t *testing.T, path string) []data.Document {
	t.Helper()
	var list []data.Document
	for d, err := range data.ReadDocuments(path) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, d)
	}
	return list
}

// odd is a folder of everything that can be in a folder.
func odd(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "odd")
	wide := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune("秋天的山里下了一场大雨，路上没有人。\n")) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	long := "第一段讲的是春天的故事，花开了，鸟叫了，人们都出门去看风景。"
	write(t, dir, map[string]string{
		"note.md":          "# 春游\n\n今天我们去山上看花，天气很好，大家都很高兴。\n\n## 午饭\n\n中午在湖边吃饭，有鱼有饭有汤。\n",
		"gb.txt":           gb18030(t, "这是一个用国标编码保存的文件，里面写着昨天开会的内容和下周的计划。\n"),
		"wide.txt":         string(wide),
		"broken.txt":       "This line is fine and the next one \xff\xfe has two bad bytes in it, which are replaced and counted. 中文也在这里。\n",
		"report.docx":      "PK\x03\x04 not really a document",
		"disguised.txt":    "PK\x03\x04 a zip under another name",
		"noise.dat2":       string([]byte{0, 1, 2, 3, 0, 0, 0, 255, 254, 0, 9}),
		"empty.txt":        "",
		"blank.md":         " \n\n\t\n",
		"sub/page.html":    "<html><head><title>A page</title><script>var x = 1;</script></head><body><nav>Home | About</nav><main><h1>Rivers</h1><p>A river is a natural stream of water that flows towards the sea.</p><p>It is fed by rain and by melting snow in the mountains.</p></main><footer>Copyright</footer></body></html>",
		"sub/rows.csv":     "title,text\nApples,An apple is a round fruit that grows on trees in many countries.\nPears,A pear is a sweet fruit with a narrow top that grows on trees too.\n",
		"sub/lines.jsonl":  `{"title":"一","content":"海边的小镇每天早上都有人卖鱼，声音很大。"}` + "\n{broken\n" + `{"n":1}` + "\n",
		"sub/poems.json":   `[{"title":"静夜思","author":"李白","paragraphs":["床前明月光，疑是地上霜。","举头望明月，低头思故乡。"]},{"title":"春晓","author":"孟浩然","paragraphs":["春眠不觉晓，处处闻啼鸟。","夜来风雨声，花落知多少。"]}]`,
		"sub/cut.json":     `[{"text":"The first record of this file is whole and is kept."},{"text":"The second is c`,
		"a.go":             "// Package a adds numbers for people who like to add.\npackage a\n\n// Add returns the sum of two numbers and never fails.\nfunc Add(x, y int) int { return x + y }\n",
		"bad.go":           "package a\n\nfunc broken( {\n// some words so that the source is long enough to be kept as text of its own\n",
		"tool.py":          "def area(width, height):\n    # the area of a rectangle in square metres\n    return width * height\n",
		"copy/one.txt":     long + "后来他们回家了，晚上写了日记，把白天看到的都记了下来。",
		"copy/two.txt":     long + "后来他们回家了，晚上写了日记，把白天看到的都记了下来。",
		".hidden/secret":   "not read",
		"markdown/only.md": "---\ntitle: only front matter\n---\n",
	})
	if os.Getuid() != 0 { // root reads everything
		locked := filepath.Join(dir, "locked.txt")
		write(t, dir, map[string]string{"locked.txt": "cannot be read"})
		if err := os.Chmod(locked, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("no-such-file", filepath.Join(dir, "dangling")); err != nil {
		t.Log("no symbolic links here:", err)
	}
	return dir
}

func TestNothingIsLostSilently(t *testing.T) {
	in, out := odd(t), t.TempDir()
	report, err := data.Run(context.Background(), options(in, out), nil)
	if err != nil {
		t.Fatal(err)
	}
	kept := append(documents(t, filepath.Join(out, data.TrainFile)), documents(t, filepath.Join(out, data.HeldOutFile))...)
	rejected := documents(t, filepath.Join(out, data.RejectedFile))
	if len(kept) != report.Train.Documents+report.HeldOut.Documents || len(rejected) != report.Rejected.Documents {
		t.Errorf("%d kept and %d rejected on disk, the report has %+v", len(kept), len(rejected), report)
	}
	files := map[string]bool{}
	for _, d := range kept {
		files[d.Source.Path] = true
		if v, bad := d.Rejected(); bad {
			t.Errorf("%s is kept though %v", d.ID, v)
		}
	}
	reasons := map[string]string{}
	for _, d := range rejected {
		v, bad := d.Rejected()
		if !bad || v.Reason == "" {
			t.Errorf("%s is rejected without a reason", d.Source.Path)
		}
		files[d.Source.Path] = true
		reasons[d.Source.Path] = v.Rule
	}
	for path, want := range map[string]string{
		"odd/report.docx": read.Unsupported, "odd/disguised.txt": read.Unsupported, "odd/noise.dat2": read.Binary, "odd/empty.txt": read.Empty,
		"odd/blank.md": read.Empty, "odd/.hidden": read.Hidden, "odd/sub/cut.json": read.Damaged, "odd/copy/two.txt": "exact_duplicate",
		"odd/markdown/only.md": read.Empty, "odd/bad.go": read.Damaged,
	} {
		if reasons[path] != want {
			t.Errorf("%s: reason %q, want %q", path, reasons[path], want)
		}
	}
	// Every file on disk is in one of the lists.
	err = filepath.WalkDir(in, func(p string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(p, ".hidden") {
			return nil
		}
		relative, _ := filepath.Rel(filepath.Dir(in), p)
		if !files[filepath.ToSlash(relative)] {
			t.Errorf("%s is in none of the files", relative)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Files.Encoding["gb18030"] != 1 || report.Files.Encoding["utf-16"] != 1 || report.Files.Repaired != 1 {
		t.Errorf("encodings %v, repaired %d", report.Files.Encoding, report.Files.Repaired)
	}
	if report.TooSmall == "" {
		t.Error("a few notes are not said to be too small")
	}
	find := func(path, text string) {
		t.Helper()
		for _, d := range kept {
			if d.Source.Path == path && strings.Contains(d.Text, text) {
				return
			}
		}
		t.Errorf("%s: no kept document holds %q", path, text)
	}
	find("odd/gb.txt", "国标编码")
	find("odd/wide.txt", "秋天的山里")
	find("odd/note.md", "## 午饭")
	find("odd/sub/page.html", "natural stream of water")
	find("odd/sub/rows.csv", "narrow top")
	find("odd/sub/poems.json", "静夜思\n李白\n床前明月光，疑是地上霜。\n举头望明月，低头思故乡。")
	find("odd/a.go", "func Add(x, y int) int\n\nAdd returns the sum")
	find("odd/tool.py", "def area")
	find("odd/sub/cut.json", "first record")
	for _, d := range kept {
		if strings.Contains(d.Text, "Copyright") || strings.Contains(d.Text, "var x = 1") || strings.Contains(d.Text, "Home | About") {
			t.Errorf("%s has what is not text: %q", d.Source.Path, d.Text)
		}
		if d.Kind == document.KindPoem && (d.Fields["author"] == "" || !strings.Contains(d.Fields["lines"], "\n")) {
			t.Errorf("poem without its fields: %v", d.Fields)
		}
	}
}

func TestOutputDoesNotDependOnWorkers(t *testing.T) {
	in := odd(t)
	extra := map[string]string{}
	for i := range 60 {
		extra[fmt.Sprintf("many/%02d.md", i)] = fmt.Sprintf("# 第%d天\n\n第%d天早上我们走了%d里路，看见了一座桥。\n\n## 晚上\n\n晚上住在第%d家客店里，吃了%d个饼。\n", i, i*7, i*31, i*13, i*3)
	}
	write(t, in, extra)
	var first map[string][]byte
	for _, workers := range []int{1, 2, 7} {
		out := t.TempDir()
		o := options(in, out)
		o.Workers = workers
		if _, err := data.Run(context.Background(), o, func(data.Progress) {}); err != nil {
			t.Fatal(err)
		}
		files := map[string][]byte{}
		for _, name := range []string{data.TrainFile, data.HeldOutFile, data.RejectedFile, data.ReportFile} {
			content, err := os.ReadFile(filepath.Join(out, name))
			if err != nil {
				t.Fatal(err)
			}
			files[name] = content
		}
		if first == nil {
			first = files
		}
		for name := range files {
			if !bytes.Equal(first[name], files[name]) {
				t.Errorf("%s differs between 1 and %d workers", name, workers)
			}
		}
	}
}

func TestOneFileNeverStraddlesTheSplit(t *testing.T) {
	in, out := filepath.Join(t.TempDir(), "in"), t.TempDir()
	files := map[string]string{}
	for i := range 40 {
		var b strings.Builder
		for k := range 5 {
			fmt.Fprintf(&b, "## Part %d of %s\n\nThe house on hill %s has %s windows and the garden of number %s lies behind it.\n\n", k, words(i), words(i*5+k), words(i*31+k), words(i*17+k))
		}
		files[fmt.Sprintf("%02d.md", i)] = b.String()
	}
	write(t, in, files)
	if _, err := data.Run(context.Background(), options(in, out), nil); err != nil {
		t.Fatal(err)
	}
	side := map[string]string{}
	for _, name := range []string{data.TrainFile, data.HeldOutFile} {
		for _, d := range documents(t, filepath.Join(out, name)) {
			if other, ok := side[d.Group]; ok && other != d.Split {
				t.Errorf("group %s is on both sides", d.Group)
			}
			side[d.Group] = d.Split
		}
	}
	if len(side) < 20 {
		t.Errorf("%d groups", len(side))
	}
}

func words(n int) string {
	return strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(n*n+n))
}

func TestSizeLimitIsCounted(t *testing.T) {
	in, out := odd(t), t.TempDir()
	o := options(in, out)
	o.MaxBytes = 1000
	report, err := data.Run(context.Background(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Train.Bytes + report.HeldOut.Bytes; got > 1000 {
		t.Errorf("kept %d bytes", got)
	}
	row := report.Stages[1]
	if row.Name != "size" || len(row.Rejected) == 0 || row.Rejected[0].Reason != "over_size" {
		t.Errorf("the size stage is %+v", row)
	}
}

func TestFarTooManyFilesAreSampled(t *testing.T) {
	in, out := filepath.Join(t.TempDir(), "in"), t.TempDir()
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("%02d.txt", i)] = fmt.Sprintf("This is text %s of many and it says nothing else about %s.", words(i), words(i*i+7))
	}
	write(t, in, files)
	o := options(in, out)
	o.MaxBytes = 300
	report, err := data.Run(context.Background(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	left := report.Files.Rejected["over_size"]
	if report.Files.Seen != 50 || left == 0 || left+report.Files.Read != 50 {
		t.Errorf("files %+v", report.Files)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	empty := t.TempDir()
	only := t.TempDir()
	write(t, only, map[string]string{"a.docx": "PK\x03\x04", "b.pdf": "%PDF-1.7"})
	file := filepath.Join(only, "a.docx")
	for _, c := range []struct {
		o    data.Options
		want string
		why  string
	}{
		{options(empty, t.TempDir()), "no files in it", "an empty folder"},
		{options(only, t.TempDir()), "2 unsupported_format", "nothing readable"},
		{options(filepath.Join(empty, "absent"), t.TempDir()), "absent", "no such folder"},
		{options(only, ""), "no folder given", "no output"},
		{options(odd(t), filepath.Join(file, "below")), "output", "the output lies below a file"},
	} {
		_, err := data.Run(context.Background(), c.o, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %q", c.why, err, c.want)
		}
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := data.Run(cancelled, options(odd(t), t.TempDir()), nil); err == nil {
		t.Error("a cancelled run says that it is done")
	}
}

func TestGoDistributionIsTheDefault(t *testing.T) {
	root, err := read.GoRoot(context.Background())
	if err != nil {
		t.Skip("no Go distribution here: ", err)
	}
	out := t.TempDir()
	o := options("", out)
	o.Input = nil
	report, err := data.Run(context.Background(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if report.Kind != document.KindGo || report.Language != document.English || report.Train.Documents < 1000 {
		t.Errorf("%s: kind %s, language %s, %d documents", root, report.Kind, report.Language, report.Train.Documents)
	}
	content, err := os.ReadFile(filepath.Join(out, data.ReportFile))
	if err != nil {
		t.Fatal(err)
	}
	var again data.Report
	if err := json.Unmarshal(content, &again); err != nil || again.Train != report.Train {
		t.Errorf("the report on disk is %v %v", again.Train, err)
	}
}
