package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lian/dtype"
	"lian/verify/shared"

	"pgregory.net/rapid"
)

// file builds a file from header text and body.
func file(header string, body int) []byte {
	raw := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(raw, header...), make([]byte, body)...)
}

func TestRefusesUnsoundFiles(t *testing.T) {
	tensor := func(dtype, shape, offsets string) string {
		return fmt.Sprintf(`{"dtype":%q,"shape":%s,"data_offsets":%s}`, dtype, shape, offsets)
	}
	cases := []struct {
		why  string
		raw  []byte
		says string
	}{
		{"empty", nil, "too few"},
		{"header longer than the file", binary.LittleEndian.AppendUint64(nil, 1<<40), "cut off"},
		{"header length near overflow", binary.LittleEndian.AppendUint64(nil, 1<<64-1), "cut off"},
		{"no header", make([]byte, 8), "'{'"},
		{"not JSON", file(`{"a"`, 0), "header"},
		{"text after the header", file(`{} {}`, 0), "after the closing brace"},
		{"not UTF-8", file("{\"\xff\":1}", 0), "UTF-8"},
		{"a list", file(`{"a":[]}`, 0), "object is expected"},
		{"end before start", file(`{"a":`+tensor("F32", "[0]", "[4,0]")+`}`, 4), "start and an end"},
		{"offset past the end", file(`{"a":`+tensor("F32", "[2]", "[0,8]")+`}`, 4), "after its header"},
		{"bytes left over", file(`{"a":`+tensor("F32", "[1]", "[0,4]")+`}`, 9), "after its header"},
		{"size differs", file(`{"a":`+tensor("F32", "[2]", "[0,4]")+`}`, 4), "takes 8 bytes"},
		{"shape overflows", file(`{"a":`+tensor("F32", "[4611686018427387904,4]", "[0,0]")+`}`, 0), "too many"},
		{"shape too large for an int", file(`{"a":`+tensor("F32", "[18446744073709551615]", "[0,0]")+`}`, 0), "whole number"},
		{"negative dimension", file(`{"a":`+tensor("F32", "[-1]", "[0,0]")+`}`, 0), "whole number"},
		{"fraction", file(`{"a":`+tensor("F32", "[1.0]", "[0,4]")+`}`, 4), "whole number"},
		{"null shape", file(`{"a":`+tensor("F32", "null", "[0,4]")+`}`, 4), "array"},
		{"null in a shape", file(`{"a":`+tensor("F32", "[null]", "[0,0]")+`}`, 0), "whole number"},
		{"unknown type", file(`{"a":`+tensor("F5", "[1]", "[0,4]")+`}`, 4), `dtype: "F5"`},
		{"complex numbers", file(`{"a":`+tensor("C64", "[1]", "[0,8]")+`}`, 8), "C64: complex"},
		{"6-bit floats", file(`{"a":`+tensor("F6_E2M3", "[4]", "[0,3]")+`}`, 3), "F6_E2M3: 6-bit"},
		{"half a byte", file(`{"a":`+tensor("F4", "[3]", "[0,2]")+`}`, 2), "whole blocks"},
		{"a number with a leading zero", file(`{"a":`+tensor("U8", "[01]", "[0,1]")+`}`, 1), "whole number"},
		{"cut in a text", file(`{"a`, 0), "inside a string"},
		{"a text ends in a backslash", file(`{"a\`, 0), "inside a string"},
		{"a wrong escape", file(`{"\x":1}`, 0), "header"},
		{"a newline in a text", file("{\"a\n\":1}", 0), "control character"},
		{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`, 0), "twice"},
		{"metadata key twice", file(`{"__metadata__":{"a":"1","a":"1"}}`, 0), "twice"},
		{"same name twice", file(`{"a":`+tensor("U8", "[1]", "[0,1]")+`,"a":`+tensor("U8", "[1]", "[1,2]")+`}`, 2), "twice"},
		{"overlap", file(`{"a":`+tensor("U8", "[2]", "[0,2]")+`,"b":`+tensor("U8", "[2]", "[1,3]")+`}`, 3), "overlap"},
		{"hole", file(`{"a":`+tensor("U8", "[1]", "[0,1]")+`,"b":`+tensor("U8", "[1]", "[2,3]")+`}`, 3), "hole"},
		{"a field missing", file(`{"a":{"dtype":"U8","shape":[1]}}`, 1), "needs"},
		{"a field twice", file(`{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), "twice"},
		{"a field unknown", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"stride":[1]}}`, 1), "stride"},
		{"metadata not text", file(`{"__metadata__":{"a":1}}`, 0), "a string is expected"},
	}
	for _, c := range cases {
		path := filepath.Join(t.TempDir(), "model.safetensors")
		if err := os.WriteFile(path, c.raw, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err == nil {
			f.Close()
			t.Errorf("%s: opened", c.why)
			continue
		}
		if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: the error %q does not say %q and the file", c.why, err, c.says)
		}
	}
}

