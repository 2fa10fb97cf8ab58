package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/compute"
	"lian/compute/autograd"
	"lian/compute/cpu"
	"lian/compute/ref"
	"lian/dtype"
	"lian/format/safetensors"
	"lian/model"
	"lian/verify/shared"
)

func open(t *testing.T, path string) *safetensors.File {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func ints(t *testing.T, f *safetensors.File, name string) ([]int32, []int) {
	t.Helper()
	data, err := f.Data(name)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := f.Info(name)
	out := make([]int32, len(data)/8)
	for i := range out {
		out[i] = int32(binary.LittleEndian.Uint64(data[8*i:]))
	}
	return out, info.Shape
}

// farthest is max|got − want| / max|want|.
func farthest(got, want []float32) float64 {
	var diff, most float64
	for i := range want {
		diff = math.Max(diff, math.Abs(float64(got[i])-float64(want[i])))
		most = math.Max(most, math.Abs(float64(want[i])))
	}
	return diff / most
}

// TestGradientsAreTheReference holds loss and every gradient against plain float64 arithmetic checked with transformers.
func TestGradientsAreTheReference(t *testing.T) {
	// internlm2_bias is qwen2_bias with its products packed in one tensor: parameters, gradients and logical names are the same
	for name, names := range map[string]string{"llama_tied": "llama_tied", "llama_untied": "llama_untied", "qwen2_bias": "qwen2_bias", "internlm2_bias": "qwen2_bias"} {
		for _, b := range []compute.Backend{ref.New(), cpu.New(2)} {
			t.Run(name+"/"+b.Name(), func(t *testing.T) { gradientsAre(t, b, name, names) })
		}
	}
}

func gradientsAre(t *testing.T, b compute.Backend, name, names string) {
	models := shared.Path(t, "testdata", "golden", "train", "models")
	dir := filepath.Join(models, name)
	golden := open(t, filepath.Join(models, names, "grads.safetensors"))
	if name == "internlm2_bias" {
		dir = withOutputBias(t, dir)
	}
	c, err := Open(dir, b, Options{Float32: true})
	if err != nil {
		t.Fatal(err)
	}
	theirs := map[string]string{} // logical names to the names of the gradients
	named, err := Open(filepath.Join(models, names), b, Options{Float32: true})
	if err != nil {
		t.Fatal(err)
	}
	ids, shape := ints(t, golden, "input_ids")
	labels, _ := ints(t, golden, "labels")
	batch, targets, n := &model.Batch{}, []int32{}, 0
	for s := range shape[0] {
		row := ids[s*shape[1] : (s+1)*shape[1]]
		batch.Add(row, 0, nil)
		for i := range row {
			target := int32(-1)
			if i+1 < len(row) {
				target = labels[s*shape[1]+i+1]
			}
			if target >= 0 {
				n++
			}
			targets = append(targets, target)
		}
	}
	arena, stream := compute.NewArena(b, 1<<20), b.NewStream()
	g := autograd.NewGradients(b, c.Model.Parameters().Tensors())
	p := &model.Pass{Stream: stream, Arena: arena, Tape: autograd.NewTape(stream, arena, g)}
	hidden, err := c.Model.Forward(p, batch)
	if err != nil {
		t.Fatal(err)
	}
	loss, err := model.CrossEntropy(p, c.Model, hidden, targets, nil, 1/float32(n), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Tape.Backward(); err != nil {
		t.Fatal(err)
	}
	var result struct{ Loss float64 }
	raw, err := os.ReadFile(filepath.Join(models, name, "result.json"))
	if err != nil || json.Unmarshal(raw, &result) != nil {
		t.Fatal("result.json:", err)
	}
	losses, err := model.Floats(stream, loss)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, l := range losses {
		sum += float64(l)
	}
	if got := sum / float64(n); math.Abs(got-result.Loss) > 1e-5*result.Loss {
		t.Errorf("loss is %v, expected %v", got, result.Loss)
	}
	for i, w := range named.Model.Parameters().All() {
		theirs[w.Name] = named.Bindings[i].Hub.Name
	}
	for _, w := range c.Model.Parameters().All() {
		if theirs[w.Name] == "" && strings.HasSuffix(w.Name, "attention.o.bias") {
			continue // added here
		}
		want, err := golden.Floats("grad/" + theirs[w.Name])
		if err != nil {
			t.Fatal(err)
		}
		got, err := model.Floats(stream, g.Of(w.Tensor))
		if err != nil {
			t.Fatal(err)
		}
		if d := farthest(got, want); d > 1e-5 {
			t.Errorf("gradient of %s is off by %.2g of its largest", w.Name, d)
		}
	}
}

// withOutputBias is a copy of the golden InternLM2 with the biases of wo that its file leaves out, all zero.
func withOutputBias(t *testing.T, dir string) string {
	t.Helper()
	f, out := open(t, filepath.Join(dir, "model.safetensors")), t.TempDir()
	var tensors []safetensors.Tensor
	add := func(name string, shape []int, data []byte) {
		tensors = append(tensors, safetensors.Tensor{Name: name, Type: dtype.F32, Shape: shape, Make: func() ([]byte, error) { return data, nil }})
	}
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		data, err := f.Data(name)
		if err != nil {
			t.Fatal(err)
		}
		add(name, info.Shape, data)
		if strings.HasSuffix(name, "attention.wo.weight") {
			add(strings.TrimSuffix(name, "weight")+"bias", info.Shape[:1], make([]byte, 4*info.Shape[0]))
		}
	}
	if err := safetensors.Write(filepath.Join(out, "model.safetensors"), tensors, nil); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "config.json"), config, 0o644); err != nil {
		t.Fatal(err)
	}
	return out
}
