package compute

import (
	"fmt"
	"math"
)

// RoPEScaling is how a model stretches its rotary embedding to longer contexts. The zero value of every field but Theta and
// Rotary means what the rule's authors' code takes when config.json says nothing. Field names are those of config.json's
// rope_parameters where it has them.
//
// Sources: Chen et al., arXiv 2306.15595 (linear); the NTK-aware and dynamic rules as transformers' modeling_rope_utils computes
// them; Peng et al., arXiv 2309.00071 (yarn); Llama 3.1's reference code (llama3); Ding et al., arXiv 2402.13753 (longrope).
type RoPEScaling struct {
	Rule   string  // default (or empty), linear, dynamic, yarn, llama3, longrope
	Theta  float64 // base of the frequencies
	Rotary int     // elements of a head that turn

	Factor          float64 // yarn, longrope: 0 is Context/OriginalContext
	Context         int     // max_position_embeddings: longest sequence after stretching
	OriginalContext int     // longest sequence of the model before stretching; 0 is Context

	AttentionFactor      float64 // yarn, longrope: what cosines and sines are multiplied with; 0 follows from the rule
	BetaFast, BetaSlow   float64 // yarn: turns within OriginalContext above which a pair is left as it is, below which it is stretched
	MScale, MScaleAllDim float64 // yarn as DeepSeek has it
	KeepFraction         bool    // yarn: bounds between stretched and unstretched pairs are not rounded to whole pairs (truncate: false)
	LowFreqFactor        float64 // llama3
	HighFreqFactor       float64 // llama3
	ShortFactor          []float64
	LongFactor           []float64 // longrope: one for each pair, up to OriginalContext and beyond
}

// Frequencies are the radians per position of each pair for a sequence of so many positions (only dynamic and longrope depend
// on it; 0 is a short one), and what RoPE.Scale is to be.
func (r RoPEScaling) Frequencies(length int) (frequencies []float32, scale float32, err error) {
	if r.Rotary < 2 || r.Rotary%2 != 0 || r.Theta <= 0 {
		return nil, 0, fmt.Errorf("rope: rotary size %d must be even and positive, theta %v positive", r.Rotary, r.Theta)
	}
	if r.OriginalContext == 0 {
		r.OriginalContext = r.Context
	}
	if r.Rule == "yarn" {
		r.Factor = r.stretch()
	}
	frequencies = make([]float32, r.Rotary/2)
	theta, dimensions, attention := r.Theta, float64(r.Rotary), 1.0
	if r.Rule == "dynamic" {
		if r.Factor < 1 || r.Context <= 0 || r.Rotary == 2 {
			return nil, 0, fmt.Errorf("rope dynamic: factor %v must be at least 1, context %d positive, rotary size %d more than 2", r.Factor, r.Context, r.Rotary)
		}
		stretch := r.Factor*float64(max(length, r.Context))/float64(r.Context) - (r.Factor - 1)
		theta *= math.Pow(stretch, dimensions/(dimensions-2))
	}
	adjust := func(_ int, f float64) float64 { return f }
	switch r.Rule {
	case "", "default", "dynamic":
	case "linear":
		adjust = func(_ int, f float64) float64 { return f / r.Factor }
	case "yarn":
		adjust, attention = r.yarn(), r.yarnAttention()
	case "llama3":
		adjust = r.llama3
	case "longrope":
		factors := r.ShortFactor
		if length > r.OriginalContext {
			factors = r.LongFactor
		}
		if len(factors) != len(frequencies) {
			return nil, 0, fmt.Errorf("rope longrope: %d factors for %d pairs", len(factors), len(frequencies))
		}
		adjust, attention = func(p int, f float64) float64 { return f / factors[p] }, r.longAttention()
	default:
		return nil, 0, fmt.Errorf("rope: no rule %q; known are default, linear, dynamic, yarn, llama3, longrope", r.Rule)
	}
	switch r.Rule {
	case "linear", "yarn", "llama3":
		if r.Factor <= 0 {
			return nil, 0, fmt.Errorf("rope %s: factor is %v, expected > 0", r.Rule, r.Factor)
		}
	}
	for p := range frequencies {
		frequencies[p] = float32(adjust(p, math.Pow(theta, -2*float64(p)/dimensions)))
	}
	return frequencies, float32(attention), nil
}

// yarn stretches pairs that turn less than BetaSlow times within the original context, leaves those that turn more than BetaFast
// times, and goes from one to the other in between.
func (r RoPEScaling) yarn() func(p int, f float64) float64 {
	fast, slow := or(r.BetaFast, 32), or(r.BetaSlow, 1)
	pairAt := func(turns float64) float64 { // the pair that turns so often
		return float64(r.Rotary) * math.Log(float64(r.OriginalContext)/(turns*2*math.Pi)) / (2 * math.Log(r.Theta))
	}
	low, high := pairAt(fast), pairAt(slow)
	if !r.KeepFraction {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(r.Rotary-1))
	if low == high {
		high += 0.001
	}
	return func(p int, f float64) float64 {
		stretched := min(max((float64(p)-low)/(high-low), 0), 1)
		return f/r.Factor*stretched + f*(1-stretched)
	}
}

func (r RoPEScaling) yarnAttention() float64 {
	by := func(m float64) float64 {
		if r.Factor <= 1 {
			return 1
		}
		return 0.1*m*math.Log(r.Factor) + 1
	}
	switch {
	case r.AttentionFactor != 0:
		return r.AttentionFactor
	case r.MScale != 0 && r.MScaleAllDim != 0:
		return by(r.MScale) / by(r.MScaleAllDim)
	}
	return by(1)
}

// llama3 stretches waves longer than the original context over LowFreqFactor, leaves those shorter than it over
// HighFreqFactor, and goes from one to the other in between.
func (r RoPEScaling) llama3(_ int, f float64) float64 {
	length := 2 * math.Pi / f
	low, high := or(r.LowFreqFactor, 1), or(r.HighFreqFactor, 4)
	switch original := float64(r.OriginalContext); {
	case length < original/high:
		return f
	case length > original/low:
		return f / r.Factor
	default:
		kept := (original/length - low) / (high - low)
		return (1-kept)*f/r.Factor + kept*f
	}
}

func (r RoPEScaling) longAttention() float64 {
	if r.AttentionFactor != 0 {
		return r.AttentionFactor
	}
	factor := r.stretch()
	if factor <= 1 {
		return 1
	}
	return math.Sqrt(1 + math.Log(factor)/math.Log(float64(r.OriginalContext)))
}

// stretch is how many times longer than before a sequence may be.
func (r RoPEScaling) stretch() float64 {
	if r.Factor == 0 && r.OriginalContext > 0 {
		return float64(r.Context) / float64(r.OriginalContext)
	}
	return r.Factor
}

func or(v, otherwise float64) float64 {
	if v == 0 {
		return otherwise
	}
	return v
}
