package family

import "lian/model/nn"

// qwen2: Llama with biases on q, k and v, and a window in the later layers if asked for; also Qwen 1.5 and 2.5. Sources:
// arXiv 2407.10671, 2412.15115 and transformers, modeling_qwen2.py.
var _ = register(Family{
	ModelTypes:    []string{"qwen2"},
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
	ModelTypes:    []string{"qwen3"},
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
