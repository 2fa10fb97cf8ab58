package compute

import "lian/dtype"

// RMSNorm writes Out[i,j] = X[i,j] / sqrt(mean_j(X[i,j]²) + Epsilon) · Weight[j].
//
//	X, Out  [rows, hidden]  float32; Out may alias X when there is no tape
//	Weight  [hidden]        float32
//
// Sums are float32 in a fixed order, so a row's result does not depend on rows.
// Source: Zhang & Sennrich, arXiv 1910.07467.
type RMSNorm struct {
	X, Weight, Out *Tensor
	Epsilon        float32
}

// Name implements Op.
func (*RMSNorm) Name() string { return "rmsnorm" }

// Inputs implements Op.
func (o *RMSNorm) Inputs(list []*Tensor) []*Tensor { return append(list, o.X, o.Weight) }

// Outputs implements Op.
func (o *RMSNorm) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *RMSNorm) Check() error {
	c := check(o).that(sameShape(o.X, o.Out) && o.X.Type == dtype.F32, "X %v and Out %v must be F32 of one shape", o.X, o.Out)
	if c.err != nil {
		return c.err
	}
	return c.is("Weight", o.Weight, dtype.F32, o.X.Columns()).err
}

// Backward implements Differentiable.
func (o *RMSNorm) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	op := RMSNormBackward{X: o.X, Weight: o.Weight, DOut: d, Epsilon: o.Epsilon}
	op.DX, op.AccumulateX = b.Into(o.X)
	op.DWeight, op.AccumulateWeight = b.Into(o.Weight)
	if op.DX != nil || op.DWeight != nil {
		launch(b, op)
	}
}

// RMSNormBackward is the gradient of RMSNorm. With r = 1/sqrt(mean(X²)+Epsilon) and g = DOut·Weight:
// DX = r·g − X·r³·mean_j(g·X); DWeight[j] = Σ_i DOut[i,j]·X[i,j]·r_i, in ascending i within fixed groups of rows, then over groups.
//
//	DX, DWeight  shapes of X and Weight; nil where nobody wants them
type RMSNormBackward struct {
	X, Weight, DOut, DX, DWeight  *Tensor
	Epsilon                       float32
	AccumulateX, AccumulateWeight bool
}

// Name implements Op.
func (*RMSNormBackward) Name() string { return "rmsnorm_backward" }

// Inputs implements Op.
func (o *RMSNormBackward) Inputs(list []*Tensor) []*Tensor {
	return append(list, o.X, o.Weight, o.DOut)
}

// Outputs implements Op.
func (o *RMSNormBackward) Outputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.DX, o.DWeight)
}

// Check implements Op.
func (o *RMSNormBackward) Check() error {
	return check(o).that(sameShape(o.X, o.DOut) && (o.DX == nil || sameShape(o.X, o.DX)) && (o.DWeight == nil || sameShape(o.Weight, o.DWeight)),
		"X %v, DOut %v, DX %v, Weight %v, DWeight %v do not fit", o.X, o.DOut, o.DX, o.Weight, o.DWeight).err
}
