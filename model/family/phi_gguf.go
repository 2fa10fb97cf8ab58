package family

import (
	"maps"

	"lian/model/nn"
)

var _ = stored("phi", GGUF{Architecture: "phi2", Keys: keys(sizes, layerEpsilon, rotary("partial_rotary_factor"))})

// phi3: q, k and v in one tensor, gate and up in another. Long contexts are stretched by tensors of factors and a number that
// cosines and sines are multiplied with.
var phi3GGUF = GGUF{
	Architecture: "phi3",
	Keys: keys(sizes, rmsEpsilon, ropeTheta, rotary("partial_rotary_factor"), Key{
		write: func(s *nn.Spec, put func(string, any)) {
			r := s.Attention.RoPE.Scaling
			original := r.OriginalContext
			if original == 0 {
				original = 4096
			}
			put("rope.scaling.original_context_length", uint32(original))
			if r.Rule == "longrope" {
				attention := longRoPEAttention(float64(s.Context), float64(original))
				if r.AttentionFactor != 0 {
					attention = r.AttentionFactor
				}
				put("rope.scaling.attn_factor", float32(attention))
			}
			put("attention.sliding_window", uint32(widest(s)))
		},
		read: func(r *reading) {
			readRoPEScaling(r)
			if n, ok := r.number("attention.sliding_window"); ok && n > 0 {
				r.fields["sliding_window"] = n
			}
		},
	}),
	Names: join(fusedQKV, stackedGateUp(at("blk.{layer}.ffn_up"))),
	Extra: ropeFactors,
}

var _ = stored("phi3", phi3GGUF)

// join is all of several groups of names.
func join(groups ...Names) Names {
	out := Names{}
	for _, g := range groups {
		maps.Copy(out, g)
	}
	return out
}
