package family

import "lian/model/nn"

// Llama's relatives under names of their own. ernie4_5 has its pairs interleaved as they are.
var (
	_ = stored("arcee", llamaGGUF.as("arcee"))
	_ = stored("ernie4_5", GGUF{Architecture: "ernie4_5", Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads, present("use_bias", "blk.0.attn_q.bias"))})
	_ = stored("seed_oss", GGUF{
		Architecture: "seed_oss",
		Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads, present("attention_bias", "blk.0.attn_q.bias"),
			present("attention_out_bias", "blk.0.attn_output.bias"), present("mlp_bias", "blk.0.ffn_down.bias")),
		Names: Names{"feed_forward_norm": at("blk.{layer}.post_attention_norm")},
	})
	_ = stored("exaone", GGUF{Architecture: "exaone", Keys: keys(sizes, ropeScaling, ropeTheta, bothEpsilons("layer_norm_epsilon"),
		rotary("partial_rotary_factor")), Extra: ropeFactors})
)

// bothEpsilons is an epsilon that files give under both names.
func bothEpsilons(field string) Key {
	return Key{
		write: func(s *nn.Spec, put func(string, any)) {
			put("attention.layer_norm_epsilon", s.Norm.Epsilon)
			put("attention.layer_norm_rms_epsilon", s.Norm.Epsilon)
		},
		read: func(r *reading) {
			r.copy("attention.layer_norm_rms_epsilon", field)
			r.copy("attention.layer_norm_epsilon", field)
		},
	}
}

// nemotron: gains are stored as what they are, as the Spec has them.
var _ = stored("nemotron", GGUF{
	Architecture: "nemotron",
	Keys: keys(sizes, ropeTheta, evenHeads, vocabulary, noScaling, bothEpsilons("norm_eps"), rotaryShare,
		present("attention_bias", "blk.0.attn_q.bias"), present("mlp_bias", "blk.0.ffn_down.bias")),
})

// baichuan: the 13B models, of 40 layers, have linear biases by distance, which GGUF leaves unsaid.
var _ = stored("baichuan", GGUF{
	Architecture: "baichuan",
	Keys: keys(constant("tensor_data_layout", "Meta AI original pth"), sizes, rmsEpsilon, Key{
		write: func(s *nn.Spec, put func(string, any)) { put("rope.dimension_count", uint32(s.Attention.HeadSize)) },
		read: func(r *reading) {
			r.value("rope.dimension_count")
			if layers, _ := r.number("block_count"); layers == 40 {
				r.fields["model_max_length"] = r.fields["max_position_embeddings"]
				delete(r.fields, "max_position_embeddings")
			}
			delete(r.fields, "num_key_value_heads")
		},
	}),
	Interleaved: true,
	NamesOf: func(s *nn.Spec) Names {
		if s.UnitHead {
			return Names{"head": at("output").unit()}
		}
		return nil
	},
})

// chatglm: as glm, with q, k and v in one tensor, under the names of its own config.json.
var _ = stored("chatglm", GGUF{
	Architecture: "chatglm",
	Keys: keys(
		whole("block_count", "num_layers", func(s *nn.Spec) int { return s.Layers }).needed("block_count"),
		whole("context_length", "seq_length", func(s *nn.Spec) int { return s.Context }),
		whole("embedding_length", "hidden_size", func(s *nn.Spec) int { return s.Hidden }).needed("embedding_length"),
		whole("feed_forward_length", "ffn_hidden_size", func(s *nn.Spec) int { return s.FeedForward.Hidden }),
		whole("attention.head_count", "num_attention_heads", func(s *nn.Spec) int { return s.Attention.Heads }).needed("attention.head_count"),
		whole("attention.head_count_kv", "multi_query_group_num", func(s *nn.Spec) int { return s.Attention.KVHeads }),
		float("attention.layer_norm_rms_epsilon", "layernorm_epsilon", epsilon),
		Key{
			write: func(s *nn.Spec, put func(string, any)) {
				put("rope.dimension_count", uint32(s.Attention.RoPE.Rotary))
				put("rope.freq_base", float32(s.Attention.RoPE.Theta))
			},
			read: func(r *reading) {
				r.value("rope.dimension_count")
				if base, ok := r.number("rope.freq_base"); ok {
					r.fields["rope_ratio"] = base / 10000
				}
				r.fields["padded_vocab_size"], r.fields["multi_query_attention"], r.fields["kv_channels"] = r.fields["vocab_size"], true, r.head()
			},
		}, present("add_qkv_bias", "blk.0.attn_qkv.bias")),
	Names: join(fusedQKV, glmGateUp),
	Reads: func(f GGUFFile) bool { _, fused := f.Info("blk.0.attn_qkv.weight"); return fused },
})

// deepseek: DeepSeek-MoE, with rows of q and k as Llama's.
var _ = stored("deepseek", GGUF{
	Architecture: "deepseek",
	Keys: keys(sizes, noScaling, ropeTheta, rmsEpsilon, vocabulary, rotary("partial_rotary_factor"), experts("n_routed_experts"), routed[:2], Key{
		write: func(s *nn.Spec, put func(string, any)) {
			m := mixture(s)
			put("expert_weights_scale", float32(1))
			put("expert_gating_func", uint32(softmaxGate))
			put("expert_shared_count", uint32(m.Experts.Shared/max(m.Hidden, 1)))
		},
		read: func(r *reading) {
			r.value("expert_weights_scale")
			r.value("expert_gating_func")
			r.copy("expert_shared_count", "n_shared_experts")
		},
	}),
	Interleaved: true,
})

// qwen: the first Qwen.
var _ = stored("qwen", GGUF{
	Architecture: "qwen",
	Keys: keys(sizes[:3], sizes[4:5], ropeTheta, bothEpsilons("layer_norm_epsilon"), Key{
		write: func(s *nn.Spec, put func(string, any)) {
			put("feed_forward_length", uint32(2*s.FeedForward.Hidden)) // of gate and up
		},
		read: func(r *reading) {
			r.copy("feed_forward_length", "intermediate_size")
			r.value("rope.dimension_count")
			if theta, ok := r.fields["rope_theta"]; ok {
				r.fields["rotary_emb_base"] = theta
			}
			r.fields["no_bias"] = true
		},
	}),
	Names: fusedQKV,
})
