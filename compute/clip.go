package compute

import (
	"fmt"

	"lian/dtype"
)

// Clip writes Out = min(max(X, Low), High), element by element.
//
//	X, Out  any shape, equal  float32; Out may alias X when there is no tape
//
// NaN stays NaN. Gradient: dOut where Low ≤ X ≤ High, 0 elsewhere, as PyTorch's clamp has it.
// Used by OLMo and MPT on queries, keys and values (clip_qkv). Source: Groeneveld et al., arXiv 2402.00838.
type Clip struct {
	X, Out    *Tensor
	Low, High float32
}

// Name implements Op.
func (*Clip) Name() string { return "clip" }

// Inputs implements Op.
func (o *Clip) Inputs(list []*Tensor) []*Tensor { return append(list, o.X) }

// Outputs implements Op.
func (o *Clip) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Clip) Check() error {
	c := check(o).that(sameShape(o.X, o.Out) && o.X.Type == dtype.F32, "X %v and Out %v must be F32 of one shape", o.X, o.Out)
	if !(o.Low <= o.High) { // numbers would be boxed, right or wrong
		c.that(false, "Low is %v, expected at most High, %v", o.Low, o.High)
	}
	return c.err
}

// Backward implements Differentiable.
func (o *Clip) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	if dx := fresh(b, o.X); dx.To != nil {
		launch(b, ClipBackward{X: o.X, DOut: d, DX: dx.To, Low: o.Low, High: o.High})
		dx.done(b)
	}
}

// ClipBackward is the gradient of Clip.
//
//	X, DOut, DX  any shape, equal  float32; DX may alias DOut
type ClipBackward struct {
	X, DOut, DX *Tensor
	Low, High   float32
}

// Name implements Op.
func (*ClipBackward) Name() string { return "clip_backward" }

// Inputs implements Op.
func (o *ClipBackward) Inputs(list []*Tensor) []*Tensor { return append(list, o.X, o.DOut) }

// Outputs implements Op.
func (o *ClipBackward) Outputs(list []*Tensor) []*Tensor { return append(list, o.DX) }

// Check implements Op.
func (o *ClipBackward) Check() error {
	return check(o).that(sameShape(o.X, o.DOut) && sameShape(o.X, o.DX) && o.X.Type == dtype.F32,
		"X %v, DOut %v and DX %v must be F32 of one shape", o.X, o.DOut, o.DX).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, n := range OddSizes() {
		list = append(list, Sample{Name: fmt.Sprintf("clip/%d", n), Make: func(m Maker) Op {
			return &Clip{X: m.Normal(2, n), Out: m.Zero(dtype.F32, n), Low: -1.5, High: 2}
		}, GradientTolerance: 0.05}, Sample{Name: fmt.Sprintf("clip_backward/%d", n), Make: func(m Maker) Op {
			return &ClipBackward{X: m.Normal(2, n), DOut: m.Normal(1, n), DX: m.Zero(dtype.F32, n), Low: -1.5, High: 2}
		}})
	}
	return list
})
