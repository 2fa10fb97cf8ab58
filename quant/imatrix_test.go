package quant

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func example() *Imatrix {
	return &Imatrix{Datasets: []string{"校准.txt"}, Chunks: 3, ChunkSize: 4, Entries: map[string]*Squares{
		"blk.0.attn_q.weight":        {Sums: []float32{12, 24, 0, 6}, Counts: []int64{12}},
		"blk.0.ffn_down_exps.weight": {Sums: []float32{4, 8, 0, 0}, Counts: []int64{4, 0}},
	}}
}

func TestImatrixComesBackFromBothForms(t *testing.T) {
	want := example()
	for _, name := range []string{"m.gguf", "m.dat"} {
		path := filepath.Join(t.TempDir(), name)
		if err := want.Write(path); err != nil {
			t.Fatal(err)
		}
		got, err := ReadImatrix(path)
		if err != nil {
			t.Fatal(err)
		}
		if name == "m.gguf" && !reflect.DeepEqual(got, want) {
			t.Errorf("%+v came back as %+v", want, got)
		}
		for tensor, shape := range map[string][]int{"blk.0.attn_q.weight": {9, 4}, "blk.0.ffn_down_exps.weight": {2, 9, 2}} {
			a, err := want.Of(tensor, shape)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := got.Of(tensor, shape); err != nil || !reflect.DeepEqual(a, b) {
				t.Errorf("%s: importance of %s was %v, is %v, %v", name, tensor, a, b, err)
			}
		}
		if keys := got.Keys("a/b.dat"); len(keys) != 4 || keys[1].Value != "校准.txt" || keys[3].Value != uint32(3) {
			t.Errorf("%s: keys %v", name, keys)
		}
	}
}

func TestImportanceOfAnotherModelIsRefused(t *testing.T) {
	m := example()
	if _, err := m.Of("blk.0.attn_q.weight", []int{9, 8}); err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("another width: %v", err)
	}
	if got, err := m.Of("blk.7.attn_q.weight", []int{9, 8}); got != nil || err != nil {
		t.Errorf("a tensor it does not speak of: %v, %v", got, err)
	}
	if got, _ := m.Of("blk.0.ffn_down_exps.weight", []int{2, 9, 2}); !reflect.DeepEqual(got, []float32{1, 2, 1, 1}) {
		t.Errorf("an expert that no row came to: %v", got)
	}
}

func TestDamagedImatrixIsRefused(t *testing.T) {
	whole := example().older()
	for n := range whole {
		m, err := parseImatrix(whole[:n])
		if err == nil && n != len(whole)-len("校准.txt")-8 && n != len(whole)-len("校准.txt")-4 { // the text's name and the chunks may be missing
			t.Errorf("%d of %d bytes were read as %+v", n, len(whole), m)
		}
	}
	path := filepath.Join(t.TempDir(), "x.dat")
	os.WriteFile(path, []byte("what is this"), 0o644)
	if _, err := ReadImatrix(path); err == nil || !strings.Contains(err.Error(), "x.dat") {
		t.Errorf("a text: %v", err)
	}
}

func FuzzParseImatrix(f *testing.F) {
	f.Add(example().older())
	f.Add([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseImatrix(data)
		if err != nil {
			return
		}
		for name, e := range m.Entries {
			if len(e.Sums) == 0 || len(e.Counts) != 1 {
				t.Fatalf("%q: %d sums, %d counts", name, len(e.Sums), len(e.Counts))
			}
		}
	})
}
