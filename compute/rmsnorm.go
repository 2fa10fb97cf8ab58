package compute

import "lian/dtype"

// RMSNorm writes Out[i,j] = S[i,j] / sqrt(mean_j(S[i,j]²) + Epsilon) · (Weight[j] + Offset), where S is X, or with Residual
// X + Residual, which is stored in Sum on the way.
//
//	X, Residual, Sum, Out  [rows, hidden]  float32; without a tape Out may alias X, and Sum may alias X or Residual
//	Weight                 [hidden]        float32
//
// Offset is 1 for models that store what is added to 1 (Gemma). A norm of each head is one of rows: view X as
// [rows·heads, head]. Sums are float32 in a fixed order, so a row's result does not depend on rows.
// Source: Zhang & Sennrich, arXiv 1910.07467.
type RMSNorm struct {
	X, Weight, Out  *Tensor
	Residual, Sum   *Tensor // both or neither
	Epsilon, Offset float32
}

// Name implements Op.
func (*RMSNorm) Name() string { return "rmsnorm" }

// Inputs implements Op.
func (o *RMSNorm) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.X, o.Weight, o.Residual)
}

// Outputs implements Op.
func (o *RMSNorm) Outputs(list []*Tensor) []*Tensor { return appendPresent(list, o.Out, o.Sum) }

// Check implements Op.
func (o *RMSNorm) Check() error {
	c := check(o).normed(o.X, o.Residual, o.Sum, o.Out)
	if c.err != nil {
		return c.err
	}
	return c.is("Weight", o.Weight, dtype.F32, o.X.Columns()).err
}

// normed checks what norms have in common.
func (c *checker) normed(x, residual, sum, out *Tensor) *checker {
	return c.that(sameShape(x, out) && x.Type == dtype.F32, "X %v and Out %v must be F32 of one shape", x, out).
		that(residual == nil && sum == nil || sameShape(x, residual) && sameShape(x, sum), "Residual %v and Sum %v must both be %v, or nil", residual, sum, x)
}

// Backward implements Differentiable.
func (o *RMSNorm) Backward(b Backprop) {
	x, dsum := o.X, (*Tensor)(nil)
	if o.Sum != nil {
		x, dsum = o.Sum, b.Grad(o.Sum)
	}
	d := b.Grad(o.Out)
	if d == nil {
		passOn(b, dsum, o.X, o.Residual)
		return
	}
	op := RMSNormBackward{X: x, Weight: o.Weight, DOut: d, DSum: dsum, Epsilon: o.Epsilon, Offset: o.Offset}
	op.DX, op.AccumulateX = b.Into(o.X)
	if o.Residual != nil {
		op.DResidual, op.AccumulateResidual = b.Into(o.Residual)
	}
	op.DWeight, op.AccumulateWeight = b.Into(o.Weight)
	if op.DX != nil || op.DResidual != nil || op.DWeight != nil {
		launch(b, op)
	}
}

// passOn adds a gradient, if there is one, to those of inputs whose sum it belongs to.
func passOn(b Backprop, d *Tensor, inputs ...*Tensor) {
	if d == nil {
		return
	}
	for _, x := range inputs {
		if dx, acc := b.Into(x); dx != nil {
			addInto(b, d, dx, acc)
		}
	}
}

// RMSNormBackward is the gradient of RMSNorm. X is what was normed: X or Sum. With r = 1/sqrt(mean(X²)+Epsilon) and
// g = DOut·(Weight+Offset): DX = r·g − X·r³·mean_j(g·X) + DSum, DResidual the same; DWeight[j] = Σ_i DOut[i,j]·X[i,j]·r_i, in
// ascending i within fixed groups of rows, then over groups.
//
//	DSum                    shape of X; nil is 0
//	DX, DResidual, DWeight  shapes of X, X and Weight; nil where nobody wants them
type RMSNormBackward struct {
	X, Weight, DOut, DSum                             *Tensor
	DX, DResidual, DWeight                            *Tensor
	Epsilon, Offset                                   float32
	AccumulateX, AccumulateResidual, AccumulateWeight bool
}

// Name implements Op.
func (*RMSNormBackward) Name() string { return "rmsnorm_backward" }

// Inputs implements Op.
func (o *RMSNormBackward) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.X, o.Weight, o.DOut, o.DSum)
}

// Outputs implements Op.
func (o *RMSNormBackward) Outputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.DX, o.DResidual, o.DWeight)
}

// Check implements Op.
func (o *RMSNormBackward) Check() error {
	c := check(o).normedBackward(o.X, o.DOut, o.DSum, o.DX, o.DResidual)
	if c.err != nil {
		return c.err
	}
	return c.is("Weight", o.Weight, dtype.F32, o.X.Columns()).optional("DWeight", o.DWeight, dtype.F32, o.X.Columns()).err
}

func (c *checker) normedBackward(x, dout, dsum, dx, dresidual *Tensor) *checker {
	return c.that(sameShape(x, dout) && x.Type == dtype.F32, "X %v and DOut %v must be F32 of one shape", x, dout).
		that((dsum == nil || sameShape(x, dsum)) && (dx == nil || sameShape(x, dx)) && (dresidual == nil || sameShape(x, dresidual)),
			"DSum %v, DX %v and DResidual %v must be %v, or nil", dsum, dx, dresidual, x)
}

// normShapes are [rows, hidden] of samples.
var normShapes = [][2]int{{0, 8}, {1, 2}, {1, 7}, {3, 64}, {5, 65}, {129, 33}, {300, 256}, {2, 1025}}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, s := range normShapes {
		rows, n := s[0], s[1]
		list = append(list, Sample{Name: sampleName("rmsnorm", s), Make: func(m Maker) Op {
			return &RMSNorm{X: m.Normal(2, rows, n), Weight: m.Normal(1, n), Out: m.Zero(dtype.F32, rows, n), Epsilon: 1e-5}
		}}, Sample{Name: sampleName("rmsnorm_residual", s), Make: func(m Maker) Op {
			return &RMSNorm{X: m.Normal(2, rows, n), Weight: m.Normal(0.3, n), Out: m.Zero(dtype.F32, rows, n), Residual: m.Normal(1, rows, n), Sum: m.Zero(dtype.F32, rows, n), Epsilon: 1e-5, Offset: 1}
		}})
		for want := 1; want < 8; want++ {
			for mode := range 4 {
				list = append(list, Sample{Name: sampleName("rmsnorm_backward", s, want, mode), Make: func(m Maker) Op {
					acc := mode&1 != 0
					o := &RMSNormBackward{X: m.Normal(2, rows, n), Weight: m.Normal(1, n), DOut: m.Normal(1, rows, n), Epsilon: 1e-5, AccumulateX: acc, AccumulateResidual: mode == 1, AccumulateWeight: acc}
					if mode >= 2 {
						o.DSum, o.Offset = m.Normal(1, rows, n), 1
					}
					if want&1 != 0 {
						o.DX = m.Normal(1, rows, n)
					}
					if want&2 != 0 {
						o.DWeight = m.Normal(1, n)
					}
					if want&4 != 0 {
						o.DResidual = m.Normal(1, rows, n)
					}
					return o
				}, Tolerance: 5e-6, Floor: 0.1})
			}
		}
	}
	return list
})
