package family

import (
	"maps"

	"lian/model/nn"
)

// fusedQKV: queries, keys and values lie one after the other in one tensor.
var fusedQKV = stackedQKV(at("blk.{layer}.attn_qkv"))

// gptSizes are the sizes under the names of GPT-2's config.json.
var gptSizes = keys(
	whole("block_count", "n_layer", func(s *nn.Spec) int { return s.Layers }).needed("block_count"),
	whole("context_length", "n_positions", func(s *nn.Spec) int { return s.Context }),
	whole("embedding_length", "n_embd", func(s *nn.Spec) int { return s.Hidden }).needed("embedding_length"),
	whole("feed_forward_length", "n_inner", func(s *nn.Spec) int { return s.FeedForward.Hidden }),
	whole("attention.head_count", "n_head", func(s *nn.Spec) int { return s.Attention.Heads }).needed("attention.head_count"),
	float("attention.layer_norm_epsilon", "layer_norm_epsilon", epsilon),
)

var headsKV = whole("attention.head_count_kv", "num_key_value_heads", func(s *nn.Spec) int { return s.Attention.KVHeads })

var _ = stored("gpt2", GGUF{Architecture: "gpt2", Keys: gptSizes, Names: fusedQKV})

var _ = stored("gpt_bigcode", GGUF{
	Architecture: "starcoder",
	Keys:         keys(gptSizes, onlyWritten(headsKV)),
	Fields:       map[string]any{"multi_query": true},
	Names:        fusedQKV,
})

// onlyWritten is a key that says nothing that the rest does not.
func onlyWritten(k Key) Key {
	k.read = func(r *reading) { r.value("attention.head_count_kv") }
	return k
}

var _ = stored("gpt_neox", GGUF{
	Architecture: "gptneox",
	Keys:         keys(sizesWithoutKV, layerEpsilon, rotary("rotary_pct"), parallelResidual),
	Names:        fusedQKV,
})

// sizesWithoutKV are the sizes of decoders in which every head has keys of its own.
var sizesWithoutKV = sizes[:len(sizes)-2]

var parallelResidual = flag("use_parallel_residual", "use_parallel_residual", func(s *nn.Spec) bool { return s.Parallel })

var _ = stored("starcoder2", GGUF{Architecture: "starcoder2", Keys: keys(sizes, ropeScaling, ropeTheta,
	float("attention.layer_norm_epsilon", "norm_epsilon", epsilon), present("use_bias", "blk.0.attn_q.bias"))})

var _ = stored("stablelm", GGUF{Architecture: "stablelm", Keys: keys(sizes, layerEpsilon, rotary("partial_rotary_factor"), parallelResidual,
	float("rope.freq_base", "rope_theta", func(s *nn.Spec) float64 { return s.Attention.RoPE.Theta }),
	present("use_qkv_bias", "blk.0.attn_q.bias"), present("qk_layernorm", "blk.0.attn_q_norm.weight"))})

var _ = stored("bloom", GGUF{
	Architecture: "bloom",
	Keys: keys(
		whole("block_count", "n_layer", func(s *nn.Spec) int { return s.Layers }).needed("block_count"),
		whole("context_length", "seq_length", func(s *nn.Spec) int { return s.Context }),
		whole("embedding_length", "hidden_size", func(s *nn.Spec) int { return s.Hidden }).needed("embedding_length"),
		followed("feed_forward_length", func(s *nn.Spec) int { return s.FeedForward.Hidden }),
		whole("attention.head_count", "n_head", func(s *nn.Spec) int { return s.Attention.Heads }).needed("attention.head_count"),
		onlyWritten(headsKV),
		float("attention.layer_norm_epsilon", "layer_norm_epsilon", epsilon),
	),
	Names: fusedQKV,
})

// followed is a whole number that follows from others.
func followed(key string, of func(s *nn.Spec) int) Key {
	k := whole(key, "", of)
	k.read = func(r *reading) { r.value(key) }
	return k
}

// mpt: biases by distance, no biases elsewhere.
var _ = stored("mpt", GGUF{
	Architecture: "mpt",
	Keys: keys(
		whole("block_count", "n_layers", func(s *nn.Spec) int { return s.Layers }).needed("block_count"),
		whole("context_length", "max_seq_len", func(s *nn.Spec) int { return s.Context }),
		whole("embedding_length", "d_model", func(s *nn.Spec) int { return s.Hidden }).needed("embedding_length"),
		followed("feed_forward_length", func(s *nn.Spec) int { return s.FeedForward.Hidden }),
		whole("attention.head_count", "n_heads", func(s *nn.Spec) int { return s.Attention.Heads }).needed("attention.head_count"),
		Key{
			write: func(s *nn.Spec, put func(string, any)) {
				put("attention.layer_norm_epsilon", float32(s.Norm.Epsilon))
				if s.Attention.Clip != 0 {
					put("attention.clamp_kqv", s.Attention.Clip)
				}
				bias := float32(0)
				if s.Attention.ALiBi.Rule != nn.NoALiBi {
					bias = 8
					if s.Attention.ALiBi.Max > 0 {
						bias = float32(s.Attention.ALiBi.Max)
					}
				}
				put("attention.max_alibi_bias", bias)
			},
			read: func(r *reading) {
				attention := map[string]any{"alibi": false}
				if v, ok := r.number("attention.clamp_kqv"); ok {
					attention["clip_qkv"] = v
				}
				if v, ok := r.number("attention.max_alibi_bias"); ok && v > 0 {
					attention["alibi"], attention["alibi_bias_max"] = true, v
				}
				r.fields["attn_config"] = attention
				r.copy("attention.layer_norm_epsilon", "layer_norm_epsilon")
			},
		}),
	Names: fusedQKV,
})

// falcon: of its two norms, where a layer has two, GGUF calls that of the feed-forward the first.
var _ = stored("falcon", GGUF{
	Architecture: "falcon",
	Keys: keys(
		constant("tensor_data_layout", "jploski"),
		whole("block_count", "num_hidden_layers", func(s *nn.Spec) int { return s.Layers }).needed("block_count"),
		whole("context_length", "max_position_embeddings", func(s *nn.Spec) int { return s.Context }),
		whole("embedding_length", "hidden_size", func(s *nn.Spec) int { return s.Hidden }).needed("embedding_length"),
		followed("feed_forward_length", func(s *nn.Spec) int { return s.FeedForward.Hidden }),
		whole("attention.head_count", "num_attention_heads", func(s *nn.Spec) int { return s.Attention.Heads }).needed("attention.head_count"),
		whole("attention.head_count_kv", "num_kv_heads", func(s *nn.Spec) int { return s.Attention.KVHeads }),
		float("attention.layer_norm_epsilon", "layer_norm_epsilon", epsilon),
		Key{read: func(r *reading) {
			_, two := r.file.Info("blk.0.attn_norm_2.weight")
			kv, _ := r.number("attention.head_count_kv")
			r.fields["new_decoder_architecture"], r.fields["multi_query"] = two, kv == 1
			r.fields["parallel_attn"], r.fields["bias"], r.fields["alibi"] = true, false, false
		}},
	),
	NamesOf: func(s *nn.Spec) Names {
		names := maps.Clone(fusedQKV)
		if !s.SharedNorm {
			names["attention_norm"], names["feed_forward_norm"] = at("blk.{layer}.attn_norm_2"), at("blk.{layer}.attn_norm")
		}
		return names
	},
})
