package family

import "lian/model/nn"

// mistral: Llama whose queries see the last few thousand keys only. Source: arXiv 2310.06825 and transformers,
// modeling_mistral.py.
var _ = register(Family{
	ModelTypes:    []string{"mistral"},
	Architectures: []string{"MistralForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("sliding_window", 4096)
		return mistralSpec(c)
	},
	Config: mistralConfig,
})

func mistralSpec(c *Config) nn.Spec {
	c.Default("max_position_embeddings", 131072)
	c.Default("num_key_value_heads", 8)
	s := decoder(c)
	s.Norm = rms(c, 1e-6)
	s.Attention.Window = c.Int("sliding_window", 0)
	return s
}

func mistralConfig(s *nn.Spec) Fields { return written(s).with(Fields{"sliding_window": window(s)}) }

// ministral: a window by layer. Source: transformers, modeling_ministral.py.
var _ = register(Family{
	ModelTypes:    []string{"ministral"},
	Architectures: []string{"MinistralForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("sliding_window", 4096)
		s := mistralSpec(c)
		windowed := s.Attention.Window > 0
		s.Attention.Window = 0
		windowedLayers(c, &s, func(int) bool { return windowed }, nil)
		return s
	},
	Config: func(s *nn.Spec) Fields { return mistralConfig(s).with(Fields{"layer_types": layerTypes(s)}) },
})
