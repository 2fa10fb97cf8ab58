package family

import "lian/model/nn"

// hunyuan_v1_dense: the base is stored as what a fixed alpha makes of it.
var hunyuanGGUF = GGUF{
	Architecture: "hunyuan-dense",
	Keys:         keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads, present("attention_bias", "blk.0.attn_q.bias")),
	Extra:        ropeFactors,
}

var _ = stored("hunyuan_v1_dense", hunyuanGGUF)

var _ = stored("hunyuan_v1_moe", hunyuanGGUF.as("hunyuan-moe", experts("num_experts"), constant("expert_shared_count", uint32(1)),
	followed("expert_feed_forward_length", func(s *nn.Spec) int { return mixture(s).Hidden }),
	followed("expert_shared_feed_forward_length", func(s *nn.Spec) int { return mixture(s).Experts.Shared })))
