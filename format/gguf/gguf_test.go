package gguf

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lian/dtype"
	"lian/verify/shared"
)

// everything is one value of each kind.
var everything = []KeyValue{
	{"general.architecture", "llama"},
	{"general.name", "链 «emoji 🙂»"},
	{"u8", uint8(200)}, {"i8", int8(-5)}, {"u16", uint16(60000)}, {"i16", int16(-6)},
	{"u32", uint32(1 << 31)}, {"i32", int32(-7)}, {"u64", uint64(1 << 63)}, {"i64", int64(-8)},
	{"f32", float32(1e-5)}, {"f64", 0.1}, {"yes", true}, {"no", false},
	{"texts", []string{"a", "", "\xff\xfe", "中"}}, {"no texts", []string{}},
	{"scores", []float32{-1, 0.5}}, {"doubles", []float64{2}}, {"flags", []bool{true, false}},
	{"bytes", []uint8{1, 2}}, {"i8s", []int8{-1}}, {"u16s", []uint16{3}}, {"i16s", []int16{-3}},
	{"u32s", []uint32{4}}, {"types", []int32{1, -2, 3}}, {"u64s", []uint64{5}}, {"i64s", []int64{-5}},
	{"nested", []any{[]int32{1}, []string{"x"}, []any{}}},
}

func someTensors() []Tensor {
	fill := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i)
		}
		return b
	}
	return []Tensor{
		{Name: "token_embd.weight", Type: dtype.Q8_0, Shape: []int{3, 64}, Data: fill(3 * 68)},
		{Name: "output_norm.weight", Type: dtype.F32, Shape: []int{5}, Data: fill(20)},
		{Name: "empty", Type: dtype.F16, Shape: []int{0, 4}},
		{Name: "scalar", Type: dtype.F32, Data: fill(4)},
		{Name: "blk.0.ffn_gate_exps.weight", Type: dtype.BF16, Shape: []int{2, 3, 1, 4}, Make: func() ([]byte, error) { return fill(48), nil }},
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, alignment := range []int{0, 8, 32, 64, 4096} {
		path := filepath.Join(t.TempDir(), "x.gguf")
		if _, err := Write(path, everything, someTensors(), Options{Alignment: alignment}); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatalf("alignment %d: %v", alignment, err)
		}
		if f.Version() != 3 || f.Alignment() != max(alignment, 8) && alignment != 0 {
			t.Errorf("version %d, alignment %d", f.Version(), f.Alignment())
		}
		for _, want := range everything {
			got, _ := f.Value(want.Key)
			if !reflect.DeepEqual(got, want.Value) {
				t.Errorf("%s: wrote %#v, read %#v", want.Key, want.Value, got)
			}
		}
		for _, want := range someTensors() {
			content, _ := want.Content()
			info, _ := f.Info(want.Name)
			data, err := f.Data(want.Name)
			if err != nil || info.Type != want.Type || !slices.Equal(info.Shape, want.Shape) || !bytes.Equal(data, content) {
				t.Errorf("alignment %d: wrote %s %v %v, read %v with %d bytes, %v", alignment, want.Name, want.Type, want.Shape, info, len(data), err)
			}
		}
		if got := f.Names(); len(got) != 5 || got[4] != "blk.0.ffn_gate_exps.weight" {
			t.Errorf("names are %v", got)
		}
		f.Close()
		if _, err := f.Data("scalar"); err == nil {
			t.Error("data of a closed file")
		}
	}
}

