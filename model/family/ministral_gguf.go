package family

import "lian/model/nn"

// ministral3: also Mistral Small 3.1 and later, which have no stretched embedding. Here the multiplier of YaRN's logarithm is
// mscale_all_dim itself.
var _ = stored("ministral3", GGUF{
	Architecture: "mistral3",
	Keys:         keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads, vocabulary, rotary("partial_rotary_factor"), growingQueries),
	Interleaved:  true,
})

// growingQueries are read after what stretches the rotary embedding.
var growingQueries = Key{
	write: func(s *nn.Spec, put func(string, any)) {
		if m := s.Attention.RoPE.Scaling.MScaleAllDim; m != 0 {
			put("rope.scaling.yarn_log_multiplier", float32(m))
		}
		if b := s.Attention.LongScale.Beta; b != 0 {
			put("attention.temperature_scale", float32(b))
		}
	},
	read: func(r *reading) {
		scaling, ok := r.fields["rope_scaling"].(map[string]any)
		if !ok {
			scaling = map[string]any{"rope_type": "default"}
		}
		delete(r.fields, "rope_scaling")
		if m, ok := r.number("rope.scaling.yarn_log_multiplier"); ok {
			scaling["mscale"], scaling["mscale_all_dim"] = m, m
		}
		if b, ok := r.number("attention.temperature_scale"); ok {
			scaling["llama_4_scaling_beta"] = b
		}
		if theta, ok := r.fields["rope_theta"]; ok {
			scaling["rope_theta"] = theta
		}
		r.fields["rope_parameters"], r.fields["sliding_window"] = scaling, nil
	},
}

// bitnet: llama.cpp computes the first BitNets, whose function is SiLU and whose head is the embedding; what is written is the
// model's own weights, which its converter would round to three values once more.
var _ = stored("bitnet", GGUF{
	Architecture: "bitnet",
	Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads, vocabulary, present("attention_bias", "blk.0.attn_q.bias"), Key{
		read: func(r *reading) { r.fields["hidden_act"] = "silu" },
	}),
})
