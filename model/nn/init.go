package nn

import (
	"fmt"
	"math"

	"lian/compute"
	"lian/dtype"
	"lian/random"
)

// Scheme says how large the random matrices of a new model are.
type Scheme string

// The schemes. Gains are 1 and biases 0 in all of them.
const (
	Normal Scheme = "normal" // standard deviation 0.02 everywhere (BERT, Llama's configuration)
	GPT2   Scheme = "gpt2"   // 0.02; what writes into the stream 0.02/√(2·layers) (Radford et al. 2019)
	Small  Scheme = "small"  // √(2/(5·hidden)); what writes into the stream 2/(layers·√hidden) (Nguyen & Salazar, arXiv 1910.05895; GPT-NeoX, arXiv 2204.06745)
	FanIn  Scheme = "fan-in" // 1/√inputs; what writes into the stream that by 1/√(2·layers); embeddings 0.02 (OLMo's "mitchell", arXiv 2501.00656)
)

// deviation of a weight's random values.
func (s Scheme) deviation(spec *Spec, w Weight, base float64) (float64, error) {
	layers, hidden := float64(spec.Layers), float64(spec.Hidden)
	switch s {
	case Normal:
		return base, nil
	case GPT2:
		if w.Kind == Residual {
			return base / math.Sqrt(2*layers), nil
		}
		return base, nil
	case Small:
		if w.Kind == Residual {
			return 2 / (layers * math.Sqrt(hidden)), nil
		}
		return math.Sqrt(2 / (5 * hidden)), nil
	case FanIn:
		if w.Kind == Embedding {
			return base, nil
		}
		deviation := 1 / math.Sqrt(float64(w.Shape[len(w.Shape)-1]))
		if w.Kind == Residual {
			deviation /= math.Sqrt(2 * layers)
		}
		return deviation, nil
	}
	return 0, fmt.Errorf("initial weights %q, expected %s, %s, %s or %s", s, Normal, GPT2, Small, FanIn)
}

// Initialise is InitialiseBy the scheme of GPT-2, with another standard deviation than 0.02 where it is not 0.
func Initialise(b compute.Backend, s Spec, seed uint64, deviation float64) (*Decoder, error) {
	return InitialiseBy(b, s, seed, GPT2, deviation)
}

// InitialiseBy makes a decoder with random weights that depend on the seed, the scheme and their names only. deviation replaces the scheme's
// 0.02 where it has one; 0 keeps it.
func InitialiseBy(b compute.Backend, s Spec, seed uint64, scheme Scheme, deviation float64) (*Decoder, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if deviation == 0 {
		deviation = 0.02
	}
	weights, stream := map[string]*compute.Tensor{}, b.NewStream()
	for _, w := range s.Weights() {
		t := compute.NewTensor(b, dtype.F32, w.Shape...)
		values, key := make([]float32, t.Elements()), random.New(seed, "initialise", w.Name)
		scale, err := scheme.deviation(&s, w, deviation)
		if err != nil {
			return nil, err
		}
		switch w.Kind {
		case Gain:
			for i := range values {
				values[i] = 1 - s.Norm.Offset
			}
			scale = 0
		case Bias:
			scale = 0
		}
		if scale > 0 {
			for i := range values {
				values[i] = float32(key.Normal(i) * scale)
			}
		}
		stream.Write(t, compute.HostBytes(values))
		weights[w.Name] = t
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return New(b, s, weights)
}