func TestTypedGetters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	if _, err := Write(path, everything, nil, Options{}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	check := func(what string, got any, ok bool, want any, wantOK bool) {
		t.Helper()
		if ok != wantOK || ok && !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, %v; want %v, %v", what, got, ok, want, wantOK)
		}
	}
	u, ok := f.Uint("u64")
	check("Uint(u64)", u, ok, uint64(1<<63), true)
	u, ok = f.Uint("u8")
	check("Uint(u8)", u, ok, uint64(200), true)
	_, ok = f.Uint("i8")
	check("Uint of a negative", nil, ok, nil, false)
	_, ok = f.Int("u64")
	check("Int of 2^63", nil, ok, nil, false)
	i, ok := f.Int("i16")
	check("Int(i16)", i, ok, int64(-6), true)
	x, ok := f.Float("f64")
	check("Float(f64)", x, ok, 0.1, true)
	_, ok = f.Float("u8")
	check("Float of a whole number", nil, ok, nil, false)
	b, ok := f.Bool("yes")
	check("Bool(yes)", b, ok, true, true)
	s, ok := f.String("general.architecture")
	check("String", s, ok, "llama", true)
	_, ok = f.String("absent")
	check("String(absent)", nil, ok, nil, false)
	n, ok := f.Ints("types")
	check("Ints(types)", n, ok, []int64{1, -2, 3}, true)
	_, ok = f.Ints("scores")
	check("Ints of floats", nil, ok, nil, false)
	texts, ok := f.Strings("texts")
	check("Strings", texts, ok, []string{"a", "", "\xff\xfe", "中"}, true)
}

// raw builds files by hand.
type raw []byte

func (r raw) u32(n uint32) raw   { return binary.LittleEndian.AppendUint32(r, n) }
func (r raw) u64(n uint64) raw   { return binary.LittleEndian.AppendUint64(r, n) }
func (r raw) str(s string) raw   { return append(r.u64(uint64(len(s))), s...) }
func (r raw) zeros(n int) raw    { return append(r, make([]byte, n)...) }
func head(tensors, keys int) raw { return raw("GGUF").u32(3).u64(uint64(tensors)).u64(uint64(keys)) }
func (r raw) tensor(name string, typ uint32, offset uint64, ne ...uint64) raw {
	r = r.str(name).u32(uint32(len(ne)))
	for _, n := range ne {
		r = r.u64(n)
	}
	return r.u32(typ).u64(offset)
}

