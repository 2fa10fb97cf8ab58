package ref

import (
	"lian/compute"
	"lian/compute/host"
)

var _ = provides(groupedMatMul)

func groupedMatMul(o *compute.GroupedMatMul) error {
	starts, err := host.Groups(o.Starts, o.A.Rows())
	if err != nil {
		return err
	}
	if out, n := host.F32(o.Out), o.Out.Columns(); !o.Accumulate {
		clear(out[:int(starts[0])*n])
		clear(out[int(starts[len(starts)-1])*n:])
	}
	for e := range o.B.Shape[0] {
		from, to := int(starts[e]), int(starts[e+1])
		var bias *compute.Tensor
		if o.Bias != nil {
			bias = o.Bias.Slice(e, e+1).View(o.Bias.Shape[1])
		}
		err := matmul(&compute.MatMul{A: o.A.Slice(from, to), B: o.B.Slice(e, e+1).View(o.B.Shape[1:]...), Out: o.Out.Slice(from, to), Bias: bias, TransB: !o.NoTrans, Accumulate: o.Accumulate, Fast: o.Fast, BF16: o.BF16})
		if err != nil {
			return err
		}
	}
	return nil
}

var _ = provides(groupedOuter)

func groupedOuter(o *compute.GroupedOuter) error {
	starts, err := host.Groups(o.Starts, o.X.Rows())
	if err != nil {
		return err
	}
	for e := range o.Out.Shape[0] {
		from, to := int(starts[e]), int(starts[e+1])
		err := matmul(&compute.MatMul{A: o.X.Slice(from, to), B: o.Y.Slice(from, to), Out: o.Out.Slice(e, e+1).View(o.Out.Shape[1:]...), TransA: true, Accumulate: o.Accumulate, BF16: o.BF16})
		if err != nil {
			return err
		}
	}
	return nil
}

var _ = provides(groupedSum)

func groupedSum(o *compute.GroupedSum) error {
	starts, err := host.Groups(o.Starts, o.X.Rows())
	if err != nil {
		return err
	}
	for e := range o.Out.Shape[0] {
		out := o.Out.Slice(e, e+1).View(o.Out.Shape[1])
		if err := sumRows(&compute.SumRows{X: o.X.Slice(int(starts[e]), int(starts[e+1])), Out: out, Accumulate: o.Accumulate}); err != nil {
			return err
		}
	}
	return nil
}
