package adapter

import (
	"math"

	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// applyDoRA turns out = by·base·x (+ bias + residual) into by·gain ⊙ (base·x + scale·B·A·x) (+ bias + residual): the base's product is
// made again, since out holds more than it. Source: Liu et al., arXiv 2402.09353.
func (t *member) applyDoRA(p *model.Pass, x, low, out *compute.Tensor, by float32) {
	was, now := p.Tensor(out.Shape...), p.Tensor(out.Shape...)
	if t.base.Packed != nil {
		model.Launch(p, compute.PackedMatMul{A: x, Weight: *t.base.Packed, Out: was, Fast: p.Precision == model.Fast})
	} else {
		model.Launch(p, compute.MatMul{A: x, B: t.base, Out: was, TransB: true, Fast: p.Precision == model.Fast, BF16: p.BF16})
	}
	model.Launch(p, compute.MatMul{A: low, B: t.b, Out: now, TransB: true, Alpha: t.scale, Residual: was, Bias: t.bias, BF16: p.BF16})
	scaled, less := p.Tensor(out.Shape...), p.Tensor(out.Shape...)
	model.Launch(p, compute.Mul{A: now, B: t.gain, Out: scaled})
	model.Launch(p, compute.Scale{X: was, Out: less, By: -1})
	model.Launch(p, compute.Add{A: scaled, B: less, Out: scaled})
	model.Launch(p, compute.Add{A: out, B: times(p, scaled, by), Out: out})
}

// dora fills in the gain: magnitude / ‖row of base + scale·B·A‖.
func (t *member) dora(s compute.Stream, base *compute.Tensor, magnitude []float32) error {
	w, err := model.Floats(s, base)
	if err != nil {
		return err
	}
	sum := compute.NewTensor(s.Backend(), dtype.F32, base.Shape...)
	s.Write(sum, compute.HostBytes(w))
	s.Launch(&compute.MatMul{A: t.b, B: t.a, Out: sum, Alpha: t.scale, Accumulate: true})
	if w, err = model.Floats(s, sum); err != nil {
		return err
	}
	gain, in := make([]float32, len(magnitude)), base.Shape[1]
	for i := range gain {
		square := 0.0
		for _, v := range w[i*in : (i+1)*in] {
			square += float64(v) * float64(v)
		}
		gain[i] = float32(float64(magnitude[i]) / math.Sqrt(square))
	}
	t.base, t.gain = base, tensorOf(s, gain, len(gain))
	return s.Err()
}

// scaleRows multiplies the rows of a float32 matrix.
func scaleRows(s compute.Stream, w, by *compute.Tensor) error {
	values, err := model.Floats(s, w)
	if err != nil {
		return err
	}
	gain, err := model.Floats(s, by)
	if err != nil {
		return err
	}
	in := w.Shape[1]
	for i := range values {
		values[i] *= gain[i/in]
	}
	s.Write(w, compute.HostBytes(values))
	return s.Err()
}

// tensorOf is a float32 tensor of values.
func tensorOf(s compute.Stream, values []float32, shape ...int) *compute.Tensor {
	t := compute.NewTensor(s.Backend(), dtype.F32, shape...)
	s.Write(t, compute.HostBytes(values))
	return t
}
