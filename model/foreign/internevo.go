package foreign

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	"lian/format"
	"lian/format/internevo"
)

// internlm1Names are InternEvo's names of InternLM 1's parts and the hub's; Wqkv is
// three. Source: InternEvo, transformers/convert2hf_internlm.py.
var internlm1Names = map[string]string{
	"mixer.out_proj": "self_attn.o_proj", "mlp.w1": "mlp.gate_proj", "mlp.w2": "mlp.up_proj", "mlp.w3": "mlp.down_proj",
	"norm1": "input_layernorm", "norm2": "post_attention_layernorm",
}

// settings reads model_config.pt.
type settings struct {
	values map[string]any
	err    error
}

func (s *settings) number(key string, missing float64) float64 {
	switch v := s.values[key].(type) {
	case nil:
		return missing
	case int64:
		return float64(v)
	case float64:
		return v
	case *big.Int:
		s.fail("%s is %v, too large a number", key, v)
	default:
		s.fail("%s is %v, expected a number", key, v)
	}
	return missing
}

func (s *settings) truth(key string, missing bool) bool {
	switch v := s.values[key].(type) {
	case nil:
		return missing
	case bool:
		return v
	default:
		s.fail("%s is %v, expected True or False", key, v)
	}
	return missing
}

// refuse fails where a setting would make another model.
func (s *settings) refuse(key string, harmless any) {
	if v := s.values[key]; v != nil && v != harmless {
		s.fail("%s is %v, which Lian does not compute (it understands %v)", key, v, harmless)
	}
}

func (s *settings) fail(f string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(internevo.ConfigFile+": "+f, args...)
	}
}

// fromInternEvo converts by the names of the tensors: blocks are InternLM 1, a packed
// wqkv is InternLM 2, wq, wk and wv are InternLM 3.
func fromInternEvo(f *internevo.Folder) (*Model, error) {
	if f.Config == nil {
		return nil, fmt.Errorf("there is no %s, which says how many heads there are", internevo.ConfigFile)
	}
	s := &settings{values: f.Config}
	s.refuse("norm_type", "rmsnorm")
	s.refuse("use_swiglu", true)
	s.refuse("apply_post_layer_norm", false)
	s.refuse("is_reward", false)
	s.refuse("num_chunks", int64(1))
	heads := s.number("num_attention_heads", 0)
	e := evo{Folder: f, s: s, heads: int(heads), kvHeads: int(s.number("num_kv_attention_heads", heads))}
	hidden := int(s.number("hidden_size", 0))
	if e.heads < 1 || e.kvHeads < 1 || hidden < 1 || hidden%e.heads != 0 || e.heads%e.kvHeads != 0 {
		s.fail("hidden_size %d, num_attention_heads %d, num_kv_attention_heads %d do not go together", hidden, e.heads, e.kvHeads)
	}
	if s.err != nil {
		return nil, s.err
	}
	e.headSize = hidden / e.heads
	if v, ok := f.Config["head_dim"].(int64); ok && v > 0 {
		e.headSize = int(v)
	}
	// adapt_hf is the older name, with the opposite meaning.
	if e.paired = s.truth("qk_interleaved", !s.truth("adapt_hf", true)); s.err != nil {
		return nil, s.err
	}
	m, err := e.convert()
	return m, errors.Join(err, s.err)
}

// evo is a folder being converted.
type evo struct {
	*internevo.Folder
	s              *settings
	heads, kvHeads int
	headSize       int
	paired         bool // rotary pairs are neighbours
	bias           bool // of q, k and v
}

