package family

import "lian/model/nn"

// falcon: 7B (one kv head, branches parallel through one norm), 40B and 180B (grouped heads, two norms), RW (linear biases by
// distance, one branch after the other). Sources: arXiv 2311.16867 and transformers, modeling_falcon.py.
var _ = register(Family{
	ModelTypes:    []string{"falcon", "RefinedWeb", "RefinedWebModel"},
	Architectures: []string{"FalconForCausalLM", "RWForCausalLM"},
	Prefix:        "transformer.",
	Names: Names{
		"embedding":         at("transformer.word_embeddings"),
		"attention_norm":    at("transformer.h.{layer}.input_layernorm"),
		"attention.o":       at("transformer.h.{layer}.self_attention.dense"),
		"feed_forward_norm": at("transformer.h.{layer}.post_attention_layernorm"),
		"feed_forward.up":   at("transformer.h.{layer}.mlp.dense_h_to_4h"),
		"feed_forward.down": at("transformer.h.{layer}.mlp.dense_4h_to_h"),
		"norm":              at("transformer.ln_f"),
		"head":              at("lm_head"),
	}.with(groupedQKV(at("transformer.h.{layer}.self_attention.query_key_value"))),
	NamesOf: func(s *nn.Spec) Names {
		if s.Parallel && !s.SharedNorm {
			return Names{"attention_norm": at("transformer.h.{layer}.ln_attn"), "feed_forward_norm": at("transformer.h.{layer}.ln_mlp")}
		}
		return nil
	},
	Spec: func(c *Config) nn.Spec {
		c.Default("tie_word_embeddings", true)
		c.Default("activation", "gelu")
		s := decoder(c)
		s.Norm = layerNorm(c, 1e-5, true)
		a := &s.Attention
		grouped := c.Bool("new_decoder_architecture", c.String("model_type", "") == "RefinedWeb")
		multi := c.Bool("multi_query", true)
		switch kv := c.Int("num_kv_heads|n_head_kv", a.Heads); {
		case grouped:
			a.KVHeads = kv
		case multi:
			a.KVHeads = 1
		default:
			a.KVHeads = a.Heads
		}
		s.Parallel = c.Bool("parallel_attn", true)
		norms := 1
		if grouped {
			norms = 2
		}
		norms = c.Int("num_ln_in_parallel_attn", norms)
		if s.SharedNorm = s.Parallel && !(grouped && norms == 2); grouped && !s.Parallel {
			c.Fail("new_decoder_architecture without parallel_attn is not computed")
		}
		if c.Bool("alibi", false) {
			// transformers 5 adds the biases twice in its plain attention; what it saved is read as it computes it.
			a.RoPE, a.ALiBi = nn.RoPE{}, nn.ALiBi{Rule: nn.ALiBiPress, Scaled: true, Twice: savedByTransformers5(c)}
		}
		a.Bias = c.Bool("bias", false)
		a.OutputBias, s.FeedForward.Bias, s.FeedForward.Plain = a.Bias, a.Bias, true
		s.FeedForward.Hidden = c.Int("ffn_hidden_size", 4*s.Hidden)
		s.FeedForward.Activation = activation(c, "activation", "gelu")
		c.Ignore("apply_residual_connection_post_layernorm")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		a := s.Attention
		grouped := s.Parallel && !s.SharedNorm || a.KVHeads > 1 && a.KVHeads < a.Heads
		f := written(s).without("num_key_value_heads", "head_dim", "partial_rotary_factor").named("intermediate_size", "ffn_hidden_size", "hidden_act", "activation",
			"layer_norm_eps", "layer_norm_epsilon").with(Fields{
			"new_decoder_architecture": grouped,
			"num_kv_heads":             a.KVHeads,
			"multi_query":              grouped || a.KVHeads == 1 && a.Heads > 1,
			"parallel_attn":            s.Parallel,
			"alibi":                    a.ALiBi.Rule != nn.NoALiBi,
			"bias":                     a.Bias,
		})
		if a.ALiBi.Twice {
			f["transformers_version"] = "5.0.0"
		}
		if grouped && s.SharedNorm {
			f["num_ln_in_parallel_attn"] = 1
		}
		return f
	},
})
