package family

import (
	"math"
	"slices"

	"lian/compute"
	"lian/model/nn"
)

// ropeScaling is how a rotary embedding is stretched: keys for the linear rule and YaRN, tensors of factors for llama3 and
// longrope. The dynamic rule has no place in GGUF.
var ropeScaling = Key{
	write: func(s *nn.Spec, put func(string, any)) {
		r := s.Attention.RoPE.Scaling
		switch r.Rule {
		case "linear", "yarn", "longrope":
			put("rope.scaling.type", r.Rule)
		}
		switch r.Rule {
		case "linear":
			put("rope.scaling.factor", float32(r.Factor))
		case "yarn":
			put("rope.scaling.factor", float32(r.Factor))
			put("rope.scaling.original_context_length", uint32(r.OriginalContext))
			for _, x := range []struct {
				key   string
				value float64
			}{{"attn_factor", r.AttentionFactor}, {"beta_fast", r.BetaFast}, {"beta_slow", r.BetaSlow}} {
				if x.value != 0 {
					put("rope.scaling.yarn_"+x.key, float32(x.value))
				}
			}
		}
	},
	read: readRoPEScaling,
}

func readRoPEScaling(r *reading) {
	rule, out := r.text("rope.scaling.type"), map[string]any{}
	set := func(key, field string) bool {
		v, ok := r.number("rope.scaling." + key)
		if ok {
			out[field] = v
		}
		return ok
	}
	if v, ok := r.number("rope.scale_linear"); ok && v != 1 && rule == "" { // of 2023
		rule, out["factor"] = "linear", v
	}
	switch rule {
	case "", "none":
		r.number("rope.scaling.factor")
		r.number("rope.scaling.original_context_length")
	case "linear":
		if set("factor", "factor"); out["factor"] == 1.0 { // nothing is stretched
			rule = ""
		}
	case "yarn":
		if !set("factor", "factor") {
			r.fail("metadata %srope.scaling.factor is missing, and the type is yarn", r.prefix)
		}
		set("original_context_length", "original_max_position_embeddings")
		set("yarn_attn_factor", "attention_factor")
		set("yarn_beta_fast", "beta_fast")
		set("yarn_beta_slow", "beta_slow")
		if v, ok := r.number("rope.scaling.yarn_log_multiplier"); ok {
			out["mscale"], out["mscale_all_dim"] = decimal(float32(v*10)), decimal(float32(v*10))
		}
	case "longrope":
	default:
		r.fail("metadata %srope.scaling.type is %q; none, linear, yarn and longrope are known", r.prefix, rule)
	}
	r.value("rope.scaling.finetuned")
	if factors, ok := r.factors("rope_factors_long.weight"); ok {
		short, _ := r.factors("rope_factors_short.weight")
		rule, out = "longrope", map[string]any{"long_factor": factors, "short_factor": short}
		context, _ := r.number("context_length")
		original, _ := r.number("rope.scaling.original_context_length")
		if original > 0 {
			r.fields["original_max_position_embeddings"] = original
		}
		if v, ok := r.number("rope.scaling.attn_factor"); ok && math.Abs(v-longRoPEAttention(context, original)) > 1e-6 {
			out["attention_factor"] = v
		}
	} else if factors, ok := r.factors("rope_freqs.weight"); ok {
		rule, out = stretched(r, factors)
	}
	if rule == "" || rule == "none" {
		return
	}
	out["rope_type"] = rule
	r.fields["rope_scaling"] = out
}

// longRoPEAttention is what cosines and sines of a context are multiplied with where nobody says it.
func longRoPEAttention(context, original float64) float64 {
	if original < 2 || context <= original {
		return 1
	}
	return math.Sqrt(1 + math.Log(context/original)/math.Log(original))
}

// factors are a tensor of what frequencies are divided by.
func (r *reading) factors(tensor string) ([]float32, bool) {
	if _, ok := r.file.Info(tensor); !ok {
		return nil, false
	}
	values, err := r.file.Float32s(tensor)
	if err != nil {
		r.fail("%w", err)
	}
	return values, err == nil
}

