package family

import (
	"math"

	"lian/compute"
	"lian/model/nn"
)

// These differ from Llama in a switch or two. Each is as transformers' modeling_NAME.py computes it.

// ernie4_5: interleaved rotary pairs, biases everywhere or nowhere.
var _ = register(Family{
	ModelTypes:    []string{"ernie4_5"},
	Architectures: []string{"Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("rope_theta", 500000)
		c.Default("head_dim", 128)
		c.Default("tie_word_embeddings", true)
		c.Default("max_position_embeddings", 131072)
		s := decoder(c)
		s.Norm = rms(c, 1e-5)
		s.Attention.Bias = c.Bool("use_bias", false)
		s.Attention.OutputBias, s.FeedForward.Bias = s.Attention.Bias, s.Attention.Bias
		s.Attention.RoPE.Interleaved = true
		c.Ignore("compression_ratio", "weight_share_add_bias")
		return s
	},
	Config: func(s *nn.Spec) Fields { return written(s).with(Fields{"use_bias": s.Attention.Bias}) },
})

// seed_oss: biases of q, k and v apart from that of the output. Source: also the published card of Seed-OSS.
var _ = register(Family{
	ModelTypes:    []string{"seed_oss"},
	Architectures: []string{"SeedOssForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("attention_bias", true)
		c.Default("head_dim", 128)
		c.Default("max_position_embeddings", 524288)
		s := llamaSpec(c)
		s.Attention.OutputBias = c.Bool("attention_out_bias", false)
		c.Ignore("residual_dropout")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return llamaConfig(s).with(Fields{"attention_out_bias": s.Attention.OutputBias})
	},
})

// nanochat: norms without gains, also of the embedding and of queries and keys after they turned, backwards; a plain feed-forward with
// squared ReLU; soft-capped logits.
var _ = register(Family{
	ModelTypes:    []string{"nanochat"},
	Architectures: []string{"NanoChatForCausalLM"},
	Names: llamaNames.with(Names{
		"feed_forward.up":   at("model.layers.{layer}.mlp.fc1"),
		"feed_forward.down": at("model.layers.{layer}.mlp.fc2"),
	}),
	Spec: func(c *Config) nn.Spec {
		c.Default("hidden_act", "relu2")
		c.Default("final_logit_softcapping", 15)
		s := llamaSpec(c)
		s.Norm.NoGain, s.EmbeddingNorm, s.FeedForward.Plain = true, true, true
		s.LogitSoftcap = c.Float32("final_logit_softcapping", 0)
		a := &s.Attention
		a.HeadNorm, a.NormAfterRoPE, a.RoPE.Backwards = nn.EachHead, true, true
		return s
	},
	Config: func(s *nn.Spec) Fields {
		f := llamaConfig(s).without("mlp_bias").with(Fields{"final_logit_softcapping": nil})
		if s.LogitSoftcap > 0 {
			f["final_logit_softcapping"] = s.LogitSoftcap
		}
		return f
	},
})

// hyperclovax: Granite, and norms on what the branches give.
var _ = register(Family{
	ModelTypes:    []string{"hyperclovax"},
	Architectures: []string{"HyperCLOVAXForCausalLM"},
	Names: llamaNames.with(Names{
		"attention_post_norm":    at("model.layers.{layer}.post_norm1"),
		"feed_forward_post_norm": at("model.layers.{layer}.post_norm2"),
	}),
	Spec: func(c *Config) nn.Spec {
		s := graniteSpec(c)
		s.Attention.Scale = c.Float32("attention_multiplier", 1/math.Sqrt(float64(s.Attention.HeadSize)))
		s.LogitScale = c.Float32("logits_scaling", 1) // multiplies, where Granite divides
		s.PostNorm = c.Bool("use_post_norm", true)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return graniteConfig(s).with(Fields{"use_post_norm": s.PostNorm, "logits_scaling": s.LogitScale})
	},
})

// cwm: a window in three of four layers. Source: also the card of the Code World Model.
var _ = register(Family{
	ModelTypes:    []string{"cwm"},
	Architectures: []string{"CwmForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("rope_theta", 1e6)
		c.Default("sliding_window", 8192)
		c.Default("head_dim", 128)
		c.Default("num_key_value_heads", 8)
		c.Default("max_position_embeddings", 131072)
		c.Default("rope_parameters", map[string]any{"rope_theta": 1e6, "factor": 16.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
			"original_max_position_embeddings": 8192.0, "rope_type": "llama3"})
		s := llamaSpec(c)
		s.Norm = rms(c, 1e-5)
		windowedLayers(c, &s, func(l int) bool { return l%4 != 0 }, nil)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		r := s.Attention.RoPE
		return llamaConfig(s).without("attention_bias", "rope_theta", "rope_scaling").with(Fields{"sliding_window": window(s), "layer_types": layerTypes(s),
			"rope_parameters": scalingFields(r.Scaling).with(Fields{"rope_theta": r.Theta})})
	},
})

