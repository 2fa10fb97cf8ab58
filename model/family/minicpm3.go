package family

import (
	"math"

	"lian/model/nn"
)

// minicpm3: latent attention whose rotary part turns by halves, and MiniCPM's three scales. Source: transformers,
// modeling_minicpm3.py, and the published modeling_minicpm.py.
var _ = register(Family{
	ModelTypes:    []string{"minicpm3"},
	Architectures: []string{"MiniCPM3ForCausalLM"},
	Names:         latentNames,
	Spec: func(c *Config) nn.Spec {
		for name, value := range map[string]any{"q_lora_rank": 768, "kv_lora_rank": 256, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32,
			"scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 256, "tie_word_embeddings": true} {
			c.Default(name, value)
		}
		c.Default("v_head_dim", c.Need("hidden_size")/max(c.Need("num_attention_heads"), 1))
		s := latentSpec(c)
		s.Norm = rms(c, 1e-5)
		s.Attention.RoPE.Interleaved = false
		s.EmbeddingScale = c.Float32("scale_emb", 1)
		root := math.Sqrt(float64(s.Layers))
		s.ResidualScale = float32(c.Float("scale_depth", root) / root)
		s.LogitScale = float32(c.Float("dim_model_base", float64(s.Hidden)) / float64(s.Hidden))
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return latentFields(s).without("first_k_dense_replace").with(Fields{"intermediate_size": s.FeedForward.Hidden,
			"num_key_value_heads": s.Attention.Heads, "scale_emb": s.EmbeddingScale, "scale_depth": float64(s.ResidualScale) * math.Sqrt(float64(s.Layers)),
			"dim_model_base": int(math.Round(float64(s.LogitScale) * float64(s.Hidden)))})
	},
})
