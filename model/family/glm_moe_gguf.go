package family

import "lian/model/nn"

// glm4_moe: block_count also counts layers that predict further tokens, where a file has them.
var _ = stored("glm4_moe", GGUF{
	Architecture: "glm4moe",
	Keys: keys(sizes, furtherLayers, ropeScaling, ropeTheta, rmsEpsilon, evenHeads, rotaryShare, experts("n_routed_experts"), routed,
		present("attention_bias", "blk.0.attn_q.bias"), present("use_qk_norm", "blk.0.attn_q_norm.weight")),
	Names: Names{"feed_forward_norm": at("blk.{layer}.post_attention_norm")},
})

// furtherLayers are not read, and Lian writes none.
var furtherLayers = Key{read: func(r *reading) {
	layers, _ := r.number("block_count")
	if further, ok := r.number("nextn_predict_layers"); ok && further > 0 {
		r.fields["num_hidden_layers"] = layers - further
	}
}}

// glm4_moe_lite has the switches of DeepSeek-V3, and is one to readers.
var _ = stored("glm4_moe_lite", deepseekGGUF.writeOnly())

// dots1: windows are left unsaid.
var _ = stored("dots1", GGUF{
	Architecture: "dots1",
	Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads, experts("n_routed_experts"), routed, present("attention_bias", "blk.0.attn_q.bias"), Key{
		read: func(r *reading) { r.fields["sliding_window"] = nil },
	}),
})

var _ = stored("minimax_m2", GGUF{
	Architecture: "minimax-m2",
	Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads, experts("num_local_experts"),
		whole("rope.dimension_count", "rotary_dim", func(s *nn.Spec) int { return s.Attention.RoPE.Rotary }),
		followed("expert_feed_forward_length", func(s *nn.Spec) int { return mixture(s).Hidden }), constant("expert_gating_func", uint32(sigmoidGate))),
})
