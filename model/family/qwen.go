package family

import "lian/model/nn"

// qwen2: Llama with biases on q, k and v, and a window in the later layers if asked for; also Qwen 1.5 and 2.5. Sources:
// arXiv 2407.10671, 2412.15115 and transformers, modeling_qwen2.py.
var _ = register(Family{
	ModelTypes:    []string{"qwen2", "qwen2_vl_text", "qwen2_5_vl_text", "qwen2_vl", "qwen2_5_vl"},
	Architectures: []string{"Qwen2ForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		s := qwenSpec(c)
		s.Attention.Bias = true
		qwenWindows(c, &s)
		return s
	},
	Config: func(s *nn.Spec) Fields { return qwenConfig(s).without("attention_bias") },
})

// qwen3: queries and keys are normed by head instead. Source: arXiv 2505.09388 and transformers, modeling_qwen3.py.
var _ = register(Family{
	ModelTypes:    []string{"qwen3", "qwen3_vl_text"},
	Architectures: []string{"Qwen3ForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("head_dim", 128)
		s := qwenSpec(c)
		s.Attention.HeadNorm = nn.EachHead
		s.Attention.Bias = c.Bool("attention_bias", false)
		s.Attention.OutputBias = s.Attention.Bias
		qwenWindows(c, &s)
		return s
	},
	Config: qwenConfig,
})

func qwenSpec(c *Config) nn.Spec {
	c.Default("max_position_embeddings", 32768)
	s := decoder(c)
	s.Norm = rms(c, 1e-6)
	return s
}

// qwenWindows gives layers from max_window_layers on, or those of layer_types, a window if use_sliding_window says so.
func qwenWindows(c *Config, s *nn.Spec) {
	c.Default("sliding_window", 4096)
	if from := c.Int("max_window_layers", 28); c.Bool("use_sliding_window", false) && c.Int("sliding_window", 0) > 0 {
		windowedLayers(c, s, func(l int) bool { return l >= from }, nil)
		return
	}
	c.Ignore("sliding_window", "layer_types")
}

func qwenConfig(s *nn.Spec) Fields {
	f := written(s).with(Fields{"attention_bias": s.Attention.OutputBias, "use_sliding_window": s.Each != nil})
	if s.Each != nil {
		f = f.with(Fields{"sliding_window": window(s), "layer_types": layerTypes(s)})
	}
	return f
}

// qwen: the first Qwen: GPT-2's names, q, k and v stacked with biases; intermediate_size counts gate and up together. Within the
// context that it was trained for; beyond, its own code stretches (use_dynamic_ntk, use_logn_attn). Source: arXiv 2309.16609 and the
// published modeling_qwen.py.
var _ = register(Family{
	ModelTypes:    []string{"qwen"},
	Architectures: []string{"QWenLMHeadModel"},
	Prefix:        "transformer.",
	Names: Names{
		"embedding":         at("transformer.wte"),
		"attention_norm":    at("transformer.h.{layer}.ln_1"),
		"attention.o":       at("transformer.h.{layer}.attn.c_proj"),
		"feed_forward_norm": at("transformer.h.{layer}.ln_2"),
		"feed_forward.gate": at("transformer.h.{layer}.mlp.w2"),
		"feed_forward.up":   at("transformer.h.{layer}.mlp.w1"),
		"feed_forward.down": at("transformer.h.{layer}.mlp.c_proj"),
		"norm":              at("transformer.ln_f"),
		"head":              at("lm_head"),
	}.with(stackedQKV(at("transformer.h.{layer}.attn.c_attn"))),
	Spec: func(c *Config) nn.Spec {
		c.Default("rotary_pct", 1)
		s := decoder(c)
		s.Context = c.Int("seq_length", s.Context)
		s.Norm = nn.Norm{Kind: nn.RMSNorm, Epsilon: c.Float32("layer_norm_epsilon", 1e-6)}
		a := &s.Attention
		a.HeadSize, a.Bias = c.Int("kv_channels", a.HeadSize), true
		a.RoPE = rope(c, a.HeadSize, s.Context)
		s.FeedForward.Hidden /= 2
		c.Refuse("no_bias", true)
		c.Ignore("attn_dropout_prob", "emb_dropout_prob", "bf16", "fp16", "fp32", "onnx_safe", "scale_attn_weights", "use_flash_attn", "use_dynamic_ntk",
			"use_logn_attn", "use_cache_kernel", "use_cache_quantization", "softmax_in_fp32")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		a := s.Attention
		return Fields{"vocab_size": s.Vocab, "hidden_size": s.Hidden, "num_hidden_layers": s.Layers, "num_attention_heads": a.Heads, "kv_channels": a.HeadSize,
			"intermediate_size": 2 * s.FeedForward.Hidden, "seq_length": s.Context, "max_position_embeddings": s.Context, "layer_norm_epsilon": s.Norm.Epsilon,
			"rotary_emb_base": a.RoPE.Theta, "rotary_pct": fraction(a), "no_bias": true, "tie_word_embeddings": s.TiedEmbedding}
	},
})
