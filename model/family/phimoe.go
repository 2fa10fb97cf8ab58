package family

import (
	"lian/compute"
	"lian/model/nn"
)

// phimoe: Phi-3.5-MoE: LayerNorms, two experts chosen by SparseMixer. Source: arXiv 2404.14219, 2409.12136, transformers,
// modeling_phimoe.py, and the published modeling_phimoe.py, which unlike transformers turns long sequences by long_factor.
var _ = register(Family{
	ModelTypes:    []string{"phimoe"},
	Architectures: []string{"PhimoeForCausalLM", "PhiMoEForCausalLM"},
	Names:         blockSparse,
	Spec: func(c *Config) nn.Spec {
		for name, value := range map[string]any{"num_local_experts": 16, "num_experts_per_tok": 2, "num_key_value_heads": 8, "rope_theta": 1000000.0,
			"max_position_embeddings": 4096 * 32} {
			c.Default(name, value)
		}
		c.Ignore("input_jitter_noise") // of training
		s := decoder(c)
		s.Norm = nn.Norm{Kind: nn.LayerNorm, Epsilon: rms(c, 1e-5).Epsilon, Bias: true}
		s.HeadBias = c.Bool("lm_head_bias", false)
		s.Attention.Bias = c.Bool("attention_bias", false)
		s.Attention.OutputBias = s.Attention.Bias
		s.Attention.Window = c.Int("sliding_window", 0)
		e := chosenExperts(c)
		e.Route = compute.RouteRule{Mixer: true, Jitter: c.Float32("router_jitter_noise", 0.01)}
		if e.Chosen != 2 {
			c.Fail("num_experts_per_tok is %d, expected 2: SparseMixer chooses two", e.Chosen)
		}
		mixedLayers(&s, s.FeedForward.Hidden, e, everyLayer)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		f := written(s)
		if r := s.Attention.RoPE.Scaling; r.Rule == "longrope" {
			f = f.with(Fields{"rope_scaling": scalingFields(r).with(Fields{"short_mscale": r.AttentionFactor, "long_mscale": r.AttentionFactor})})
		}
		return f.without("layer_norm_eps").with(localExperts(s)).with(Fields{"rms_norm_eps": s.Norm.Epsilon, "lm_head_bias": s.HeadBias,
			"attention_bias": s.Attention.Bias, "sliding_window": window(s), "router_jitter_noise": mixture(s).Experts.Route.Jitter})
	},
})
