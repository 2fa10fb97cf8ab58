package family

import (
	"math"

	"lian/compute"
	"lian/model/nn"
)

// gemma: embeddings times √hidden, gains stored as what they are above 1, GeGLU. Source: arXiv 2403.08295 and transformers,
// modeling_gemma.py.
var _ = register(Family{
	ModelTypes:    []string{"gemma"},
	Architectures: []string{"GemmaForCausalLM"},
	Names:         llamaNames,
	Spec:          gemmaSpec,
})

func gemmaSpec(c *Config) nn.Spec {
	s := llamaSpec(c)
	s.TiedEmbedding = c.Bool("tie_word_embeddings", true)
	s.Norm.Offset = 1
	s.EmbeddingScale = float32(math.Sqrt(float64(s.Hidden)))
	s.FeedForward.Activation = compute.GELUTanh // whatever hidden_act says: the authors' code computes this one
	c.Ignore("hidden_activation")
	return s
}

var gemmaNorms = Names{
	"attention_post_norm":    at("model.layers.{layer}.post_attention_layernorm"),
	"feed_forward_norm":      at("model.layers.{layer}.pre_feedforward_layernorm"),
	"feed_forward_post_norm": at("model.layers.{layer}.post_feedforward_layernorm"),
}

// gemma2: norms around each branch, soft caps, every other layer windowed. Source: arXiv 2408.00118 and transformers,
// modeling_gemma2.py.
var _ = register(Family{
	ModelTypes:    []string{"gemma2"},
	Architectures: []string{"Gemma2ForCausalLM"},
	Names:         llamaNames.with(gemmaNorms),
	Spec: func(c *Config) nn.Spec {
		s := gemmaSpec(c)
		s.PostNorm = true
		s.LogitSoftcap = c.Float32("final_logit_softcapping", 30)
		s.Attention.Softcap = c.Float32("attn_logit_softcapping", 50)
		s.Attention.Scale = float32(1 / math.Sqrt(c.Float("query_pre_attn_scalar", 256)))
		window, types := c.Int("sliding_window", 4096), c.Strings("layer_types")
		s.Vary(func(l int, b *nn.Block) {
			if windowed(c, types, l, l%2 == 0) {
				b.Attention.Window = window
			}
		})
		return s
	},
})

// windowed says whether a layer's queries see a window only: by layer_types, or otherwise.
func windowed(c *Config, types []string, l int, otherwise bool) bool {
	if types == nil {
		return otherwise
	}
	if l >= len(types) {
		c.Fail("layer_types has %d entries, expected one for each layer", len(types))
		return false
	}
	switch types[l] {
	case "sliding_attention":
		return true
	case "full_attention":
		return false
	}
	c.Fail("layer_types[%d] is %q, expected sliding_attention or full_attention", l, types[l])
	return false
}
