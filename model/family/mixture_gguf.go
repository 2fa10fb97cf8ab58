package family

import (
	"fmt"

	"lian/model/nn"
)

// experts are how many there are and how many a token goes through; config.json has several names for the first.
func experts(count string) Keys {
	return Keys{
		whole("expert_count", count, func(s *nn.Spec) int { return mixture(s).Experts.Count }),
		whole("expert_used_count", "num_experts_per_tok", func(s *nn.Spec) int { return mixture(s).Experts.Chosen }),
	}
}

// expertSize is the size of one of them, sharedSize that of the feed-forward that every token goes through.
var (
	expertSize = whole("expert_feed_forward_length", "moe_intermediate_size", func(s *nn.Spec) int { return mixture(s).Hidden })
	sharedSize = whole("expert_shared_feed_forward_length", "shared_expert_intermediate_size", func(s *nn.Spec) int { return mixture(s).Experts.Shared })
)

// plainLayers are the layers that are no mixtures, which a file tells by its tensors.
var plainLayers = Key{read: func(r *reading) {
	layers, _ := r.number("block_count")
	list := []int{}
	for l := range int(min(layers, 1<<16)) {
		if _, ok := r.file.Info(fmt.Sprintf("blk.%d.ffn_gate_inp.weight", l)); !ok {
			list = append(list, l)
		}
	}
	r.fields["mlp_only_layers"] = list
}}

// hasExperts says whether a Llama is a mixture.
func hasExperts(f GGUFFile) bool {
	n, ok := f.Value("llama.expert_count")
	return ok && n != uint32(0)
}

// mixtral is Llama with experts.
var _ = stored("mixtral", GGUF{
	Architecture: "llama",
	Keys:         keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads, vocabulary, rotary("partial_rotary_factor"), experts("num_local_experts")),
	Interleaved:  true,
	Reads:        hasExperts,
})

var _ = stored("qwen2_moe", GGUF{
	Architecture: "qwen2moe",
	Keys:         keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, experts("num_experts"), expertSize, sharedSize, plainLayers),
	Fields:       map[string]any{"norm_topk_prob": false},
})

var _ = stored("qwen3_moe", GGUF{
	Architecture: "qwen3moe",
	Keys:         keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads, experts("num_experts"), expertSize, plainLayers, present("attention_bias", "blk.0.attn_q.bias")),
	Fields:       map[string]any{"norm_topk_prob": true},
})

var _ = stored("olmoe", GGUF{Architecture: "olmoe", Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, experts("num_experts"))})

// gpt_oss: the feed-forward's norm goes by the name of another; YaRN's bounds are not rounded, which GGUF leaves unsaid.
var _ = stored("gpt_oss", GGUF{
	Architecture: "gpt-oss",
	Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads, windows(2), experts("num_local_experts"),
		followed("expert_feed_forward_length", func(s *nn.Spec) int { return mixture(s).Hidden }), Key{read: func(r *reading) {
			if scaling, ok := r.fields["rope_scaling"].(map[string]any); ok {
				scaling["truncate"] = false
			} else {
				r.fields["rope_parameters"] = map[string]any{"rope_type": "default"} // none, where the family has one by default
			}
		}}),
	Names: Names{"feed_forward_norm": at("blk.{layer}.post_attention_norm")},
})

var _ = stored("phimoe", GGUF{Architecture: "phimoe", Keys: keys(phi3GGUF.Keys, experts("num_local_experts"), present("attention_bias", "blk.0.attn_q.bias"),
	present("lm_head_bias", "output.bias")), Extra: ropeFactors})

var _ = stored("granitemoe", graniteGGUF.as("granitemoe", experts("num_local_experts")).when(func(f GGUFFile) bool {
	_, shared := f.Value("granitemoe.expert_shared_feed_forward_length")
	return !shared
}))

var _ = stored("granitemoeshared", graniteGGUF.as("granitemoe", experts("num_local_experts"),
	whole("expert_shared_feed_forward_length", "shared_intermediate_size", func(s *nn.Spec) int { return mixture(s).Experts.Shared })).when(func(f GGUFFile) bool {
	_, shared := f.Value("granitemoe.expert_shared_feed_forward_length")
	return shared
}))
