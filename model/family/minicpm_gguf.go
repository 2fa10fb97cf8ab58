package family

import (
	"math"

	"lian/model/nn"
)

// minicpm: Llama with three scales; config.json gives two of them by what they follow from.
var _ = stored("minicpm", GGUF{
	Architecture: "minicpm",
	Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon,
		float("embedding_scale", "scale_emb", func(s *nn.Spec) float64 { return float64(s.EmbeddingScale) }),
		Key{
			write: func(s *nn.Spec, put func(string, any)) {
				put("residual_scale", s.ResidualScale)
				put("logit_scale", float32(dividedLogits(s)))
			},
			read: func(r *reading) {
				layers, _ := r.number("block_count")
				hidden, _ := r.number("embedding_length")
				if v, ok := r.number("residual_scale"); ok {
					r.fields["scale_depth"] = decimal(float32(v * math.Sqrt(layers)))
				}
				if v, ok := r.number("logit_scale"); ok && v > 0 {
					r.fields["dim_model_base"] = math.Round(hidden / v)
				}
			},
		}),
	Interleaved: true,
	Extra:       ropeFactors,
})
