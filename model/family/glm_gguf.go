package family

import "lian/model/nn"

var glmGateUp = stackedGateUp(at("blk.{layer}.ffn_up"))

// glm: GLM-4 of 2024 as transformers has it. llama.cpp's converter gives the hidden size as the context length; ours gives the
// context length.
var _ = stored("glm", GGUF{
	Architecture: "chatglm",
	Keys:         keys(sizes, rmsEpsilon, ropeTheta, evenHeads, rotaryShare, present("attention_bias", "blk.0.attn_q.bias")),
	Names:        glmGateUp,
	Reads:        func(f GGUFFile) bool { _, fused := f.Info("blk.0.attn_qkv.weight"); return !fused },
})

var _ = stored("glm4", GGUF{
	Architecture: "glm4",
	Keys:         keys(sizes, ropeScaling, rmsEpsilon, ropeTheta, evenHeads, rotaryShare, present("attention_bias", "blk.0.attn_q.bias")),
	Names:        glmGateUp,
})

// rotaryShare is rotary for families whose share is not 1 where nobody says it.
var rotaryShare = Key{
	write: func(s *nn.Spec, put func(string, any)) { put("rope.dimension_count", uint32(s.Attention.RoPE.Rotary)) },
	read: func(r *reading) {
		if turns, ok := r.number("rope.dimension_count"); ok && r.head() > 0 {
			r.fields["partial_rotary_factor"] = turns / r.head()
		}
	},
}
