package family

import (
	"math"

	"lian/compute"
	"lian/model"
	"lian/model/nn"
)

// deepseek: DeepSeek-MoE: Llama with many small experts and shared ones. Source: arXiv 2401.06066 and the published
// modeling_deepseek.py.
var _ = register(Family{
	ModelTypes:    []string{"deepseek"},
	Architectures: []string{"DeepseekForCausalLM"},
	Names:         mixtureNames,
	Spec: func(c *Config) nn.Spec {
		s := llamaSpec(c)
		c.Refuse("scoring_func", "softmax")
		deepseekMixtures(c, &s, compute.RouteRule{Renormalise: c.Bool("norm_topk_prob", false)})
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return deepseekMixtureFields(s).with(Fields{"attention_bias": s.Attention.Bias, "scoring_func": "softmax"})
	},
})

// deepseek_v2: latent attention, experts in groups. Source: arXiv 2405.04434, the published modeling_deepseek.py and transformers,
// modeling_deepseek_v2.py. Where norm_topk_prob is set weights are not scaled besides, which is what the published code does; the class
// of transformers 5 leaves the field alone.
var _ = register(Family{
	ModelTypes:    []string{"deepseek_v2"},
	Architectures: []string{"DeepseekV2ForCausalLM"},
	Names:         latentNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("q_lora_rank", 1536)
		c.Default("n_shared_experts", 2)
		c.Default("n_routed_experts", 64)
		s := latentSpec(c)
		c.Refuse("scoring_func", "softmax")
		c.Refuse("topk_method", "greedy", "group_limited_greedy")
		rule := compute.RouteRule{Scale: c.Float32("routed_scaling_factor", 1)}
		if c.Bool("norm_topk_prob", false) && !savedByTransformers5(c) {
			rule = softmaxOfChosen
		}
		if c.String("topk_method", "greedy") == "group_limited_greedy" {
			rule.Groups, rule.TopGroups, rule.GroupBest = c.Need("n_group"), c.Need("topk_group"), 1
		} else {
			c.Ignore("n_group", "topk_group")
		}
		deepseekMixtures(c, &s, rule)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		f := latentFields(s).with(Fields{"scoring_func": "softmax", "topk_method": "greedy"})
		if r := mixture(s).Experts.Route; r.Groups > 1 {
			f = f.with(Fields{"topk_method": "group_limited_greedy", "n_group": r.Groups, "topk_group": r.TopGroups})
		}
		return f
	},
})

// deepseek_v3: sigmoids instead of the softmax and a bias in the choice; also DeepSeek-R1, Moonlight and Kimi-K2. Layers past the
// last, which predict further tokens, are left alone. Source: arXiv 2412.19437, the published modeling_deepseek.py and transformers,
// modeling_deepseek_v3.py.
var _ = register(Family{
	ModelTypes:    []string{"deepseek_v3", "kimi_k2"},
	Architectures: []string{"DeepseekV3ForCausalLM"},
	Names:         latentNames,
	MoreLayers:    "model.layers.{layer}.",
	Spec: func(c *Config) nn.Spec {
		c.Default("q_lora_rank", 1536)
		c.Default("n_shared_experts", 1)
		c.Default("n_routed_experts", 256)
		c.Default("num_experts_per_tok", 8)
		c.Default("first_k_dense_replace", 3)
		c.Default("max_position_embeddings", 4096)
		c.Default("intermediate_size", 18432)
		c.Default("moe_intermediate_size", 2048)
		s := latentSpec(c)
		c.Refuse("scoring_func", "sigmoid")
		c.Refuse("topk_method", "noaux_tc")
		s.Attention.RoPE.Interleaved = c.Bool("rope_interleave", true)
		deepseekMixtures(c, &s, sigmoidRule(c, 8, 4, 2.5))
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return latentFields(s).with(sigmoidFields(s)).with(Fields{"scoring_func": "sigmoid", "topk_method": "noaux_tc", "rope_interleave": s.Attention.RoPE.Interleaved})
	},
})

// sigmoidRule is DeepSeek-V3's: sigmoids, experts in groups that are ranked by their two best.
func sigmoidRule(c *Config, groups, top int, scale float64) compute.RouteRule {
	r := compute.RouteRule{Sigmoid: true, Renormalise: c.Bool("norm_topk_prob", true), Scale: c.Float32("routed_scaling_factor", scale)}
	if n := c.Int("n_group", groups); n > 1 {
		r.Groups, r.TopGroups, r.GroupBest = n, c.Int("topk_group", top), 2
	}
	c.Ignore("topk_group")
	return r
}

func sigmoidFields(s *nn.Spec) Fields {
	r := mixture(s).Experts.Route
	return Fields{"n_group": max(r.Groups, 1), "topk_group": max(r.TopGroups, 1)}
}

