package family

import "lian/model/nn"

// glm4_moe: GLM-4.5 and 4.6: DeepSeek-V3's mixtures over grouped-query attention of which half a head turns. Source: arXiv 2508.06471
// and transformers, modeling_glm4_moe.py.
var _ = register(Family{
	ModelTypes:    []string{"glm4_moe"},
	Architectures: []string{"Glm4MoeForCausalLM"},
	Names:         mixtureNames,
	MoreLayers:    "model.layers.{layer}.",
	Spec: func(c *Config) nn.Spec {
		c.Default("partial_rotary_factor", 0.5)
		c.Default("num_key_value_heads", 8)
		glmMixtureDefaults(c)
		c.Default("n_routed_experts", 128)
		c.Default("num_experts_per_tok", 8)
		c.Default("moe_intermediate_size", 1408)
		s := decoder(c)
		s.Norm = rms(c, 1e-5)
		s.Attention.Bias = c.Bool("attention_bias", false)
		if c.Bool("use_qk_norm", false) {
			s.Attention.HeadNorm = nn.EachHead
		}
		deepseekMixtures(c, &s, sigmoidRule(c, 1, 1, 1))
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return deepseekMixtureFields(s).with(sigmoidFields(s)).with(Fields{"partial_rotary_factor": fraction(s.Attention), "attention_bias": s.Attention.Bias,
			"use_qk_norm": s.Attention.HeadNorm != nn.NoHeadNorm})
	},
})

func glmMixtureDefaults(c *Config) {
	c.Default("n_shared_experts", 1)
	c.Default("first_k_dense_replace", 1)
	c.Default("max_position_embeddings", 131072)
}

// glm4_moe_lite: GLM-4.7-Flash: the same over latent attention. Source: transformers, modeling_glm4_moe_lite.py.
var _ = register(Family{
	ModelTypes:    []string{"glm4_moe_lite"},
	Architectures: []string{"Glm4MoeLiteForCausalLM"},
	Names:         latentNames,
	MoreLayers:    "model.layers.{layer}.",
	Spec: func(c *Config) nn.Spec {
		glmMixtureDefaults(c)
		for name, value := range map[string]any{"n_routed_experts": 64, "num_experts_per_tok": 4, "moe_intermediate_size": 1536, "q_lora_rank": 768,
			"v_head_dim": 256, "qk_nope_head_dim": 192} {
			c.Default(name, value)
		}
		s := latentSpec(c)
		s.Norm = rms(c, 1e-5)
		s.Attention.RoPE.Interleaved = c.Bool("rope_interleave", true)
		deepseekMixtures(c, &s, sigmoidRule(c, 1, 1, 1.8))
		return s
	},
	Config: func(s *nn.Spec) Fields {
		f := latentFields(s).with(sigmoidFields(s)).with(Fields{"rope_interleave": s.Attention.RoPE.Interleaved})
		kinds := make([]string, s.Layers)
		for l := range kinds {
			if kinds[l] = "sparse"; s.Layer(l).FeedForward.Experts.Count == 0 {
				kinds[l] = "dense"
			}
		}
		return f.with(Fields{"mlp_layer_types": kinds})
	},
})

// dots1: DeepSeek-V3's mixtures over Qwen3's attention. Source: arXiv 2506.05767 and transformers, modeling_dots1.py.
var _ = register(Family{
	ModelTypes:    []string{"dots1"},
	Architectures: []string{"Dots1ForCausalLM"},
	Names:         mixtureNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("sliding_window", 4096)
		c.Default("norm_topk_prob", false)
		s := llamaSpec(c)
		s.Attention.HeadNorm = nn.EachHead
		c.Refuse("scoring_func", "sigmoid", "noaux_tc")
		c.Refuse("topk_method", "noaux_tc")
		if from := c.Int("max_window_layers", 62); c.Has("sliding_window") {
			windowedLayers(c, &s, func(l int) bool { return l >= from }, nil)
		} else {
			c.Ignore("layer_types")
		}
		deepseekMixtures(c, &s, sigmoidRule(c, 1, 1, 1))
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return deepseekMixtureFields(s).with(sigmoidFields(s)).with(Fields{"attention_bias": s.Attention.Bias, "sliding_window": window(s), "layer_types": layerTypes(s)})
	},
})
