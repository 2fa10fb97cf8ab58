package family

import "lian/model/nn"

// olmo: norms without parameters, queries, keys and values clamped. Source: arXiv 2402.00838 and transformers, modeling_olmo.py.
var _ = register(Family{
	ModelTypes:    []string{"olmo"},
	Architectures: []string{"OlmoForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		s := llamaSpec(c)
		s.Norm = nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5, NoGain: true}
		s.Attention.Clip = c.Float32("clip_qkv", 0)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		f := llamaConfig(s).without("layer_norm_eps")
		if s.Attention.Clip > 0 {
			f["clip_qkv"] = s.Attention.Clip
		}
		return f
	},
})

// afterNorms are the names where norms come after the branches only.
var afterNorms = Names{
	"attention_post_norm":    at("model.layers.{layer}.post_attention_layernorm"),
	"feed_forward_post_norm": at("model.layers.{layer}.post_feedforward_layernorm"),
}

// olmo2: norms after the branches, and of queries and keys over all heads. Source: arXiv 2501.00656 and transformers,
// modeling_olmo2.py.
var _ = register(Family{
	ModelTypes:    []string{"olmo2"},
	Architectures: []string{"Olmo2ForCausalLM"},
	Names:         llamaNames.with(afterNorms),
	Spec:          olmo2Spec,
	Config:        llamaConfig,
})

func olmo2Spec(c *Config) nn.Spec {
	s := llamaSpec(c)
	s.Norm = rms(c, 1e-5)
	s.NoPreNorm, s.PostNorm, s.Attention.HeadNorm = true, true, nn.AllHeads
	return s
}

// olmo3: olmo2 with a window in three of four layers; a stretched rotary embedding is that of the others. Source: transformers,
// modeling_olmo3.py.
var _ = register(Family{
	ModelTypes:    []string{"olmo3"},
	Architectures: []string{"Olmo3ForCausalLM"},
	Names:         llamaNames.with(afterNorms),
	Spec: func(c *Config) nn.Spec {
		c.Default("sliding_window", 4096)
		c.Default("rope_theta", 500000.0)
		s := olmo2Spec(c)
		full, near := ropes(c, &s, c.Float("rope_theta", 0))
		windowedLayers(c, &s, every(4), func(_ int, sliding bool, b *nn.Block) {
			if b.Attention.RoPE = full; sliding {
				b.Attention.RoPE = near
			}
		})
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return llamaConfig(s).with(Fields{"sliding_window": window(s), "layer_types": layerTypes(s)}).with(ropeByType(s)).without("rope_theta", "rope_scaling")
	},
})
