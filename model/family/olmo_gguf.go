package family

import "lian/model/nn"

var _ = stored("olmo", GGUF{
	Architecture: "olmo",
	Keys: keys(sizes, ropeScaling, ropeTheta,
		Key{
			write: func(s *nn.Spec, put func(string, any)) { put("attention.layer_norm_epsilon", float32(epsilon(s))) },
			read:  func(r *reading) { r.value("attention.layer_norm_epsilon") }, // the same for all
		},
		float("attention.clamp_kqv", "clip_qkv", func(s *nn.Spec) float64 { return float64(s.Attention.Clip) }).positive()),
	Interleaved: true,
})

var _ = stored("olmo2", GGUF{Architecture: "olmo2", Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon),
	Reads: func(f GGUFFile) bool { _, windows := f.Value("olmo2.attention.sliding_window"); return !windows }})

// olmo3 is olmo2 with windows; those layers are not stretched.
var _ = stored("olmo3", GGUF{
	Architecture: "olmo2",
	Keys: keys(sizes, globally(ropeScaling), ropeTheta, rmsEpsilon, windowList, Key{
		write: func(s *nn.Spec, put func(string, any)) {
			put("rope.freq_base_swa", float32(layerWith(s, true).Attention.RoPE.Theta))
		},
		read: func(r *reading) { r.value("rope.freq_base_swa") },
	}),
	Reads: func(f GGUFFile) bool { _, windows := f.Value("olmo2.attention.sliding_window"); return windows },
})