// stretched finds Llama 3's rule for factors, or takes them as they are: longrope with the same ones at every length.
func stretched(r *reading, factors []float32) (string, map[string]any) {
	theta, ok := r.number("rope.freq_base")
	if !ok {
		theta = 10000
	}
	context, _ := r.number("context_length")
	rule := compute.RoPEScaling{Rule: "llama3", Theta: theta, Rotary: 2 * len(factors), Factor: decimal(slices.Max(factors))}
	for _, guess := range append([][2]float64{{8192, 4}}, llama3Bounds(rule, factors)...) {
		rule.OriginalContext, rule.LowFreqFactor, rule.HighFreqFactor = int(guess[0]), 1, guess[1]
		same := true
		for i, f := range llama3Factors(rule) {
			same = same && math.Abs(float64(f-factors[i])) <= 1e-5*float64(f)
		}
		if same {
			return "llama3", map[string]any{"factor": rule.Factor, "low_freq_factor": 1.0, "high_freq_factor": guess[1], "original_max_position_embeddings": guess[0]}
		}
	}
	return "longrope", map[string]any{"long_factor": factors, "short_factor": factors, "attention_factor": 1.0, "factor": 1.0, "original_max_position_embeddings": context}
}

// llama3Bounds are the original context and the high-frequency factor that give these factors, if the low-frequency factor is 1:
// between the bounds, the share of a frequency that is kept is a straight line over it. Where too few frequencies lie between
// them the usual ratio is tried with every power of two.
func llama3Bounds(rule compute.RoPEScaling, factors []float32) (bounds [][2]float64) {
	type point struct{ turns, kept float64 }
	var between []point
	for i, f := range factors {
		if f > 1 && float64(f) < rule.Factor {
			frequency := math.Pow(rule.Theta, -float64(2*i)/float64(rule.Rotary))
			between = append(between, point{frequency / (2 * math.Pi), (1/float64(f) - 1/rule.Factor) / (1 - 1/rule.Factor)})
		}
	}
	if n := len(between); n > 1 {
		first, last := between[0], between[n-1]
		slope := (first.kept - last.kept) / (first.turns - last.turns)
		if at := slope*first.turns - first.kept; at > 0 { // kept = (original·turns − 1) / (high − 1)
			bounds = append(bounds, [2]float64{math.Round(slope / at), math.Round((1+1/at)*1000) / 1000})
		}
	}
	for original := 16.0; original <= 1<<20; original *= 2 {
		bounds = append(bounds, [2]float64{original, 4})
	}
	return bounds
}

// llama3Factors are what Llama 3's rule divides each frequency by, in the float32 arithmetic of llama.cpp's converter.
func llama3Factors(r compute.RoPEScaling) []float32 {
	or := func(v, missing float64) float32 {
		if v == 0 {
			v = missing
		}
		return float32(v)
	}
	factor, low, high, original := or(r.Factor, 8), or(r.LowFreqFactor, 1), or(r.HighFreqFactor, 4), or(float64(r.OriginalContext), 8192)
	out := make([]float32, r.Rotary/2)
	for i := range out {
		frequency := 1 / float32(math.Pow(r.Theta, float64(float32(2*i)/float32(r.Rotary))))
		switch length := float32(2*math.Pi) / frequency; {
		case length < original/high:
			out[i] = 1
		case length > original/low:
			out[i] = factor
		default:
			smooth := float32(original/length-low) / (high - low)
			out[i] = 1 / (float32((1-smooth)/factor) + smooth)
		}
	}
	return out
}

// ropeFactors are the tensors that say how a rotary embedding is stretched.
func ropeFactors(s *nn.Spec) ([]Computed, error) {
	r := s.Attention.RoPE.Scaling
	r.Theta, r.Rotary = s.Attention.RoPE.Theta, s.Attention.RoPE.Rotary
	switch r.Rule {
	case "llama3":
		return []Computed{{"rope_freqs.weight", llama3Factors(r)}}, nil
	case "longrope":
		return []Computed{{"rope_factors_long.weight", narrow(r.LongFactor)}, {"rope_factors_short.weight", narrow(r.ShortFactor)}}, nil
	}
	return nil, nil
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}
