package compute

import "lian/dtype"

// RoPE rotates pairs of X in place by position · Frequencies[p].
//
//	X           [rows, heads, head]  float32
//	Positions   [rows]               int32
//	Frequencies [rotary/2]           float32, radians per position; elements past rotary stay
//	Sets        [rows]               int32: row i turns with Frequencies[Sets[i]], which then is [sets, rotary/2]; nil: one for all
//
// Sets are for rules whose frequencies depend on how long a row's sequence is (dynamic NTK, LongRoPE).
// Pair p is (p, p + rotary/2), or (2p, 2p+1) with Interleaved. Inverse turns the other way: that is also the gradient.
// Angles are float64 products, sines and cosines rounded to float32. Scale multiplies both (YaRN); 0 means 1.
// Source: Su et al., arXiv 2104.09864.
type RoPE struct {
	X, Positions, Frequencies *Tensor
	Sets                      *Tensor
	Interleaved, Inverse      bool
	Scale                     float32
}

// Name implements Op.
func (*RoPE) Name() string { return "rope" }

// Inputs implements Op.
func (o *RoPE) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.X, o.Positions, o.Frequencies, o.Sets)
}

// Outputs implements Op.
func (o *RoPE) Outputs(list []*Tensor) []*Tensor { return append(list, o.X) }

// Check implements Op.
func (o *RoPE) Check() error {
	c := check(o).is("X", o.X, dtype.F32, -1, -1, -1)
	if c.err != nil {
		return c.err
	}
	c.is("Positions", o.Positions, dtype.I32, o.X.Shape[0]).optional("Sets", o.Sets, dtype.I32, o.X.Shape[0])
	if o.Sets == nil {
		c.is("Frequencies", o.Frequencies, dtype.F32, -1)
	} else {
		c.is("Frequencies", o.Frequencies, dtype.F32, -1, -1)
	}
	if c.err != nil {
		return c.err
	}
	return c.that(2*o.Frequencies.Columns() <= o.X.Shape[2], "Frequencies %v turn more than the head %d", o.Frequencies, o.X.Shape[2]).err
}

// Backward implements Differentiable.
func (o *RoPE) Backward(b Backprop) {
	if d := b.Grad(o.X); d != nil {
		back := *o
		back.X, back.Inverse = d.View(o.X.Shape...), !o.Inverse
		launch(b, back)
	}
}
