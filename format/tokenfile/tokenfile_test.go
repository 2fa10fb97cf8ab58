package tokenfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lian/verify/shared"
)

const smolVocabulary = 49152

// golden are the documents that the authors' own writers put into the shared files.
func golden(t testing.TB) (dir string, ids [][]int32, texts []string) {
	t.Helper()
	dir = shared.Path(t, "testdata", "golden", "data", "shards")
	raw, err := os.ReadFile(filepath.Join(dir, "contents.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	var first struct {
		Meta struct {
			Texts []string  `json:"texts"`
			IDs   [][]int32 `json:"ids"`
		} `json:"meta"`
	}
	if err := json.Unmarshal(line, &first); err != nil {
		t.Fatal(err)
	}
	return dir, first.Meta.IDs, first.Meta.Texts
}

func notEmpty(ids [][]int32) [][]int32 {
	return slices.DeleteFunc(slices.Clone(ids), func(d []int32) bool { return len(d) == 0 })
}

func all(t *testing.T, r Reader) (out [][]int32) {
	t.Helper()
	for i := range r.Documents() {
		d, err := r.Read(i, 0, r.Length(i))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d.IDs)
	}
	return out
}

func same(t *testing.T, got, want [][]int32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d documents, want %d", len(got), len(want))
	}
	for i := range got {
		if !slices.Equal(got[i], want[i]) {
			t.Fatalf("document %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func TestFilesOfOtherProgramsHoldTheDocumentsThatWereWritten(t *testing.T) {
	dir, ids, texts := golden(t)
	for _, c := range []struct {
		name string
		kind Kind
		want [][]int32
	}{
		{"megatron_u16.bin", Megatron, notEmpty(ids)},
		{"megatron_u32.idx", Megatron, notEmpty(ids)},
		{"megatron_u16", Megatron, notEmpty(ids)},
		{"nanogpt.bin", NanoGPT, ids},
		{"llmc_v1.bin", LLMC, ids},
		{"llmc_v7.bin", LLMC, ids},
		{"internevo.bin", InternEvo, notEmpty(ids)},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Look(filepath.Join(dir, c.name))
			if err != nil || f.Kind != c.kind {
				t.Fatalf("is %v, %v; want %s", f, err, c.kind)
			}
			r, err := Open(f, Options{Vocabulary: smolVocabulary, End: 0})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			same(t, all(t, r), c.want)
			if err := Check(r, nil); err != nil {
				t.Error(err)
			}
			if _, err := Open(f, Options{End: 0, Vocabulary: 300}); err == nil {
				r, _ := Open(f, Options{End: 0, Vocabulary: 300})
				err = Check(r, nil)
				for _, part := range []string{c.name[:5], "document", "token", "expected less than 300"} {
					if err == nil || !strings.Contains(err.Error(), part) {
						t.Errorf("ids above the vocabulary: %v; want it to say %q", err, part)
					}
				}
			}
		})
	}
	for _, c := range []struct {
		name, field string
		kind        Kind
		text        bool
	}{
		{"mds", "", MDS, false}, {"mds_zstd", "", MDS, false}, {"mds", "text", MDS, true}, {"mds_zstd", "text", MDS, true},
		{"table_none.parquet", "", Parquet, false}, {"table_snappy.parquet", "", Parquet, false}, {"table_gzip.parquet", "text", Parquet, true}, {"table_zstd.parquet", "", Parquet, false},
		{"table_lz4.parquet", "", Parquet, false}, {"table_brotli.parquet", "text", Parquet, true}, {"table_delta.parquet", "text", Parquet, true}, {"table_delta.parquet", "", Parquet, false},
		{"plain.jsonl", "", JSONLines, true}, {"crlf.jsonl", "", JSONLines, true}, {"bom.jsonl", "", JSONLines, true}, {"blank_lines.jsonl", "", JSONLines, true}, {"no_final_newline.jsonl", "", JSONLines, true},
		{"one.jsonl.gz", "", JSONLines, true}, {"two_members.jsonl.gz", "", JSONLines, true}, {"one.jsonl.zst", "content", JSONLines, true}, {"two_frames.jsonl.zst", "", JSONLines, true}, {"skippable.jsonl.zst", "", JSONLines, true},
	} {
		t.Run(c.name+c.field, func(t *testing.T) {
			f, err := Look(filepath.Join(dir, c.name))
			if err != nil || f.Kind != c.kind {
				t.Fatalf("is %v, %v; want %s", f, err, c.kind)
			}
			var gotIDs [][]int32
			var gotTexts []string
			for r, err := range Records(f, Options{End: 0, Vocabulary: smolVocabulary, Field: c.field}) {
				if err != nil {
					t.Fatal(err)
				}
				if r.IsText != c.text {
					t.Fatalf("text: %v, want %v", r.IsText, c.text)
				}
				gotIDs, gotTexts = append(gotIDs, r.IDs), append(gotTexts, r.Text)
			}
			if !c.text {
				same(t, gotIDs, ids)
				return
			}
			want := slices.Clone(texts)
			if c.kind == Parquet {
				want[3] = "" // null there
			}
			if !slices.Equal(gotTexts, want) {
				t.Errorf("texts are %q, want %q", gotTexts, want)
			}
		})
	}
}

