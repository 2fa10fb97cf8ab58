package nn

import (
	"math"

	"lian/compute"
	"lian/dtype"
	"lian/random"
)

// Initialise makes a decoder with random weights that depend on the seed and their names only. Matrices are normal with
// standard deviation 0.02 (those that write into the residual stream 0.02/√(2·layers), as GPT-2 does), or with deviation > 0
// that one instead; gains are 1, biases 0.
func Initialise(b compute.Backend, s Spec, seed uint64, deviation float64) (*Decoder, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if deviation == 0 {
		deviation = 0.02
	}
	weights, stream := map[string]*compute.Tensor{}, b.NewStream()
	for _, w := range s.Weights() {
		t := compute.NewTensor(b, dtype.F32, w.Shape...)
		values, key, scale := make([]float32, t.Elements()), random.New(seed, "initialise", w.Name), deviation
		switch w.Kind {
		case Gain:
			for i := range values {
				values[i] = 1 - s.Norm.Offset
			}
			scale = 0
		case Bias:
			scale = 0
		case Residual:
			scale /= math.Sqrt(float64(2 * s.Layers))
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
