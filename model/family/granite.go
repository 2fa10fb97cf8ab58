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
