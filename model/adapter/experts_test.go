package adapter_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/dtype"
	"lian/format/gguf"
	"lian/format/safetensors"
	"lian/model"
	"lian/model/adapter"
	"lian/model/checkpoint"
	"lian/verify/shared"
)

// TestAdaptersReachSingleExperts: as PEFT names the experts' own modules and as llama.cpp stacks them it is one adapter; it computes
// what the model does into which it is merged, and stands beside others.
func TestAdaptersReachSingleExperts(t *testing.T) {
	dir := shared.Path(t, "testdata", "golden", "infer", "hf", "mixtral")
	b := cpu.New(1)
	c, err := checkpoint.Open(dir, b, checkpoint.Options{Float32: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	values := func(seed, n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = 0.2 * float32(math.Sin(float64(seed*17+i)))
		}
		return v
	}
	const rank = 2
	var hub []safetensors.Tensor
	var stacked []gguf.Tensor
	f := c.Model.Spec.Layer(0).FeedForward
	for layer := range c.Model.Spec.Layers {
		for i, name := range []string{"w1", "w2", "w3"} {
			in, out := c.Model.Spec.Hidden, f.Hidden
			if name == "w2" {
				in, out = out, in
			}
			var a, all []float32
			for e := range f.Experts.Count {
				low, high := values(layer*9+i+e, rank*in), values(layer*5+i+2*e, out*rank)
				a, all = append(a, low...), append(all, high...)
				at := fmt.Sprintf("base_model.model.model.layers.%d.block_sparse_moe.experts.%d.%s.lora_", layer, e, name)
				hub = append(hub, safetensors.Tensor{Name: at + "A.weight", Type: dtype.F32, Shape: []int{rank, in}, Data: compute.HostBytes(low)},
					safetensors.Tensor{Name: at + "B.weight", Type: dtype.F32, Shape: []int{out, rank}, Data: compute.HostBytes(high)})
			}
			at := fmt.Sprintf("blk.%d.ffn_%s_exps.weight.lora_", layer, []string{"gate", "down", "up"}[i])
			stacked = append(stacked, gguf.Tensor{Name: at + "a", Type: dtype.F32, Shape: []int{f.Experts.Count, rank, in}, Data: compute.HostBytes(a)},
				gguf.Tensor{Name: at + "b", Type: dtype.F32, Shape: []int{f.Experts.Count, out, rank}, Data: compute.HostBytes(all)})
		}
	}
	folder, file := t.TempDir(), filepath.Join(t.TempDir(), "experts.gguf")
	if err := safetensors.Write(filepath.Join(folder, "adapter_model.safetensors"), hub, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "adapter_config.json"), []byte(`{"peft_type": "LORA", "r": 2, "lora_alpha": 6}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := gguf.Write(file, []gguf.KeyValue{{Key: "general.architecture", Value: "llama"}, {Key: "general.type", Value: "adapter"}, {Key: "adapter.type", Value: "lora"},
		{Key: "adapter.lora.alpha", Value: float32(6)}}, stacked, gguf.Options{}); err != nil {
		t.Fatal(err)
	}
	one, two := beside(t, folder, b, c), beside(t, file, b, c)
	if one.Key() != two.Key() {
		t.Error("the two files hold other adapters")
	}
	if err := one.Save(t.TempDir(), b.NewStream(), c.Bindings, dir); err == nil || !strings.Contains(err.Error(), "experts") {
		t.Errorf("saving it: %v, expected a refusal that names experts", err)
	}
	texts := [][]int32{{1, 5, 9, 2, 7}, {3}, {11, 4, 4, 8, 9, 30, 2, 1, 6}}
	rows := append(append(rowsOf(texts, nil), rowsOf(texts, one)...), append(rowsOf(texts, random(t, b, c, 3)), rowsOf(texts[:1], nil)...)...)
	var before [][]float32
	for _, precision := range []model.Precision{model.Fast, model.Exact} {
		before = logitsOf(t, b, c, precision, rows)
		sameAsAlone(t, b, c, precision, rows, before)
	}
	again, err := adapter.Load(folder, b, c.Model, c.Bindings)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Merge(b.NewStream(), c.Model); err != nil {
		t.Fatal(err)
	}
	merged := logitsOf(t, b, c, model.Exact, rowsOf(texts, nil))
	for i := range texts {
		if d := apart(before[len(texts)+i], merged[i]); !(d <= 1e-5) {
			t.Errorf("text %d: merged logits are off by %.2g of the largest", i, d)
		}
		if d := apart(before[i], merged[i]); d < 1e-3 {
			t.Errorf("text %d: the adapter changes nothing", i)
		}
	}
}
