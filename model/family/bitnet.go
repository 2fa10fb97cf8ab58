package family

import "lian/model/nn"

// bitnet: BitNet b1.58: norms before the last product of each branch. Weights are of three values; here they come as floats.
// Source: arXiv 2504.12285 and transformers, modeling_bitnet.py.
var _ = register(Family{
	ModelTypes:    []string{"bitnet"},
	Architectures: []string{"BitNetForCausalLM", "BitnetForCausalLM"},
	Names: llamaNames.with(Names{
		"attention.inner_norm":    at("model.layers.{layer}.self_attn.attn_sub_norm"),
		"feed_forward.inner_norm": at("model.layers.{layer}.mlp.ffn_sub_norm"),
	}),
	Spec: func(c *Config) nn.Spec {
		c.Default("rope_theta", 500000.0)
		c.Default("hidden_act", "relu2")
		s := llamaSpec(c)
		s.Norm = rms(c, 1e-5)
		s.Attention.InnerNorm, s.FeedForward.InnerNorm = true, true
		return s
	},
	Config: llamaConfig,
})
