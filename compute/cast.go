package compute

import "lian/dtype"

// Cast writes the values of X in another type: float32 to and from float16, bfloat16, and the types whose blocks dtype can
// write or read. Rounding is to the nearest, halves to even; NaN stays NaN. Blocks have the bytes of dtype.Quantize, which refuses
// values that are not finite: the launch is an error then.
//
//	X, Out  any shape, equal; one of them float32
//
// Gradient: dX = dOut, as if nothing were rounded.
type Cast struct{ X, Out *Tensor }

// Name implements Op.
func (*Cast) Name() string { return "cast" }

// Inputs implements Op.
func (o *Cast) Inputs(list []*Tensor) []*Tensor { return append(list, o.X) }

// Outputs implements Op.
func (o *Cast) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Cast) Check() error {
	c := check(o).that(o.X != nil && o.Out != nil, "an operand is missing")
	if c.err != nil {
		return c.err
	}
	as := Tensor{Type: o.X.Type, Shape: o.Out.Shape}
	return c.that(sameShape(o.X, &as), "X %v and Out %v must have one shape", o.X, o.Out).
		that(o.X.Type == dtype.F32 && dtype.CanQuantize(o.Out.Type) || o.Out.Type == dtype.F32 && dtype.CanDequantize(o.X.Type), "from %v to %v: one must be F32 and the other a type of values", o.X.Type, o.Out.Type).err
}

// Backward implements Differentiable.
func (o *Cast) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	if dx, acc := b.Into(o.X); dx != nil {
		addInto(b, d, dx, acc)
	}
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, n := range OddSizes() {
		for _, t := range []dtype.Type{dtype.F16, dtype.BF16, dtype.F32} {
			for _, scale := range []float64{1, 1e-6, 1e5} { // subnormal and infinite in float16
				list = append(list, Sample{Name: sampleName("cast_to", t, n, scale), Make: func(m Maker) Op {
					return &Cast{X: m.Normal(scale, n), Out: m.Zero(t, n)}
				}, GradientTolerance: -1}, Sample{Name: sampleName("cast_from", t, n, scale), Make: func(m Maker) Op {
					return &Cast{X: m.Packed(t, scale, n), Out: m.Zero(dtype.F32, n)}
				}, GradientTolerance: -1})
			}
		}
	}
	for _, t := range dtype.All() {
		if t.Quantized() && dtype.CanQuantize(t) && dtype.CanDequantize(t) {
			list = append(list, Sample{Name: sampleName("cast_to", t), Make: func(m Maker) Op {
				return &Cast{X: m.Normal(1, 21, 512), Out: m.Zero(t, 21, 512)}
			}, GradientTolerance: -1}, Sample{Name: sampleName("cast_from", t), Make: func(m Maker) Op {
				return &Cast{X: m.Packed(t, 1, 21, 512), Out: m.Zero(dtype.F32, 21, 512)}
			}})
		}
	}
	return list
})
