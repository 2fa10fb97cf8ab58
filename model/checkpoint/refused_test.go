package checkpoint

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lian/compute/cpu"
	"lian/dtype"
	"lian/format/safetensors"
	"lian/model/family"
	"lian/model/nn"
)

// smallFolder writes a small Qwen 2 and gives its tensors and config.json to change.
func smallFolder(t *testing.T, change func(tensors map[string]safetensors.Tensor, config map[string]any)) string {
	t.Helper()
	dir, b := t.TempDir(), cpu.New(1)
	f, err := family.ByName("qwen2")
	if err != nil {
		t.Fatal(err)
	}
	s := nn.Spec{Family: "qwen2", Vocab: 31, Hidden: 8, Layers: 1, Context: 64, Norm: nn.Norm{Epsilon: 1e-6}}
	s.Attention = nn.Attention{Heads: 2, KVHeads: 1, HeadSize: 4, Bias: true, RoPE: nn.RoPE{Theta: 1e4, Rotary: 4}}
	s.FeedForward.Hidden = 12
	d, err := nn.Initialise(b, s, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := SaveFolder(dir, b.NewStream(), f, d, FolderOptions{Type: dtype.F32}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "model.safetensors")
	r, err := safetensors.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	tensors := map[string]safetensors.Tensor{}
	for _, n := range r.Names() {
		info, _ := r.Info(n)
		data, err := r.Data(n)
		if err != nil {
			t.Fatal(err)
		}
		data = slices.Clone(data)
		tensors[n] = safetensors.Tensor{Name: n, Type: info.Type, Shape: info.Shape, Make: func() ([]byte, error) { return data, nil }}
	}
	r.Close()
	raw, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	change(tensors, config)
	var list []safetensors.Tensor
	for _, n := range slices.Sorted(maps.Keys(tensors)) {
		list = append(list, tensors[n])
	}
	if err := safetensors.Write(file, list, nil); err != nil {
		t.Fatal(err)
	}
	raw, _ = json.Marshal(config)
	if err := os.WriteFile(filepath.Join(dir, configFile), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAFolderThatDoesNotFitIsRefusedByName(t *testing.T) {
	const q = "model.layers.0.self_attn.q_proj.weight"
	for why, c := range map[string]struct {
		change func(tensors map[string]safetensors.Tensor, config map[string]any)
		says   []string
	}{
		"a tensor is missing": {func(ts map[string]safetensors.Tensor, _ map[string]any) { delete(ts, q) }, []string{q, "[8 8]", "missing"}},
		"a tensor is too many": {func(ts map[string]safetensors.Tensor, _ map[string]any) {
			x := ts["model.norm.weight"]
			x.Name = "model.layers.0.self_attn.extra.weight"
			ts[x.Name] = x
		}, []string{"model.layers.0.self_attn.extra.weight", "not part"}},
		"a tensor has another shape": {func(ts map[string]safetensors.Tensor, _ map[string]any) {
			x := ts[q]
			x.Shape = []int{4, 16}
			ts[q] = x
		}, []string{q, "[4 16]", "[8 8]"}},
		"the configuration is another model's": {func(_ map[string]safetensors.Tensor, c map[string]any) { c["intermediate_size"] = 16 },
			[]string{"mlp.gate_proj.weight", "[12 8]", "[16 8]"}},
		"a layer more is configured": {func(_ map[string]safetensors.Tensor, c map[string]any) { c["num_hidden_layers"] = 2 }, []string{"model.layers.1.", "missing"}},
		"a bias is not there": {func(ts map[string]safetensors.Tensor, _ map[string]any) {
			delete(ts, strings.Replace(q, "weight", "bias", 1))
		}, []string{"q_proj.bias", "[8]", "missing"}},
		"a size is missing": {func(_ map[string]safetensors.Tensor, c map[string]any) { delete(c, "hidden_size") }, []string{"config.json", "hidden_size", "missing"}},
		"a size is text":    {func(_ map[string]safetensors.Tensor, c map[string]any) { c["num_attention_heads"] = "two" }, []string{"num_attention_heads", `"two"`, "expected a number"}},
		"there are a thousand million layers": {func(_ map[string]safetensors.Tensor, c map[string]any) { c["num_hidden_layers"] = 1e9 },
			[]string{"num_hidden_layers is 1000000000", "expected at most"}},
		"half a layer is configured": {func(_ map[string]safetensors.Tensor, c map[string]any) { c["num_hidden_layers"] = 1.5 },
			[]string{"num_hidden_layers is 1.5", "whole number"}},
		"an activation is unknown": {func(_ map[string]safetensors.Tensor, c map[string]any) { c["hidden_act"] = "mystery" }, []string{"hidden_act", "mystery"}},
		"a rotary rule is unknown": {func(_ map[string]safetensors.Tensor, c map[string]any) {
			c["rope_scaling"] = map[string]any{"rope_type": "spiral", "factor": 2.0}
		}, []string{"spiral", "yarn"}},
		"a rotary field is unknown": {func(_ map[string]safetensors.Tensor, c map[string]any) {
			c["rope_scaling"] = map[string]any{"rope_type": "linear", "factor": 2.0, "wobble": 1.0}
		}, []string{"wobble"}},
		"layers are of a kind unknown": {func(_ map[string]safetensors.Tensor, c map[string]any) {
			c["use_sliding_window"], c["sliding_window"], c["layer_types"] = true, 8, []string{"conv"}
		}, []string{"layer_types[0]", "conv"}},
		"the architecture is unknown": {func(_ map[string]safetensors.Tensor, c map[string]any) {
			c["architectures"] = []string{"MambaForCausalLM"}
		},
			[]string{"MambaForCausalLM", "not known"}},
	} {
		t.Run(why, func(t *testing.T) {
			c1, err := Open(smallFolder(t, c.change), cpu.New(1), Options{})
			if err == nil {
				c1.Close()
				t.Fatal("it opens")
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not name %q: %v", part, err)
				}
			}
		})
	}
	c1, err := Open(smallFolder(t, func(_ map[string]safetensors.Tensor, c map[string]any) { c["novelty"] = 3 }), cpu.New(1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c1.Close()
	if !slices.Contains(c1.Unread, "novelty") {
		t.Errorf("fields that nobody reads are %v, novelty is one", c1.Unread)
	}
}
