package family

import "lian/model/nn"

// hunyuan_v1_moe: Hunyuan-A13B: the dense model's attention, experts and one feed-forward for all tokens of the same size. Source:
// transformers, modeling_hunyuan_v1_moe.py, and the published config.json.
var _ = register(Family{
	ModelTypes:    []string{"hunyuan_v1_moe"},
	Architectures: []string{"HunYuanMoEV1ForCausalLM"},
	Names: mixtureNames.with(hunyuanNorms, sharedNames("model.layers.{layer}.mlp.shared_mlp."), Names{
		"feed_forward.router": at("model.layers.{layer}.mlp.gate.wg"),
	}),
	Spec: func(c *Config) nn.Spec {
		s := hunyuanSpec(c)
		size := s.FeedForward.Hidden
		if n := alike(c, "moe_intermediate_size", size); n != size {
			c.Fail("moe_intermediate_size is %d and intermediate_size %d, expected the same", n, size)
		}
		if n := alike(c, "num_shared_expert", 1); n != 1 {
			c.Fail("num_shared_expert is %d, expected 1", n)
		}
		c.Refuse("use_mixed_mlp_moe", true)
		c.Refuse("norm_topk_prob", true)
		c.Refuse("moe_layer_num_skipped", 0.0)
		c.Ignore("group_limited_greedy", "n_group", "topk_group", "routed_scaling_factor", "moe_drop_tokens", "moe_random_routing_dropped_token", "capacity_factor")
		c.Refuse("group_limited_greedy", false)
		e := nn.Experts{Count: alike(c, "num_experts|num_local_experts", 1), Chosen: alike(c, "moe_topk|num_experts_per_tok", 1), Route: softmaxOfChosen, Shared: size}
		mixedLayers(&s, size, e, everyLayer)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		e := mixture(s).Experts
		return written(s).with(Fields{"attention_bias": s.Attention.Bias, "num_experts": e.Count, "moe_topk": e.Chosen})
	},
})

// alike is a whole number, or the one that a list has for every layer.
func alike(c *Config, names string, missing int) int {
	name, v := c.find(names)
	list, ok := v.([]any)
	if !ok {
		return c.Int(names, missing)
	}
	for _, x := range list {
		if x != list[0] {
			c.Fail("%s is %v, expected the same for every layer", name, v)
			return missing
		}
	}
	n, ok := 0.0, false
	if len(list) > 0 {
		n, ok = list[0].(float64)
	}
	if !ok {
		c.Fail("%s is %v, expected a whole number for every layer", name, v)
	}
	return int(n)
}