func TestDamagedLinesAreNamed(t *testing.T) {
	dir, _, _ := golden(t)
	for name, want := range map[string]string{"truncated.jsonl.gz": "cut off", "truncated.jsonl.zst": "cut off", "bad_crc.jsonl.gz": "checksum", "bad_line.jsonl": ":8:", "bad_utf8.jsonl": ":8: not UTF-8", "trailing_garbage.jsonl.gz": ":16:"} {
		var last error
		for _, err := range Records(File{filepath.Join(dir, name), JSONLines}, Options{End: None}) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), want) {
			t.Errorf("%s: %v; want it to say %q", name, last, want)
		}
	}
}

func sequence(ids [][]int32) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for _, d := range ids {
			if !yield(Document{Tokens: Tokens{IDs: d}, TextBytes: -1}, nil) {
				return
			}
		}
	}
}

func TestWhatIsWrittenIsWhatTheOthersWrite(t *testing.T) {
	dir, ids, _ := golden(t)
	out := t.TempDir()
	for _, c := range []struct {
		kind       Kind
		name       string
		vocabulary int
		end        int32
		documents  [][]int32
		files      []string
	}{
		{Megatron, "megatron_u16.bin", smolVocabulary, 0, notEmpty(ids), []string{"megatron_u16.bin", "megatron_u16.idx"}},
		{Megatron, "megatron_u32.bin", 1 << 17, 0, notEmpty(ids), []string{"megatron_u32.bin", "megatron_u32.idx"}},
		{NanoGPT, "nanogpt.bin", smolVocabulary, 0, ids, []string{"nanogpt.bin"}},
		{LLMC, "llmc_v1.bin", smolVocabulary, 0, ids, []string{"llmc_v1.bin"}},
		{LLMC, "llmc_v7.bin", 1 << 17, 0, ids, []string{"llmc_v7.bin"}},
		{InternEvo, "internevo.bin", smolVocabulary, None, notEmpty(ids), []string{"internevo.bin", "internevo.bin.meta"}},
	} {
		if _, err := Write(c.kind, filepath.Join(out, c.name), sequence(c.documents), Writing{Vocabulary: c.vocabulary, End: c.end}); err != nil {
			t.Fatal(err)
		}
		for _, f := range c.files {
			got, err := os.ReadFile(filepath.Join(out, f))
			want, err2 := os.ReadFile(filepath.Join(dir, f))
			if err != nil || err2 != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes differ from the %d of its own writer (%v, %v)", f, len(got), len(want), err, err2)
			}
		}
	}
}

func TestEveryFormatGivesBackWhatWasWritten(t *testing.T) {
	documents := [][]int32{{5, 1, 65000}, {7}, {2, 3, 4}, {}, {9, 9}}
	for _, kind := range Kinds {
		if !kind.Writable() {
			continue
		}
		path := filepath.Join(t.TempDir(), "文.bin")
		if kind == JSONLines {
			path += ".jsonl"
		}
		w, err := Write(kind, path, sequence(documents), Writing{Vocabulary: 65400, End: 0, Tokenizer: "x"})
		if err != nil {
			t.Fatal(kind, err)
		}
		f, err := Look(path)
		if err != nil || f.Kind != kind {
			t.Fatalf("%s looks like %v, %v", kind, f, err)
		}
		o := Options{Vocabulary: 65400, End: 0}
		var got string
		if kind.InPlace() {
			r, err := Open(f, o)
			if err != nil {
				t.Fatal(kind, err)
			}
			same(t, all(t, r), documents)
			got, err = Sum(r)
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
		} else if got, err = SumRecords(Records(f, o)); err != nil {
			t.Fatal(kind, err)
		}
		if got != w.IDs || w.Documents != len(documents) || w.Tokens != 9 {
			t.Errorf("%s: written %+v, read back %s", kind, w, got)
		}
	}
}