func (e *evo) convert() (*Model, error) {
	r, inner, layers := newRenamed(e.Folder), 0, 0
	first := e.Names()[0]
	for _, name := range e.Names() {
		m := layerName.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		first = name
		var number int
		fmt.Sscan(m[1], &number)
		layers = max(layers, number+1)
		if m[2] == "mlp.w1" || m[2] == "feed_forward.w1" {
			info, _ := e.Info(name)
			inner = info.Shape[0]
		}
	}
	version, family, architecture := e.version(first)
	for _, name := range e.Names() {
		if err := e.add(r, name, version); err != nil {
			return nil, err
		}
	}
	embedding, ok := r.Info(embeddingName[version])
	if !ok {
		return nil, errors.New("there is no embedding")
	}
	if want := int(e.s.number("num_layers", float64(layers))); want != layers {
		return nil, fmt.Errorf("%d layers are there, %s says num_layers %d", layers, internevo.ConfigFile, want)
	}
	config := map[string]any{
		"architectures": []any{architecture}, "model_type": family, "hidden_act": "silu", "tie_word_embeddings": false,
		"vocab_size": float64(embedding.Shape[0]), "hidden_size": float64(embedding.Shape[1]), "intermediate_size": float64(inner), "num_hidden_layers": float64(layers),
		"num_attention_heads": float64(e.heads), "num_key_value_heads": float64(e.kvHeads),
		"max_position_embeddings": e.s.number("max_position_embeddings", 2048), "rms_norm_eps": e.s.number("layer_norm_epsilon", 1e-5), "rope_theta": e.s.number("rope_base", 10000),
		"bias": e.bias, "rope_scaling": nil, "bos_token_id": 1.0, "eos_token_id": 2.0,
	}
	if version == 3 {
		config["qkv_bias"], config["head_dim"] = e.bias, float64(e.headSize)
		_, config["bias"] = e.Info("layers.0.attention.wo.bias")
	}
	if e.s.truth("use_dynamic_ntk_rope", false) { // InternEvo fixes its factor
		config["rope_scaling"] = map[string]any{"type": "dynamic", "factor": 1.0}
	}
	return &Model{Reader: r, Config: config}, nil
}

// embeddingName is the hub's name of the embedding by version.
var embeddingName = map[int]string{1: "model.embed_tokens.weight", 2: "model.tok_embeddings.weight", 3: "model.embed_tokens.weight"}

// version tells the InternLMs apart by a layer's name.
func (e *evo) version(layer string) (version int, family, architecture string) {
	switch _, packed := e.Info("layers.0.attention.wqkv.weight"); {
	case strings.HasPrefix(layer, "blocks."):
		return 1, "internlm", "InternLMForCausalLM"
	case packed:
		return 2, "internlm2", "InternLM2ForCausalLM"
	}
	return 3, "internlm3", "InternLM3ForCausalLM"
}

// add gives a tensor its name on the hub.
func (e *evo) add(r *renamed, name string, version int) error {
	v := view{name: name}
	switch name {
	case "embedding.weight", "embedding.word_embeddings.weight", "tok_embeddings.weight", "tok_embeddings.word_embeddings.weight":
		return r.add(embeddingName[version], v)
	case "norm.weight":
		return r.add("model.norm.weight", v)
	case "head.weight", "output.weight":
		v.normalise = e.s.truth("norm_head", false)
		return r.add(map[int]string{1: "lm_head.weight", 2: "output.weight", 3: "lm_head.weight"}[version], v)
	}
	m := layerName.FindStringSubmatch(name)
	if m == nil {
		return fmt.Errorf("tensor %s is not part of an InternLM model", name)
	}
	layer, part, last := "model.layers."+m[1]+".", m[2], "."+m[3]
	if last == ".bias" && (part == "mixer.Wqkv" || strings.HasPrefix(part, "attention.w")) {
		e.bias = true
	}
	switch {
	case part == "mixer.Wqkv":
		return e.addThirds(r, v, layer, last)
	case version == 1 && internlm1Names[part] != "":
		return r.add(layer+internlm1Names[part]+last, v)
	case version == 2:
		if part == "attention.wqkv" && e.paired {
			v.heads = heads{size: e.headSize, group: e.heads/e.kvHeads + 2}
		}
		return r.add(layer+part+last, v)
	case version == 3 && llamaNames[part] != "":
		if e.paired && (part == "attention.wq" || part == "attention.wk") {
			v.heads.size = e.headSize
		}
		return r.add(layer+llamaNames[part]+last, v)
	}
	return fmt.Errorf("tensor %s is not part of an InternLM %d model", name, version)
}

// addThirds takes InternLM 1's packed q, k and v apart.
func (e *evo) addThirds(r *renamed, v view, layer, last string) error {
	info, _ := e.Info(v.name)
	if len(info.Shape) == 0 || info.Shape[0]%3 != 0 {
		return fmt.Errorf("tensor %s is %v, whose rows are not three equal parts", v.name, info.Shape)
	}
	v.rows = info.Shape[0] / 3
	for i, part := range []string{"q_proj", "k_proj", "v_proj"} {
		third := v
		third.from = i * v.rows
		if e.paired && i < 2 {
			third.heads.size = e.headSize
		}
		if err := r.add(layer+"self_attn."+part+last, third); err != nil {
			return err
		}
	}
	return nil
}

var _ format.Reader = (*renamed)(nil)
