package checkpoint

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lian/compute/cpu"
	"lian/dtype"
	"lian/format/gguf"
	"lian/model"
	"lian/model/nn"
	"lian/verify/shared"
)

// lostInGGUF are switches for which GGUF has no words, by tiny model: its readers take something else.
var lostInGGUF = map[string]string{
	"bitnet":            "activation",
	"gemma2":            "scale of scores",
	"gemma3":            "scale of scores",
	"internlm2-dynamic": "dynamic rotary embedding",
	"internlm3":         "dynamic rotary embedding",
	"minicpm3":          "scales",
	"mistral":           "window",
	"starcoder2":        "window",
}

// notYetInGGUF are models that do not survive GGUF yet.
var notYetInGGUF = []string{"falcon-rw"}

// TestModelsSurviveGGUF: each tiny model, written as GGUF and as a folder from there, is the same model; and what is written of
// what was written is the same file.
func TestModelsSurviveGGUF(t *testing.T) {
	root := shared.Path(t, "testdata", "golden", "infer", "hf")
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, e := range entries {
		b := cpu.New(1)
		was, err := Open(filepath.Join(root, e.Name()), b, Options{})
		if err != nil || was.Family.GGUF() == nil || slices.Contains(notYetInGGUF, e.Name()) {
			continue
		}
		checked++
		t.Run(e.Name(), func(t *testing.T) {
			defer was.Close()
			dir := t.TempDir()
			first, second, folder := filepath.Join(dir, "1.gguf"), filepath.Join(dir, "2.gguf"), filepath.Join(dir, "hub")
			saveGGUF(t, first, was)
			now := openAgain(t, first, was, e.Name())
			if unread := now.Unread; len(unread) > 0 {
				t.Errorf("nobody reads %v of what was written", unread)
			}
			saveGGUF(t, second, now)
			one, _ := os.ReadFile(first)
			two, _ := os.ReadFile(second)
			rounds := slices.ContainsFunc(was.Bindings, func(b model.Binding) bool { return b.GGUF.Offset != 0 }) // what is 1 above
			if !bytes.Equal(one, two) && !rounds {
				t.Error("the copy of the GGUF file differs")
			}
			if err := SaveFolder(folder, b.NewStream(), now.Family, now.Model, FolderOptions{Type: dtype.F32, Config: now.Config}); err != nil {
				t.Fatal(err)
			}
			openAgain(t, folder, was, e.Name())
		})
	}
	if checked < 13 {
		t.Errorf("%d models were checked", checked)
	}
}

func saveGGUF(t *testing.T, path string, c *Checkpoint) {
	t.Helper()
	typeOf := func(b model.Binding, _ nn.Kind, _ []int) dtype.Type {
		return c.Model.Parameters().Get(b.Parameter).Type
	}
	if _, err := SaveGGUF(path, cpu.New(1).NewStream(), c.Family, c.Model, GGUFOptions{Name: "tiny", Main: dtype.F32, TypeOf: typeOf}); err != nil {
		t.Fatal(err)
	}
}

// openAgain opens what was written of a model and compares.
func openAgain(t *testing.T, path string, was *Checkpoint, name string) *Checkpoint {
	t.Helper()
	b := cpu.New(1)
	now, err := Open(path, b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { now.Close() })
	got, want := now.Model.Spec, was.Model.Spec
	got.Family = want.Family // internlm3 is a llama there
	if same := reflect.DeepEqual(got, want); same != (lostInGGUF[name] == "") {
		t.Errorf("same configuration: %v, known to be lost: %q\n got %+v\nwant %+v", same, lostInGGUF[name], got, want)
	}
	s := b.NewStream()
	for i, p := range was.Model.Parameters().All() {
		got, err := model.Floats(s, now.Model.Parameters().All()[i].Tensor)
		if err != nil {
			t.Fatal(err)
		}
		want, err := model.Floats(s, p.Tensor)
		if err != nil {
			t.Fatal(err)
		}
		if was.Bindings[i].GGUF.Offset == 0 {
			if !slices.Equal(got, want) {
				t.Errorf("%s differs", p.Name)
			}
			continue
		}
		for j := range want { // the sum was rounded
			if math.Abs(float64(got[j]-want[j])) > 1e-7*(1+math.Abs(float64(want[j]))) {
				t.Errorf("%s[%d] is %v, want %v", p.Name, j, got[j], want[j])
				break
			}
		}
	}
	return now
}

