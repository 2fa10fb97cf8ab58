package foreign

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lian/dtype"
	"lian/format"
	"lian/format/container"
	"lian/format/internevo"
	"lian/format/safetensors"
	"lian/format/torch/torchtest"
	"lian/store"
	"lian/verify/shared"
)

// golden is a tiny model of the hub: its tensors and config.json.
func golden(t *testing.T, name string) (*safetensors.File, map[string]any) {
	t.Helper()
	dir := shared.Path(t, "testdata", "golden", "infer", "hf", name)
	f, err := safetensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	var config map[string]any
	if err := store.ReadJSON(filepath.Join(dir, "config.json"), &config); err != nil {
		t.Fatal(err)
	}
	return f, config
}

func tensor(t *testing.T, f format.Reader, name string) format.Tensor {
	t.Helper()
	info, ok := f.Info(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	data, err := f.Data(name)
	if err != nil {
		t.Fatal(err)
	}
	return format.Tensor{Name: name, Type: info.Type, Shape: info.Shape, Data: data}
}

// paired moves rows to the order in which rotary pairs are neighbours: the inverse of
// heads.unpair.
func (h heads) paired(x format.Tensor) format.Tensor {
	out, row := make([]byte, len(x.Data)), len(x.Data)/x.Shape[0]
	for r := range x.Shape[0] {
		n, i := r/h.size, r%h.size
		at := i/2 + i%2*(h.size/2)
		if h.group > 0 && n%h.group == h.group-1 {
			at = i
		}
		copy(out[r*row:(r+1)*row], x.Data[(n*h.size+at)*row:])
	}
	x.Data = out
	return x
}

// cut is a rank's part of a tensor along an axis; the first ranks have what is over.
func cut(x format.Tensor, axis, blocks, rank, ranks int) format.Tensor {
	outer := blocks
	for _, n := range x.Shape[:axis] {
		outer *= n
	}
	n := x.Shape[axis] / blocks
	one := len(x.Data) / outer / n
	from, to := 0, 0
	for r := range rank + 1 {
		from, to = to, to+n/ranks
		if r < n%ranks {
			to++
		}
	}
	var data []byte
	for o := range outer {
		data = append(data, x.Data[(o*n+from)*one:(o*n+to)*one]...)
	}
	x.Shape = slices.Clone(x.Shape)
	x.Shape[axis] = (to - from) * blocks
	x.Data = data
	return x
}

// same compares a converted model with the hub's, tensor for tensor and in all settings that both know.
func same(t *testing.T, what string, m *Model, want *safetensors.File, config map[string]any, keys ...string) {
	t.Helper()
	ignored := func(name string) bool { return strings.HasSuffix(name, "inv_freq") }
	names := slices.DeleteFunc(slices.Sorted(slices.Values(want.Names())), ignored)
	if got := slices.Sorted(slices.Values(m.Names())); !slices.Equal(got, names) {
		t.Errorf("%s: tensors %q, want %q", what, got, names)
		return
	}
	for _, name := range names {
		got, expected := tensor(t, m, name), tensor(t, want, name)
		info, _ := m.Info(name)
		if !slices.Equal(got.Shape, expected.Shape) || !bytes.Equal(got.Data, expected.Data) || info.Bytes != int64(len(got.Data)) || info.Name != name {
			t.Errorf("%s: %v differs from %v of the hub", what, info, expected.Shape)
		}
	}
	for _, key := range append(keys, "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "rms_norm_eps", "architectures") {
		if !reflect.DeepEqual(m.Config[key], config[key]) {
			t.Errorf("%s: %s is %v, the hub's config.json says %v", what, key, m.Config[key], config[key])
		}
	}
}

// TestInternEvoFoldersAreTheHubsModels cuts the hub's tiny InternLMs into ranks and
// stages as InternEvo holds them, rotary pairs as neighbours and not, and compares
// what comes back.
func TestInternEvoFoldersAreTheHubsModels(t *testing.T) {
	for _, c := range []struct {
		model   string
		version int
	}{{"internlm", 1}, {"internlm2", 2}, {"internlm3", 3}} {
		hub, config := golden(t, c.model)
		layers, attentionHeads, kv := int(config["num_hidden_layers"].(float64)), int(config["num_attention_heads"].(float64)), 0
		if kv = attentionHeads; c.version > 1 {
			kv = int(config["num_key_value_heads"].(float64))
		}
		size := int(config["hidden_size"].(float64)) / attentionHeads
		if v, ok := config["head_dim"].(float64); ok {
			size = int(v)
		}
		for _, paired := range []bool{false, true} {
			for _, ranks := range []int{1, 2} {
				what := fmt.Sprintf("%s, pairs as neighbours %v, %d ranks", c.model, paired, ranks)
				dir := t.TempDir()
				stages := 1
				if layers%2 == 0 {
					stages = 2
				}
				for stage := range stages {
					for rank := range ranks {
						dict := map[string]any{}
						for name, x := range internevoTensors(t, hub, c.version, layers, size, attentionHeads/kv+2, paired) {
							if name, in := inStage(name, stage, stages, layers); in {
								dict["model."+name] = part(x, rank, ranks)
							}
						}
						torchtest.Write(t, fmt.Sprintf("%s/model_tp%d_pp%d.pt", dir, rank, stage), dict)
					}
				}
				settings := map[string]any{"num_layers": layers, "hidden_size": int(config["hidden_size"].(float64)), "num_attention_heads": attentionHeads, "num_kv_attention_heads": kv,
					"layer_norm_epsilon": config["rms_norm_eps"], "qk_interleaved": paired, "norm_type": "rmsnorm", "rope_base": 10000, "dtype": "torch.float32"}
				if c.version == 3 {
					settings["head_dim"] = size
				}
				torchtest.Write(t, dir+"/model_config.pt", settings)
				m, err := Open(dir, container.InternEvoFolder)
				if err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				same(t, what, m, hub, config)
				m.Close()
			}
		}
	}
}

// held is a tensor as InternEvo holds it: axis −1 is whole on every rank.
type held struct {
	format.Tensor
	axis, blocks int
}

func part(x held, rank, ranks int) format.Tensor {
	if x.axis < 0 || ranks == 1 {
		return x.Tensor
	}
	return cut(x.Tensor, x.axis, max(x.blocks, 1), rank, ranks)
}

// inStage says whether a stage has a tensor and under which name.
func inStage(name string, stage, stages, layers int) (string, bool) {
	m := layerName.FindStringSubmatch(name)
	if m == nil {
		first := strings.Contains(name, "embed")
		return name, first && stage == 0 || !first && stage == stages-1
	}
	var layer int
	fmt.Sscan(m[1], &layer)
	each := layers / stages
	return strings.Replace(name, "."+m[1]+".", fmt.Sprintf(".%d.", layer%each), 1), layer/each == stage
}

// internevoTensors renames the hub's tensors to InternEvo's.
func internevoTensors(t *testing.T, hub *safetensors.File, version, layers, size, group int, paired bool) map[string]held {
	out := map[string]held{}
	get := func(name string) format.Tensor { return tensor(t, hub, name) }
	turn := func(x format.Tensor, h heads) format.Tensor {
		if paired {
			return h.paired(x)
		}
		return x
	}
	if version == 2 {
		out["tok_embeddings.weight"], out["norm.weight"], out["output.weight"] = held{get("model.tok_embeddings.weight"), 1, 1}, held{get("model.norm.weight"), -1, 1}, held{get("output.weight"), 0, 1}
		for _, name := range hub.Names() {
			short := strings.TrimPrefix(name, "model.")
			x := held{tensor(t, hub, name), 0, 1}
			switch {
			case !strings.HasPrefix(short, "layers."):
				continue
			case strings.HasSuffix(name, "norm.weight"):
				x.axis = -1
			case strings.HasSuffix(name, "wo.weight"), strings.HasSuffix(name, "w2.weight"):
				x.axis = 1
			case strings.HasSuffix(name, "wo.bias"):
				x.axis = -1
			case strings.Contains(name, "wqkv"):
				x.Tensor = turn(x.Tensor, heads{size, group})
			}
			out[short] = x
		}
		return out
	}
	head, prefix, names := "output.weight", "layers.", llamaNames
	embedding := "tok_embeddings.weight"
	if version == 1 {
		head, prefix, names, embedding = "head.weight", "blocks.", internlm1Names, "embedding.weight"
	}
	out[embedding], out["norm.weight"], out[head] = held{get("model.embed_tokens.weight"), 1, 1}, held{get("model.norm.weight"), -1, 1}, held{get("lm_head.weight"), 0, 1}
	for layer := range layers {
		from, to := fmt.Sprintf("model.layers.%d.", layer), fmt.Sprintf("%s%d.", prefix, layer)
		for part, name := range names {
			for _, last := range []string{".weight", ".bias"} {
				if _, ok := hub.Info(from + name + last); !ok {
					continue
				}
				x := held{get(from + name + last), 0, 1}
				switch name {
				case "input_layernorm", "post_attention_layernorm":
					x.axis = -1
				case "self_attn.o_proj", "mlp.down_proj":
					if x.axis = 1; last == ".bias" {
						x.axis = -1
					}
				case "self_attn.q_proj", "self_attn.k_proj":
					x.Tensor = turn(x.Tensor, heads{size: size})
				}
				out[to+part+last] = x
			}
		}
		if version != 1 {
			continue
		}
		for _, last := range []string{".weight", ".bias"} {
			q, k, v := get(from+"self_attn.q_proj"+last), get(from+"self_attn.k_proj"+last), get(from+"self_attn.v_proj"+last)
			packed := turn(q, heads{size: size})
			packed.Shape = slices.Clone(q.Shape)
			packed.Shape[0] *= 3
			packed.Data = slices.Concat(packed.Data, turn(k, heads{size: size}).Data, v.Data)
			out[to+"mixer.Wqkv"+last] = held{packed, 0, 3}
		}
	}
	return out
}

// TestMetasNamesAreTheHubs writes the hub's tiny Llama under Meta's names, with
// params.json beside it and with model_args inside.
func TestMetasNamesAreTheHubs(t *testing.T) {
	hub, config := golden(t, "llama")
	attentionHeads, kv, hidden := config["num_attention_heads"].(float64), config["num_key_value_heads"].(float64), config["hidden_size"].(float64)
	state := map[string]any{"tok_embeddings.weight": tensor(t, hub, "model.embed_tokens.weight"), "norm.weight": tensor(t, hub, "model.norm.weight"), "output.weight": tensor(t, hub, "lm_head.weight"),
		"rope.freqs": format.Tensor{Type: dtype.F32, Shape: []int{1}, Data: make([]byte, 4)}}
	for layer := range int(config["num_hidden_layers"].(float64)) {
		for part, name := range llamaNames {
			x := tensor(t, hub, fmt.Sprintf("model.layers.%d.%s.weight", layer, name))
			if part == "attention.wq" || part == "attention.wk" {
				x = heads{size: int(hidden / attentionHeads)}.paired(x)
			}
			state[fmt.Sprintf("layers.%d.%s.weight", layer, part)] = x
		}
	}
	dir := t.TempDir()
	torchtest.Write(t, dir+"/consolidated.00.pth", state)
	if _, err := Open(dir, container.MetaFolder); err == nil || !strings.Contains(err.Error(), "params.json") {
		t.Errorf("without params.json: %v", err)
	}
	params := fmt.Sprintf(`{"dim":%v,"n_heads":%v,"n_kv_heads":%v,"norm_eps":%v,"rope_theta":500000.0,"vocab_size":-1,"multiple_of":256}`, hidden, attentionHeads, kv, config["rms_norm_eps"])
	if err := os.WriteFile(dir+"/params.json", []byte(params), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := Open(dir, container.MetaFolder)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "params.json", m, hub, config, "num_key_value_heads")
	if m.Config["rope_theta"] != 500000.0 || m.Config["max_position_embeddings"] != 8192.0 {
		t.Errorf("settings %v", m.Config)
	}
	m.Close()

	wrapped := map[string]any{}
	for name, x := range state {
		wrapped["_orig_mod."+name] = x
	}
	path := dir + "/训练.pt"
	torchtest.Write(t, path, map[string]any{"model": wrapped, "optimizer": map[string]any{"state": []any{state["norm.weight"]}}, "iter_num": 3,
		"model_args": map[string]any{"dim": int(hidden), "n_heads": int(attentionHeads), "n_kv_heads": int(kv), "max_seq_len": 77, "norm_eps": config["rms_norm_eps"]}})
	if m, err = Open(path, container.Torch); err != nil {
		t.Fatal(err)
	}
	same(t, "model_args", m, hub, config, "num_key_value_heads")
	if m.Config["max_position_embeddings"] != 77.0 || m.Config["rope_theta"] != 10000.0 {
		t.Errorf("settings %v", m.Config)
	}
	m.Close()
	state["layers.0.attention.wz.weight"] = state["norm.weight"]
	torchtest.Write(t, dir+"/consolidated.00.pth", state)
	if _, err := Open(dir, container.MetaFolder); err == nil || !strings.Contains(err.Error(), "layers.0.attention.wz.weight is not part of a Llama model") {
		t.Errorf("a tensor too many: %v", err)
	}
}

func TestTheHubsOwnFilesAreNotForeign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pytorch_model.bin")
	torchtest.Write(t, path, map[string]any{"model.embed_tokens.weight": format.Tensor{Type: dtype.F32, Shape: []int{1}, Data: make([]byte, 4)}})
	for _, kind := range []container.Kind{container.Torch, container.Safetensors, container.GGUF, container.TorchFolder} {
		if m, err := Open(path, kind); m != nil || err != nil {
			t.Errorf("%s: %v, %v", kind, m, err)
		}
	}
}