// deepseekMixtures makes the layers from first_k_dense_replace on mixtures, every moe_layer_freq-th of them, or those that
// mlp_layer_types calls sparse.
func deepseekMixtures(c *Config, s *nn.Spec, rule compute.RouteRule) {
	c.Ignore("num_nextn_predict_layers", "num_mtp_layers", "ep_size", "aux_loss_alpha", "seq_aux")
	first, step := c.Int("first_k_dense_replace", 0), max(c.Int("moe_layer_freq", 1), 1)
	size := c.Int("moe_intermediate_size", 1407)
	if !c.Has("n_routed_experts|num_experts|num_local_experts") {
		return
	}
	e := chosenExperts(c)
	e.Route, e.Correction, e.Shared = rule, rule.Sigmoid, size*c.Int("n_shared_experts", 0)
	if s.FeedForward.Bias {
		c.Fail("mlp_bias is true, which Lian does not compute in mixtures of experts")
	}
	types := c.Strings("mlp_layer_types")
	if types != nil && len(types) != s.Layers {
		c.Fail("mlp_layer_types has %d entries, expected one for each of %d layers", len(types), s.Layers)
		return
	}
	for l, kind := range types {
		if kind != "dense" && kind != "sparse" {
			c.Fail("mlp_layer_types[%d] is %q, expected dense or sparse", l, kind)
		}
	}
	mixedLayers(s, size, e, func(l int) bool {
		if types != nil {
			return types[l] == "sparse"
		}
		return l >= first && l%step == 0
	})
}

func deepseekMixtureFields(s *nn.Spec) Fields {
	m := mixture(s)
	f := written(s).with(Fields{"intermediate_size": max(dense(s).Hidden, 1), "first_k_dense_replace": s.Layers})
	if m.Experts.Count == 0 {
		return f
	}
	first := 0
	for s.Layer(first).FeedForward.Experts.Count == 0 {
		first++
	}
	return f.with(Fields{"first_k_dense_replace": first, "n_routed_experts": m.Experts.Count, "num_experts_per_tok": m.Experts.Chosen,
		"moe_intermediate_size": m.Hidden, "n_shared_experts": m.Experts.Shared / m.Hidden, "norm_topk_prob": m.Experts.Route.Renormalise,
		"routed_scaling_factor": m.Experts.Route.Factor(), "moe_layer_freq": 1})
}

// latentNames are those of latent attention. Keys' and values' own parts of kv_b_proj lie head by head; the keys' is used the other
// way round.
var latentNames = mixtureNames.with(Names{
	"attention.q_a":       at("model.layers.{layer}.self_attn.q_a_proj"),
	"attention.q_a_norm":  at("model.layers.{layer}.self_attn.q_a_layernorm"),
	"attention.q_b":       at("model.layers.{layer}.self_attn.q_b_proj"),
	"attention.kv_a":      at("model.layers.{layer}.self_attn.kv_a_proj_with_mqa"),
	"attention.kv_a_norm": at("model.layers.{layer}.self_attn.kv_a_layernorm"),
	"attention.k_b":       keysAndValues("model.layers.{layer}.self_attn.kv_b_proj", false),
	"attention.v_b":       keysAndValues("model.layers.{layer}.self_attn.kv_b_proj", true),
})

func keysAndValues(name string, values bool) Place {
	p := at(name).as(func(v *model.View) { v.Folded, v.Turned = true, !values })
	p.rows = func(_ *nn.Spec, b *nn.Block) model.Rows {
		a := &b.Attention
		k, v := a.HeadSize-a.RoPE.Rotary, a.Values()
		r := model.Rows{Total: a.Heads * (k + v), Count: k, Every: k + v, Times: a.Heads}
		if values {
			r.From, r.Count = k, v
		}
		return r
	}
	return p
}

// latentSpec is Llama with latent attention. A stretched rotary embedding makes scores larger by the square of what mscale_all_dim says.
func latentSpec(c *Config) nn.Spec {
	turned := c.Int("qk_rope_head_dim", 64)
	c.Default("head_dim", turned)
	s := llamaSpec(c)
	a := &s.Attention
	a.HeadSize = c.Int("qk_nope_head_dim", 128) + turned
	a.KVHeads, a.ValueSize = a.Heads, c.Int("v_head_dim", 128)
	c.Ignore("num_key_value_heads", "head_dim", "qk_head_dim")
	a.RoPE = rope(c, turned, s.Context)
	a.RoPE.Interleaved = true
	a.Latent = nn.Latent{Rank: c.Int("kv_lora_rank", 512), QueryRank: c.Int("q_lora_rank", 0), Norm: nn.Norm{Epsilon: 1e-6}}
	if r := a.RoPE.Scaling; r.Rule != "" && r.Rule != "default" && r.MScaleAllDim != 0 {
		m := 1.0
		if r.Factor > 1 {
			m = 0.1*r.MScaleAllDim*math.Log(r.Factor) + 1
		}
		a.Scale = float32(m * m / math.Sqrt(float64(a.HeadSize)))
	}
	return s
}

func latentFields(s *nn.Spec) Fields {
	a := s.Attention
	var queryRank any
	if a.Latent.QueryRank > 0 {
		queryRank = a.Latent.QueryRank
	}
	return deepseekMixtureFields(s).without("partial_rotary_factor").with(Fields{"attention_bias": a.Bias, "head_dim": a.RoPE.Rotary,
		"qk_rope_head_dim": a.RoPE.Rotary, "qk_nope_head_dim": a.HeadSize - a.RoPE.Rotary, "v_head_dim": a.Values(), "kv_lora_rank": a.Latent.Rank, "q_lora_rank": queryRank})
}
