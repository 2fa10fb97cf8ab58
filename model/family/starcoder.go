package family

import "lian/model/nn"

// starcoder2: LayerNorm, a plain feed-forward, biases, a window. Source: arXiv 2402.19173 and transformers, modeling_starcoder2.py.
var _ = register(Family{
	ModelTypes:    []string{"starcoder2"},
	Architectures: []string{"Starcoder2ForCausalLM"},
	Names: llamaNames.with(Names{
		"feed_forward.up":   at("model.layers.{layer}.mlp.c_fc"),
		"feed_forward.down": at("model.layers.{layer}.mlp.c_proj"),
	}),
	Spec: func(c *Config) nn.Spec {
		c.Default("hidden_act", "gelu_pytorch_tanh")
		c.Default("tie_word_embeddings", true)
		c.Default("max_position_embeddings", 4096)
		s := decoder(c)
		s.Norm = layerNorm(c, 1e-5, true)
		s.Attention.Bias = c.Bool("use_bias", true)
		s.Attention.OutputBias, s.FeedForward.Bias = s.Attention.Bias, s.Attention.Bias
		s.Attention.Window = c.Int("sliding_window", 0)
		s.FeedForward.Plain = true
		c.Ignore("residual_dropout")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return written(s).named("layer_norm_eps", "norm_epsilon").with(Fields{"use_bias": s.Attention.Bias, "sliding_window": window(s)})
	},
})
