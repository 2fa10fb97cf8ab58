package compute

import "lian/dtype"

// GroupedMatMul multiplies groups of rows by weights of their own: for the rows i of group e, Starts[e] ≤ i < Starts[e+1],
// Out[i] = A[i]·B[e]ᵀ (+ Bias[e]), or with NoTrans A[i]·B[e] (+ Bias[e]). Rows in no group become 0, with Accumulate they stay. Each group's product is what MatMul makes of it, with its
// order of sums, so a row's result does not depend on the others.
//
//	A       [m, k]                                float32
//	B       [groups, n, k], NoTrans [groups, k, n]  as MatMul takes it
//	Starts  [groups + 1]                          int32, ascending from 0 or more, at most m
//	Bias    [groups, n]                           float32; nil is 0
//	Out     [m, n]                                float32
//
// Gradient: dA = dOut·B[e], dB[e] = dOutᵀ·A (GroupedOuter) and dBias[e] = Σ dOut (GroupedSum) over the rows of the group.
type GroupedMatMul struct {
	A, B, Starts, Bias, Out *Tensor
	NoTrans                 bool
	Accumulate              bool
	Fast, BF16              bool // as in MatMul
}

// Name implements Op.
func (*GroupedMatMul) Name() string { return "grouped_matmul" }

// Inputs implements Op.
func (o *GroupedMatMul) Inputs(list []*Tensor) []*Tensor {
	if o.Accumulate {
		list = append(list, o.Out)
	}
	return appendPresent(list, o.A, o.B, o.Starts, o.Bias)
}

// Outputs implements Op.
func (o *GroupedMatMul) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *GroupedMatMul) Check() error {
	c := check(o).is("A", o.A, dtype.F32, -1, -1).is("Out", o.Out, dtype.F32, -1, -1)
	if c.err != nil {
		return c.err
	}
	m, k, n := o.A.Shape[0], o.A.Shape[1], o.Out.Shape[1]
	if c.that(o.B != nil && len(o.B.Shape) == 3 && o.Out.Shape[0] == m, "A %v, B %v and Out %v do not fit", o.A, o.B, o.Out); c.err != nil {
		return c.err
	}
	c.optional("Bias", o.Bias, dtype.F32, o.B.Shape[0], n)
	if o.NoTrans {
		k, n = n, k
	}
	if o.B.Shape[1] != n || o.B.Shape[2] != k { // numbers would be boxed, right or wrong
		c.that(false, "B is %v, expected [groups %d %d]", o.B, n, k)
	}
	return c.is("Starts", o.Starts, dtype.I32, o.B.Shape[0]+1).err
}

// Backward implements Differentiable.
func (o *GroupedMatMul) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	if da, acc := b.Into(o.A); da != nil {
		launch(b, GroupedMatMul{A: d, B: o.B, Starts: o.Starts, Out: da, NoTrans: !o.NoTrans, Accumulate: acc, BF16: o.BF16})
	}
	if db, acc := b.Into(o.B); db != nil {
		x, y := d, o.A
		if o.NoTrans {
			x, y = o.A, d
		}
		launch(b, GroupedOuter{X: x, Y: y, Starts: o.Starts, Out: db, Accumulate: acc, BF16: o.BF16})
	}
	if o.Bias != nil {
		if db, acc := b.Into(o.Bias); db != nil {
			launch(b, GroupedSum{X: d, Starts: o.Starts, Out: db, Accumulate: acc})
		}
	}
}

// GroupedOuter writes Out[e] = Σ X[i]ᵀ·Y[i] over the rows i of group e (+ Out[e] with Accumulate): the gradient of weights of groups.
//
//	X       [m, n]          float32
//	Y       [m, k]          float32
//	Starts  [groups + 1]    int32, ascending, at most m
//	Out     [groups, n, k]  float32
type GroupedOuter struct {
	X, Y, Starts, Out *Tensor
	Accumulate, BF16  bool
}

// Name implements Op.
func (*GroupedOuter) Name() string { return "grouped_outer" }

