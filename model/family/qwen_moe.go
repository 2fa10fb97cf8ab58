package family

import (
	"lian/compute"
	"lian/model/nn"
)

// qwen2_moe: Qwen2 with a mixture in every decoder_sparse_step-th layer, and a feed-forward for all tokens that counts as much as a
// sigmoid says; also Qwen1.5-MoE. Source: arXiv 2407.10671 and transformers, modeling_qwen2_moe.py.
var _ = register(Family{
	ModelTypes:    []string{"qwen2_moe"},
	Architectures: []string{"Qwen2MoeForCausalLM"},
	Names: mixtureNames.with(sharedNames("model.layers.{layer}.mlp.shared_expert."), Names{
		"feed_forward.shared_gate": at("model.layers.{layer}.mlp.shared_expert_gate"),
	}),
	Spec: func(c *Config) nn.Spec {
		c.Default("num_experts", 60)
		c.Default("num_experts_per_tok", 4)
		c.Default("sliding_window", 4096)
		s := qwenSpec(c)
		s.Attention.Bias = c.Bool("qkv_bias", true)
		most := c.Int("max_window_layers", 28)
		if c.Bool("use_sliding_window", false) {
			windowedLayers(c, &s, func(l int) bool { return l%2 == 0 && l < most }, nil)
		} else {
			c.Ignore("layer_types", "sliding_window")
		}
		e := chosenExperts(c)
		e.Route.Renormalise = c.Bool("norm_topk_prob", false)
		e.Shared, e.SharedGate = c.Int("shared_expert_intermediate_size", 5632), true
		qwenMixtures(c, &s, 1408, e)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		f := qwenMixtureFields(s).with(Fields{"qkv_bias": s.Attention.Bias, "shared_expert_intermediate_size": mixture(s).Experts.Shared})
		if w := window(s); w != nil {
			f = f.with(Fields{"use_sliding_window": true, "sliding_window": w, "layer_types": layerTypes(s)})
		}
		return f
	},
})

// qwen3_moe: Qwen3 with mixtures and no feed-forward for all. Source: arXiv 2505.09388 and transformers, modeling_qwen3_moe.py.
var _ = register(Family{
	ModelTypes:    []string{"qwen3_moe"},
	Architectures: []string{"Qwen3MoeForCausalLM"},
	Names:         mixtureNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("num_experts", 128)
		c.Default("num_experts_per_tok", 8)
		c.Default("num_key_value_heads", 4)
		c.Default("sliding_window", 4096)
		s := qwenSpec(c)
		s.Attention.HeadNorm = nn.EachHead
		s.Attention.Bias = c.Bool("attention_bias", false)
		s.Attention.OutputBias = s.Attention.Bias
		if size := c.Int("sliding_window", 0); c.Bool("use_sliding_window", false) {
			s.Attention.Window = size
		}
		c.Ignore("max_window_layers")
		e := chosenExperts(c)
		e.Route.Renormalise = c.Bool("norm_topk_prob", false)
		qwenMixtures(c, &s, 768, e)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return qwenMixtureFields(s).with(Fields{"attention_bias": s.Attention.Bias, "use_sliding_window": s.Attention.Window > 0, "sliding_window": window(s)})
	},
})

// qwenMixtures makes every decoder_sparse_step-th layer a mixture, less those of mlp_only_layers.
func qwenMixtures(c *Config, s *nn.Spec, size int, e nn.Experts) {
	step, plain := c.Int("decoder_sparse_step", 1), c.Floats("mlp_only_layers")
	if step < 1 {
		c.Fail("decoder_sparse_step is %d, expected at least 1", step)
		step = 1
	}
	only := map[int]bool{}
	for _, l := range plain {
		only[int(l)] = true
	}
	mixedLayers(s, c.Int("moe_intermediate_size", size), e, func(l int) bool { return !only[l] && (l+1)%step == 0 })
}

func qwenMixtureFields(s *nn.Spec) Fields {
	m := mixture(s)
	return written(s).with(Fields{"num_experts": m.Experts.Count, "num_experts_per_tok": m.Experts.Chosen, "norm_topk_prob": m.Experts.Route.Renormalise,
		"moe_intermediate_size": m.Hidden, "intermediate_size": max(dense(s).Hidden, 1), "decoder_sparse_step": 1, "mlp_only_layers": denseLayers(s)})
}

// olmoe: queries and keys are normed over all heads and then clamped. Source: arXiv 2409.02060 and transformers, modeling_olmoe.py.
var _ = register(Family{
	ModelTypes:    []string{"olmoe"},
	Architectures: []string{"OlmoeForCausalLM"},
	Names:         mixtureNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("num_experts", 64)
		c.Default("num_experts_per_tok", 8)
		s := olmoMixture(c, 1e-5)
		s.Attention.Clip = c.Float32("clip_qkv", 0)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		f := olmoMixtureFields(s)
		if s.Attention.Clip > 0 {
			f["clip_qkv"] = s.Attention.Clip
		}
		return f
	},
})

// flex_olmo: OLMo 2 with mixtures. Source: arXiv 2507.07024 and transformers, modeling_flex_olmo.py.
var _ = register(Family{
	ModelTypes:    []string{"flex_olmo"},
	Architectures: []string{"FlexOlmoForCausalLM"},
	Names:         mixtureNames.with(afterNorms),
	Spec: func(c *Config) nn.Spec {
		c.Default("num_experts", 7)
		c.Default("num_experts_per_tok", 5)
		c.Default("rope_theta", 500000.0)
		s := olmoMixture(c, 1e-6)
		s.NoPreNorm, s.PostNorm = true, true
		return s
	},
	Config: olmoMixtureFields,
})

func olmoMixture(c *Config, epsilon float64) nn.Spec {
	c.Default("max_position_embeddings", 4096)
	s := llamaSpec(c)
	s.Norm = rms(c, epsilon)
	s.Attention.HeadNorm = nn.AllHeads
	e := chosenExperts(c)
	e.Route = compute.RouteRule{Renormalise: c.Bool("norm_topk_prob", false)}
	mixedLayers(&s, s.FeedForward.Hidden, e, everyLayer)
	return s
}

func olmoMixtureFields(s *nn.Spec) Fields {
	e := mixture(s).Experts
	return written(s).with(Fields{"attention_bias": s.Attention.Bias, "num_experts": e.Count, "num_experts_per_tok": e.Chosen, "norm_topk_prob": e.Route.Renormalise})
}
