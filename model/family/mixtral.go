package family

import (
	"lian/compute"
	"lian/model/nn"
)

// blockSparse are Mixtral's names.
var blockSparse = llamaNames.with(expertNames("model.layers.{layer}.block_sparse_moe.experts.{expert}.", "w1", "w3", "w2"), Names{
	"feed_forward.router":            at("model.layers.{layer}.block_sparse_moe.gate"),
	"feed_forward.router_correction": full("model.layers.{layer}.block_sparse_moe.e_score_correction_bias"),
})

// mixtral: Mistral with a mixture of experts in every layer. Source: arXiv 2401.04088 and transformers, modeling_mixtral.py.
var _ = register(Family{
	ModelTypes:    []string{"mixtral"},
	Architectures: []string{"MixtralForCausalLM"},
	Names:         blockSparse,
	Spec: func(c *Config) nn.Spec {
		c.Default("num_local_experts", 8)
		c.Default("num_experts_per_tok", 2)
		c.Default("num_key_value_heads", 8)
		c.Default("rope_theta", 1000000.0)
		c.Default("max_position_embeddings", 4096*32)
		c.Ignore("router_jitter_noise") // of training
		s := decoder(c)
		s.Norm = rms(c, 1e-5)
		s.Attention.Window = c.Int("sliding_window", 0)
		e := chosenExperts(c)
		e.Route = softmaxOfChosen
		mixedLayers(&s, s.FeedForward.Hidden, e, everyLayer)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return written(s).with(localExperts(s)).with(Fields{"sliding_window": window(s)})
	},
})

// localExperts are how many experts there are and how many a token goes through, by Mixtral's names.
func localExperts(s *nn.Spec) Fields {
	e := mixture(s).Experts
	return Fields{"num_local_experts": e.Count, "num_experts_per_tok": e.Chosen}
}

// minimax_m2: sigmoids instead of a softmax, norms of queries and keys over all heads, a rotary embedding of some of a head.
// Source: transformers, modeling_minimax_m2.py.
var _ = register(Family{
	ModelTypes:    []string{"minimax_m2", "minimax"},
	Architectures: []string{"MiniMaxM2ForCausalLM"},
	Names:         blockSparse,
	Spec: func(c *Config) nn.Spec {
		c.Default("rope_theta", 5000000.0)
		c.Default("head_dim", 128)
		c.Default("partial_rotary_factor", 1.0)
		if head, turned := c.Int("head_dim", 0), c.Int("rotary_dim", 0); turned > 0 && head > 0 {
			c.Default("partial_rotary_factor", float64(turned)/float64(head))
		}
		c.Refuse("use_qk_norm", true)
		c.Refuse("qk_norm_type", "per_layer")
		c.Refuse("scoring_func", "sigmoid")
		c.Refuse("use_routing_bias", true)
		c.Refuse("shared_intermediate_size", 0.0)
		c.Ignore("router_jitter_noise", "use_mtp", "num_mtp_modules", "mtp_transformer_layers", "attn_type_list", "layernorm_full_attention_beta", "layernorm_linear_attention_beta", "layernorm_mlp_beta")
		s := decoder(c)
		s.Norm = rms(c, 1e-6)
		s.Attention.HeadNorm = nn.AllHeads
		e := chosenExperts(c)
		e.Route, e.Correction = compute.RouteRule{Sigmoid: true, Renormalise: true}, true
		mixedLayers(&s, s.FeedForward.Hidden, e, everyLayer)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return written(s).with(localExperts(s)).with(Fields{"rotary_dim": s.Attention.RoPE.Rotary})
	},
})
