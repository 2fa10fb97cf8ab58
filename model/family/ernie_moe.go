package family

import (
	"lian/model"
	"lian/model/nn"
)

// ernie4_5_moe: ERNIE 4.5's mixtures: a softmax with a bias in the choice, interleaved rotary pairs. Source: transformers,
// modeling_ernie4_5_moe.py.
var _ = register(Family{
	ModelTypes:    []string{"ernie4_5_moe"},
	Architectures: []string{"Ernie4_5_MoeForCausalLM"},
	Names: mixtureNames.with(Names{
		"feed_forward.router_correction": full("model.layers.{layer}.mlp.moe_statics.e_score_correction_bias").as(func(v *model.View) { v.Leading = 1 }),
	}),
	Spec: func(c *Config) nn.Spec {
		for name, value := range map[string]any{"rope_theta": 500000.0, "num_key_value_heads": 4, "moe_num_experts": 64, "moe_k": 6, "moe_num_shared_experts": 2,
			"max_position_embeddings": 131072, "tie_word_embeddings": true} {
			c.Default(name, value)
		}
		c.Refuse("use_bias", false)
		c.Ignore("moe_norm_min") // no sum of weights is ever that small
		s := decoder(c)
		s.Norm = rms(c, 1e-5)
		s.Attention.RoPE.Interleaved = true
		size, first, last, step := c.Int("moe_intermediate_size", 1536), c.Int("moe_layer_start_index", 1), c.Int("moe_layer_end_index", -1), max(c.Int("moe_layer_interval", 1), 1)
		if last == -1 {
			last = s.Layers - 1
		}
		e := nn.Experts{Count: c.Int("moe_num_experts|num_experts", 0), Chosen: c.Int("moe_k|num_experts_per_tok", 0), Route: softmaxOfChosen, Correction: true,
			Shared: size * c.Int("moe_num_shared_experts", 0)}
		mixedLayers(&s, size, e, func(l int) bool { return (l+1)%step == 0 && l >= first && l <= last })
		return s
	},
	Config: func(s *nn.Spec) Fields {
		m := mixture(s)
		first, last, step := ernieMixtures(s)
		return written(s).with(Fields{"intermediate_size": max(dense(s).Hidden, 1), "use_bias": false, "moe_num_experts": m.Experts.Count, "moe_k": m.Experts.Chosen,
			"moe_intermediate_size": m.Hidden, "moe_num_shared_experts": m.Experts.Shared / max(m.Hidden, 1), "moe_layer_start_index": first,
			"moe_layer_end_index": last, "moe_layer_interval": step})
	},
})

// ernieMixtures are the first and the last mixture, and how many layers there are from one to the next.
func ernieMixtures(s *nn.Spec) (first, last, step int) {
	first, last, step = s.Layers, s.Layers-1, 1
	for l := range s.Layers {
		if s.Layer(l).FeedForward.Experts.Count > 0 {
			first, last = min(first, l), l
		}
	}
	for l := first; l <= last; l++ { // layers between are dense but for every step-th
		if s.Layer(l).FeedForward.Experts.Count == 0 {
			step = max(step, first+1)
		}
	}
	return first, last, step
}
