package family

import "lian/model/nn"

// ministral3: Ministral 3: Llama with YaRN, and queries that grow far into a text. Source: transformers, modeling_ministral3.py.
var _ = register(Family{
	ModelTypes:    []string{"ministral3"},
	Architectures: []string{"Ministral3ForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("head_dim", 128)
		c.Default("max_position_embeddings", 262144)
		c.Default("rope_parameters", map[string]any{"rope_type": "yarn", "rope_theta": 1e6, "factor": 16.0, "original_max_position_embeddings": 16384.0,
			"beta_fast": 32.0, "beta_slow": 1.0, "mscale_all_dim": 1.0, "mscale": 1.0, "llama_4_scaling_beta": 0.1})
		var long nn.LongScale
		for _, name := range []string{"rope_scaling", "rope_parameters"} {
			if r := c.Object(name); r != nil && long.Beta == 0 {
				long = nn.LongScale{Beta: r.Float("llama_4_scaling_beta", 0), Every: r.Int("original_max_position_embeddings", c.Int("max_position_embeddings", 0))}
			}
		}
		s := mistralSpec(c)
		s.Norm = rms(c, 1e-5)
		if s.Attention.LongScale = long; long.Beta == 0 {
			s.Attention.LongScale = nn.LongScale{}
		}
		return s
	},
	Config: func(s *nn.Spec) Fields {
		a := s.Attention
		r := scalingFields(a.RoPE.Scaling)
		if r == nil {
			r = Fields{"rope_type": "default"}
		}
		r = r.with(Fields{"rope_theta": a.RoPE.Theta})
		if a.LongScale.Beta != 0 {
			r = r.with(Fields{"llama_4_scaling_beta": a.LongScale.Beta, "original_max_position_embeddings": a.LongScale.Every})
		}
		return mistralConfig(s).without("rope_theta", "rope_scaling").with(Fields{"rope_parameters": r})
	},
})
