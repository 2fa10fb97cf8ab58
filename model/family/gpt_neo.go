package family

import "lian/model/nn"

// gpt_neo: GPT-2 with every other layer windowed and scores that are not scaled. Source: transformers, modeling_gpt_neo.py.
var _ = register(Family{
	ModelTypes:    []string{"gpt_neo"},
	Architectures: []string{"GPTNeoForCausalLM"},
	Prefix:        "transformer.",
	Ignored:       []string{".attention.bias", ".attention.masked_bias"}, // the causal mask
	Names: gpt2Names.with(Names{
		"attention.q": at("transformer.h.{layer}.attn.attention.q_proj"),
		"attention.k": at("transformer.h.{layer}.attn.attention.k_proj"),
		"attention.v": at("transformer.h.{layer}.attn.attention.v_proj"),
		"attention.o": at("transformer.h.{layer}.attn.attention.out_proj"),
	}),
	Spec: func(c *Config) nn.Spec {
		c.Default("activation_function", "gelu_new")
		s := gpt2Spec(c)
		s.Attention.Bias, s.Attention.Scale = false, 1
		size, local := c.Int("window_size", 256), c.localLayers(s.Layers)
		s.Vary(func(l int, b *nn.Block) {
			if l < len(local) && local[l] {
				b.Attention.Window = size
			}
		})
		c.Ignore("resid_dropout", "embed_dropout")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		var types []any
		for l := range s.Layers {
			name := "global"
			if s.Layer(l).Attention.Window > 0 {
				name = "local"
			}
			types = append(types, []any{[]string{name}, 1})
		}
		f := written(s).without("head_dim", "partial_rotary_factor", "num_key_value_heads").named("num_hidden_layers", "num_layers", "num_attention_heads",
			"num_heads", "hidden_act", "activation_function", "layer_norm_eps", "layer_norm_epsilon").with(Fields{"attention_types": types})
		if w := window(s); w != nil {
			f["window_size"] = w
		}
		return f
	},
})

// localLayers says which layers have a window: attention_types holds lists of local and global, and how often each is repeated.
func (c *Config) localLayers(layers int) (local []bool) {
	groups, _ := c.fields["attention_types"].([]any)
	c.Ignore("attention_types", "attention_layers")
	for _, g := range groups {
		g, _ := g.([]any)
		if len(g) != 2 {
			c.Fail("attention_types holds %v, expected [[local, global], times]", g)
			return nil
		}
		kinds, _ := g[0].([]any)
		times, _ := g[1].(float64)
		for range int(min(times, float64(layers))) {
			for _, kind := range kinds {
				if kind != "local" && kind != "global" {
					c.Fail("attention_types holds %v, expected local or global", kind)
				}
				local = append(local, kind == "local")
			}
		}
	}
	if groups == nil {
		for l := range layers {
			local = append(local, l%2 == 1)
		}
	}
	if len(local) != layers {
		c.Fail("attention_types is of %d layers, expected %d", len(local), layers)
	}
	return local
}
