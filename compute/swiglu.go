package compute

import "lian/dtype"

// SwiGLU writes Out = Gate · sigmoid(Gate) · Up, element by element.
//
//	Gate, Up, Out  any shape, equal  float32; Out may alias either when there is no tape
//
// Source: Shazeer, arXiv 2002.05202.
type SwiGLU struct{ Gate, Up, Out *Tensor }

// Name implements Op.
func (*SwiGLU) Name() string { return "swiglu" }

// Inputs implements Op.
func (o *SwiGLU) Inputs(list []*Tensor) []*Tensor { return append(list, o.Gate, o.Up) }

// Outputs implements Op.
func (o *SwiGLU) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *SwiGLU) Check() error {
	return check(o).that(sameShape(o.Gate, o.Up) && sameShape(o.Gate, o.Out) && o.Gate.Type == dtype.F32,
		"Gate %v, Up %v and Out %v must be F32 of one shape", o.Gate, o.Up, o.Out).err
}

// Backward implements Differentiable.
func (o *SwiGLU) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	gate, up := fresh(b, o.Gate), fresh(b, o.Up)
	if gate.To == nil && up.To == nil {
		return
	}
	launch(b, SwiGLUBackward{Gate: o.Gate, Up: o.Up, DOut: d, DGate: gate.To, DUp: up.To})
	gate.done(b)
	up.done(b)
}

// SwiGLUBackward is the gradient of SwiGLU. With s = sigmoid(Gate):
// DUp = DOut·Gate·s; DGate = DOut·Up·s·(1 + Gate·(1−s)).
//
//	DGate, DUp  shape of Gate; nil where nobody wants them
type SwiGLUBackward struct{ Gate, Up, DOut, DGate, DUp *Tensor }

// Name implements Op.
func (*SwiGLUBackward) Name() string { return "swiglu_backward" }

// Inputs implements Op.
func (o *SwiGLUBackward) Inputs(list []*Tensor) []*Tensor { return append(list, o.Gate, o.Up, o.DOut) }

// Outputs implements Op.
func (o *SwiGLUBackward) Outputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.DGate, o.DUp)
}

// Check implements Op.
func (o *SwiGLUBackward) Check() error {
	return check(o).that(sameShape(o.Gate, o.DOut) && sameShape(o.Gate, o.Up) && (o.DGate == nil || sameShape(o.Gate, o.DGate)) && (o.DUp == nil || sameShape(o.Gate, o.DUp)),
		"Gate %v, Up %v, DOut %v, DGate %v, DUp %v must have one shape", o.Gate, o.Up, o.DOut, o.DGate, o.DUp).err
}
