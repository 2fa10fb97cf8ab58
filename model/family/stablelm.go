package family

import "lian/model/nn"

// stablelm: LayerNorm, a quarter of each head turns; some have parallel branches, some a norm for each head, each in a tensor of its
// own. Source: transformers, modeling_stablelm.py.
var _ = register(Family{
	ModelTypes:    []string{"stablelm", "stablelm_epoch"},
	Architectures: []string{"StableLmForCausalLM", "StableLMEpochForCausalLM"},
	Names: llamaNames.with(Names{
		"attention.q_norm": at("model.layers.{layer}.self_attn.q_layernorm.norms.{expert}"),
		"attention.k_norm": at("model.layers.{layer}.self_attn.k_layernorm.norms.{expert}"),
	}),
	Spec: func(c *Config) nn.Spec {
		c.Default("partial_rotary_factor", 0.25)
		c.Default("max_position_embeddings", 4096)
		s := decoder(c)
		s.Norm = layerNorm(c, 1e-5, true)
		s.Attention.Bias = c.Bool("use_qkv_bias", false)
		if c.Bool("qk_layernorm", false) {
			s.Attention.HeadNorm, s.Attention.HeadNormKind = nn.EachOwnHead, s.Norm
			s.Attention.HeadNormKind.Bias = false
		}
		s.Parallel = c.Bool("use_parallel_residual", false)
		s.SharedNorm = s.Parallel
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return written(s).with(Fields{
			"partial_rotary_factor": fraction(s.Attention),
			"use_qkv_bias":          s.Attention.Bias,
			"qk_layernorm":          s.Attention.HeadNorm != nn.NoHeadNorm,
			"use_parallel_residual": s.Parallel,
		})
	},
})
