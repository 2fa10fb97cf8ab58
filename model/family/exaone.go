package family

import "lian/model/nn"

// exaone4: norms after the branches and of queries and keys; where some layers have a window, only those turn. Source:
// arXiv 2507.11407 and transformers, modeling_exaone4.py.
var _ = register(Family{
	ModelTypes:    []string{"exaone4"},
	Architectures: []string{"Exaone4ForCausalLM"},
	Names:         llamaNames.with(afterNorms),
	Spec: func(c *Config) nn.Spec {
		c.Default("sliding_window", 4096)
		s := decoder(c)
		s.Norm = rms(c, 1e-5)
		s.NoPreNorm, s.PostNorm, s.Attention.HeadNorm = true, true, nn.EachHead
		if c.Int("sliding_window", 0) == 0 {
			c.Ignore("sliding_window_pattern", "layer_types")
			return s
		}
		windowedLayers(c, &s, exaonePattern(c, s.Layers), func(_ int, sliding bool, b *nn.Block) {
			if !sliding {
				b.Attention.RoPE = nn.RoPE{}
			}
		})
		return s
	},
	Config: func(s *nn.Spec) Fields {
		f := written(s).with(Fields{"sliding_window": window(s)})
		if s.Each != nil {
			f = f.without("partial_rotary_factor").with(Fields{"layer_types": layerTypes(s)})
		}
		return f
	},
})

// exaonePattern is sliding_window_pattern: a number as in every, or letters for layers in turn, the last of which is always G.
func exaonePattern(c *Config, layers int) func(l int) bool {
	if pattern, ok := c.fields["sliding_window_pattern"].(string); ok && pattern != "" {
		c.Ignore("sliding_window_pattern")
		return func(l int) bool { return l < layers-1 && pattern[l%len(pattern)] == 'L' }
	}
	return every(c.Int("sliding_window_pattern", 4))
}

// exaone: EXAONE 3 and 3.5: Llama under GPT-2's names. Source: arXiv 2408.03541 and the published modeling_exaone.py.
var _ = register(Family{
	ModelTypes:    []string{"exaone"},
	Architectures: []string{"ExaoneForCausalLM"},
	Names: Names{
		"embedding":         at("transformer.wte"),
		"attention_norm":    at("transformer.h.{layer}.ln_1"),
		"attention.q":       at("transformer.h.{layer}.attn.attention.q_proj"),
		"attention.k":       at("transformer.h.{layer}.attn.attention.k_proj"),
		"attention.v":       at("transformer.h.{layer}.attn.attention.v_proj"),
		"attention.o":       at("transformer.h.{layer}.attn.attention.out_proj"),
		"feed_forward_norm": at("transformer.h.{layer}.ln_2"),
		"feed_forward.gate": at("transformer.h.{layer}.mlp.c_fc_0"),
		"feed_forward.up":   at("transformer.h.{layer}.mlp.c_fc_1"),
		"feed_forward.down": at("transformer.h.{layer}.mlp.c_proj"),
		"norm":              at("transformer.ln_f"),
		"head":              at("lm_head"),
	},
	Spec: func(c *Config) nn.Spec {
		s := decoder(c)
		s.Norm = nn.Norm{Kind: nn.RMSNorm, Epsilon: c.Float32("layer_norm_epsilon", 1e-5)}
		c.Ignore("embed_dropout")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return written(s).named("num_hidden_layers", "num_layers", "hidden_act", "activation_function", "rms_norm_eps", "layer_norm_epsilon")
	},
})
