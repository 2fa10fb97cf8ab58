package family

import "lian/model/nn"

// glm: GLM-4-9B in transformers' layout: Llama with gate and up stacked, half of each head turns in interleaved pairs. Source:
// arXiv 2406.12793 and transformers, modeling_glm.py.
var _ = register(Family{
	ModelTypes:    []string{"glm"},
	Architectures: []string{"GlmForCausalLM"},
	Names:         llamaNames.with(stackedGateUp(at("model.layers.{layer}.mlp.gate_up_proj"))),
	Spec:          glmSpec,
	Config:        glmConfig,
})

func glmSpec(c *Config) nn.Spec {
	c.Default("partial_rotary_factor", 0.5)
	c.Default("num_key_value_heads", 2)
	c.Default("head_dim", 128)
	c.Default("max_position_embeddings", 131072)
	s := decoder(c)
	s.Norm = rms(c, 0.00000015625)
	s.Attention.RoPE.Interleaved = true
	s.Attention.Bias = c.Bool("attention_bias", true)
	return s
}

func glmConfig(s *nn.Spec) Fields {
	return written(s).with(Fields{"partial_rotary_factor": fraction(s.Attention), "attention_bias": s.Attention.Bias})
}

// glm4: GLM-4-0414 and Z1: norms around each branch. Source: transformers, modeling_glm4.py.
var _ = register(Family{
	ModelTypes:    []string{"glm4"},
	Architectures: []string{"Glm4ForCausalLM"},
	Names: llamaNames.with(stackedGateUp(at("model.layers.{layer}.mlp.gate_up_proj")), Names{
		"attention_post_norm":    at("model.layers.{layer}.post_self_attn_layernorm"),
		"feed_forward_post_norm": at("model.layers.{layer}.post_mlp_layernorm"),
	}),
	Spec: func(c *Config) nn.Spec {
		s := glmSpec(c)
		s.PostNorm = true
		return s
	},
	Config: glmConfig,
})
