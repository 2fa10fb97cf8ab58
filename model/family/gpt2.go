package family

import (
	"math"

	"lian/compute"
	"lian/model/nn"
)

// gpt2: learned positions, LayerNorm, a plain feed-forward, matrices stored [in, out]. Source: Radford et al. 2019 and transformers,
// modeling_gpt2.py.
var _ = register(Family{
	ModelTypes:    []string{"gpt2"},
	Architectures: []string{"GPT2LMHeadModel"},
	Prefix:        "transformer.",
	Ignored:       []string{".attn.bias", ".attn.masked_bias"}, // the causal mask
	Names: gpt2Names.with(stackedQKV(at("transformer.h.{layer}.attn.c_attn").turned()), Names{
		"attention.o":       gpt2Names["attention.o"].turned(),
		"feed_forward.up":   gpt2Names["feed_forward.up"].turned(),
		"feed_forward.down": gpt2Names["feed_forward.down"].turned(),
	}),
	Spec: func(c *Config) nn.Spec {
		c.Default("activation_function", "gelu_new")
		c.Default("n_positions", 1024)
		s := gpt2Spec(c)
		c.Ignore("reorder_and_upcast_attn") // the same product in another order
		if c.Bool("scale_attn_by_inverse_layer_idx", false) {
			s.Vary(func(l int, b *nn.Block) { b.Attention.Scale /= float32(l + 1) })
		}
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return gpt2Config(s).with(Fields{"scale_attn_by_inverse_layer_idx": s.Each != nil})
	},
})

var gpt2Names = Names{
	"embedding":         at("transformer.wte"),
	"positions":         at("transformer.wpe"),
	"attention_norm":    at("transformer.h.{layer}.ln_1"),
	"attention.o":       at("transformer.h.{layer}.attn.c_proj"),
	"feed_forward_norm": at("transformer.h.{layer}.ln_2"),
	"feed_forward.up":   at("transformer.h.{layer}.mlp.c_fc"),
	"feed_forward.down": at("transformer.h.{layer}.mlp.c_proj"),
	"norm":              at("transformer.ln_f"),
	"head":              at("lm_head"),
}

func gpt2Spec(c *Config) nn.Spec {
	c.Default("tie_word_embeddings", true)
	s := decoder(c)
	s.Norm = layerNorm(c, 1e-5, true)
	s.Positions = s.Context
	a := &s.Attention
	a.Bias, a.OutputBias, s.FeedForward.Bias, s.FeedForward.Plain = true, true, true, true
	a.RoPE = nn.RoPE{}
	if a.Scale = float32(1 / math.Sqrt(float64(a.HeadSize))); !c.Bool("scale_attn_weights", true) {
		a.Scale = 1
	}
	c.Refuse("add_cross_attention", false)
	return s
}

// gptConfig are the names that GPT-2 and those after it have for sizes.
func gptConfig(s *nn.Spec) Fields {
	return written(s).without("head_dim", "partial_rotary_factor", "num_key_value_heads", "rope_theta", "rope_scaling").named("hidden_size", "n_embd",
		"intermediate_size", "n_inner", "num_hidden_layers", "n_layer", "num_attention_heads", "n_head", "max_position_embeddings", "n_positions",
		"hidden_act", "activation_function", "layer_norm_eps", "layer_norm_epsilon")
}

func gpt2Config(s *nn.Spec) Fields {
	a := s.Attention
	return gptConfig(s).with(Fields{"scale_attn_weights": a.Scale != 1 || a.HeadSize == 1})
}

// gpt_bigcode: StarCoder and SantaCoder: gpt2 with one kv head, or q, k and v of each head together. Source: arXiv 2305.06161 and
// transformers, modeling_gpt_bigcode.py.
var _ = register(Family{
	ModelTypes:    []string{"gpt_bigcode"},
	Architectures: []string{"GPTBigCodeForCausalLM"},
	Prefix:        "transformer.",
	Ignored:       []string{".attn.bias", ".attn.masked_bias"},
	Names:         gpt2Names.with(groupedQKV(at("transformer.h.{layer}.attn.c_attn"))), // with one kv head that is q, k, v
	Spec: func(c *Config) nn.Spec {
		c.Default("activation_function", "gelu_pytorch_tanh")
		c.Default("n_positions", 1024)
		s := gpt2Spec(c)
		if s.Attention.KVHeads = s.Attention.Heads; c.Bool("multi_query", true) {
			s.Attention.KVHeads = 1
		}
		c.Ignore("attention_softmax_in_fp32", "scale_attention_softmax_in_fp32", "num_key_value_heads")
		return s
	},
	Config: func(s *nn.Spec) Fields { return gpt2Config(s).with(Fields{"multi_query": s.Attention.KVHeads == 1}) },
})

// gpt1: the first GPT: norms after the sums, and none at the end. Source: Radford et al. 2018 and transformers, modeling_openai.py.
var _ = register(Family{
	ModelTypes:    []string{"openai-gpt"},
	Architectures: []string{"OpenAIGPTLMHeadModel"},
	Prefix:        "transformer.",
	Ignored:       []string{".attn.bias"},
	Names: gpt2Names.with(stackedQKV(at("transformer.h.{layer}.attn.c_attn").turned()), Names{
		"embedding":         at("transformer.tokens_embed"),
		"positions":         at("transformer.positions_embed"),
		"attention.o":       gpt2Names["attention.o"].turned(),
		"feed_forward.up":   gpt2Names["feed_forward.up"].turned(),
		"feed_forward.down": gpt2Names["feed_forward.down"].turned(),
	}),
	Spec: func(c *Config) nn.Spec {
		c.Default("n_positions", 512)
		s := gpt2Spec(c)
		s.Attention.Scale, s.NormAfter, s.NoFinalNorm = 0, true, true
		s.FeedForward.Activation = activation(c, "afn", "gelu")
		if s.FeedForward.Activation == compute.GELU { // its gelu is the one by tanh
			s.FeedForward.Activation = compute.GELUTanh
		}
		s.FeedForward.Hidden = 4 * s.Hidden
		c.Ignore("n_ctx", "n_special", "predict_special_tokens")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		name := activationNames[s.FeedForward.Activation]
		if s.FeedForward.Activation == compute.GELUTanh {
			name = "gelu"
		}
		return gptConfig(s).without("n_inner", "activation_function").with(Fields{"afn": name})
	},
})
