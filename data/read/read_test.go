package read

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"lian/data/document"
	"lian/verify/shared"
)

func one(t testing.TB, name, content string) Result {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(name))
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return One(File{Path: path, Name: "in/" + name, Size: int64(len(content))}, Options{})
}

func TestMarkdownSections(t *testing.T) {
	for _, c := range []struct{ why, text, headings, sections string }{
		{"two headings", "# A\n\none\n\n## B\n\ntwo\n", "A|B", "one|two"},
		{"text before the first heading", "before\n\n# A\n\none", "n|A", "before|one"},
		{"a heading in code is none", "# A\n```\n# not a heading\n```\n", "A", "```\n# not a heading\n```"},
		{"a heading without text goes along", "# Book\n\n## Chapter\n\ntext\n", "Chapter", "text"},
		{"Chinese without a blank", "#春天\n花开了。\n", "春天", "花开了。"},
		{"underlined", "Title\n=====\n\nbody\n", "Title", "body"},
		{"a hashtag is no heading", "#tag in a line\nmore", "n", "#tag in a line\nmore"},
		{"only a heading", "# Alone\n", "Alone", ""},
		{"Windows line ends", "# A\r\n\r\none\r\n", "A", "one"},
	} {
		r := one(t, "n.md", c.text)
		var headings, sections []string
		for _, d := range r.Documents {
			headings = append(headings, d.Fields["heading"])
			sections = append(sections, d.Fields["section"])
		}
		if got := strings.Join(headings, "|"); got != c.headings {
			t.Errorf("%s: headings %q, want %q", c.why, got, c.headings)
		}
		if got := strings.Join(sections, "|"); got != c.sections {
			t.Errorf("%s: sections %q, want %q", c.why, got, c.sections)
		}
	}
	if r := one(t, "n.md", "---\ntitle: 周记\n---\n今天下雨。\n"); len(r.Documents) != 1 || r.Documents[0].Title != "周记" {
		t.Errorf("front matter: %+v", r.Documents)
	}
}

func TestRecords(t *testing.T) {
	for _, c := range []struct {
		why, name, content string
		texts              []string
		rejected           int
	}{
		{"an array", "a.json", `[{"text":"one"},{"content":"two"}]`, []string{"one", "two"}, 0},
		{"wrapped", "a.json", `{"data":[{"body":"one"}]}`, []string{"one"}, 0},
		{"one object", "a.json", `{"title":"T","text":"one"}`, []string{"T\none"}, 0},
		{"lines under the name json", "a.json", "{\"text\":\"one\"}\n{\"text\":\"two\"}", []string{"one", "two"}, 0},
		{"no known member: the longest string", "a.json", `[{"id":"0123456789","remark":"words"}]`, []string{"words"}, 0},
		{"numbers only", "a.json", `[{"n":1}]`, nil, 1},
		{"strings", "a.json", `["one","two"]`, []string{"one", "two"}, 0},
		{"not closed", "a.json", `[{"text":"one"}`, []string{"one"}, 1},
		{"garbage after", "a.json", `[{"text":"one"}] x`, []string{"one"}, 1},
		{"empty array", "a.json", `[]`, nil, 1},
		{"a number", "a.json", `12`, nil, 1},
		{"bad line", "a.jsonl", "{\"text\":\"one\"}\n{\n\n{\"text\":\"two\"}\n", []string{"one", "two"}, 1},
		{"poem without author", "a.json", `[{"title":"T","paragraphs":["a","b"]}]`, []string{"T\na\nb"}, 0},
		{"CSV without a header", "a.csv", "1,first row of words\n2,second row of words\n", []string{"first row of words", "second row of words"}, 0},
		{"TSV", "a.tsv", "name\ttext\nx\tone two\n", []string{"x\none two"}, 0},
		{"a header only", "a.csv", "name,text\n", nil, 1},
	} {
		r := one(t, c.name, c.content)
		var texts []string
		for _, d := range r.Documents {
			texts = append(texts, d.Text)
		}
		if !reflect.DeepEqual(texts, c.texts) || len(r.Rejected) != c.rejected {
			t.Errorf("%s: texts %q (rejected %d: %+v), want %q (%d)", c.why, texts, len(r.Rejected), r.Rejected, c.texts, c.rejected)
		}
	}
}

func TestLongTextIsCutWithoutLoss(t *testing.T) {
	text := strings.Repeat("山路弯弯曲曲，两边都是松树和竹子。", 6000)
	r := one(t, "long.txt", text)
	var b strings.Builder
	groups := map[string]bool{}
	for _, d := range r.Documents {
		if len(d.Text) > pieceBytes || !utf8.ValidString(d.Text) {
			t.Fatalf("a piece of %d bytes", len(d.Text))
		}
		b.WriteString(d.Text)
		groups[d.Group] = true
	}
	if b.String() != text {
		t.Error("the pieces are not the text")
	}
	if len(groups) < 2 {
		t.Errorf("a book of %d pieces is one group", len(r.Documents))
	}
}

