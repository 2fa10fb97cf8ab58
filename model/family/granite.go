package family

import (
	"math"

	"lian/model/nn"
)

// granite: Llama with four multipliers. Source: transformers, modeling_granite.py.
var _ = register(Family{
	ModelTypes:    []string{"granite"},
	Architectures: []string{"GraniteForCausalLM"},
	Names:         llamaNames,
	Spec:          graniteSpec,
	Config:        graniteConfig,
})

func graniteSpec(c *Config) nn.Spec {
	s := llamaSpec(c)
	s.EmbeddingScale = c.Float32("embedding_multiplier", 1)
	s.ResidualScale = c.Float32("residual_multiplier", 1)
	s.Attention.Scale = c.Float32("attention_multiplier", 1)
	s.LogitScale = 1 / c.Float32("logits_scaling", 1)
	return s
}

func graniteConfig(s *nn.Spec) Fields {
	return llamaConfig(s).with(Fields{
		"embedding_multiplier": s.EmbeddingScale,
		"residual_multiplier":  s.ResidualScale,
		"attention_multiplier": s.Attention.Scale,
		"logits_scaling":       inverse(s.LogitScale),
	})
}

// inverse is what 1 is divided by to give x, or what comes nearest to it in float32.
func inverse(x float32) float32 {
	y := 1 / x
	for _, near := range []float32{y, math.Nextafter32(y, 0), math.Nextafter32(y, math.MaxFloat32)} {
		if 1/near == x {
			return near
		}
	}
	return y
}

// granite_swa: Granite with sinks, a window in three of four layers, and a rotary base by layer, where 0 is none. Source: transformers,
// modeling_granite_swa.py.
var _ = register(Family{
	ModelTypes:    []string{"granite_swa"},
	Architectures: []string{"GraniteSWAForCausalLM"},
	Names:         llamaNames.with(Names{"attention.sinks": full("model.layers.{layer}.self_attn.sinks")}),
	Spec: func(c *Config) nn.Spec {
		c.Default("sliding_window", 128)
		c.Default("num_key_value_heads", 4)
		c.Default("max_position_embeddings", 8192)
		c.Default("tie_word_embeddings", true)
		s := graniteSpec(c)
		s.Norm = rms(c, 1e-5)
		s.Attention.Sinks = true
		bases := c.Floats("layer_rope_theta")
		if bases != nil && len(bases) != s.Layers {
			c.Fail("layer_rope_theta has %d entries, expected one for each layer", len(bases))
			return s
		}
		windowedLayers(c, &s, func(l int) bool { return l%4 != 0 }, func(l int, _ bool, b *nn.Block) {
			if bases == nil {
				return
			}
			if b.Attention.RoPE.Theta = bases[l]; bases[l] == 0 {
				b.Attention.RoPE = nn.RoPE{}
			}
		})
		return s
	},
	Config: func(s *nn.Spec) Fields {
		bases := make([]float64, s.Layers)
		for l := range bases {
			bases[l] = s.Layer(l).Attention.RoPE.Theta
		}
		return graniteConfig(s).without("partial_rotary_factor").with(Fields{"sliding_window": window(s), "layer_types": layerTypes(s), "layer_rope_theta": bases})
	},
})
