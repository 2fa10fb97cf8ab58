package compute

import "lian/dtype"

// Add writes Out = A + B, element by element. Out may alias either.
//
//	A, B, Out  any shape, equal   float32
//
// Without B it copies A. Gradient: dA = dB = dOut.
type Add struct{ A, B, Out *Tensor }

// Name implements Op.
func (*Add) Name() string { return "add" }

// Inputs implements Op.
func (o *Add) Inputs(list []*Tensor) []*Tensor { return appendPresent(list, o.A, o.B) }

// Outputs implements Op.
func (o *Add) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Add) Check() error {
	return check(o).that(o.A != nil && o.Out != nil && o.A.Type == dtype.F32 && sameShape(o.A, o.Out) && (o.B == nil || sameShape(o.A, o.B)),
		"A %v, B %v and Out %v must be F32 of one shape", o.A, o.B, o.Out).err
}

// Backward implements Differentiable.
func (o *Add) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	for _, x := range []*Tensor{o.A, o.B} {
		if x == nil {
			continue
		}
		if dx, acc := b.Into(x); dx != nil {
			addInto(b, d, dx, acc)
		}
	}
}

// addInto launches dst = src, or dst += src.
func addInto(b Backprop, src, dst *Tensor, accumulate bool) {
	if accumulate {
		launch(b, Add{A: dst, B: src, Out: dst})
	} else {
		launch(b, Add{A: src, Out: dst})
	}
}

// SumRows writes Out[j] = Σ_i X[i,j] (+ Out[j] with Accumulate), in ascending i.
//
//	X   [rows, n]  float32
//	Out [n]        float32
type SumRows struct {
	X, Out     *Tensor
	Accumulate bool
}

// Name implements Op.
func (*SumRows) Name() string { return "sum_rows" }

// Inputs implements Op.
func (o *SumRows) Inputs(list []*Tensor) []*Tensor { return append(list, o.X) }

// Outputs implements Op.
func (o *SumRows) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *SumRows) Check() error {
	c := check(o).that(o.X != nil && o.X.Type == dtype.F32, "X is %v, expected F32", o.X)
	if c.err != nil {
		return c.err
	}
	return c.is("Out", o.Out, dtype.F32, o.X.Columns()).err
}