func TestScalarsAndEmptyTensors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	err := Write(path, []Tensor{
		{Name: "空", Type: dtype.F32, Shape: []int{0, 3}},
		{Name: "scalar", Type: dtype.F32, Data: []byte{0, 0, 128, 63}},
		{Name: "none", Type: dtype.F32, Shape: []int{4, 0}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if v, err := f.Floats("scalar"); err != nil || !slices.Equal(v, []float32{1}) {
		t.Errorf("the scalar is %v, %v", v, err)
	}
	if v, err := f.Data("空"); err != nil || len(v) != 0 {
		t.Errorf("the empty tensor is %v, %v", v, err)
	}
	if _, err := f.Data("missing"); err == nil {
		t.Error("a missing tensor has data")
	}
}

func TestDataAfterCloseIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := Write(path, []Tensor{{Name: "a", Type: dtype.U8, Shape: []int{1}, Data: []byte{7}}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := f.Data("a"); err == nil {
		t.Error("data of a closed file")
	}
}

func TestWriteRefusesBadTensors(t *testing.T) {
	one := Tensor{Name: "a", Type: dtype.U8, Shape: []int{1}, Data: []byte{1}}
	cases := map[string][]Tensor{
		"no name":       {{Type: dtype.U8, Shape: []int{1}, Data: []byte{1}}},
		"name twice":    {one, one},
		"reserved name": {{Name: "__metadata__", Type: dtype.U8, Shape: []int{1}, Data: []byte{1}}},
		"wrong size":    {{Name: "a", Type: dtype.F32, Shape: []int{1}, Data: []byte{1}}},
		"block type":    {{Name: "a", Type: dtype.Q8_0, Shape: []int{32}, Data: make([]byte, 34)}},
		"no type":       {{Name: "a", Shape: []int{1}, Data: []byte{1}}},
		"not UTF-8":     {{Name: "\xff", Type: dtype.U8, Shape: []int{1}, Data: []byte{1}}},
		"made wrong":    {{Name: "a", Type: dtype.U8, Shape: []int{1}, Make: func() ([]byte, error) { return nil, nil }}},
	}
	for why, tensors := range cases {
		dir := t.TempDir()
		if err := Write(filepath.Join(dir, "x.safetensors"), tensors, nil); err == nil {
			t.Errorf("%s: written", why)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left %v behind", why, left)
		}
	}
}

// all is what writes a file's tensors again.
func all(t *testing.T, f *File) (tensors []Tensor) {
	t.Helper()
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

// TestWriteIsTheReferenceLibrarys rewrites files of the Python library and
// expects the same bytes.
func TestWriteIsTheReferenceLibrarys(t *testing.T) {
	for _, elem := range [][]string{
		{"golden", "infer", "float", "float.safetensors"},
		{"golden", "infer", "quants", "ggml_quants.safetensors"},
		{"golden", "infer", "hf", "llama-bf16", "model.safetensors"},
		{"golden", "infer", "hf", "gpt2", "golden.safetensors"},
		{"models", "digit-llama-hf", "model.safetensors"},
	} {
		path := shared.Path(t, append([]string{"testdata"}, elem...)...)
		f, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		tensors := all(t, f)
		slices.Reverse(tensors) // the order given must not matter
		copied := filepath.Join(t.TempDir(), "copy.safetensors")
		if err := Write(copied, tensors, f.Metadata()); err != nil {
			t.Error(err)
		}
		f.Close()
		want, _ := os.ReadFile(path)
		got, _ := os.ReadFile(copied)
		if !bytes.Equal(got, want) {
			n := 0
			for n < min(len(got), len(want)) && got[n] == want[n] {
				n++
			}
			t.Errorf("%s: rewritten %d bytes differ from %d at %d:\n got %.200q\nwant %.200q", path, len(got), len(want), n, got[n:], want[n:])
		}
	}
}

func TestShardsAreOneModel(t *testing.T) {
	dir := shared.Path(t, "testdata", "golden", "infer", "hf", "llama-sharded")
	for _, path := range []string{dir, filepath.Join(dir, "model.safetensors.index.json")} {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Paths()) != 5 {
			t.Errorf("%d shards are open, want 5", len(f.Paths()))
		}
		for _, name := range f.Names() {
			info, ok := f.Info(name)
			data, err := f.Data(name)
			if !ok || err != nil || int64(len(data)) != info.Bytes {
				t.Errorf("%v: %d bytes, %v", info, len(data), err)
			}
		}
		if f.Metadata()["format"] != "pt" {
			t.Errorf("metadata is %v", f.Metadata())
		}
		f.Close()
	}
}

// TestPublishedFilesOpen opens every safetensors file among the golden models.
func TestPublishedFilesOpen(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(shared.Path(t, "testdata", "golden", "infer", "hf"), "*"))
	if err != nil || len(paths) < 50 {
		t.Fatalf("%d models, %v", len(paths), err)
	}
	more, _ := filepath.Glob(shared.Path(t, "testdata", "models") + "/*/*.safetensors")
	for _, path := range append(paths, more...) {
		f, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, name := range f.Names() {
			info, _ := f.Info(name)
			if data, err := f.Data(name); err != nil || int64(len(data)) != info.Bytes {
				t.Errorf("%s: %v: %d bytes, %v", path, info, len(data), err)
			}
		}
		f.Close()
	}
}

// TestShardsAreTransformersOwn rewrites a model that save_pretrained cut at 32 KB.
func TestShardsAreTransformersOwn(t *testing.T) {
	dir := shared.Path(t, "testdata", "golden", "infer", "hf", "llama-sharded")
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sizes := map[string]int64{}
	largest := int64(0)
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		shard := filepath.Base(f.tensors[name].part.Path())
		sizes[shard] += info.Bytes
		largest = max(largest, sizes[shard])
	}
	out := t.TempDir()
	tensors, order := all(t, f), []string{"embed", "q_proj", "k_proj", "v_proj", "o_proj", "gate", "up", "down", "input", "post", "model.norm", "lm_head"}
	slices.SortFunc(tensors, func(a, b Tensor) int { // the order of the module
		place := func(t Tensor) string {
			kind := slices.IndexFunc(order, func(part string) bool { return strings.Contains(t.Name, part) })
			layer := strings.IndexAny(t.Name, "0123456789")
			if layer < 0 {
				return fmt.Sprintf("%d", kind/10*9)
			}
			return fmt.Sprintf("1 %s %02d", t.Name[layer:layer+1], kind)
		}
		return strings.Compare(place(a), place(b))
	})
	paths, err := WriteFolder(out, tensors, f.Metadata(), largest)
	if err != nil || len(paths) != 6 {
		t.Fatal(paths, err)
	}
	for _, path := range paths[:5] {
		got, _ := os.ReadFile(path)
		want, _ := os.ReadFile(filepath.Join(dir, filepath.Base(path)))
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs", filepath.Base(path))
		}
	}
	again, err := Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if !slices.Equal(again.Names(), f.Names()) {
		t.Errorf("names are %v, were %v", again.Names(), f.Names())
	}
}

