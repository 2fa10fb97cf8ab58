package torch

import (
	"archive/zip"
	"bytes"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lian/dtype"
	"lian/format/formattest"
	"lian/format/pickle"
	"lian/format/safetensors"
	"lian/verify/shared"
)

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestTensorsAreWhatPyTorchSaved compares with the same tensors as safetensors wrote
// them: every element type, views of every kind, nested dicts.
func TestTensorsAreWhatPyTorchSaved(t *testing.T) {
	for _, name := range []string{"zip", "zip-protocol4", "legacy"} {
		f := open(t, "testdata/"+name+".pt")
		want, err := safetensors.Open("testdata/" + name + ".safetensors")
		if err != nil {
			t.Fatal(err)
		}
		defer want.Close()
		if got, want := slices.Sorted(slices.Values(f.Names())), slices.Sorted(slices.Values(want.Names())); !slices.Equal(got, want) {
			t.Errorf("%s: tensors %q, want %q", name, got, want)
		}
		for _, tensor := range want.Names() {
			got, _ := f.Info(tensor)
			info, _ := want.Info(tensor)
			if !reflect.DeepEqual(got, info) {
				t.Errorf("%s: %v, want %v", name, got, info)
				continue
			}
			data, err := f.Data(tensor)
			expected, _ := want.Data(tensor)
			if err != nil || !bytes.Equal(data, expected) {
				t.Errorf("%s: %v is %x, want %x (%v)", name, info, data, expected, err)
			}
		}
		if f.Legacy() != (name == "legacy") {
			t.Errorf("%s: Legacy = %v", name, f.Legacy())
		}
	}
}

func TestWhatIsNoTensorIsMetadata(t *testing.T) {
	f := open(t, "testdata/zip.pt")
	big80, _ := new(big.Int).SetString("1208925819614629174706176", 10)
	for _, c := range []KeyValue{
		{"optimizer.param_groups.0.lr", 1e-3}, {"optimizer.param_groups.0.betas", []any{0.9, 0.95}}, {"optimizer.param_groups.0.params", []any{int64(0), int64(1)}},
		{"args.lr", 0.5}, {"args.name", "小"}, {"args.none", nil}, {"args.flag", true}, {"iter_num", int64(12)}, {"big", big80}, {"negative", int64(-5)},
		{"negative_big", new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 70))}, {"best", 1.25}, {"dtype", "torch.bfloat16"}, {"size", []any{int64(2), int64(3)}}, {"device", "cpu"},
		{"tags", []any{"b"}}, {"history.1", int64(3)}, {"raw", []byte{0, 0xff}}, {"counts.x", int64(1)},
	} {
		got, ok := f.Value(c.Key)
		if !ok || !reflect.DeepEqual(got, c.Value) {
			t.Errorf("%s is %#v (there: %v), want %#v", c.Key, got, ok, c.Value)
		}
	}
}

func TestNumpysScalarsAreNumbers(t *testing.T) {
	for _, name := range []string{"numpy", "numpy-protocol4"} {
		f := open(t, "testdata/"+name+".pt")
		for _, c := range []KeyValue{{"best", 1.5}, {"loss", 0.25}, {"step", int64(-7)}, {"flag", true}, {"count", int64(200)}, {"rng", "numpy.ndarray i8 [3]"}} {
			if got, ok := f.Value(c.Key); !ok || got != c.Value {
				t.Errorf("%s: %s is %#v, want %#v", name, c.Key, got, c.Value)
			}
		}
	}
}

func TestTheModelIsFoundInsideACheckpoint(t *testing.T) {
	s, err := open(t, "testdata/zip.pt").State()
	if err != nil {
		t.Fatal(err)
	}
	if info, ok := s.Info("层.weight"); !ok || info.Name != "层.weight" || s.Prefix != "model." {
		t.Errorf("prefix %q, %v", s.Prefix, info)
	}
	if slices.Contains(s.Names(), "history.0") || !slices.Contains(s.Names(), "transposed") {
		t.Errorf("names %q", s.Names())
	}
}

