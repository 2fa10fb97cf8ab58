package family

import (
	"fmt"

	"lian/model/nn"
)

// llama: RMSNorm, rotary halves, grouped-query attention, SwiGLU. Sources: arXiv 2302.13971, 2307.09288, 2407.21783 and the
// published config.json files.
var llama = Family{
	ModelType:       "llama",
	Architectures:   []string{"LlamaForCausalLM"},
	GGUF:            "llama",
	Spec:            llamaSpec,
	Config:          llamaConfig,
	FromGGUF:        llamaFromGGUF,
	ToGGUF:          llamaToGGUF,
	InterleavedGGUF: true,
	Names: map[string]Name{
		"embedding":         {"model.embed_tokens", "token_embd"},
		"attention_norm":    {"model.layers.{layer}.input_layernorm", "blk.{layer}.attn_norm"},
		"attention.q":       {"model.layers.{layer}.self_attn.q_proj", "blk.{layer}.attn_q"},
		"attention.k":       {"model.layers.{layer}.self_attn.k_proj", "blk.{layer}.attn_k"},
		"attention.v":       {"model.layers.{layer}.self_attn.v_proj", "blk.{layer}.attn_v"},
		"attention.o":       {"model.layers.{layer}.self_attn.o_proj", "blk.{layer}.attn_output"},
		"feed_forward_norm": {"model.layers.{layer}.post_attention_layernorm", "blk.{layer}.ffn_norm"},
		"feed_forward.gate": {"model.layers.{layer}.mlp.gate_proj", "blk.{layer}.ffn_gate"},
		"feed_forward.up":   {"model.layers.{layer}.mlp.up_proj", "blk.{layer}.ffn_up"},
		"feed_forward.down": {"model.layers.{layer}.mlp.down_proj", "blk.{layer}.ffn_down"},
		"norm":              {"model.norm", "output_norm"},
		"head":              {"lm_head", "output"},
	},
}

func llamaSpec(c *Config) (nn.Spec, error) {
	s := nn.Spec{
		Family:        "llama",
		Vocab:         c.Need("vocab_size"),
		Hidden:        c.Need("hidden_size"),
		Layers:        c.Need("num_hidden_layers"),
		Context:       c.Int("max_position_embeddings", 2048),
		NormEpsilon:   float32(c.Float("rms_norm_eps", 1e-6)),
		TiedEmbedding: c.Bool("tie_word_embeddings", false),
	}
	s.FeedForward.Hidden = c.Need("intermediate_size")
	heads := c.Need("num_attention_heads")
	a := nn.Attention{Heads: heads, KVHeads: c.Int("num_key_value_heads", heads), Bias: c.Bool("attention_bias", false)}
	a.OutputBias = a.Bias
	if heads > 0 {
		a.HeadSize = c.Int("head_dim", s.Hidden/heads)
	}
	a.RoPE = nn.RoPE{Theta: c.Float("rope_theta", 10000), Rotary: a.HeadSize}
	if r := c.Object("rope_parameters"); r != nil { // transformers 5
		a.RoPE.Theta = r.Float("rope_theta", a.RoPE.Theta)
		r.Refuse("rope_type", "default")
		if r.Err() != nil {
			return s, r.Err()
		}
	}
	s.Attention = a
	c.Refuse("rope_scaling")
	c.Refuse("hidden_act", "silu", "swish")
	c.Refuse("mlp_bias", false)
	c.Refuse("quantization_config")
	c.Refuse("pretraining_tp", 1.0)
	if c.Err() != nil {
		return s, c.Err()
	}
	return s, s.Check()
}

func llamaConfig(s nn.Spec) map[string]any {
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
		"rms_norm_eps":            float64(float32(s.NormEpsilon)),
		"rope_theta":              s.Attention.RoPE.Theta,
		"attention_bias":          s.Attention.Bias,
		"mlp_bias":                false,
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
	s.FeedForward.Hidden = need("feed_forward_length")
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
	s.NormEpsilon = 1e-5
	if v, ok := m.Float("llama.attention.layer_norm_rms_epsilon"); ok {
		s.NormEpsilon = float32(v)
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

func llamaToGGUF(s nn.Spec) map[string]any {
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
		"attention.layer_norm_rms_epsilon": s.NormEpsilon,
		"rope.dimension_count":             uint32(s.Attention.RoPE.Rotary),
		"rope.freq_base":                   float32(s.Attention.RoPE.Theta),
	}
}
