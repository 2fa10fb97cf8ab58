package family

import (
	"slices"

	"lian/model/nn"
)

// phi: Phi-1, 1.5 and 2: parallel branches through one LayerNorm, a plain feed-forward, half of each head turns, biases everywhere.
// Source: arXiv 2309.05463 and transformers, modeling_phi.py.
var _ = register(Family{
	ModelTypes:    []string{"phi"},
	Architectures: []string{"PhiForCausalLM"},
	Names: llamaNames.with(Names{
		"attention.o":       at("model.layers.{layer}.self_attn.dense"),
		"attention.q_norm":  at("model.layers.{layer}.self_attn.q_layernorm"),
		"attention.k_norm":  at("model.layers.{layer}.self_attn.k_layernorm"),
		"feed_forward.up":   at("model.layers.{layer}.mlp.fc1"),
		"feed_forward.down": at("model.layers.{layer}.mlp.fc2"),
		"norm":              at("model.final_layernorm"),
	}),
	Spec: func(c *Config) nn.Spec {
		if c.Has("n_embd") {
			c.Fail("this is the layout that Phi first had (mixformer-sequential, phi-msft); take the revision in transformers' layout")
		}
		c.Default("partial_rotary_factor", 0.5)
		c.Default("hidden_act", "gelu_new")
		s := decoder(c)
		s.Norm = layerNorm(c, 1e-5, true)
		s.Parallel, s.SharedNorm = true, true
		s.Attention.Bias, s.Attention.OutputBias, s.FeedForward.Bias, s.HeadBias = true, true, true, true
		s.FeedForward.Plain = true
		if c.Bool("qk_layernorm", false) {
			s.Attention.HeadNorm = nn.EachHead
		}
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return written(s).with(Fields{"partial_rotary_factor": fraction(s.Attention), "qk_layernorm": s.Attention.HeadNorm != nn.NoHeadNorm})
	},
})

// phi3: Phi-3, 3.5 and 4: Llama with q, k, v and gate, up stacked, a window, LongRoPE. Source: arXiv 2404.14219 and transformers,
// modeling_phi3.py.
var _ = register(Family{
	ModelTypes:    []string{"phi3"},
	Architectures: []string{"Phi3ForCausalLM"},
	Names: llamaNames.with(stackedQKV(at("model.layers.{layer}.self_attn.qkv_proj")),
		stackedGateUp(at("model.layers.{layer}.mlp.gate_up_proj"))),
	Spec: func(c *Config) nn.Spec {
		c.Default("max_position_embeddings", 4096)
		c.Default("partial_rotary_factor", 1)
		s := decoder(c)
		s.Norm = rms(c, 1e-5)
		s.Attention.Window = c.Int("sliding_window", 0)
		r := &s.Attention.RoPE.Scaling
		if original := c.Int("original_max_position_embeddings", 4096); slices.Contains([]string{"longrope", "yarn", "su"}, r.Rule) {
			r.Rule, r.OriginalContext = "longrope", original // yarn is what it was called for a while
		}
		c.Ignore("embd_pdrop", "resid_pdrop")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		f := written(s).with(Fields{"sliding_window": window(s)})
		if original := s.Attention.RoPE.Scaling.OriginalContext; original > 0 {
			f["original_max_position_embeddings"] = original
		}
		return f
	},
})