// TestTheRealCheckpointIsItsOwnExport: llama2.c's stories260K as .pt and as .bin hold
// the same embedding, which begins after seven numbers in the .bin.
func TestTheRealCheckpointIsItsOwnExport(t *testing.T) {
	f := open(t, shared.Path(t, "testdata", "models", "stories260k", "stories260K.pt"))
	s, err := f.State()
	if err != nil {
		t.Fatal(err)
	}
	if s.Prefix != "model._orig_mod." || len(s.Names()) != 48 {
		t.Errorf("prefix %q, %d tensors: %q", s.Prefix, len(s.Names()), s.Names())
	}
	if dim, _ := f.Value("model_args.dim"); dim != int64(64) {
		t.Errorf("model_args.dim is %v", dim)
	}
	bin, err := os.ReadFile(shared.Path(t, "testdata", "models", "stories260k", "stories260K.bin"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := s.Data("tok_embeddings.weight")
	if err != nil || !bytes.Equal(data, bin[28:28+len(data)]) {
		t.Errorf("the embedding differs (%v)", err)
	}
}

func TestShardsAreOneModel(t *testing.T) {
	f := open(t, "testdata")
	if got := f.Names(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("names %q", got)
	}
	if v, err := f.Floats("b"); err != nil || len(v) != 4 {
		t.Errorf("b: %v, %v", v, err)
	}
	dir := t.TempDir()
	for _, c := range []struct{ index, says string }{
		{`{"weight_map":{"a":"../x.bin"}}`, "plain file name"}, {`{}`, "weight_map"}, {`{"weight_map":{"c":"one.bin"}}`, "no shard has it"}, {`{"weight_map":{"a":"none.bin"}}`, "none.bin"},
	} {
		raw, err := os.ReadFile("testdata/pytorch_model-00001-of-00002.bin")
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(filepath.Join(dir, "one.bin"), raw, 0o600)
		os.WriteFile(filepath.Join(dir, "pytorch_model.bin.index.json"), []byte(c.index), 0o600)
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.index, err)
		}
	}
	os.Remove(filepath.Join(dir, "pytorch_model.bin.index.json"))
	if err := os.WriteFile(filepath.Join(dir, "optimizer.pt"), []byte("PK\x03\x04"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Open(dir); err != nil {
		t.Errorf("a folder with one checkpoint: %v", err)
	} else {
		f.Close()
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "holds neither") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestRefusesByName(t *testing.T) {
	for _, c := range []struct{ file, says string }{
		{"quantised.pt", "qint8"}, {"sparse.pt", "tensor a.weight has the layout sparse_coo"}, {"complex.pt", "tensor freqs is of element type complex64"},
		{"function.pt", "global __builtin__.print is not on the list"}, {"module.pt", "global torch.nn.modules.linear.Linear is not on the list"}, {"script.pt", "TorchScript"},
	} {
		f, err := Open("testdata/" + c.file)
		if err == nil {
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.file) {
			t.Errorf("%s: %v, want %q", c.file, err, c.says)
		}
	}
	f := open(t, "testdata/expanded.pt")
	if _, err := f.Data("expanded"); err == nil || !strings.Contains(err.Error(), "expanded view") {
		t.Errorf("an expanded view: %v", err)
	}
}

func TestDataIsAViewWhereItCanBe(t *testing.T) {
	f := open(t, "testdata/zip.pt")
	rows, err := f.Data("model.rows")
	if err != nil {
		t.Fatal(err)
	}
	shared, err := f.Data("model.shared")
	if err != nil || &shared[2*8*4] != &rows[0] {
		t.Errorf("rows of a shared storage were copied (%v)", err)
	}
	f.Close()
	if _, err := f.Data("model.rows"); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
}

func samples(t testing.TB) (files [][]byte) {
	paths, err := filepath.Glob("testdata/*.pt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no samples", err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, raw)
	}
	return files
}

func TestBrokenFilesAreErrors(t *testing.T) {
	for _, name := range []string{"zip", "zip-protocol4", "legacy"} {
		raw, err := os.ReadFile("testdata/" + name + ".pt")
		if err != nil {
			t.Fatal(err)
		}
		formattest.Parser{Parse: func(file []byte) error { _, err := parse(file); return err }, Room: Room}.Break(t, raw)
	}
}

// FuzzParse: no bytes make the parser panic, and what it accepts can be read.
func FuzzParse(f *testing.F) {
	for _, raw := range samples(f) {
		f.Add(raw)
	}
	f.Fuzz(fuzz)
}

// FuzzPickle does the same with sound archives of a pickle and a storage, which
// bytes changed at random hardly ever are.
func FuzzPickle(f *testing.F) {
	f.Add([]byte(one), []byte("\x00\x00\x80\x3f"))
	for _, raw := range samples(f) {
		if entries, err := readZip(raw, &pickle.Budget{Left: 1 << 20}); err == nil {
			for name, e := range entries {
				if strings.HasSuffix(name, "/data.pkl") {
					f.Add(raw[e.from:e.to], []byte("\x00\x00\x80\x3f"))
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, object, storage []byte) {
		fuzz(t, pack(t, zip.Store, [2]string{"a/data.pkl", string(object)}, [2]string{"a/data/0", string(storage)}))
	})
}

func fuzz(t *testing.T, raw []byte) {
	c, err := parse(raw)
	if err != nil {
		return
	}
	for _, n := range c.tensors {
		if size, err := dtype.TensorBytes(n.info.Type, n.info.Shape); err != nil || int64(size) != n.info.Bytes {
			t.Errorf("%v takes %d bytes (%v)", n.info, size, err)
		}
		if data, err := n.view.bytes(raw, n.info); err == nil && int64(len(data)) != n.info.Bytes {
			t.Errorf("%v has %d bytes", n.info, len(data))
		}
	}
}