// persimmon: LayerNorm, q, k and v of each head together, each head's queries and keys normed, squared ReLU, half of each head turns.
var _ = register(Family{
	ModelTypes:    []string{"persimmon"},
	Architectures: []string{"PersimmonForCausalLM"},
	Names: llamaNames.with(groupedQKV(at("model.layers.{layer}.self_attn.query_key_value")), Names{
		"attention.o":       at("model.layers.{layer}.self_attn.dense"),
		"attention.q_norm":  at("model.layers.{layer}.self_attn.q_layernorm"),
		"attention.k_norm":  at("model.layers.{layer}.self_attn.k_layernorm"),
		"feed_forward.up":   at("model.layers.{layer}.mlp.dense_h_to_4h"),
		"feed_forward.down": at("model.layers.{layer}.mlp.dense_4h_to_h"),
		"norm":              at("model.final_layernorm"),
	}),
	Spec: func(c *Config) nn.Spec {
		c.Default("hidden_act", "relu2")
		c.Default("partial_rotary_factor", 0.5)
		c.Default("max_position_embeddings", 16384)
		s := decoder(c)
		s.Norm = layerNorm(c, 1e-5, true)
		s.Attention.KVHeads = s.Attention.Heads
		s.Attention.Bias, s.Attention.OutputBias, s.FeedForward.Bias, s.FeedForward.Plain = true, true, true, true
		if c.Bool("qk_layernorm", true) {
			s.Attention.HeadNorm = nn.EachHead
		}
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return written(s).without("num_key_value_heads", "head_dim").with(Fields{"qk_layernorm": s.Attention.HeadNorm != nn.NoHeadNorm,
			"partial_rotary_factor": fraction(s.Attention)})
	},
})

// helium: interleaved rotary pairs, no bias on the output.
var _ = register(Family{
	ModelTypes:    []string{"helium"},
	Architectures: []string{"HeliumForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("rope_theta", 100000)
		c.Default("head_dim", 128)
		c.Default("max_position_embeddings", 4096)
		s := llamaSpec(c)
		s.Norm = rms(c, 1e-8)
		s.Attention.OutputBias, s.Attention.RoPE.Interleaved = false, true
		return s
	},
	Config: llamaConfig,
})

// arcee: a plain feed-forward with squared ReLU. Source: also arXiv 2507.10671.
var _ = register(Family{
	ModelTypes:    []string{"arcee"},
	Architectures: []string{"ArceeForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("hidden_act", "relu2")
		c.Default("max_position_embeddings", 4096)
		s := llamaSpec(c)
		s.Norm = rms(c, 1e-5)
		s.FeedForward.Plain = true
		return s
	},
	Config: llamaConfig,
})

// nemotron: LayerNorm whose gains are stored as what they are above 1, a plain feed-forward with squared ReLU, half of each head
// turns. Source: also arXiv 2407.14679.
var _ = register(Family{
	ModelTypes:    []string{"nemotron"},
	Architectures: []string{"NemotronForCausalLM"},
	Names: llamaNames.with(Names{
		"attention_norm":    at("model.layers.{layer}.input_layernorm").above(-1),
		"feed_forward_norm": at("model.layers.{layer}.post_attention_layernorm").above(-1),
		"norm":              at("model.norm").above(-1),
	}),
	Spec: func(c *Config) nn.Spec {
		c.Default("hidden_act", "relu2")
		c.Default("partial_rotary_factor", 0.5)
		c.Default("max_position_embeddings", 4096)
		s := llamaSpec(c)
		s.Norm = layerNorm(c, 1e-5, true)
		s.FeedForward.Plain = true
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return llamaConfig(s).named("layer_norm_eps", "norm_eps").with(Fields{"partial_rotary_factor": fraction(s.Attention)})
	},
})

// jais2: LayerNorm, a plain feed-forward with squared ReLU, biases.
var _ = register(Family{
	ModelTypes:    []string{"jais2"},
	Architectures: []string{"Jais2ForCausalLM"},
	Names:         llamaNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("hidden_act", "relu2")
		c.Default("attention_bias", true)
		c.Default("mlp_bias", true)
		c.Default("max_position_embeddings", 8192)
		s := llamaSpec(c)
		s.Norm = layerNorm(c, 1e-5, true)
		s.FeedForward.Plain = true
		return s
	},
	Config: llamaConfig,
})

// hunyuan_v1_dense: norms of queries and keys after they turned; a base stretched by a fixed alpha where its rope_scaling calls itself
// dynamic.
var _ = register(Family{
	ModelTypes:    []string{"hunyuan_v1_dense"},
	Architectures: []string{"HunYuanDenseV1ForCausalLM"},
	Names:         llamaNames.with(hunyuanNorms),
	Spec:          hunyuanSpec,
	Config:        func(s *nn.Spec) Fields { return llamaConfig(s).without("mlp_bias") },
})

var hunyuanNorms = Names{
	"attention.q_norm": at("model.layers.{layer}.self_attn.query_layernorm"),
	"attention.k_norm": at("model.layers.{layer}.self_attn.key_layernorm"),
}

func hunyuanSpec(c *Config) nn.Spec {
	alpha := 0.0
	for _, name := range []string{"rope_parameters", "rope_scaling"} {
		if r := c.Object(name); r != nil && r.String("rope_type|type", "") == "dynamic" {
			alpha = r.Float("alpha", 0)
		}
	}
	s := llamaSpec(c)
	if r, head := &s.Attention.RoPE, float64(s.Attention.HeadSize); alpha > 0 {
		r.Theta, r.Scaling = r.Theta*math.Pow(alpha, head/(head-2)), compute.RoPEScaling{}
	}
	s.Norm = rms(c, 1e-5)
	s.FeedForward.Bias = false
	s.Attention.HeadNorm, s.Attention.NormAfterRoPE = nn.EachHead, true
	c.Refuse("use_qk_norm", true)
	c.Refuse("use_cla", false)
	c.Ignore("mlp_bias", "cla_share_factor")
	return s
}
