package figure

import (
	"math"

	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// sharpness is what scores are multiplied by before their largest is asked for.
const sharpness = 1 << 20

// logits finds the largest scores of attention. It keeps what it computes in, as layers are of one size.
type logits struct{ out, sums, slopes *compute.Tensor }

// largest is the largest score that any query of an attention gives any key that it sees, as the attention computes it; −∞ if none sees any.
//
// The attention is launched once more with scores 2²⁰ times as large. The logarithm of a query's softmax denominator is then 2²⁰ times
// its largest score, and at most log(keys) more: all other terms vanish beside the largest. So the backend's own kernels and masks find
// it, for a forward of attention.
func (l *logits) largest(s compute.Stream, o *compute.Attention) (float64, error) {
	b := s.Backend()
	sharp := *o
	sharp.Out, sharp.LogSumExp = need(b, &l.out, o.Out.Shape...), need(b, &l.sums, o.Q.Shape[:2]...)
	sharp.Scale, sharp.Softcap, sharp.Sinks = o.Scale*sharpness, o.Softcap*sharpness, nil
	if o.Slopes != nil {
		slopes, err := model.Floats(s, o.Slopes)
		if err != nil {
			return 0, err
		}
		for i := range slopes {
			slopes[i] *= sharpness
		}
		sharp.Slopes = need(b, &l.slopes, o.Slopes.Shape...)
		s.Write(sharp.Slopes, compute.HostBytes(slopes))
	}
	s.Launch(&sharp)
	sums, err := model.Floats(s, sharp.LogSumExp)
	if err != nil {
		return 0, err
	}
	most := math.Inf(-1)
	for _, x := range sums {
		most = max(most, float64(x)/sharpness)
	}
	return most, nil
}

// need makes a float32 tensor anew unless it has the shape already.
func need(b compute.Backend, x **compute.Tensor, shape ...int) *compute.Tensor {
	elements := 1
	for _, n := range shape {
		elements *= n
	}
	if *x == nil || (*x).Elements() != elements {
		*x = compute.NewTensor(b, dtype.F32, shape...)
	}
	return (*x).View(shape...)
}
