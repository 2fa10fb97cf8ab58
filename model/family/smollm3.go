package family

import "lian/model/nn"

// smollm3: Llama in which every fourth layer has no rotary embedding. Source: transformers, modeling_smollm3.py.
var _ = register(Family{
	ModelTypes:    []string{"smollm3"},
	Architectures: []string{"SmolLM3ForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("rope_theta", 2000000.0)
		c.Default("tie_word_embeddings", true)
		c.Default("num_key_value_heads", 4)
		c.Default("max_position_embeddings", 32768)
		s := llamaSpec(c)
		interval, turns := c.Int("no_rope_layer_interval", 4), c.Floats("no_rope_layers")
		if turns != nil && len(turns) != s.Layers {
			c.Fail("no_rope_layers has %d entries, expected one for each layer", len(turns))
			return s
		}
		still := func(l int) bool { return turns != nil && turns[l] == 0 || turns == nil && !every(interval)(l) }
		if windows := c.Bool("use_sliding_window", false); !windows && c.Strings("layer_types") == nil {
			c.Ignore("sliding_window")
			s.Vary(func(l int, b *nn.Block) {
				if still(l) {
					b.Attention.RoPE = nn.RoPE{}
				}
			})
			return s
		}
		windowedLayers(c, &s, still, func(l int, _ bool, b *nn.Block) {
			if still(l) {
				b.Attention.RoPE = nn.RoPE{}
			}
		})
		return s
	},
	Config: func(s *nn.Spec) Fields {
		turns := make([]int, s.Layers)
		for l := range turns {
			turns[l] = min(s.Layer(l).Attention.RoPE.Rotary, 1)
		}
		return llamaConfig(s).without("partial_rotary_factor").with(Fields{"no_rope_layers": turns, "use_sliding_window": window(s) != nil,
			"sliding_window": window(s), "layer_types": layerTypes(s)})
	},
})
