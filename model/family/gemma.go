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
	Spec: func(c *Config) nn.Spec {
		s := gemmaSpec(c)
		s.FeedForward.Activation = activation(c, "hidden_act", "gelu_pytorch_tanh")
		if c.String("hidden_act", "") == "gelu" { // of the first files, which mean the other one
			s.FeedForward.Activation = compute.GELUTanh
		}
		return s
	},
	Config: func(s *nn.Spec) Fields {
		f := gemmaConfig(s).named("hidden_activation", "hidden_act")
		if f["hidden_act"] == "gelu" {
			f["hidden_act"] = "gelu_python" // gelu would be read as the other one
		}
		return f
	},
})

func gemmaSpec(c *Config) nn.Spec {
	c.Default("tie_word_embeddings", true)
	c.Default("head_dim", 256)
	c.Default("hidden_activation", "gelu_pytorch_tanh")
	c.Default("max_position_embeddings", 8192)
	s := llamaSpec(c)
	s.Norm.Offset = 1
	s.EmbeddingScale = float32(math.Sqrt(float64(s.Hidden)))
	s.FeedForward.Activation = activation(c, "hidden_activation", "gelu_pytorch_tanh")
	return s
}

func gemmaConfig(s *nn.Spec) Fields {
	return llamaConfig(s).named("hidden_act", "hidden_activation").without("mlp_bias")
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
		c.Default("final_logit_softcapping", 30)
		c.Default("attn_logit_softcapping", 50)
		s := gemma2Spec(c)
		windowedLayers(c, &s, every(2), nil)
		return s
	},
	Config: gemma2Config,
})

func gemma2Spec(c *Config) nn.Spec {
	c.Default("sliding_window", 4096)
	s := gemmaSpec(c)
	s.PostNorm = true
	s.LogitSoftcap = c.Float32("final_logit_softcapping", 0)
	s.Attention.Softcap = c.Float32("attn_logit_softcapping", 0)
	s.Attention.Scale = float32(1 / math.Sqrt(c.Float("query_pre_attn_scalar", 256)))
	c.Refuse("use_bidirectional_attention", false)
	return s
}

func gemma2Config(s *nn.Spec) Fields {
	f := gemmaConfig(s).with(Fields{
		"final_logit_softcapping": nil, "attn_logit_softcapping": nil,
		"query_pre_attn_scalar": scalar(s.Attention.Scale),
		"sliding_window":        window(s),
		"layer_types":           layerTypes(s),
	})
	if s.LogitSoftcap > 0 {
		f["final_logit_softcapping"] = s.LogitSoftcap
	}
	if s.Attention.Softcap > 0 {
		f["attn_logit_softcapping"] = s.Attention.Softcap
	}
	return f
}

// scalar is what scores are divided by the square root of; a whole number where it is meant to be one.
func scalar(scale float32) any {
	x := 1 / (float64(scale) * float64(scale))
	if whole := math.Round(x); float32(1/math.Sqrt(whole)) == scale {
		return int(whole)
	}
	return x
}

// gemma3: norms of queries and keys instead of the caps, five windowed layers with a rotary embedding of their own, then one that
// sees all. Source: arXiv 2503.19786 and transformers, modeling_gemma3.py.
var _ = register(Family{
	ModelTypes:    []string{"gemma3_text"},
	Architectures: []string{"Gemma3ForCausalLM"},
	Names:         llamaNames.with(gemmaNorms),
	Spec:          gemma3Spec,
	Config: func(s *nn.Spec) Fields {
		return gemma2Config(s).with(ropeByType(s)).without("rope_theta", "rope_scaling")
	},
})

func gemma3Spec(c *Config) nn.Spec {
	c.Default("rope_theta", 1000000)
	c.Default("num_attention_heads", 8)
	c.Default("num_key_value_heads", 4)
	c.Default("vocab_size", 262208)
	c.Default("max_position_embeddings", 131072)
	s := gemma2Spec(c)
	s.Attention.HeadNorm, s.Attention.Softcap = nn.EachHead, 0 // whatever attn_logit_softcapping says
	full, near := ropes(c, &s, c.Float("rope_local_base_freq", 10000))
	windowedLayers(c, &s, every(c.Int("sliding_window_pattern|_sliding_window_pattern", 6)), func(_ int, sliding bool, b *nn.Block) {
		if b.Attention.RoPE = full; sliding {
			b.Attention.RoPE = near
		}
	})
	return s
}

// vaultgemma: gemma2 without the norms after the branches. Source: arXiv 2510.15001 and transformers, modeling_vaultgemma.py.
var _ = register(Family{
	ModelTypes:    []string{"vaultgemma"},
	Architectures: []string{"VaultGemmaForCausalLM"},
	Names:         llamaNames.with(Names{"feed_forward_norm": gemmaNorms["feed_forward_norm"]}),
	Spec: func(c *Config) nn.Spec {
		c.Default("final_logit_softcapping", 30)
		c.Default("attn_logit_softcapping", 50)
		s := gemma2Spec(c)
		s.PostNorm = false
		windowedLayers(c, &s, every(2), nil)
		return s
	},
	Config: gemma2Config,
})
