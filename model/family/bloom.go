package family

import (
	"lian/compute"
	"lian/model/nn"
)

// bloom: linear biases by distance instead of positions, a norm after the embedding, q, k and v of each head together. Source:
// arXiv 2211.05100 and transformers, modeling_bloom.py.
var _ = register(Family{
	ModelTypes:    []string{"bloom"},
	Architectures: []string{"BloomForCausalLM", "BloomModel"},
	Prefix:        "transformer.",
	Names: Names{
		"embedding":         at("transformer.word_embeddings"),
		"embedding_norm":    at("transformer.word_embeddings_layernorm"),
		"attention_norm":    at("transformer.h.{layer}.input_layernorm"),
		"attention.o":       at("transformer.h.{layer}.self_attention.dense"),
		"feed_forward_norm": at("transformer.h.{layer}.post_attention_layernorm"),
		"feed_forward.up":   at("transformer.h.{layer}.mlp.dense_h_to_4h"),
		"feed_forward.down": at("transformer.h.{layer}.mlp.dense_4h_to_h"),
		"norm":              at("transformer.ln_f"),
		"head":              at("lm_head"),
	}.with(groupedQKV(at("transformer.h.{layer}.self_attention.query_key_value"))),
	Spec: func(c *Config) nn.Spec {
		c.Default("tie_word_embeddings", true)
		s := decoder(c)
		s.Norm = layerNorm(c, 1e-5, true)
		s.EmbeddingNorm = true
		s.NormedResidual = c.Bool("apply_residual_connection_post_layernorm", false)
		a := &s.Attention
		a.Bias, a.OutputBias, s.FeedForward.Bias, s.FeedForward.Plain = true, true, true, true
		a.RoPE, a.ALiBi.Rule, s.FeedForward.Activation = nn.RoPE{}, nn.ALiBiPress, compute.GELUTanh
		c.Ignore("pretraining_tp", "slow_but_exact", "masked_softmax_fusion", "attention_softmax_in_fp32", "bias_dropout_fusion", "offset_alibi",
			"skip_bias_add", "skip_bias_add_qkv", "unk_token_id")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return Fields{"vocab_size": s.Vocab, "hidden_size": s.Hidden, "n_layer": s.Layers, "n_head": s.Attention.Heads, "seq_length": s.Context,
			"layer_norm_epsilon": s.Norm.Epsilon, "tie_word_embeddings": s.TiedEmbedding, "apply_residual_connection_post_layernorm": s.NormedResidual}
	},
})
