package family

import (
	"lian/model"
	"lian/model/nn"
)

// gptj: parallel branches through one LayerNorm, the first rotary_dim elements of a head turn in interleaved pairs, a bias on the
// head. Source: transformers, modeling_gptj.py.
var _ = register(Family{
	ModelTypes:    []string{"gptj"},
	Architectures: []string{"GPTJForCausalLM"},
	Prefix:        "transformer.",
	Ignored:       []string{".attn.bias", ".attn.masked_bias"},
	Names: gpt2Names.with(Names{
		"attention.q":       at("transformer.h.{layer}.attn.q_proj"),
		"attention.k":       at("transformer.h.{layer}.attn.k_proj"),
		"attention.v":       at("transformer.h.{layer}.attn.v_proj"),
		"attention.o":       at("transformer.h.{layer}.attn.out_proj"),
		"feed_forward.up":   at("transformer.h.{layer}.mlp.fc_in"),
		"feed_forward.down": at("transformer.h.{layer}.mlp.fc_out"),
	}),
	Spec:   gptjSpec,
	Config: gptjConfig,
})

func gptjSpec(c *Config) nn.Spec {
	c.Default("activation_function", "gelu_new")
	c.Default("rotary_dim", 64)
	s := decoder(c)
	s.Norm = layerNorm(c, 1e-5, true)
	s.Parallel, s.SharedNorm, s.HeadBias = true, true, true
	s.FeedForward.Plain, s.FeedForward.Bias = true, true
	s.Attention.RoPE = nn.RoPE{Theta: 10000, Rotary: c.Int("rotary_dim", s.Attention.HeadSize), Interleaved: true}
	c.Ignore("rotary", "n_ctx", "scale_attn_weights")
	return s
}

func gptjConfig(s *nn.Spec) Fields {
	return gptConfig(s).with(Fields{"rotary_dim": s.Attention.RoPE.Rotary})
}

// codegen: gptj with q, v and k stacked in four parts, one for each of the accelerators it was made on. Source: arXiv 2203.13474 and
// transformers, modeling_codegen.py.
var _ = register(Family{
	ModelTypes:    []string{"codegen"},
	Architectures: []string{"CodeGenForCausalLM"},
	Prefix:        "transformer.",
	Ignored:       []string{".attn.causal_mask"},
	Names: gpt2Names.with(codegenQKV, Names{
		"attention.o":       at("transformer.h.{layer}.attn.out_proj"),
		"feed_forward.up":   at("transformer.h.{layer}.mlp.fc_in"),
		"feed_forward.down": at("transformer.h.{layer}.mlp.fc_out"),
	}),
	Spec:   gptjSpec,
	Config: gptjConfig,
})

// codegenQKV are the rows of queries, values and keys, in this order, of a quarter of the heads after the other.
var codegenQKV = func() Names {
	part := func(which int) Place {
		p := at("transformer.h.{layer}.attn.qkv_proj")
		p.rows = func(_ *nn.Spec, b *nn.Block) model.Rows {
			a := &b.Attention
			n := a.Heads * a.HeadSize / codegenParts
			return model.Rows{Total: 3 * codegenParts * n, From: which * n, Count: n, Every: 3 * n, Times: codegenParts}
		}
		return p
	}
	return Names{"attention.q": part(0), "attention.v": part(1), "attention.k": part(2)}
}()

const codegenParts = 4
