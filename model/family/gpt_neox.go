package family

import "lian/model/nn"

// gpt_neox: GPT-NeoX, Pythia and Dolly: q, k and v of each head together, parallel branches through norms of their own, part of each
// head turns. Source: arXiv 2204.06745 and transformers, modeling_gpt_neox.py.
var _ = register(Family{
	ModelTypes:    []string{"gpt_neox"},
	Architectures: []string{"GPTNeoXForCausalLM"},
	Prefix:        "gpt_neox.",
	Ignored:       []string{".attention.bias", ".attention.masked_bias"}, // the causal mask
	Names: Names{
		"embedding":         at("gpt_neox.embed_in"),
		"attention_norm":    at("gpt_neox.layers.{layer}.input_layernorm"),
		"attention.o":       at("gpt_neox.layers.{layer}.attention.dense"),
		"feed_forward_norm": at("gpt_neox.layers.{layer}.post_attention_layernorm"),
		"feed_forward.up":   at("gpt_neox.layers.{layer}.mlp.dense_h_to_4h"),
		"feed_forward.down": at("gpt_neox.layers.{layer}.mlp.dense_4h_to_h"),
		"norm":              at("gpt_neox.final_layer_norm"),
		"head":              at("embed_out"),
	}.with(groupedQKV(at("gpt_neox.layers.{layer}.attention.query_key_value"))),
	Spec: func(c *Config) nn.Spec {
		c.Default("hidden_act", "gelu")
		c.Default("rotary_pct", 0.25)
		c.Default("use_parallel_residual", true)
		s := decoder(c)
		s.Norm = layerNorm(c, 1e-5, true)
		s.Parallel = c.Bool("use_parallel_residual", true)
		s.FeedForward.Plain, s.FeedForward.Bias = true, true
		s.Attention.Bias = c.Bool("attention_bias", true)
		s.Attention.OutputBias = s.Attention.Bias
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return written(s).without("partial_rotary_factor", "num_key_value_heads", "head_dim").named("rope_theta", "rotary_emb_base").with(Fields{
			"rotary_pct":            fraction(s.Attention),
			"use_parallel_residual": s.Parallel,
			"attention_bias":        s.Attention.Bias,
		})
	},
})
