package compute

import "lian/dtype"

// LayerNorm writes Out[i,j] = (S[i,j] − mean_j S) / sqrt(variance_j S + Epsilon) · Weight[j] + Bias[j], where S is X, or with
// Residual X + Residual, which is stored in Sum on the way. The variance is the biased one.
//
//	X, Residual, Sum, Out  [rows, hidden]  float32; without a tape Out may alias X, and Sum may alias X or Residual
//	Weight, Bias           [hidden]        float32; nil is 1 and 0
//
// The mean comes first, then the squares of what is left, each a float32 sum in a fixed order: a row's result does not depend on
// rows. Source: Ba, Kiros & Hinton, arXiv 1607.06450.
type LayerNorm struct {
	X, Weight, Bias, Out *Tensor
	Residual, Sum        *Tensor // both or neither
	Epsilon              float32
}

// Name implements Op.
func (*LayerNorm) Name() string { return "layernorm" }

// Inputs implements Op.
func (o *LayerNorm) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.X, o.Weight, o.Bias, o.Residual)
}

// Outputs implements Op.
func (o *LayerNorm) Outputs(list []*Tensor) []*Tensor { return appendPresent(list, o.Out, o.Sum) }

// Check implements Op.
func (o *LayerNorm) Check() error {
	c := check(o).normed(o.X, o.Residual, o.Sum, o.Out)
	if c.err != nil {
		return c.err
	}
	return c.optional("Weight", o.Weight, dtype.F32, o.X.Columns()).optional("Bias", o.Bias, dtype.F32, o.X.Columns()).err
}

// Backward implements Differentiable.
func (o *LayerNorm) Backward(b Backprop) {
	x, dsum := o.X, (*Tensor)(nil)
	if o.Sum != nil {
		x, dsum = o.Sum, b.Grad(o.Sum)
	}
	d := b.Grad(o.Out)
	if d == nil {
		passOn(b, dsum, o.X, o.Residual)
		return
	}
	op := LayerNormBackward{X: x, Weight: o.Weight, DOut: d, DSum: dsum, Epsilon: o.Epsilon}
	op.DX, op.AccumulateX = b.Into(o.X)
	if o.Residual != nil {
		op.DResidual, op.AccumulateResidual = b.Into(o.Residual)
	}
	if o.Weight != nil {
		op.DWeight, op.AccumulateWeight = b.Into(o.Weight)
	}
	if o.Bias != nil {
		op.DBias, op.AccumulateBias = b.Into(o.Bias)
	}
	if op.DX != nil || op.DResidual != nil || op.DWeight != nil || op.DBias != nil {
		launch(b, op)
	}
}

// LayerNormBackward is the gradient of LayerNorm. X is what was normed: X or Sum. With c = X − mean(X), r = 1/sqrt(mean(c²) + Epsilon)
// and g = DOut·Weight: DX = r·(g − mean(g)) − c·r³·mean(g·c) + DSum, DResidual the same; DWeight[j] = Σ_i DOut[i,j]·c[i,j]·r_i and
// DBias[j] = Σ_i DOut[i,j], in ascending i within fixed groups of rows, then over groups.
//
//	DSum                           shape of X; nil is 0
//	DX, DResidual, DWeight, DBias  shapes of X, X, Weight and Bias; nil where nobody wants them
type LayerNormBackward struct {
	X, Weight, DOut, DSum                                             *Tensor
	DX, DResidual, DWeight, DBias                                     *Tensor
	Epsilon                                                           float32
	AccumulateX, AccumulateResidual, AccumulateWeight, AccumulateBias bool
}

// Name implements Op.
func (*LayerNormBackward) Name() string { return "layernorm_backward" }

// Inputs implements Op.
func (o *LayerNormBackward) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.X, o.Weight, o.DOut, o.DSum)
}

// Outputs implements Op.
func (o *LayerNormBackward) Outputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.DX, o.DResidual, o.DWeight, o.DBias)
}

// Check implements Op.
func (o *LayerNormBackward) Check() error {
	c := check(o).normedBackward(o.X, o.DOut, o.DSum, o.DX, o.DResidual)
	if c.err != nil {
		return c.err
	}
	n := o.X.Columns()
	return c.optional("Weight", o.Weight, dtype.F32, n).optional("DWeight", o.DWeight, dtype.F32, n).optional("DBias", o.DBias, dtype.F32, n).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, s := range normShapes {
		rows, n := s[0], s[1]
		for mode := range 4 {
			list = append(list, Sample{Name: sampleName("layernorm", s, mode), Make: func(m Maker) Op {
				o := &LayerNorm{X: m.Normal(2, rows, n), Out: m.Zero(dtype.F32, rows, n), Epsilon: 1e-3}
				if mode&1 != 0 {
					o.Weight = m.Normal(1, n)
				}
				if mode&2 != 0 {
					o.Bias = m.Normal(1, n)
				}
				if mode == 3 {
					o.Residual, o.Sum = m.Normal(1, rows, n), m.Zero(dtype.F32, rows, n)
				}
				return o
			}, Tolerance: 5e-6})
		}
		for want := 1; want < 16; want++ {
			for mode := range 3 {
				list = append(list, Sample{Name: sampleName("layernorm_backward", s, want, mode), Make: func(m Maker) Op {
					acc := mode == 1
					o := &LayerNormBackward{X: m.Normal(2, rows, n), DOut: m.Normal(1, rows, n), Epsilon: 1e-3, AccumulateX: acc, AccumulateResidual: mode == 2, AccumulateWeight: acc, AccumulateBias: acc}
					if mode > 0 {
						o.Weight, o.DSum = m.Normal(1, n), m.Normal(1, rows, n)
					}
					if want&1 != 0 {
						o.DX = m.Normal(1, rows, n)
					}
					if want&2 != 0 {
						o.DWeight = m.Normal(1, n)
					}
					if want&4 != 0 {
						o.DBias = m.Normal(1, n)
					}
					if want&8 != 0 {
						o.DResidual = m.Normal(1, rows, n)
					}
					return o
				}, Tolerance: 2e-5, Floor: 1}) // what two values less their mean leave is rounding
			}
		}
	}
	return list
})
