package family

import "lian/model/nn"

// mistral: Llama whose queries see the last few thousand keys only. Source: arXiv 2310.06825 and the published config.json.
var _ = register(Family{
	ModelTypes:    []string{"mistral"},
	Architectures: []string{"MistralForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		s := llamaSpec(c)
		s.Attention.Window = c.Int("sliding_window", 0)
		return s
	},
})