func TestPromptsOfInternEvoAreReadAndNotLearnt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sft.bin")
	d := Document{Tokens: Tokens{IDs: []int32{4, 5, 6, 7}, Prompt: []bool{true, true, false, false}}}
	for _, table := range []bool{true, false} {
		if _, err := Write(InternEvo, path, func(yield func(Document, error) bool) { yield(d, nil) }, Writing{Vocabulary: 10, End: None}); err != nil {
			t.Fatal(err)
		}
		if !table {
			os.Remove(path + ".meta")
		}
		r, err := openInternEvo(path, Options{Vocabulary: 10, End: None})
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Read(0, 1, 3)
		if err != nil || !slices.Equal(got.IDs, []int32{5, 6, 7}) || !slices.Equal(got.Prompt, []bool{true, false, false}) {
			t.Errorf("table %v: read %v, %v", table, got, err)
		}
		r.Close()
	}
	if _, err := Write(Megatron, path, func(yield func(Document, error) bool) { yield(d, nil) }, Writing{Vocabulary: 10, End: 0}); err == nil || !strings.Contains(err.Error(), "prompt") {
		t.Errorf("megatron took a prompt: %v", err)
	}
}

func TestCutOffFilesSayWhatIsMissing(t *testing.T) {
	documents := [][]int32{{5, 1, 60000}, {7, 8, 9, 10}, {2, 3, 4}}
	for _, kind := range []Kind{Lian, InternEvo, Megatron, LLMC, MDS} {
		dir := filepath.Join(t.TempDir(), "x")
		path := filepath.Join(dir, "a.bin")
		if kind == MDS {
			path = dir
		}
		w, err := Write(kind, path, sequence(documents), Writing{Vocabulary: 65000, End: 0, Tokenizer: "x"})
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range w.Files {
			if filepath.Base(file) == "index.json" {
				continue
			}
			whole, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, whole[:len(whole)-3], 0o644); err != nil {
				t.Fatal(err)
			}
			err = readAll(kind, path, Options{Vocabulary: 65000, End: 0})
			if err == nil || !strings.Contains(err.Error(), filepath.Base(file)) && kind != InternEvo || kind != Lian && kind != InternEvo && !strings.Contains(err.Error(), "expected") {
				t.Errorf("%s without the end of %s: %v", kind, filepath.Base(file), err)
			}
			if err := os.WriteFile(file, whole, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := readAll(kind, path, Options{Vocabulary: 65000, End: 0}); err != nil {
			t.Errorf("%s whole again: %v", kind, err)
		}
	}
}

func readAll(kind Kind, path string, o Options) error {
	if !kind.InPlace() {
		_, err := SumRecords(Records(File{path, kind}, o))
		return err
	}
	r, err := Open(File{path, kind}, o)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = Sum(r)
	return err
}

func TestFoldersAreDomains(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"en/a.bin", "en/b.bin", "中文/a.bin", "code/train.bin", "code/val.bin"} {
		if _, err := Write(NanoGPT, filepath.Join(dir, "train_folder", f), sequence([][]int32{{1, 2}}), Writing{Vocabulary: 10, End: 0}); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(dir, "train_folder", "README.md"), []byte("x"), 0o644)
	got, err := Discover(filepath.Join(dir, "train_folder"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range got {
		names = append(names, d.Name)
	}
	if !slices.Equal(names, []string{"code", "en", "中文"}) || len(got[0].Train) != 1 || len(got[0].HeldOut) != 1 || len(got[1].Train) != 2 {
		t.Errorf("domains are %+v", got)
	}
	if _, err := Discover(t.TempDir()); err == nil {
		t.Error("an empty folder has domains")
	}
}

// FuzzRead: no bytes make a reader panic or give an id outside the vocabulary.
func FuzzRead(f *testing.F) {
	for _, kind := range []Kind{Lian, InternEvo, Megatron, LLMC, NanoGPT} {
		path := filepath.Join(f.TempDir(), "a.bin")
		w, err := Write(kind, path, sequence([][]int32{{5, 1, 300}, {}, {7, 8}}), Writing{Vocabulary: 400, End: 0, Tokenizer: "x"})
		if err != nil {
			f.Fatal(err)
		}
		first, _ := os.ReadFile(w.Files[0])
		var second []byte
		if len(w.Files) > 1 {
			second, _ = os.ReadFile(w.Files[1])
		}
		f.Add(string(kind), first, second)
	}
	f.Fuzz(func(t *testing.T, kind string, first, second []byte) {
		path := filepath.Join(t.TempDir(), "a.bin")
		other := map[Kind]string{InternEvo: path + ".meta", Megatron: filepath.Join(filepath.Dir(path), "a.idx")}[Kind(kind)]
		if other != "" { // the index comes first in a writer's list
			first, second = second, first
			os.WriteFile(other, second, 0o644)
		}
		os.WriteFile(path, first, 0o644)
		r, err := Open(File{path, Kind(kind)}, Options{Vocabulary: 400, End: 0})
		if err != nil {
			return
		}
		defer r.Close()
		for i := range r.Documents() {
			n := r.Length(i)
			if n < 0 {
				t.Fatalf("document %d has %d tokens", i, n)
			}
			d, err := r.Read(i, 0, n)
			for _, id := range d.IDs {
				if err == nil && (id < 0 || id >= 400) {
					t.Fatalf("document %d has id %d", i, id)
				}
			}
			_ = r.Where(i).String()
		}
	})
}

// FuzzRecords: the same of what is read from front to back.
func FuzzRecords(f *testing.F) {
	dir := f.TempDir()
	if _, err := Write(MDS, filepath.Join(dir, "m"), sequence([][]int32{{5, 1}, {7}}), Writing{Vocabulary: 400, End: 0}); err != nil {
		f.Fatal(err)
	}
	index, _ := os.ReadFile(filepath.Join(dir, "m", "index.json"))
	data, _ := os.ReadFile(filepath.Join(dir, "m", "shard.00000.mds"))
	f.Add("mds", index, data)
	f.Add("jsonl", []byte("{\"tokens\": [1, 2]}\n{\"text\": \"文\"}\n"), []byte(nil))
	if table, err := os.ReadFile(filepath.Join(shared.Root(), "testdata", "golden", "data", "shards", "table_delta.parquet")); err == nil {
		f.Add("parquet", table, []byte(nil))
	}
	f.Fuzz(func(t *testing.T, kind string, first, second []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "a")
		if Kind(kind) == MDS {
			path = dir
			os.WriteFile(filepath.Join(dir, "index.json"), first, 0o644)
			os.WriteFile(filepath.Join(dir, "shard.00000.mds"), second, 0o644)
		} else {
			os.WriteFile(path, first, 0o644)
		}
		for r, err := range Records(File{path, Kind(kind)}, Options{Vocabulary: 400, End: 0}) {
			if err != nil {
				return
			}
			for _, id := range r.IDs {
				if id < 0 || id >= 400 {
					t.Fatalf("id %d", id)
				}
			}
		}
	})
}

func TestIDsOfALineAreReadAsTheLibraryReadsThem(t *testing.T) {
	for _, line := range []string{`{"tokens": [1, -2, 30]}`, `{"tokens":[1,2]}`, `{"tokens": []}`, `{"tokens": [ 1 , 2 ]}`, `{"tokens": [1, 2], "x": 1}`, `{"input_ids": [3]}`, `{"tokens": [01]}`, `{"tokens": [1,]}`, `{"tokens": [1.5]}`, `{"tokens": [99999999999999999999]}`, `{"tokens": 3}`, `[]`, `{"tokens": [1 2]}`} {
		var record struct {
			Tokens []int64 `json:"tokens"`
			Input  []int64 `json:"input_ids"`
		}
		wantErr := json.Unmarshal([]byte(line), &record)
		if record.Tokens == nil {
			record.Tokens = record.Input
		}
		got, err := parseIDs([]byte(line), "")
		if (err == nil) != (wantErr == nil) || err == nil && !slices.Equal(got, record.Tokens) {
			t.Errorf("%s: %v, %v; the library: %v, %v", line, got, err, record.Tokens, wantErr)
		}
		if first, last, ok := ends([]byte(line)); ok && err == nil && (first != got[0] || last != got[len(got)-1]) {
			t.Errorf("%s: ends at %d and %d", line, first, last)
		}
	}
	long := bufio.NewReaderSize(strings.NewReader(strings.Repeat("x", 100)+"\ny"), 16)
	if line, err := readLine(long); err != nil || len(line) != 101 {
		t.Errorf("a line longer than the buffer has %d bytes, %v", len(line), err)
	}
}
