package family

import "lian/model/nn"

// graniteExperts are the names of Granite's mixtures: all experts in one tensor, gate and up one after the other.
var graniteExperts = func() Names {
	gate, up := halves(at("model.layers.{layer}.block_sparse_moe.input_linear"), false, expertRows)
	sharedGate, sharedUp := halves(at("model.layers.{layer}.shared_mlp.input_linear"), false, sharedRows)
	return llamaNames.with(Names{
		"feed_forward.router":       at("model.layers.{layer}.block_sparse_moe.router.layer"),
		"feed_forward.experts.gate": gate,
		"feed_forward.experts.up":   up,
		"feed_forward.experts.down": at("model.layers.{layer}.block_sparse_moe.output_linear"),
		"feed_forward.shared.gate":  sharedGate,
		"feed_forward.shared.up":    sharedUp,
		"feed_forward.shared.down":  at("model.layers.{layer}.shared_mlp.output_linear"),
	})
}()

// granitemoe: Granite with a mixture in every layer. Source: transformers, modeling_granitemoe.py.
var _ = register(Family{
	ModelTypes:    []string{"granitemoe"},
	Architectures: []string{"GraniteMoeForCausalLM"},
	Names:         graniteExperts,
	Spec:          graniteMixture,
	Config:        func(s *nn.Spec) Fields { return graniteConfig(s).with(localExperts(s)) },
})

// granitemoeshared: and a feed-forward for all tokens. Source: transformers, modeling_granitemoeshared.py.
var _ = register(Family{
	ModelTypes:    []string{"granitemoeshared"},
	Architectures: []string{"GraniteMoeSharedForCausalLM"},
	Names:         graniteExperts,
	Spec: func(c *Config) nn.Spec {
		s := graniteMixture(c)
		s.FeedForward.Experts.Shared = c.Int("shared_intermediate_size", 0)
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return graniteConfig(s).with(localExperts(s)).with(Fields{"shared_intermediate_size": mixture(s).Experts.Shared})
	},
})

func graniteMixture(c *Config) nn.Spec {
	c.Default("num_local_experts", 8)
	c.Default("num_experts_per_tok", 2)
	s := graniteSpec(c)
	e := chosenExperts(c)
	e.Route = softmaxOfChosen
	mixedLayers(&s, s.FeedForward.Hidden, e, everyLayer)
	return s
}
