package compute

import "lian/dtype"

// Join writes rows side by side: Out[i] = (Left[i], Right[i]).
//
//	Left   [rows, l]      float32; nil: zeros
//	Right  [rows, r]      float32; nil: zeros
//	Out    [rows, l + r]  float32
//
// Operands of more axes count as rows of their last axis. Gradient: Split. Latent attention joins what has a position and what has
// none (DeepSeek-V2, arXiv 2405.04434).
type Join struct{ Left, Right, Out *Tensor }

// Name implements Op.
func (*Join) Name() string { return "join" }

// Inputs implements Op.
func (o *Join) Inputs(list []*Tensor) []*Tensor { return appendPresent(list, o.Left, o.Right) }

// Outputs implements Op.
func (o *Join) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Join) Check() error { return check(o).halves(o.Left, o.Right, o.Out).err }

// halves checks the two parts of the rows of a whole, of which one may be missing.
func (c *checker) halves(left, right, whole *Tensor) *checker {
	c.that(whole != nil && (left != nil || right != nil), "an operand is missing")
	if c.err != nil {
		return c
	}
	columns, both := 0, left != nil && right != nil
	fits := whole.Type == dtype.F32
	for _, t := range [...]*Tensor{left, right} {
		if t != nil {
			columns += t.Columns()
			fits = fits && t.Type == dtype.F32 && t.Rows() == whole.Rows()
		}
	}
	if !fits || both && columns != whole.Columns() || columns > whole.Columns() {
		c.that(false, "%v and %v are not the halves of the rows of %v, all float32", left, right, whole)
	}
	return c
}

// Backward implements Differentiable.
func (o *Join) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	var left, right freshGradient
	if o.Left != nil {
		left = fresh(b, o.Left)
	}
	if o.Right != nil {
		right = fresh(b, o.Right)
	}
	if left.To == nil && right.To == nil {
		return
	}
	launch(b, Split{X: d, Left: left.To, Right: right.To})
	left.done(b)
	right.done(b)
}

// Split writes the two parts of rows: X[i] = (Left[i], Right[i]).
//
//	X      [rows, l + r]  float32
//	Left   [rows, l]      float32; nil: nobody wants it
//	Right  [rows, r]      float32; nil: nobody wants it
//
// Operands of more axes count as rows of their last axis. Gradient: Join.
type Split struct{ X, Left, Right *Tensor }

// Name implements Op.
func (*Split) Name() string { return "split" }

// Inputs implements Op.
func (o *Split) Inputs(list []*Tensor) []*Tensor { return append(list, o.X) }

// Outputs implements Op.
func (o *Split) Outputs(list []*Tensor) []*Tensor { return appendPresent(list, o.Left, o.Right) }

// Check implements Op.
func (o *Split) Check() error { return check(o).halves(o.Left, o.Right, o.X).err }

// Backward implements Differentiable.
func (o *Split) Backward(b Backprop) {
	var left, right *Tensor
	if o.Left != nil {
		left = b.Grad(o.Left)
	}
	if o.Right != nil {
		right = b.Grad(o.Right)
	}
	if left == nil && right == nil {
		return
	}
	if dx := fresh(b, o.X); dx.To != nil {
		launch(b, Join{Left: left, Right: right, Out: dx.To})
		dx.done(b)
	}
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, s := range [][3]int{{0, 2, 3}, {1, 1, 1}, {5, 1, 33}, {17, 64, 16}, {130, 7, 5}} {
		rows, l, r := s[0], s[1], s[2]
		for want := 1; want <= 3; want++ {
			part := func(which int, there, otherwise *Tensor) *Tensor {
				if want&which == 0 {
					return otherwise
				}
				return there
			}
			list = append(list, Sample{Name: sampleName("join", s, want), Make: func(m Maker) Op {
				return &Join{Left: part(1, m.Normal(1, rows, l), nil), Right: part(2, m.Normal(1, rows, r), nil), Out: m.Zero(dtype.F32, rows, l+r)}
			}}, Sample{Name: sampleName("split", s, want), Make: func(m Maker) Op {
				return &Split{X: m.Normal(1, rows, l+r), Left: part(1, m.Zero(dtype.F32, rows, l), nil), Right: part(2, m.Zero(dtype.F32, rows, r), nil)}
			}})
		}
	}
	return list
})