func TestRefusesUnsoundFiles(t *testing.T) {
	padded := func(r raw, body int) raw { return r.zeros(align(len(r), 32) - len(r) + body) }
	cases := []struct {
		why  string
		raw  raw
		says string
	}{
		{"empty", nil, "not a GGUF"},
		{"other magic", raw("gguf").u32(3).zeros(16), "not a GGUF"},
		{"version 0", raw("GGUF").u32(0).zeros(16), "version 0"},
		{"version 4", raw("GGUF").u32(4).zeros(16), "version 4"},
		{"big-endian", append(raw("GGUF"), 0, 0, 0, 3).zeros(16), "big-endian"},
		{"cut in the counts", raw("GGUF").u32(3).u64(1), "cut off"},
		{"huge key count", raw("GGUF").u32(3).u64(0).u64(1 << 62), "cut off"},
		{"huge tensor count", raw("GGUF").u32(3).u64(1 << 62).u64(0), "cut off"},
		{"huge string", head(0, 1).u64(1 << 62), "cut off"},
		{"string near overflow", head(0, 1).u64(1<<64 - 1), "cut off"},
		{"kind 13", head(0, 1).str("a").u32(13).zeros(8), "kind 13"},
		{"huge array", head(0, 1).str("a").u32(9).u32(4).u64(1 << 62), "does not fit"},
		{"huge array of strings", head(0, 1).str("a").u32(9).u32(8).u64(1 << 61), "does not fit"},
		{"array of kind 99", head(0, 1).str("a").u32(9).u32(99).u64(0), "kind 99"},
		{"truth value 2", append(head(0, 1).str("a").u32(7), 2), "stored as 2"},
		{"key twice", head(0, 2).str("a").u32(4).u32(1).str("a").u32(4).u32(1), "twice"},
		{"alignment 0", head(0, 1).str(alignmentKey).u32(4).u32(0), "power of two"},
		{"alignment 24", head(0, 1).str(alignmentKey).u32(4).u32(24), "power of two"},
		{"alignment text", head(0, 1).str(alignmentKey).u32(8).str("32"), "power of two"},
		{"five dimensions", head(1, 0).tensor("a", 0, 0, 1, 1, 1, 1, 1), "dimensions"},
		{"dimension overflow", head(1, 0).tensor("a", 0, 0, 1<<63), "too large"},
		{"shape overflow", head(1, 0).tensor("a", 0, 0, 1<<40, 1<<40), "too many"},
		{"bytes overflow", head(1, 0).tensor("a", 0, 0, 1<<62), "does not fit"},
		{"unknown type", head(1, 0).tensor("a", 77, 0, 1), "type 77"},
		{"withdrawn type", head(1, 0).tensor("a", 4, 0, 32), "type 4"},
		{"part of a block", head(1, 0).tensor("a", 2, 0, 33), "whole blocks"},
		{"data past the end", padded(head(1, 0).tensor("a", 0, 0, 9), 32), "cut off"},
		{"offset past the end", padded(head(1, 0).tensor("a", 0, 1<<62, 1), 32), "cut off"},
		{"offset near overflow", padded(head(1, 0).tensor("a", 0, 1<<64-4, 1), 32), "cut off"},
		{"offset not aligned", padded(head(1, 0).tensor("a", 0, 4, 1), 64), "multiple"},
		{"tensor twice", padded(head(2, 0).tensor("a", 0, 0, 1).tensor("a", 0, 32, 1), 64), "twice"},
		{"bytes of no tensor between", padded(head(2, 0).tensor("a", 0, 0, 1).tensor("b", 0, 64, 1), 96), "of no tensor"},
		{"bytes of no tensor at the end", padded(head(1, 0).tensor("a", 0, 0, 1), 64), "of no tensor"},
		{"tensors not counted", padded(head(0, 0).tensor("a", 0, 0, 1), 32), "of no tensor"},
		{"key without a name", head(0, 1).str("").u32(4).u32(1), "is no name"},
		{"tensor without a name", padded(head(1, 0).tensor("", 0, 0, 1), 32), "no name"},
		{"a file of none", head(0, 2).str(splitNumber).u32(4).u32(0).str(splitCount).u32(4).u32(1 << 31), splitCount},
		{"a file after the last", head(0, 2).str(splitNumber).u32(4).u32(2).str(splitCount).u32(4).u32(2), splitCount},
		{"shared bytes", padded(head(2, 0).tensor("a", 0, 0, 9).tensor("b", 0, 32, 1), 64), "share bytes"},
	}
	deep := head(0, 1).str("a").u32(9)
	for range 20 {
		deep = deep.u32(9).u64(1)
	}
	cases = append(cases, struct {
		why  string
		raw  raw
		says string
	}{"deep arrays", deep.zeros(64), "nested"})
	for _, c := range cases {
		path := filepath.Join(t.TempDir(), "x.gguf")
		if err := os.WriteFile(path, c.raw, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err == nil {
			f.Close()
			t.Errorf("%s: opened", c.why)
		} else if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: the error %q does not say %q and the file", c.why, err, c.says)
		}
	}
}

func TestWriteRefusesBadInput(t *testing.T) {
	one := Tensor{Name: "a", Type: dtype.F32, Shape: []int{1}, Data: make([]byte, 4)}
	long := one
	long.Name = strings.Repeat("n", 64)
	cases := []struct {
		why       string
		metadata  []KeyValue
		tensors   []Tensor
		alignment int
	}{
		{"int has no width", []KeyValue{{"a", 1}}, nil, 0},
		{"a map", []KeyValue{{"a", map[string]string{}}}, nil, 0},
		{"nil", []KeyValue{{"a", nil}}, nil, 0},
		{"mixed list", []KeyValue{{"a", []any{"x"}}}, nil, 0},
		{"key twice", []KeyValue{{"a", "x"}, {"a", "y"}}, nil, 0},
		{"empty key", []KeyValue{{"", "x"}}, nil, 0},
		{"tensor twice", nil, []Tensor{one, one}, 0},
		{"long name", nil, []Tensor{long}, 0},
		{"type without a number", nil, []Tensor{{Name: "a", Type: dtype.U8, Shape: []int{1}, Data: []byte{1}}}, 0},
		{"five dimensions", nil, []Tensor{{Name: "a", Type: dtype.F32, Shape: []int{1, 1, 1, 1, 1}, Data: make([]byte, 4)}}, 0},
		{"wrong size", nil, []Tensor{{Name: "a", Type: dtype.Q4_0, Shape: []int{32}, Data: make([]byte, 17)}}, 0},
		{"alignment 3", nil, []Tensor{one}, 3},
		{"alignment negative", nil, []Tensor{one}, -32},
		{"two alignments", []KeyValue{{alignmentKey, uint32(64)}}, []Tensor{one}, 128},
		{"split keys", []KeyValue{{splitCount, uint16(2)}}, []Tensor{one}, 0},
	}
	for _, c := range cases {
		dir := t.TempDir()
		if _, err := Write(filepath.Join(dir, "x.gguf"), c.metadata, c.tensors, Options{Alignment: c.alignment}); err == nil {
			t.Errorf("%s: written", c.why)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left %v behind", c.why, left)
		}
	}
}

