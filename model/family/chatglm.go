package family

import (
	"lian/compute"
	"lian/model/nn"
)

// chatglm: ChatGLM2, ChatGLM3 and GLM-4-9B in the layout that their own code has: q, k and v stacked, gate and up stacked, half of
// each head turns in interleaved pairs. Source: arXiv 2406.12793 and the published modeling_chatglm.py.
var _ = register(Family{
	ModelTypes:    []string{"chatglm"},
	Architectures: []string{"ChatGLMModel", "ChatGLMForConditionalGeneration"},
	Prefix:        "transformer.",
	Ignored:       []string{"rotary_pos_emb.inv_freq"},
	Names: Names{
		"embedding":         at("transformer.embedding.word_embeddings"),
		"attention_norm":    at("transformer.encoder.layers.{layer}.input_layernorm"),
		"attention.o":       at("transformer.encoder.layers.{layer}.self_attention.dense"),
		"feed_forward_norm": at("transformer.encoder.layers.{layer}.post_attention_layernorm"),
		"feed_forward.down": at("transformer.encoder.layers.{layer}.mlp.dense_4h_to_h"),
		"norm":              at("transformer.encoder.final_layernorm"),
		"head":              at("transformer.output_layer"),
	}.with(stackedQKV(at("transformer.encoder.layers.{layer}.self_attention.query_key_value")),
		stackedGateUp(at("transformer.encoder.layers.{layer}.mlp.dense_h_to_4h"))),
	Spec: chatglmSpec,
	Config: func(s *nn.Spec) Fields {
		a := s.Attention
		return Fields{
			"padded_vocab_size": s.Vocab, "hidden_size": s.Hidden, "num_layers": s.Layers, "seq_length": s.Context, "ffn_hidden_size": s.FeedForward.Hidden,
			"num_attention_heads": a.Heads, "multi_query_attention": true, "multi_query_group_num": a.KVHeads, "kv_channels": a.HeadSize,
			"layernorm_epsilon": s.Norm.Epsilon, "rmsnorm": s.Norm.Kind == nn.RMSNorm, "add_qkv_bias": a.Bias, "add_bias_linear": a.OutputBias,
			"post_layer_norm": !s.NoFinalNorm, "apply_residual_connection_post_layernorm": s.NormedResidual, "rope_ratio": a.RoPE.Theta / 10000,
			"tie_word_embeddings": s.TiedEmbedding, "original_rope": true,
		}
	},
})

func chatglmSpec(c *Config) nn.Spec {
	if c.Bool("position_encoding_2d", false) || c.Has("inner_hidden_size") {
		c.Fail("this is the first ChatGLM-6B, whose prompts are read in both directions; Lian computes ChatGLM2 and later")
	}
	s := nn.Spec{
		Vocab: c.Need("padded_vocab_size"), Hidden: c.Need("hidden_size"), Layers: layers(c, "num_layers"), Context: c.Int("seq_length", 2048),
		TiedEmbedding: c.Bool("tie_word_embeddings", false), NoFinalNorm: !c.Bool("post_layer_norm", true),
	}
	s.NormedResidual = c.Bool("apply_residual_connection_post_layernorm", false)
	linear := c.Bool("add_bias_linear", false)
	s.Norm = nn.Norm{Kind: nn.RMSNorm, Epsilon: c.Float32("layernorm_epsilon", 1e-5)}
	if !c.Bool("rmsnorm", true) {
		s.Norm.Kind, s.Norm.Bias = nn.LayerNorm, true
	}
	a := nn.Attention{Heads: c.Need("num_attention_heads"), Bias: c.Bool("add_qkv_bias", false) || linear, OutputBias: linear}
	if a.Heads > 0 {
		a.HeadSize = c.Int("kv_channels", s.Hidden/a.Heads)
	}
	a.KVHeads = c.Int("multi_query_group_num", 1)
	c.Refuse("multi_query_attention", true)
	a.RoPE = nn.RoPE{Theta: 10000 * c.Float("rope_ratio", 1), Rotary: a.HeadSize / 2, Interleaved: true}
	s.Attention = a
	s.FeedForward = nn.FeedForward{Hidden: c.Need("ffn_hidden_size"), Activation: compute.SiLU, Bias: linear}
	c.Refuse("pre_seq_len")
	c.Refuse("prefix_projection", false)
	c.Refuse("original_rope", true)
	c.Refuse("quantization_bit", 0.0)
	c.Ignore("apply_query_key_layer_scaling", "attention_softmax_in_fp32", "bias_dropout_fusion", "fp32_residual_connection", "interleaved_qkv",
		"max_position_embeddings", "vocab_size", "classifier_dropout")
	return s
}
