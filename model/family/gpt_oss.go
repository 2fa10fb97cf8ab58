package family

import (
	"lian/compute"
	"lian/model/nn"
)

// gpt_oss: sinks, a window in every other layer, experts with biases, clamped gates; experts are published as MXFP4. Source: arXiv
// 2508.10925, openai/gpt-oss and transformers, modeling_gpt_oss.py.
var _ = register(Family{
	ModelTypes:    []string{"gpt_oss"},
	Architectures: []string{"GptOssForCausalLM"},
	Names:         gptOSSNames(),
	Spec: func(c *Config) nn.Spec {
		for name, value := range map[string]any{"rope_theta": 150000.0, "head_dim": 64, "num_key_value_heads": 8, "sliding_window": 128, "num_local_experts": 128,
			"num_experts_per_tok": 4, "max_position_embeddings": 131072} {
			c.Default(name, value)
		}
		c.Refuse("swiglu_alpha", 1.702)
		c.Ignore("initial_context_length", "experts_per_token")
		s := decoder(c)
		s.Norm = rms(c, 1e-5)
		a := &s.Attention
		if !c.Has("rope_parameters") && !c.Has("rope_scaling") { // null too
			a.RoPE.Scaling = compute.RoPEScaling{Rule: "yarn", Factor: 32, BetaFast: 32, BetaSlow: 1, KeepFraction: true, OriginalContext: 4096, Context: s.Context}
		}
		a.Bias, a.Sinks = c.Bool("attention_bias", true), true
		a.OutputBias = a.Bias
		f := &s.FeedForward
		f.Bias, f.Activation, f.Limit, f.Offset = true, compute.QuickGELU, c.Float32("swiglu_limit", 7), 1
		windowedLayers(c, &s, every(2), nil)
		e := chosenExperts(c)
		e.Route, e.RouterBias = softmaxOfChosen, true
		mixedLayers(&s, f.Hidden, e, everyLayer)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		a := s.Attention
		f := written(s)
		if rule := a.RoPE.Scaling.Rule; rule == "" || rule == "default" { // nothing said means a stretched one
			f = f.without("rope_scaling", "rope_theta").with(Fields{"rope_parameters": Fields{"rope_type": "default", "rope_theta": a.RoPE.Theta}})
		}
		return f.with(localExperts(s)).with(Fields{"hidden_act": "silu", "attention_bias": a.Bias, "sliding_window": window(s), "layer_types": layerTypes(s),
			"swiglu_limit": s.FeedForward.Limit, "swiglu_alpha": 1.702})
	},
})

// gptOSSNames: all experts in one tensor, [in, out], gate and up row by row.
func gptOSSNames() Names {
	gate, up := halves(full("model.layers.{layer}.mlp.experts.gate_up_proj").turned(), true, expertRows)
	gateBias, upBias := halves(full("model.layers.{layer}.mlp.experts.gate_up_proj_bias"), true, expertRows)
	return llamaNames.with(Names{
		"attention.sinks":                full("model.layers.{layer}.self_attn.sinks"),
		"feed_forward.router":            at("model.layers.{layer}.mlp.router"),
		"feed_forward.experts.gate":      gate,
		"feed_forward.experts.gate.bias": gateBias,
		"feed_forward.experts.up":        up,
		"feed_forward.experts.up.bias":   upBias,
		"feed_forward.experts.down":      full("model.layers.{layer}.mlp.experts.down_proj").turned(),
		"feed_forward.experts.down.bias": full("model.layers.{layer}.mlp.experts.down_proj_bias"),
	})
}
