package family

import "lian/model/nn"

// cohere: Command R and Aya: parallel branches through one LayerNorm without bias, interleaved rotary pairs, scaled logits.
// Source: transformers, modeling_cohere.py.
var _ = register(Family{
	ModelTypes:    []string{"cohere"},
	Architectures: []string{"CohereForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("rope_theta", 500000.0)
		s := cohereSpec(c)
		if c.Bool("use_qk_norm", false) {
			s.Attention.HeadNorm = nn.EachOwnHead
		}
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return cohereConfig(s).with(Fields{"use_qk_norm": s.Attention.HeadNorm != nn.NoHeadNorm})
	},
})

func cohereSpec(c *Config) nn.Spec {
	c.Default("tie_word_embeddings", true)
	c.Default("max_position_embeddings", 8192)
	s := decoder(c)
	s.Norm = layerNorm(c, 1e-5, false)
	s.Parallel, s.SharedNorm, s.Attention.RoPE.Interleaved = true, true, true
	s.Attention.Bias = c.Bool("attention_bias", false)
	s.Attention.OutputBias = s.Attention.Bias
	s.LogitScale = c.Float32("logit_scale", 0.0625)
	return s
}

func cohereConfig(s *nn.Spec) Fields {
	return written(s).with(Fields{"attention_bias": s.Attention.Bias, "logit_scale": s.LogitScale})
}

// cohere2: Command R7B and A: three windowed layers, then one that sees all and does not turn. Source: arXiv 2504.00698 and
// transformers, modeling_cohere2.py.
var _ = register(Family{
	ModelTypes:    []string{"cohere2"},
	Architectures: []string{"Cohere2ForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("sliding_window", 4096)
		s := cohereSpec(c)
		pattern := every(c.Int("sliding_window_pattern|_sliding_window_pattern", 4))
		windowedLayers(c, &s, pattern, func(_ int, sliding bool, b *nn.Block) {
			if !sliding {
				b.Attention.RoPE = nn.RoPE{}
			}
		})
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return cohereConfig(s).without("partial_rotary_factor").with(Fields{"sliding_window": window(s), "layer_types": layerTypes(s)})
	},
})