func TestEncodings(t *testing.T) {
	content, err := os.ReadFile(shared.Path(t, "testdata", "golden", "data", "encodings.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	here := map[string]bool{"utf-8": true, "utf-8-sig": true, "utf-16": true, "utf-16-le": true, "utf-16-be": true, "utf-32": true, "gbk": true, "gb18030": true, "big5": true, "cp1252": true}
	right, all := map[string]int{}, map[string]int{}
	for _, line := range strings.Split(string(content), "\n") {
		var row struct {
			Encoding string
			Hex      string `json:"bytes_hex"`
			Text     string
		}
		if json.Unmarshal([]byte(line), &row) != nil || row.Encoding == "" {
			continue
		}
		raw, err := hex.DecodeString(row.Hex)
		if err != nil {
			t.Fatal(err)
		}
		all[row.Encoding]++
		if d, err := Decode(raw); err == nil && d.Text == row.Text {
			right[row.Encoding]++
		} else if here[row.Encoding] {
			t.Logf("%s %q: got %q %v", row.Encoding, row.Text, d.Text, err)
		}
	}
	t.Logf("right %v of %v", right, all)
	for name := range here {
		if name == "utf-16-le" || name == "utf-16-be" { // without a mark and without ASCII nothing tells
			continue
		}
		if right[name] < all[name] {
			t.Errorf("%s: %d of %d right", name, right[name], all[name])
		}
	}
}

func TestGoPackage(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":          "module example.org/m\n",
		"box.go":          "// Package box holds things.\npackage box\n\n// Box holds one thing at a time.\ntype Box struct{ thing any }\n\n// Put puts a thing into the box; it fails when the box is full.\nfunc (b *Box) Put(thing any) error { return nil }\n\nfunc undocumented() {}\n\n// Sizes of boxes.\nconst (\n\tSmall = iota\n\tLarge\n)\n",
		"example_test.go": "package box_test\n\nimport \"fmt\"\n\n// A box is put to use.\nfunc ExampleBox() {\n\tfmt.Println(1)\n\t// Output: 1\n}\n",
		"bad.go":          "package box\nfunc (\n",
	}
	var list []File
	for _, name := range []string{"bad.go", "box.go", "example_test.go"} {
		list = append(list, File{Path: filepath.Join(dir, name), Name: "m/" + name, Size: int64(len(files[name]))})
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	for _, r := range Go(list, Options{}) {
		for _, d := range r.Documents {
			got[d.Kind+" "+d.Fields["what"]+" "+d.Title] = d.Fields["signature"]
			if d.Kind == document.KindGo && !strings.HasSuffix(d.Fields["package"], "m") {
				t.Errorf("%s is said to be of package %s", d.Title, d.Fields["package"])
			}
		}
	}
	want := map[string]string{
		"go package box": "package box", "go type box.Box": "type Box struct{ thing any }", "go method box.Box.Put": "func (b *Box) Put(thing any) error",
		"go const box.Small": "const (\n\tSmall = iota\n\tLarge\n)", "go example Example of box.Box": "", "code  box.go": "", "code  bad.go": "",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestBuildable(t *testing.T) {
	for _, c := range []struct {
		name, head           string
		buildable, generated bool
	}{
		{"a.go", "package a", true, false},
		{"a_windows.go", "package a", false, false},
		{"a_linux_arm64.go", "package a", false, false},
		{"a_amd64_test.go", "package a", true, false},
		{"a.go", "//go:build !linux\n\npackage a", false, false},
		{"a.go", "//go:build unix && gc\n\npackage a", true, false},
		{"a.go", "// Code generated by x. DO NOT EDIT.\n\npackage a", true, true},
	} {
		if b, g := Buildable(c.name, []byte(c.head)); b != c.buildable || g != c.generated {
			t.Errorf("%s %q: %v %v", c.name, c.head, b, g)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\xff\xfea\x00"))
	f.Add([]byte("\xd6\xd0\xce\xc4"))
	f.Add([]byte{0, 0, 0xfe, 0xff, 0, 0, 0, 'a'})
	f.Fuzz(func(t *testing.T, content []byte) {
		if d, err := Decode(content); err == nil && !utf8.ValidString(d.Text) {
			t.Errorf("%x decodes to invalid UTF-8 %q", content, d.Text)
		}
	})
}

// Every reader: no panic, and what is read is kept or rejected.
func FuzzReaders(f *testing.F) {
	for _, seed := range []string{"# a\n\nb", "<p>a<li>b</pre></pre>", `[{"text":"a"},{`, "{\"text\":1}\n{", "a,b\n\"c", "package a\n// B is.\nfunc B() {", "---\n---\n", "春\n==="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		file := File{Path: filepath.Join(t.TempDir(), "f"), Name: "in/f", Size: int64(len(content))}
		if err := os.WriteFile(file.Path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, extension := range []string{".txt", ".md", ".html", ".json", ".jsonl", ".csv", ".tsv", ".py"} {
			file.Name = "in/f" + extension
			if r := One(file, Options{}); len(r.Documents)+len(r.Rejected) == 0 {
				t.Errorf("%s: %q is neither kept nor rejected", extension, content)
			}
		}
		file.Name = "in/f.go"
		if r := Go([]File{file}, Options{})[0]; len(r.Documents)+len(r.Rejected) == 0 {
			t.Errorf("go: %q is neither kept nor rejected", content)
		}
	})
}
