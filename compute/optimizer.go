package compute

import "lian/dtype"

// SumSquares writes Out = Σ over all X of x², in float64: blocks of SumBlock elements, then their sums in order.
//
//	X    any shapes  float32
//	Out  [1]         float64
type SumSquares struct {
	X   []*Tensor
	Out *Tensor
}

// SumBlock is the number of elements summed together by SumSquares.
const SumBlock = 4096

// Name implements Op.
func (*SumSquares) Name() string { return "sum_squares" }

// Inputs implements Op.
func (o *SumSquares) Inputs(list []*Tensor) []*Tensor { return append(list, o.X...) }

// Outputs implements Op.
func (o *SumSquares) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *SumSquares) Check() error {
	c := check(o).is("Out", o.Out, dtype.F64, 1)
	for _, x := range o.X {
		c.that(x != nil && x.Type == dtype.F32, "X is %v, expected F32", x)
	}
	return c.err
}

// ClipFactor writes Out = min(1, MaxNorm / (sqrt(SumSquares) + 1e-6)); 1 if MaxNorm is 0. Source: torch clip_grad_norm_.
//
//	SumSquares [1]  float64
//	Out        [1]  float32
type ClipFactor struct {
	SumSquares, Out *Tensor
	MaxNorm         float32
}

// Name implements Op.
func (*ClipFactor) Name() string { return "clip_factor" }

// Inputs implements Op.
func (o *ClipFactor) Inputs(list []*Tensor) []*Tensor { return append(list, o.SumSquares) }

// Outputs implements Op.
func (o *ClipFactor) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *ClipFactor) Check() error {
	return check(o).is("SumSquares", o.SumSquares, dtype.F64, 1).is("Out", o.Out, dtype.F32, 1).err
}

// AdamW takes one step with decoupled weight decay. With g = Grad·GradScale, t = Step ≥ 1:
// M = β₁M + (1−β₁)g; V = β₂V + (1−β₂)g²; Param −= LearningRate·Decay·Param, then
// Param −= LearningRate/(1−β₁ᵗ) · M / (sqrt(V/(1−β₂ᵗ)) + Epsilon).
//
//	Param, Grad, M, V  one shape  float32
//	GradScale          [1]        float32; nil means 1
//
// Source: Loshchilov & Hutter, arXiv 1711.05101, as torch.optim.AdamW computes it.
type AdamW struct {
	Param, Grad, M, V, GradScale               *Tensor
	LearningRate, Beta1, Beta2, Epsilon, Decay float64
	Step                                       int
}

// Name implements Op.
func (*AdamW) Name() string { return "adamw" }

// Inputs implements Op.
func (o *AdamW) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Param, o.Grad, o.M, o.V, o.GradScale)
}

// Outputs implements Op.
func (o *AdamW) Outputs(list []*Tensor) []*Tensor { return append(list, o.Param, o.M, o.V) }

// Check implements Op.
func (o *AdamW) Check() error {
	return check(o).that(sameShape(o.Param, o.Grad) && sameShape(o.Param, o.M) && sameShape(o.Param, o.V) && o.Param.Type == dtype.F32,
		"Param %v, Grad %v, M %v and V %v must be F32 of one shape", o.Param, o.Grad, o.M, o.V).
		optional("GradScale", o.GradScale, dtype.F32, 1).that(o.Step >= 1, "Step is %d, expected ≥ 1", o.Step).err
}