// Inputs implements Op.
func (o *GroupedOuter) Inputs(list []*Tensor) []*Tensor {
	if o.Accumulate {
		list = append(list, o.Out)
	}
	return append(list, o.X, o.Y, o.Starts)
}

// Outputs implements Op.
func (o *GroupedOuter) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *GroupedOuter) Check() error {
	c := check(o).is("Out", o.Out, dtype.F32, -1, -1, -1).is("X", o.X, dtype.F32, -1, -1)
	if c.err != nil {
		return c.err
	}
	m := o.X.Shape[0]
	return c.is("X", o.X, dtype.F32, m, o.Out.Shape[1]).is("Y", o.Y, dtype.F32, m, o.Out.Shape[2]).is("Starts", o.Starts, dtype.I32, o.Out.Shape[0]+1).err
}

// GroupedSum writes Out[e] = Σ X[i] over the rows i of group e (+ Out[e] with Accumulate), in ascending i: the gradient of the biases
// of groups.
//
//	X       [m, n]        float32
//	Starts  [groups + 1]  int32, ascending, at most m
//	Out     [groups, n]   float32
type GroupedSum struct {
	X, Starts, Out *Tensor
	Accumulate     bool
}

// Name implements Op.
func (*GroupedSum) Name() string { return "grouped_sum" }

// Inputs implements Op.
func (o *GroupedSum) Inputs(list []*Tensor) []*Tensor {
	if o.Accumulate {
		list = append(list, o.Out)
	}
	return append(list, o.X, o.Starts)
}

// Outputs implements Op.
func (o *GroupedSum) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *GroupedSum) Check() error {
	c := check(o).is("Out", o.Out, dtype.F32, -1, -1)
	if c.err != nil {
		return c.err
	}
	return c.is("X", o.X, dtype.F32, -1, o.Out.Shape[1]).is("Starts", o.Starts, dtype.I32, o.Out.Shape[0]+1).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	starts := []int32{1, 1, 4, 20, 20, 60} // groups of none, one of many, rows in no group
	for _, noTrans := range []bool{false, true} {
		for _, kind := range []dtype.Type{dtype.F32, dtype.BF16, dtype.Q8_0, dtype.Q4_K} {
			for _, acc := range []bool{false, true} {
				if noTrans && kind.Quantized() && acc {
					continue
				}
				list = append(list, Sample{Name: sampleName("grouped_matmul", noTrans, kind, acc), Make: func(m Maker) Op {
					k, n := 256, 37
					shape := []int{5, n, k}
					if noTrans {
						k, n = n, k
					}
					o := &GroupedMatMul{A: m.Normal(1, 61, k), Starts: m.Ints(starts), Out: m.Normal(1, 61, n), NoTrans: noTrans, Accumulate: acc, Fast: kind.Quantized() && !noTrans}
					if kind == dtype.F32 {
						o.B = m.Normal(1, shape...)
					} else {
						o.B = m.Packed(kind, 1, shape...)
					}
					if acc {
						o.Bias = m.Normal(1, 5, n)
					}
					return o
				}, Tolerance: 5e-6, GradientTolerance: roundedGroups(kind), Finite: kind.Quantized()})
			}
		}
	}
	for _, acc := range []bool{false, true} {
		list = append(list, Sample{Name: sampleName("grouped_outer", acc), Make: func(m Maker) Op {
			return &GroupedOuter{X: m.Normal(1, 61, 19), Y: m.Normal(1, 61, 33), Starts: m.Ints(starts), Out: m.Normal(1, 5, 19, 33), Accumulate: acc}
		}, Tolerance: 5e-6}, Sample{Name: sampleName("grouped_sum", acc), Make: func(m Maker) Op {
			return &GroupedSum{X: m.Normal(1, 61, 67), Starts: m.Ints(starts), Out: m.Normal(1, 5, 67), Accumulate: acc}
		}})
	}
	return list
})

// roundedGroups is the gradient tolerance of samples whose activations are rounded.
func roundedGroups(kind dtype.Type) float64 {
	if kind.Quantized() {
		return -1
	}
	return 0
}