// copyOf returns what Write needs to write the same file again.
func copyOf(t *testing.T, f *File) []Tensor {
	t.Helper()
	var tensors []Tensor
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		data, err := f.Data(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, Tensor{Name: name, Type: info.Type, Shape: info.Shape, Data: data})
	}
	return tensors
}

// TestRewrittenFilesAreLlamaCppsOwn: version 3 files of llama.cpp's converter and
// quantiser come out byte for byte.
func TestRewrittenFilesAreLlamaCppsOwn(t *testing.T) {
	dir := shared.Path(t, "testdata", "golden", "infer", "gguf")
	paths, _ := filepath.Glob(filepath.Join(dir, "*.gguf"))
	for _, path := range paths {
		f, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		copied := filepath.Join(t.TempDir(), "copy.gguf")
		if _, err := Write(copied, f.Metadata(), copyOf(t, f), Options{}); err != nil {
			t.Error(err)
		}
		f.Close()
		got, _ := os.ReadFile(copied)
		want, _ := os.ReadFile(path)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: rewritten, %d bytes differ from %d", filepath.Base(path), len(got), len(want))
		}
	}
}

func TestPublishedFilesOpen(t *testing.T) {
	cases := []struct {
		elem    []string
		version int
		tensors int
		layers  uint64
	}{
		{[]string{"models", "stories260k", "tinyllamas-stories-260k-f32.gguf"}, 1, 48, 5},
		{[]string{"models", "llama-2-tiny-random.gguf"}, 3, 12, 1},
		{[]string{"models", "smollm2-135m-instruct-q4_1.gguf"}, 3, 272, 30},
		{[]string{"tokenizers", "ggml-vocab", "ggml-vocab-phi-3.gguf"}, 3, 0, 32},
		{[]string{"tokenizers", "ggml-vocab", "ggml-vocab-gpt-2.gguf"}, 3, 0, 12},
	}
	for _, c := range cases {
		f, err := Open(shared.Path(t, append([]string{"testdata"}, c.elem...)...))
		if err != nil {
			t.Error(err)
			continue
		}
		architecture, _ := f.String("general.architecture")
		layers, _ := f.Uint(architecture + ".block_count")
		tokens, _ := f.Strings("tokenizer.ggml.tokens")
		if f.Version() != c.version || len(f.Names()) != c.tensors || layers != c.layers || len(tokens) == 0 {
			t.Errorf("%v: version %d, %d tensors, %d layers, %d tokens; want %+v", c.elem, f.Version(), len(f.Names()), layers, len(tokens), c)
		}
		for _, name := range f.Names() {
			if data, err := f.Data(name); err != nil || len(data) == 0 {
				t.Errorf("%s: %d bytes, %v", name, len(data), err)
			}
		}
		f.Close()
	}
}

