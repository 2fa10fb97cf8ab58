package compute

import "lian/dtype"

// Softmax writes Out[i,j] = exp(X[i,j]) / Σ_j exp(X[i,j]), or with Log its logarithm X[i,j] − log Σ_j exp(X[i,j]).
//
//	X, Out  [rows, n]  float32; Out may alias X when there is no tape
//
// The row's largest value is subtracted first. The sum is float32 over fixed lanes in chunks of 4096, so a row's result does not
// depend on rows. A row of −∞ only, and one that holds ∞, gives NaN.
type Softmax struct {
	X, Out *Tensor
	Log    bool
}

// Name implements Op.
func (*Softmax) Name() string { return "softmax" }

// Inputs implements Op.
func (o *Softmax) Inputs(list []*Tensor) []*Tensor { return append(list, o.X) }

// Outputs implements Op.
func (o *Softmax) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Softmax) Check() error {
	return check(o).that(sameShape(o.X, o.Out) && o.X.Type == dtype.F32, "X %v and Out %v must be F32 of one shape", o.X, o.Out).err
}

// Backward implements Differentiable.
func (o *Softmax) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	if dx := fresh(b, o.X); dx.To != nil {
		launch(b, SoftmaxBackward{Result: o.Out, DOut: d, DX: dx.To, Log: o.Log})
		dx.done(b)
	}
}

// SoftmaxBackward is the gradient of Softmax, from its result Y: DX = Y·(DOut − Σ_j DOut·Y), with Log DX = DOut − exp(Y)·Σ_j DOut.
//
//	Result, DOut, DX  [rows, n]  float32; DX may alias DOut
type SoftmaxBackward struct {
	Result, DOut, DX *Tensor
	Log              bool
}

// Name implements Op.
func (*SoftmaxBackward) Name() string { return "softmax_backward" }

// Inputs implements Op.
func (o *SoftmaxBackward) Inputs(list []*Tensor) []*Tensor { return append(list, o.Result, o.DOut) }

// Outputs implements Op.
func (o *SoftmaxBackward) Outputs(list []*Tensor) []*Tensor { return append(list, o.DX) }

// Check implements Op.
func (o *SoftmaxBackward) Check() error {
	return check(o).that(sameShape(o.Result, o.DOut) && sameShape(o.Result, o.DX) && o.Result.Type == dtype.F32, "Result %v, DOut %v and DX %v must be F32 of one shape", o.Result, o.DOut, o.DX).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, s := range rowShapes {
		for _, log := range []bool{false, true} {
			list = append(list, Sample{Name: sampleName("softmax", s, log), Make: func(m Maker) Op {
				return &Softmax{X: m.Normal(3, s[0], s[1]), Out: m.Zero(dtype.F32, s[0], s[1]), Log: log}
			}, Floor: 1e-3, Tolerance: 5e-6}, Sample{Name: sampleName("softmax_backward", s, log), Make: func(m Maker) Op {
				o := &SoftmaxBackward{Result: m.Zero(dtype.F32, s[0], s[1]), DOut: m.Normal(1, s[0], s[1]), DX: m.Zero(dtype.F32, s[0], s[1]), Log: log}
				m.Launch(&Softmax{X: m.Normal(2, s[0], s[1]), Out: o.Result, Log: log})
				return o
			}, Floor: 0.1, Tolerance: 2e-5})
		}
	}
	return list
})
