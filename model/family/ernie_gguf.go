package family

import (
	"fmt"

	"lian/model"
	"lian/model/nn"
)

// ernie4_5_moe has its pairs interleaved as they are. Layers past the last mixture are dense, which a file tells by its tensors.
var _ = stored("ernie4_5_moe", GGUF{
	Architecture: "ernie4_5-moe",
	Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads,
		whole("expert_count", "moe_num_experts", func(s *nn.Spec) int { return mixture(s).Experts.Count }),
		whole("expert_used_count", "moe_k", func(s *nn.Spec) int { return mixture(s).Experts.Chosen }),
		expertSize,
		whole("interleave_moe_layer_step", "moe_layer_interval", func(s *nn.Spec) int { _, _, step := ernieMixtures(s); return step }),
		whole("leading_dense_block_count", "moe_layer_start_index", func(s *nn.Spec) int { first, _, _ := ernieMixtures(s); return first }),
		whole("expert_shared_count", "moe_num_shared_experts", func(s *nn.Spec) int { return mixture(s).Experts.Shared / max(mixture(s).Hidden, 1) }),
		Key{
			write: func(s *nn.Spec, put func(string, any)) {
				if n := mixture(s).Experts.Shared; n > 0 {
					put("expert_shared_feed_forward_length", uint32(n))
				}
			},
			read: func(r *reading) {
				r.value("expert_shared_feed_forward_length")
				layers, _ := r.number("block_count")
				for l := range int(min(layers, 1<<16)) {
					if _, ok := r.file.Info(fmt.Sprintf("blk.%d.ffn_gate_inp.weight", l)); ok {
						r.fields["moe_layer_end_index"] = l
					}
				}
			},
		}),
	Names: Names{"feed_forward.router_correction": full("blk.{layer}.exp_probs_b.bias").as(func(v *model.View) { v.Leading = 1 })},
})
