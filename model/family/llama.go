package family

import "lian/model/nn"

// llama: RMSNorm, rotary halves, grouped-query attention, SwiGLU; also Yi, DeepSeek-LLM, TinyLlama, SmolLM and SmolLM2, whose
// config.json names it. Sources: arXiv 2302.13971, 2307.09288, 2407.21783 and the published config.json files.
var _ = register(Family{
	ModelTypes:    []string{"llama"},
	Architectures: []string{"LlamaForCausalLM", "LLaMAForCausalLM"},
	Spec:          llamaSpec,
	Config:        llamaConfig,
	Names:         llamaNames,
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

func llamaConfig(s *nn.Spec) Fields {
	return written(s).with(Fields{"attention_bias": s.Attention.Bias, "mlp_bias": s.FeedForward.Bias})
}
