package family

import "lian/model/nn"

// exaone4: the layers that have a window are always listed, if some have.
var _ = stored("exaone4", GGUF{
	Architecture: "exaone4",
	Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads, vocabulary, Key{
		write: func(s *nn.Spec, put func(string, any)) {
			if n := widest(s); n > 0 {
				put("attention.sliding_window", uint32(n))
				put("attention.sliding_window_pattern", windowFlags(s))
			}
		},
		read: func(r *reading) {
			if n, ok := r.number("attention.sliding_window"); ok && n > 0 {
				windows(4).read(r)
				return
			}
			r.value("attention.sliding_window_pattern")
			r.fields["sliding_window"] = nil
		},
	}),
	Extra: ropeFactors,
})