func TestAHeadThatIsNormalisedHasRowsOfLengthOne(t *testing.T) {
	raw := make([]byte, 4*6)
	if err := dtype.Quantize(dtype.F32, []float32{3, 4, 0, 0, 0, 2}, raw); err != nil {
		t.Fatal(err)
	}
	out, err := unitRows(raw, dtype.F32, 3)
	got := make([]float32, 6)
	if err == nil {
		err = dtype.Dequantize(dtype.F32, out, got)
	}
	if want := []float32{0.6, 0.8, 0, 0, 0, 1}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, want %v (%v)", got, want, err)
	}
}

func TestSettingsThatChangeTheResultAreRefused(t *testing.T) {
	base := map[string]any{"num_attention_heads": int64(4), "hidden_size": int64(8)}
	for _, c := range []struct {
		key   string
		value any
		says  string
	}{
		{"norm_type", "layernorm", "norm_type is layernorm"}, {"use_swiglu", false, "use_swiglu"}, {"is_reward", true, "is_reward"}, {"num_attention_heads", int64(3), "do not go together"},
		{"num_kv_attention_heads", int64(3), "do not go together"}, {"hidden_size", "8", "expected a number"}, {"qk_interleaved", int64(1), "expected True or False"},
	} {
		s := maps.Clone(base)
		s[c.key] = c.value
		m, err := Open("../../format/internevo/testdata/internlm2-tp2-pp2", container.InternEvoFolder)
		if err != nil {
			t.Fatal(err)
		}
		folder := *m.Reader.(*renamed).source.(*internevo.Folder)
		folder.Config = s
		_, err = fromInternEvo(&folder)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %v: %v, want %q", c.key, c.value, err, c.says)
		}
		m.Close()
	}
}