func TestAFolderHasOneLayout(t *testing.T) {
	dir := t.TempDir()
	two := []Tensor{{Name: "b", Type: dtype.U8, Shape: []int{1}, Data: []byte{1}}, {Name: "a", Type: dtype.U8, Shape: []int{3}, Data: []byte{1, 2, 3}}}
	if _, err := WriteFolder(dir, append(two, two[0]), nil, 1); err == nil || !strings.Contains(err.Error(), "the name is taken") {
		t.Errorf("a name in two shards: %v", err)
	}
	if _, err := WriteFolder(dir, two, nil, -1); err == nil {
		t.Error("shards of -1 bytes were written")
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left %v behind", left)
	}
	if paths, err := WriteFolder(dir, two, nil, 0); err != nil || len(paths) != 1 {
		t.Errorf("%v, %v", paths, err)
	}
	if _, err := WriteFolder(dir, two, nil, 2); err == nil || !strings.Contains(err.Error(), SingleFile) {
		t.Errorf("shards beside one file: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, SingleFile)); err != nil {
		t.Fatal(err)
	}
	if paths, err := WriteFolder(dir, two, nil, 2); err != nil || len(paths) != 3 {
		t.Errorf("%v, %v", paths, err)
	}
	if _, err := WriteFolder(dir, two, nil, 0); err == nil || !strings.Contains(err.Error(), IndexFile) {
		t.Errorf("one file beside shards: %v", err)
	}
}

func TestIndexMustAgreeWithItsShards(t *testing.T) {
	dir := t.TempDir()
	tensor := func(name string) []Tensor {
		return []Tensor{{Name: name, Type: dtype.U8, Shape: []int{1}, Data: []byte{1}}}
	}
	for shard, name := range map[string]string{"1.safetensors": "a", "2.safetensors": "b", "3.safetensors": "a"} {
		if err := Write(filepath.Join(dir, shard), tensor(name), nil); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct{ why, index, says string }{
		{"sound", `{"metadata":{"total_size":2},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`, ""},
		{"missing tensor", `{"weight_map":{"a":"1.safetensors","b":"2.safetensors","c":"2.safetensors"}}`, "c is said to be in 2.safetensors, which does not have it"},
		{"extra tensor", `{"weight_map":{"a":"1.safetensors","c":"2.safetensors"}}`, "tensor b is in"},
		{"a name twice", `{"weight_map":{"a":"1.safetensors","a":"2.safetensors","b":"2.safetensors"}}`, `"a" comes twice`},
		{"not a text", `{"weight_map":{"a":1}}`, "a string is expected"},
		{"nothing", `{"weight_map":{}}`, "no tensor"},
		{"wrong shard", `{"weight_map":{"a":"2.safetensors","b":"1.safetensors"}}`, "but is in"},
		{"in two shards", `{"weight_map":{"a":"1.safetensors","b":"3.safetensors"}}`, "also in"},
		{"missing shard", `{"weight_map":{"a":"9.safetensors"}}`, "9.safetensors"},
		{"outside", `{"weight_map":{"a":"../1.safetensors"}}`, "plain file name"},
		{"absolute", `{"weight_map":{"a":"/etc/passwd"}}`, "plain file name"},
		{"empty", `{}`, "weight_map"},
		{"not JSON", `{`, "unexpected end"},
	}
	for _, c := range cases {
		path := filepath.Join(dir, "model.safetensors.index.json")
		if err := os.WriteFile(path, []byte(c.index), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(dir)
		if err == nil {
			f.Close()
		}
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
	os.Remove(filepath.Join(dir, "model.safetensors.index.json"))
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "several") {
		t.Errorf("a folder of three files: %v", err)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	dir := t.TempDir()
	var known []dtype.Type
	for _, n := range typeNames {
		if n.t.Valid() {
			known = append(known, n.t)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringN(1, 20, -1), 0, 6, rapid.ID[string]).Draw(t, "names")
		names = slices.DeleteFunc(names, func(n string) bool { return n == "__metadata__" })
		metadata := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "metadata")
		var tensors []Tensor
		for _, name := range names {
			typ := rapid.SampledFrom(known).Draw(t, "type")
			shape := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 4).Draw(t, "shape")
			if typ == dtype.F4 {
				shape = append(shape, 2)
			}
			size, _ := dtype.TensorBytes(typ, shape)
			tensors = append(tensors, Tensor{Name: name, Type: typ, Shape: shape, Data: bytes.Repeat([]byte{byte(len(tensors))}, size)})
		}
		path := filepath.Join(dir, "x.safetensors")
		if err := Write(path, tensors, metadata); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if len(f.Names()) != len(tensors) || len(f.Metadata()) != len(metadata) {
			t.Fatalf("wrote %d tensors and %d metadata, read %d and %d", len(tensors), len(metadata), len(f.Names()), len(f.Metadata()))
		}
		for _, want := range tensors {
			info, _ := f.Info(want.Name)
			data, err := f.Data(want.Name)
			if err != nil || info.Type != want.Type || !slices.Equal(info.Shape, want.Shape) || !bytes.Equal(data, want.Data) {
				t.Fatalf("wrote %v, read %v, %v", want, info, err)
			}
		}
	})
}

// FuzzParse: no bytes make the parser panic, and what it accepts is sound.
func FuzzParse(f *testing.F) {
	f.Add([]byte{})
	f.Add(file(`{}`, 0))
	f.Add(file(`{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`, 8))
	f.Add(file(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}`, 1))
	f.Add(file("{\"\\u94fe\":{\"dtype\":\"F4\",\"shape\":[2, 2],\"data_offsets\":[0,2]}} ", 2))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, _, err := parse(raw)
		if err != nil {
			return
		}
		for _, e := range entries {
			if size, err := dtype.TensorBytes(e.info.Type, e.info.Shape); err != nil || len(raw[e.from:e.to]) != size {
				t.Errorf("%v has bytes %d to %d", e.info, e.from, e.to)
			}
		}
	})
}
