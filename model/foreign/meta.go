package foreign

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"lian/format"
	"lian/format/llama2c"
)

// llamaNames are Meta's names of Llama's parts and the hub's. Source: transformers,
// convert_llama_weights_to_hf.py.
var llamaNames = map[string]string{
	"attention.wq": "self_attn.q_proj", "attention.wk": "self_attn.k_proj", "attention.wv": "self_attn.v_proj", "attention.wo": "self_attn.o_proj",
	"feed_forward.w1": "mlp.gate_proj", "feed_forward.w2": "mlp.down_proj", "feed_forward.w3": "mlp.up_proj",
	"attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
}

// layerName takes a name of a layer's tensor apart: number, part, "weight" or "bias".
var layerName = regexp.MustCompile(`^(?:layers|blocks)\.(\d+)\.(.+)\.(weight|bias)$`)

// llama are the sizes that Meta's and llama2.c's own settings give.
type llama struct {
	heads, kvHeads int
	context        int
	epsilon, theta float64
	scaling        map[string]any
}

// toHub names Llama's tensors as the hub does. Sizes come from the tensors where they
// can.
func (l llama) toHub(source format.Reader) (*Model, error) {
	embedding, ok := source.Info("tok_embeddings.weight")
	if !ok || len(embedding.Shape) != 2 {
		return nil, errors.New("tensor tok_embeddings.weight is missing or no matrix; not a Llama checkpoint of Meta's names")
	}
	hidden := embedding.Shape[1]
	if l.heads < 1 || l.kvHeads < 1 || hidden%l.heads != 0 {
		return nil, fmt.Errorf("%d heads and %d key-value heads do not go with a hidden size of %d", l.heads, l.kvHeads, hidden)
	}
	r := newRenamed(source)
	layers, inner, tied := 0, 0, true
	for _, name := range source.Names() {
		v, hub := view{name: name}, ""
		switch name {
		case "tok_embeddings.weight":
			hub = "model.embed_tokens.weight"
		case "norm.weight":
			hub = "model.norm.weight"
		case "output.weight":
			hub, tied = "lm_head.weight", false
		case "rope.freqs", "freqs_cos", "freqs_sin":
			continue // tables that positions give
		default:
			m := layerName.FindStringSubmatch(name)
			if m == nil || llamaNames[m[2]] == "" {
				return nil, fmt.Errorf("tensor %s is not part of a Llama model of Meta's names", name)
			}
			var number int
			fmt.Sscan(m[1], &number)
			layers = max(layers, number+1)
			hub = "model.layers." + m[1] + "." + llamaNames[m[2]] + "." + m[3]
			switch m[2] {
			case "attention.wq", "attention.wk":
				v.heads.size = hidden / l.heads
			case "feed_forward.w1":
				info, _ := source.Info(name)
				inner = info.Shape[0]
			}
		}
		if err := r.add(hub, v); err != nil {
			return nil, err
		}
	}
	bos, eos := 1.0, 2.0
	if embedding.Shape[0] >= 128000 { // Llama 3's tokenizer
		bos, eos = 128000, 128001
	}
	return &Model{Reader: r, Config: map[string]any{
		"architectures": []any{"LlamaForCausalLM"}, "model_type": "llama", "hidden_act": "silu", "bos_token_id": bos, "eos_token_id": eos,
		"vocab_size": float64(embedding.Shape[0]), "hidden_size": float64(hidden), "intermediate_size": float64(inner), "num_hidden_layers": float64(layers),
		"num_attention_heads": float64(l.heads), "num_key_value_heads": float64(l.kvHeads), "max_position_embeddings": float64(l.context),
		"rms_norm_eps": l.epsilon, "rope_theta": l.theta, "rope_scaling": mapOrNil(l.scaling), "tie_word_embeddings": tied,
	}}, nil
}

// mapOrNil keeps a nil map from becoming a value that is not nil.
func mapOrNil(m map[string]any) any {
	if m == nil {
		return nil
	}
	return m
}

func fromLlama2C(f *llama2c.File) (*Model, error) {
	c := f.Config
	return llama{heads: c.Heads, kvHeads: c.KVHeads, context: c.Context, epsilon: llama2c.NormEps, theta: llama2c.RopeTheta}.toHub(f)
}

// fromMeta reads the settings that a training checkpoint of llama2.c carries
// (model_args), or the params.json beside Meta's. value is the checkpoint's metadata,
// nil where it has none.
func fromMeta(source format.Reader, path string, value func(key string) (any, bool)) (*Model, error) {
	if value != nil {
		if _, ok := value("model_args.n_heads"); ok {
			return fromArgs(source, func(key string) any { v, _ := value("model_args." + key); return v })
		}
	}
	dir := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		dir = filepath.Dir(path)
	}
	file := filepath.Join(dir, "params.json")
	raw, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("tensors have Meta's names, but neither model_args in the file nor %s says how many heads there are", file)
	}
	if err != nil {
		return nil, err
	}
	var params map[string]any
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	m, err := fromArgs(source, func(key string) any { return params[key] })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

// fromArgs reads Meta's ModelArgs. Source: llama, llama/model.py and llama3,
// llama/model.py; llama2.c, model.py, which adds max_seq_len.
func fromArgs(source format.Reader, arg func(key string) any) (*Model, error) {
	if v := arg("moe"); v != nil {
		return nil, errors.New("moe: mixtures of experts under Meta's names are not read")
	}
	number := func(key string, missing float64) float64 {
		switch v := arg(key).(type) {
		case int64:
			return float64(v)
		case float64:
			return v
		}
		return missing
	}
	heads := number("n_heads", 0)
	l := llama{heads: int(heads), kvHeads: int(number("n_kv_heads", heads)), epsilon: number("norm_eps", 1e-5), theta: number("rope_theta", 10000)}
	// Meta's files do not say how long a context the model was trained on; its releases
	// do, and these settings tell them apart.
	switch scaled := arg("use_scaled_rope") == true; {
	case arg("max_seq_len") != nil:
		l.context = int(number("max_seq_len", 0))
	case scaled:
		l.context = 131072
	case l.theta == 500000:
		l.context = 8192
	case l.theta == 1e6:
		l.context = 16384
	case l.epsilon == 1e-6:
		l.context = 2048
	default:
		l.context = 4096
	}
	if arg("use_scaled_rope") == true { // llama-models, apply_scaling
		l.scaling = map[string]any{"rope_type": "llama3", "factor": number("rope_scale_factor", 8), "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192.0}
	}
	return l.toHub(source)
}