// TestVersion1HoldsTheSameWeights compares the version 1 file with the weights
// it was made from (llama2.c's stories260K: 7 int32, then the embedding).
func TestVersion1HoldsTheSameWeights(t *testing.T) {
	dir := shared.Path(t, "testdata", "models", "stories260k")
	raw, err := os.ReadFile(filepath.Join(dir, "stories260K.bin"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(filepath.Join(dir, "tinyllamas-stories-260k-f32.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Info("token_embd.weight")
	data, err := f.Data("token_embd.weight")
	if err != nil || !slices.Equal(info.Shape, []int{512, 64}) || !bytes.Equal(data, raw[28:28+len(data)]) {
		t.Errorf("%v differs from the original, %v", info, err)
	}
}

func TestSplitFilesAreOneModel(t *testing.T) {
	dir := t.TempDir()
	metadata := []KeyValue{{"general.name", "whole"}}
	paths, err := Write(filepath.Join(dir, "m.gguf"), metadata, someTensors()[:3], Options{MaxTensors: 1, Alignment: 64})
	if err != nil || len(paths) != 3 || filepath.Base(paths[1]) != "m-00002-of-00003.gguf" {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if name, _ := f.String("general.name"); name != "whole" || !slices.Equal(f.Names(), []string{"token_embd.weight", "output_norm.weight", "empty"}) {
			t.Errorf("opened by %s: %q, %v", path, name, f.Names())
		}
		if !slices.Equal(f.Keys(), []string{"general.name", alignmentKey}) || len(f.Paths()) != 3 {
			t.Errorf("opened by %s: keys %v of files %v", path, f.Keys(), f.Paths())
		}
		if _, err := f.Data("output_norm.weight"); err != nil {
			t.Error(err)
		}
		f.Close()
	}
	gone := filepath.Join(dir, "gone.gguf")
	if err := os.Rename(paths[1], gone); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(paths[0]); err == nil || !strings.Contains(err.Error(), "m-00002-of-00003.gguf is missing") {
		t.Errorf("with a file missing: %v", err)
	}
	if _, err := Open(gone); err == nil || !strings.Contains(err.Error(), "-00002-of-00003.gguf") {
		t.Errorf("under another name: %v", err)
	}
	for why, other := range map[string][]Tensor{"the same tensor again": {someTensors()[0], someTensors()[2]}, "fewer": {someTensors()[2], someTensors()[3]}} {
		made, err := Write(filepath.Join(t.TempDir(), "o.gguf"), nil, other, Options{MaxTensors: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(made[0], paths[1]); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(paths[0]); err == nil || !strings.Contains(err.Error(), paths[1]) {
			t.Errorf("with a file of another model (%s): %v", why, err)
		}
	}
}

func TestASplitIsAsLargeAsItMayBe(t *testing.T) {
	cases := []struct {
		why   string
		o     Options
		files []int // tensors in each
	}{
		{"no bound", Options{}, []int{5}},
		{"a bound over the size", Options{MaxBytes: 1 << 20}, []int{5}},
		{"bytes", Options{MaxBytes: 230}, []int{4, 1}},
		{"less than a tensor: it stands alone", Options{MaxBytes: 24}, []int{1, 3, 1}},
		{"tensors", Options{MaxTensors: 2}, []int{2, 2, 1}},
		{"both", Options{MaxTensors: 3, MaxBytes: 210}, []int{1, 3, 1}},
	}
	for _, c := range cases {
		paths, err := Write(filepath.Join(t.TempDir(), "m.gguf"), nil, someTensors(), c.o)
		if err != nil {
			t.Fatal(err)
		}
		var files []int
		for _, path := range paths {
			raw, _ := os.ReadFile(path)
			parsed, err := parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, len(parsed.tensors))
		}
		if !slices.Equal(files, c.files) {
			t.Errorf("%s: files of %v tensors, want %v", c.why, files, c.files)
		}
		f, err := Open(paths[0])
		if err != nil || len(f.Names()) != 5 {
			t.Errorf("%s: %v", c.why, err)
		}
		f.Close()
	}
}

// FuzzParse: no bytes make the parser panic, and what it accepts is sound.
func FuzzParse(f *testing.F) {
	path := filepath.Join(f.TempDir(), "x.gguf")
	if _, err := Write(path, everything, someTensors(), Options{}); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte("GGUF\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte(head(1, 0).tensor("a", 0, 0, 1).zeros(64)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parse(raw)
		if err != nil {
			return
		}
		for _, p := range c.tensors {
			if size, err := dtype.TensorBytes(p.info.Type, p.info.Shape); err != nil || len(raw[p.from:p.to]) != size {
				t.Errorf("%v has bytes %d to %d", p.info, p.from, p.to)
			}
		}
	})
}
