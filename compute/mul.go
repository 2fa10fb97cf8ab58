package compute

import "lian/dtype"

// Scale writes Out = By·X, element by element.
//
//	X, Out  any shape, equal  float32; Out may alias X
type Scale struct {
	X, Out *Tensor
	By     float32
}

// Name implements Op.
func (*Scale) Name() string { return "scale" }

// Inputs implements Op.
func (o *Scale) Inputs(list []*Tensor) []*Tensor { return append(list, o.X) }

// Outputs implements Op.
func (o *Scale) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Scale) Check() error {
	return check(o).that(sameShape(o.X, o.Out) && o.X.Type == dtype.F32, "X %v and Out %v must be F32 of one shape", o.X, o.Out).err
}

// Backward implements Differentiable.
func (o *Scale) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	if dx := fresh(b, o.X); dx.To != nil {
		launch(b, Scale{X: d, Out: dx.To, By: o.By})
		dx.done(b)
	}
}

// Mul writes Out = A·B, element by element; a B of one row counts for every row of A.
//
//	A, Out  [rows, n]         float32; Out may alias A when there is no tape
//	B       [rows, n] or [n]  float32
//
// Gradient: dA = dOut·B; dB = dOut·A, of a single row summed over rows as RMSNorm's weight is.
type Mul struct{ A, B, Out *Tensor }

// Name implements Op.
func (*Mul) Name() string { return "mul" }

// Inputs implements Op.
func (o *Mul) Inputs(list []*Tensor) []*Tensor { return append(list, o.A, o.B) }

// Outputs implements Op.
func (o *Mul) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Mul) Check() error {
	c := check(o).that(sameShape(o.A, o.Out) && o.A.Type == dtype.F32 && o.B != nil, "A %v and Out %v must be F32 of one shape", o.A, o.Out)
	if c.err != nil || sameShape(o.A, o.B) {
		return c.err
	}
	return c.is("B", o.B, dtype.F32, o.A.Columns()).err
}

// Backward implements Differentiable.
func (o *Mul) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	if da := fresh(b, o.A); da.To != nil {
		launch(b, Mul{A: d, B: o.B, Out: da.To})
		da.done(b)
	}
	if sameShape(o.A, o.B) {
		if db := fresh(b, o.B); db.To != nil {
			launch(b, Mul{A: d, B: o.A, Out: db.To})
			db.done(b)
		}
		return
	}
	if db, acc := b.Into(o.B); db != nil {
		launch(b, SumProducts{A: o.A, B: d, Out: db, Accumulate: acc})
	}
}

// SumProducts writes Out[j] = Σ_i A[i,j]·B[i,j] (+ Out[j] with Accumulate), in ascending i within fixed groups of rows, then over groups.
//
//	A, B  [rows, n]  float32
//	Out   [n]        float32
type SumProducts struct {
	A, B, Out  *Tensor
	Accumulate bool
}

// Name implements Op.
func (*SumProducts) Name() string { return "sum_products" }

// Inputs implements Op.
func (o *SumProducts) Inputs(list []*Tensor) []*Tensor {
	if o.Accumulate {
		return append(list, o.A, o.B, o.Out)
	}
	return append(list, o.A, o.B)
}

// Outputs implements Op.
func (o *SumProducts) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *SumProducts) Check() error {
	c := check(o).that(sameShape(o.A, o.B) && o.A.Type == dtype.F32, "A %v and B %v must be F32 of one shape", o.A, o.B)
	if c.err != nil {
		return c.err
	}
	return c.is("Out", o.Out, dtype.F32, o.A.Columns()).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, n := range OddSizes() {
		list = append(list, Sample{Name: sampleName("scale", n), Make: func(m Maker) Op {
			return &Scale{X: m.Normal(1, n), Out: m.Zero(dtype.F32, n), By: -0.3}
		}}, Sample{Name: sampleName("mul", n), Make: func(m Maker) Op {
			return &Mul{A: m.Normal(1, n), B: m.Normal(1, n), Out: m.Zero(dtype.F32, n)}
		}})
	}
	for _, s := range normShapes {
		list = append(list, Sample{Name: sampleName("mul_row", s), Make: func(m Maker) Op {
			return &Mul{A: m.Normal(1, s[0], s[1]), B: m.Normal(1, s[1]), Out: m.Zero(dtype.F32, s[0], s[1])}
		}})
		for _, acc := range []bool{false, true} {
			list = append(list, Sample{Name: sampleName("sum_products", s, acc), Make: func(m Maker) Op {
				return &SumProducts{A: m.Normal(1, s[0], s[1]), B: m.Normal(1, s[0], s[1]), Out: m.Normal(1, s[1]), Accumulate: acc}
			}, Tolerance: 5e-6})
		}
	}
	return list
})
