package compute

import "lian/dtype"

// Reduction is what RowReduce makes of a row.
type Reduction uint8

// The reductions.
const (
	RowSum       Reduction = iota // Σ x, float32, fixed lanes in chunks of 4096 values
	RowMean                       // RowSum / n
	RowMax                        // the largest; NaN is passed over, −∞ of none
	RowLogSumExp                  // log Σ exp(x), −∞ of none

	reductions
)

// String is the name in errors.
func (r Reduction) String() string {
	return [...]string{"sum", "mean", "max", "logsumexp", "unknown"}[min(r, reductions)]
}

// RowReduce makes one number of each row. A row's result does not depend on rows.
//
//	X    [rows, n]  float32
//	Out  [rows]     float32
type RowReduce struct {
	X, Out *Tensor
	Kind   Reduction
}

// Name implements Op.
func (*RowReduce) Name() string { return "row_reduce" }

// Inputs implements Op.
func (o *RowReduce) Inputs(list []*Tensor) []*Tensor { return append(list, o.X) }

// Outputs implements Op.
func (o *RowReduce) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *RowReduce) Check() error {
	c := check(o).that(o.X != nil && o.X.Type == dtype.F32, "X is %v, expected F32", o.X).that(o.Kind < reductions, "Kind is %d, expected below %d", o.Kind, reductions)
	if c.err != nil {
		return c.err
	}
	return c.is("Out", o.Out, dtype.F32, o.X.Rows()).err
}

// Backward implements Differentiable.
func (o *RowReduce) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	if dx := fresh(b, o.X); dx.To != nil {
		launch(b, RowReduceBackward{X: o.X, Result: o.Out, DOut: d, DX: dx.To, Kind: o.Kind})
		dx.done(b)
	}
}

// RowReduceBackward is the gradient of RowReduce: DX[i,j] = DOut[i] for a sum, DOut[i]/n for a mean, DOut[i]·exp(X[i,j] − Result[i]) for
// logsumexp, and for a maximum DOut[i] at its smallest j, 0 elsewhere.
//
//	X, DX         [rows, n]  float32
//	Result, DOut  [rows]     float32
type RowReduceBackward struct {
	X, Result, DOut, DX *Tensor
	Kind                Reduction
}

// Name implements Op.
func (*RowReduceBackward) Name() string { return "row_reduce_backward" }

// Inputs implements Op.
func (o *RowReduceBackward) Inputs(list []*Tensor) []*Tensor {
	return append(list, o.X, o.Result, o.DOut)
}

// Outputs implements Op.
func (o *RowReduceBackward) Outputs(list []*Tensor) []*Tensor { return append(list, o.DX) }

// Check implements Op.
func (o *RowReduceBackward) Check() error {
	c := check(o).that(sameShape(o.X, o.DX) && o.X.Type == dtype.F32, "X %v and DX %v must be F32 of one shape", o.X, o.DX).that(o.Kind < reductions, "Kind is %d, expected below %d", o.Kind, reductions)
	if c.err != nil {
		return c.err
	}
	return c.is("Result", o.Result, dtype.F32, o.X.Rows()).is("DOut", o.DOut, dtype.F32, o.X.Rows()).err
}

// rowShapes are [rows, n] of samples.
var rowShapes = [][2]int{{0, 5}, {1, 1}, {5, 1}, {3, 16}, {17, 33}, {130, 65}, {2, 4095}, {3, 9001}}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, s := range append(rowShapes, [2]int{3, 0}) {
		for kind := range reductions {
			if s[1] == 0 && kind == RowMean {
				continue
			}
			list = append(list, Sample{Name: sampleName("row_reduce", kind, s), Make: func(m Maker) Op {
				return &RowReduce{X: m.Normal(3, s[0], s[1]), Out: m.Zero(dtype.F32, s[0]), Kind: kind}
			}, Floor: 1, Tolerance: 5e-6}, Sample{Name: sampleName("row_reduce_backward", kind, s), Make: func(m Maker) Op {
				o := &RowReduceBackward{X: m.Normal(3, s[0], s[1]), Result: m.Zero(dtype.F32, s[0]), DOut: m.Normal(1, s[0]), DX: m.Zero(dtype.F32, s[0], s[1]), Kind: kind}
				m.Launch(&RowReduce{X: o.X, Out: o.Result, Kind: kind})
				return o
			}, Tolerance: 1e-5})
		}
	}
	return list
})