// TestGGUFOfOthersIsWrittenAsTheyDo rewrites the files that llama.cpp's converter and quantiser made of the tiny Llama: same
// tensors, in their order, byte for byte.
func TestGGUFOfOthersIsWrittenAsTheyDo(t *testing.T) {
	dir := shared.Path(t, "testdata", "golden", "infer", "gguf")
	paths, _ := filepath.Glob(filepath.Join(dir, "*.gguf"))
	for _, path := range paths {
		was, err := Open(path, cpu.New(1), Options{})
		if err != nil {
			t.Error(err)
			continue
		}
		copied := filepath.Join(t.TempDir(), "copy.gguf")
		saveGGUF(t, copied, was)
		was.Close()
		compareGGUF(t, copied, path)
	}
}

// compareGGUF holds a file of ours against one of llama.cpp: the tensors, and the architecture's metadata.
func compareGGUF(t *testing.T, ours, theirs string) {
	t.Helper()
	got, err := gguf.Open(ours)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	want, err := gguf.Open(theirs)
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	if len(got.Names()) != len(want.Names()) {
		t.Errorf("%s: %d tensors, want %d", filepath.Base(theirs), len(got.Names()), len(want.Names()))
	}
	for _, name := range want.Names() {
		w, _ := want.Info(name)
		g, _ := got.Info(name)
		wantData, _ := want.Data(name)
		if data, err := got.Data(name); err != nil || g.Type != w.Type || !slices.Equal(g.Shape, w.Shape) || !bytes.Equal(data, wantData) {
			t.Errorf("%s: tensor %v, want %v; its bytes differ, or %v", filepath.Base(theirs), g, w, err)
		}
	}
	for _, kv := range want.Metadata() {
		if strings.HasPrefix(kv.Key, "llama.") {
			if v, _ := got.Value(kv.Key); !reflect.DeepEqual(v, kv.Value) {
				t.Errorf("%s: metadata %s is %v, want %v", filepath.Base(theirs), kv.Key, v, kv.Value)
			}
		}
	}
}

// TestTheSizeOfAFeedForwardThatNoLayerHasIsKept: config.json says it, GGUF too, though every layer is a mixture.
func TestTheSizeOfAFeedForwardThatNoLayerHasIsKept(t *testing.T) {
	was, err := Open(shared.Path(t, "testdata", "golden", "infer", "hf", "qwen2_moe"), cpu.New(1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer was.Close()
	path := filepath.Join(t.TempDir(), "m.gguf")
	typeOf := func(model.Binding, nn.Kind, []int) dtype.Type { return dtype.F16 }
	if _, err := SaveGGUF(path, cpu.New(1).NewStream(), was.Family, was.Model, GGUFOptions{Name: "m", Config: was.Config, Main: dtype.F16, TypeOf: typeOf}); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n, _ := f.Uint("qwen2moe.feed_forward_length"); n != 56 {
		t.Errorf("feed_forward_length is %d, config.json says 56", n)
	}
	for name, want := range map[string]dtype.Type{"blk.0.ffn_gate_exps.weight": dtype.F16, "blk.0.ffn_gate_inp.weight": dtype.F32, "blk.0.ffn_gate_inp_shexp.weight": dtype.F32,
		"blk.0.attn_norm.weight": dtype.F32, "token_embd.weight": dtype.F16} {
		if info, ok := f.Info(name); !ok || info.Type != want {
			t.Errorf("%v, want %v", info, want)
		}
	}
}
