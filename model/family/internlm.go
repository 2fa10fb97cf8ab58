package family

import "lian/model/nn"

// internlm: InternLM 1 and the first InternLM-Chat: Llama with biases on q, k, v and o. Source: the published
// modeling_internlm.py.
var _ = register(Family{
	ModelTypes:    []string{"internlm"},
	Architectures: []string{"InternLMForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		s := llamaSpec(c)
		s.Attention.Bias = c.Bool("bias", true)
		s.Attention.OutputBias = s.Attention.Bias
		internlmScaling(c, &s)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		r := s.Attention.RoPE
		rotary := Fields{"base": r.Theta, "type": "origin"}
		if r.Scaling.Rule == "dynamic" {
			rotary["type"], rotary["scaling_factor"] = "dynamic", r.Scaling.Factor
		}
		return written(s).without("rope_theta", "rope_scaling", "head_dim", "num_key_value_heads").with(Fields{"rotary": rotary, "bias": s.Attention.Bias})
	},
})

// internlmScaling reads the older form of dynamic NTK: rotary: {base, type: dynamic}.
func internlmScaling(c *Config, s *nn.Spec) {
	r := c.Object("rotary")
	if r == nil {
		return
	}
	s.Attention.RoPE.Theta = r.Float("base", s.Attention.RoPE.Theta)
	switch rule := r.String("type", "origin"); rule {
	case "origin":
	case "dynamic":
		s.Attention.RoPE.Scaling.Rule = rule
		s.Attention.RoPE.Scaling.Factor = r.Float("scaling_factor", 1)
		s.Attention.RoPE.Scaling.Context = s.Context
	default:
		r.Fail("type is %q, expected origin or dynamic", rule)
	}
}

// internlm2: InternLM 2 and 2.5: Llama with q, k and v of each kv head after each other in one tensor, and dynamic NTK.
// Sources: arXiv 2403.17297 and the published modeling_internlm2.py.
var _ = register(Family{
	ModelTypes:    []string{"internlm2"},
	Architectures: []string{"InternLM2ForCausalLM"},
	Names: Names{
		"embedding":         at("model.tok_embeddings"),
		"attention_norm":    at("model.layers.{layer}.attention_norm"),
		"attention.o":       at("model.layers.{layer}.attention.wo"),
		"feed_forward_norm": at("model.layers.{layer}.ffn_norm"),
		"feed_forward.gate": at("model.layers.{layer}.feed_forward.w1"),
		"feed_forward.up":   at("model.layers.{layer}.feed_forward.w3"),
		"feed_forward.down": at("model.layers.{layer}.feed_forward.w2"),
		"norm":              at("model.norm"),
		"head":              at("output"),
	}.with(groupedQKV(at("model.layers.{layer}.attention.wqkv"))),
	Spec: func(c *Config) nn.Spec {
		s := llamaSpec(c)
		s.Attention.Bias = c.Bool("bias", true)
		s.Attention.OutputBias = s.Attention.Bias
		return s
	},
	Config: func(s *nn.Spec) Fields {
		f := written(s).without("head_dim").with(Fields{"bias": s.Attention.Bias})
		if scaling, ok := f["rope_scaling"].(Fields); ok && scaling != nil {
			f["rope_scaling"] = scaling.named("rope_type", "type")
		}
		return f
	},
})

// internlm3: Llama with switches of their own for the biases. Source: the published modeling_internlm3.py.
var _ = register(Family{
	ModelTypes:    []string{"internlm3"},
	Architectures: []string{"InternLM3ForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("head_dim", 128)
		c.Default("num_key_value_heads", 2)
		c.Default("max_position_embeddings", 32768)
		s := llamaSpec(c)
		s.Norm = rms(c, 1e-5)
		s.Attention.Bias = c.Bool("qkv_bias|attention_bias", false)
		s.Attention.OutputBias = c.Bool("bias|mlp_bias", false)
		s.FeedForward.Bias = s.Attention.OutputBias
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return written(s).with(Fields{"qkv_bias": s.Attention.Bias, "bias": s.FeedForward.Bias})
	},
})
