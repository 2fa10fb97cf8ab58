package family

import (
	"fmt"

	"lian/compute"
	"lian/model/nn"
)

// llama: RMSNorm, rotary halves, grouped-query attention, SwiGLU; also Yi, DeepSeek-LLM, TinyLlama, SmolLM and SmolLM2, whose
// config.json names it. Sources: arXiv 2302.13971, 2307.09288, 2407.21783 and the published config.json files.
var llama = register(Family{
	ModelTypes:      []string{"llama"},
	Architectures:   []string{"LlamaForCausalLM", "LLaMAForCausalLM"},
	GGUF:            "llama",
	Spec:            llamaSpec,
	Config:          llamaConfig,
	FromGGUF:        llamaFromGGUF,
	ToGGUF:          llamaToGGUF,
	InterleavedGGUF: true,
	Names:           llamaNames,
})

func llamaSpec(c *Config) nn.Spec {
	s := decoder(c)
	s.Norm = rms(c, 1e-6)
	s.Attention.Bias = c.Bool("attention_bias", false)
	s.Attention.OutputBias = s.Attention.Bias
	s.FeedForward.Bias = c.Bool("mlp_bias", false)
	c.Ignore("pretraining_tp") // splits products into parts that are added up again
	return s
}

func llamaConfig(s *nn.Spec) map[string]any {
	return map[string]any{
		"architectures":           []string{"LlamaForCausalLM"},
		"model_type":              "llama",
		"vocab_size":              s.Vocab,
		"hidden_size":             s.Hidden,
		"intermediate_size":       s.FeedForward.Hidden,
		"num_hidden_layers":       s.Layers,
		"num_attention_heads":     s.Attention.Heads,
		"num_key_value_heads":     s.Attention.KVHeads,
		"head_dim":                s.Attention.HeadSize,
		"hidden_act":              "silu",
		"max_position_embeddings": s.Context,
		"rms_norm_eps":            float64(s.Norm.Epsilon),
		"rope_theta":              s.Attention.RoPE.Theta,
		"rope_scaling":            scalingConfig(s.Attention.RoPE.Scaling),
		"attention_bias":          s.Attention.Bias,
		"mlp_bias":                s.FeedForward.Bias,
		"tie_word_embeddings":     s.TiedEmbedding,
		"torch_dtype":             "float32",
	}
}

func llamaFromGGUF(m Metadata) (nn.Spec, error) {
	var first error
	need := func(key string) int {
		v, ok := m.Uint("llama." + key)
		if !ok && first == nil {
			first = fmt.Errorf("metadata llama.%s is missing", key)
		}
		return int(v)
	}
	s := nn.Spec{Family: "llama", Hidden: need("embedding_length"), Layers: need("block_count"), Context: need("context_length")}
	s.FeedForward = nn.FeedForward{Hidden: need("feed_forward_length"), Activation: compute.SiLU}
	heads := need("attention.head_count")
	a := nn.Attention{Heads: heads, KVHeads: heads}
	if v, ok := m.Uint("llama.attention.head_count_kv"); ok {
		a.KVHeads = int(v)
	}
	if heads > 0 {
		a.HeadSize = s.Hidden / heads
	}
	if v, ok := m.Uint("llama.attention.key_length"); ok {
		a.HeadSize = int(v)
	}
	a.RoPE = nn.RoPE{Theta: 10000, Rotary: a.HeadSize}
	if v, ok := m.Uint("llama.rope.dimension_count"); ok {
		a.RoPE.Rotary = int(v)
	}
	if v, ok := m.Float("llama.rope.freq_base"); ok {
		a.RoPE.Theta = v
	}
	if v, ok := m.String("llama.rope.scaling.type"); ok && v != "none" && first == nil {
		first = fmt.Errorf("metadata llama.rope.scaling.type is %q, which Lian does not compute yet", v)
	}
	if v, ok := m.Uint("llama.expert_count"); ok && v > 0 && first == nil {
		first = fmt.Errorf("metadata llama.expert_count is %d: mixtures of experts are not computed yet", v)
	}
	s.Norm.Epsilon = 1e-5
	if v, ok := m.Float("llama.attention.layer_norm_rms_epsilon"); ok {
		s.Norm.Epsilon = float32(v)
	}
	s.Attention = a
	if v, ok := m.Uint("llama.vocab_size"); ok {
		s.Vocab = int(v)
	} else if tokens, ok := m.Strings("tokenizer.ggml.tokens"); ok {
		s.Vocab = len(tokens)
	}
	if first != nil {
		return s, first
	}
	return s, s.Check()
}

func llamaToGGUF(s *nn.Spec) map[string]any {
	return map[string]any{
		"vocab_size":                       uint32(s.Vocab),
		"context_length":                   uint32(s.Context),
		"embedding_length":                 uint32(s.Hidden),
		"block_count":                      uint32(s.Layers),
		"feed_forward_length":              uint32(s.FeedForward.Hidden),
		"attention.head_count":             uint32(s.Attention.Heads),
		"attention.head_count_kv":          uint32(s.Attention.KVHeads),
		"attention.key_length":             uint32(s.Attention.HeadSize),
		"attention.value_length":           uint32(s.Attention.HeadSize),
		"attention.layer_norm_rms_epsilon": s.Norm.Epsilon,
		"rope.dimension_count":             uint32(s.Attention.RoPE.Rotary),
		"rope.freq_base":                   float32(s.Attention.RoPE.Theta),
	}
}
