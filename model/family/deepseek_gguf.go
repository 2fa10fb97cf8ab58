package family

import "lian/model/nn"

// The numbers that GGUF has for a router's function. Source: llama.cpp, llama_expert_gating_func_type.
const (
	softmaxGate = 1
	sigmoidGate = 2
)

// routed are the switches of DeepSeek's mixtures.
var routed = Keys{
	whole("leading_dense_block_count", "first_k_dense_replace", func(s *nn.Spec) int {
		first := 0
		for first < s.Layers && s.Layer(first).FeedForward.Experts.Count == 0 {
			first++
		}
		return first
	}),
	expertSize,
	{
		write: func(s *nn.Spec, put func(string, any)) {
			m := mixture(s)
			e := m.Experts
			put("expert_shared_count", uint32(e.Shared/max(m.Hidden, 1)))
			put("expert_weights_scale", e.Route.Factor())
			if e.Route.Renormalise {
				put("expert_weights_norm", true)
			}
			if e.Route.Groups > 1 {
				put("expert_group_count", uint32(e.Route.Groups))
				put("expert_group_used_count", uint32(e.Route.TopGroups))
			}
			gate := softmaxGate
			if e.Route.Sigmoid {
				gate = sigmoidGate
			}
			put("expert_gating_func", uint32(gate))
		},
		read: func(r *reading) {
			r.fields["norm_topk_prob"], r.fields["n_group"], r.fields["topk_group"] = false, 1, 1
			r.copy("expert_shared_count", "n_shared_experts")
			r.copy("expert_weights_scale", "routed_scaling_factor")
			r.copy("expert_weights_norm", "norm_topk_prob")
			r.copy("expert_group_count", "n_group")
			r.copy("expert_group_used_count", "topk_group")
			r.value("expert_gating_func")
		},
	},
}

// latent are the sizes of latent attention. What a cache keeps is a head of its own to GGUF: key_length is that of the latent and
// the rotary key.
var latent = Keys{
	whole("attention.kv_lora_rank", "kv_lora_rank", func(s *nn.Spec) int { return s.Attention.Latent.Rank }),
	{
		write: func(s *nn.Spec, put func(string, any)) {
			if n := s.Attention.Latent.QueryRank; n > 0 {
				put("attention.q_lora_rank", uint32(n))
			}
		},
		read: func(r *reading) {
			r.fields["q_lora_rank"] = nil
			r.copy("attention.q_lora_rank", "q_lora_rank")
		},
	},
	{
		write: func(s *nn.Spec, put func(string, any)) {
			a := s.Attention
			put("attention.head_count_kv", uint32(1))
			put("attention.key_length", uint32(a.Latent.Rank+a.RoPE.Rotary))
			put("attention.value_length", uint32(a.Latent.Rank))
			put("attention.key_length_mla", uint32(a.HeadSize))
			put("attention.value_length_mla", uint32(a.Values()))
			put("rope.dimension_count", uint32(a.RoPE.Rotary))
			if m := a.RoPE.Scaling.MScaleAllDim; m != 0 {
				put("rope.scaling.yarn_log_multiplier", float32(0.1*m))
			}
		},
		read: func(r *reading) {
			for _, key := range []string{"attention.head_count_kv", "attention.key_length", "attention.value_length", "attention.value_length_mla"} {
				r.value(key)
			}
			turns, ok := r.number("rope.dimension_count")
			head, mla := r.number("attention.key_length_mla")
			values := "attention.value_length_mla"
			if !mla { // files of before April 2025 give the heads' sizes under the usual names
				head, mla = r.number("attention.key_length")
				values = "attention.value_length"
			}
			if !ok || !mla {
				r.fail("metadata %sattention.key_length or rope.dimension_count is missing", r.prefix)
			}
			r.fields["qk_rope_head_dim"], r.fields["qk_nope_head_dim"] = turns, head-turns
			r.copy(values, "v_head_dim")
		},
	},
}

// deepseekGGUF is how latent attention with DeepSeek's mixtures lies in GGUF.
var deepseekGGUF = GGUF{
	Architecture: "deepseek2",
	Keys:         keys(sizesWithoutKV, latent, ropeScaling, ropeTheta, rmsEpsilon, vocabulary, experts("n_routed_experts"), routed),
	Older:        keysWithValues,
}

// keysWithValues is how files of before April 2025 have the keys' and values' own parts: in one tensor, as the authors have them.
var keysWithValues = Names{"attention.k_b": keysAndValues("blk.{layer}.attn_kv_b", false), "attention.v_b": keysAndValues("blk.{layer}.attn_kv_b", true)}

// sigmoids says whether a router's function is the sigmoid.
func sigmoids(f GGUFFile) bool {
	v, _ := f.Value("deepseek2.expert_gating_func")
	n, _ := number(v)
	return n == sigmoidGate
}

var _ = stored("deepseek_v2", deepseekGGUF.as("deepseek2", Key{read: func(r *reading) {
	r.fields["scoring_func"], r.fields["topk_method"] = "softmax", "greedy"
	if n, ok := r.number("expert_group_count"); ok && n > 1 {
		r.fields["topk_method"] = "group_limited_greedy"
	}
}}).when(func(f GGUFFile) bool { return !sigmoids(f) }))

var _ = stored("deepseek_v3", deepseekGGUF.as("deepseek2", Key{read: func(r *reading) {
	r.fields["scoring_func"], r.fields["topk_method"] = "sigmoid", "noaux_tc"
}}).when(sigmoids))

// minicpm3: latent attention whose keys and values are made by one tensor; its scales are known to readers.
var _ = stored("minicpm3", GGUF{
	Architecture: "minicpm3",
	Keys: keys(sizesWithoutKV, rmsEpsilon, vocabulary, latent[:2], Key{
		write: func(s *nn.Spec, put func(string, any)) {
			put("attention.head_count_kv", uint32(s.Attention.Heads))
			put("attention.key_length", uint32(s.Attention.HeadSize))
			put("rope.dimension_count", uint32(s.Attention.RoPE.Rotary))
		},
		read: func(r *reading) {
			r.value("attention.head_count_kv")
			turns, _ := r.number("rope.dimension_count")
			head, _ := r.number("attention.key_length")
			r.fields["qk_rope_head_dim"], r.fields["qk_nope_head_dim"] = turns, head-turns
			if info, ok := r.file.Info("blk.0.attn_kv_b.weight"); ok && len(info.Shape) == 2 {
				heads, _ := r.number("attention.head_count")
				r.fields["v_head_dim"] = float64(info.Shape[0])/max(heads, 1) - (head - turns)
			}
		},
	}),
	Names: keysWithValues,
	Extra: ropeFactors,
})
