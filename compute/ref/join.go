package ref

import (
	"lian/compute"
	"lian/compute/host"
)

var _ = provides(join)

func join(o *compute.Join) error {
	out, left, right, n := host.F32(o.Out), host.F32(o.Left), host.F32(o.Right), o.Out.Columns()
	l := leftColumns(o.Left, o.Right, n)
	for i := range out {
		row, column := i/n, i%n
		switch {
		case column < l && left != nil:
			out[i] = left[row*l+column]
		case column >= l && right != nil:
			out[i] = right[row*(n-l)+column-l]
		default:
			out[i] = 0
		}
	}
	return nil
}

var _ = provides(split)

func split(o *compute.Split) error {
	left, right, n := host.F32(o.Left), host.F32(o.Right), o.X.Columns()
	l := leftColumns(o.Left, o.Right, n)
	for i, v := range host.F32(o.X) {
		row, column := i/n, i%n
		switch {
		case column < l && left != nil:
			left[row*l+column] = v
		case column >= l && right != nil:
			right[row*(n-l)+column-l] = v
		}
	}
	return nil
}

// leftColumns is how many of n columns are the left part's.
func leftColumns(left, right *compute.Tensor, n int) int {
	if left != nil {
		return left.Columns()
	}
	return n - right.Columns()
}
