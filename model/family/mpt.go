package family

import (
	"lian/compute"
	"lian/model/nn"
)

// mpt: linear biases by distance, LayerNorm without bias, q, k and v stacked. Source: transformers, modeling_mpt.py, and the
// published configuration_mpt.py.
var _ = register(Family{
	ModelTypes:    []string{"mpt"},
	Architectures: []string{"MptForCausalLM", "MPTForCausalLM"},
	Prefix:        "transformer.",
	Names: Names{
		"embedding":         at("transformer.wte"),
		"positions":         at("transformer.wpe"),
		"attention_norm":    at("transformer.blocks.{layer}.norm_1"),
		"attention.o":       at("transformer.blocks.{layer}.attn.out_proj"),
		"feed_forward_norm": at("transformer.blocks.{layer}.norm_2"),
		"feed_forward.up":   at("transformer.blocks.{layer}.ffn.up_proj"),
		"feed_forward.down": at("transformer.blocks.{layer}.ffn.down_proj"),
		"norm":              at("transformer.norm_f"),
		"head":              at("lm_head"),
	}.with(stackedQKV(at("transformer.blocks.{layer}.attn.Wqkv"))),
	Spec: func(c *Config) nn.Spec {
		c.Default("tie_word_embeddings", true)
		s := decoder(c)
		s.Norm = layerNorm(c, 1e-5, false)
		a := &s.Attention
		a.RoPE, a.ALiBi.Rule, s.FeedForward.Activation, s.FeedForward.Plain = nn.RoPE{}, nn.ALiBiMPT, compute.GELU, true
		if inner := c.Object("attn_config"); inner != nil {
			a.Clip = inner.Float32("clip_qkv", 0)
			a.Scale = inner.Float32("softmax_scale", 0)
			if a.ALiBi.Max = inner.Float("alibi_bias_max", 8); savedByTransformers5(c) {
				a.ALiBi.Max = 8 // whatever the field says
			}
			inner.Refuse("attn_type", "multihead_attention")
			inner.Refuse("qk_ln", false)
			inner.Refuse("prefix_lm", false)
			inner.Refuse("alibi", true)
		}
		c.Refuse("logit_scale")
		c.Refuse("norm_type", "low_precision_layernorm", "layernorm")
		c.Ignore("expansion_ratio", "no_bias", "emb_pdrop", "embedding_fraction", "init_device", "learned_pos_emb", "verbose", "init_config")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		a := s.Attention
		inner := Fields{"alibi": true, "alibi_bias_max": int(a.ALiBi.Max), "attn_type": "multihead_attention", "clip_qkv": nil, "softmax_scale": nil}
		if a.Clip > 0 {
			inner["clip_qkv"] = a.Clip
		}
		if a.Scale > 0 {
			inner["softmax_scale"] = a.Scale
		}
		return Fields{"vocab_size": s.Vocab, "d_model": s.Hidden, "n_layers": s.Layers, "n_heads": a.Heads, "max_seq_len": s.Context, "expansion_ratio": 4,
			"layer_norm_epsilon": s.Norm.Epsilon, "tie_word_embeddings": s.TiedEmbedding, "attn_config": inner, "no_bias": true, "norm_type": "low_precision_layernorm"}
	},
})
