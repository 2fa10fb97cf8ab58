package family

import (
	"math"

	"lian/model/nn"
)

// minicpm: MiniCPM 1, 2 and 4: Llama with scaled embeddings, branches and logits. Source: arXiv 2404.06395 and the published
// modeling_minicpm.py.
var _ = register(Family{
	ModelTypes:    []string{"minicpm"},
	Architectures: []string{"MiniCPMForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("tie_word_embeddings", true)
		s := llamaSpec(c)
		s.EmbeddingScale = c.Float32("scale_emb", 1)
		s.ResidualScale = float32(c.Float("scale_depth", 1) / math.Sqrt(float64(s.Layers)))
		s.LogitScale = float32(c.Float("dim_model_base", 1) / float64(s.Hidden))
		c.Refuse("num_experts", 0.0)
		c.Refuse("sparse_config")
		c.Ignore("mup_denominator")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return llamaConfig(s).without("mlp_bias", "head_dim").with(Fields{
			"scale_emb":      s.EmbeddingScale,
			"scale_depth":    scaleDepth(s),
			"dim_model_base": int(math.Round(float64(s.LogitScale) * float64(s.Hidden))),
		})
	},
})

// scaleDepth is the scale_depth that gives a model's ResidualScale, of those near it the one with the fewest digits.
func scaleDepth(s *nn.Spec) float64 {
	root := math.Sqrt(float64(s.Layers))
	exact := float64(s.ResidualScale) * root
	for digits := 1.0; digits < 1e9; digits *= 10 {
		if near := math.Round(exact*digits) / digits; float32(near/root) == s.ResidualScale {
			return near
		}
	}
	return exact
}
