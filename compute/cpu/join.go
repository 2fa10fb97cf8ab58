package cpu

import (
	"lian/compute"
	"lian/compute/host"
)

var _ = provides((*backend).join)

func (b *backend) join(o *compute.Join) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.Out.Rows(), 16, o, (*backend).joinRows)
	return nil
}

func (b *backend) joinRows(o *compute.Join, _ *scratch, from, to int) {
	out, left, right, n := host.F32(o.Out), host.F32(o.Left), host.F32(o.Right), o.Out.Columns()
	l := leftColumns(o.Left, o.Right, n)
	for i := from; i < to; i++ {
		row := out[i*n : (i+1)*n]
		if left == nil {
			clear(row[:l])
		} else {
			copy(row, left[i*l:(i+1)*l])
		}
		if right == nil {
			clear(row[l:])
		} else {
			copy(row[l:], right[i*(n-l):])
		}
	}
}

var _ = provides((*backend).split)

func (b *backend) split(o *compute.Split) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.X.Rows(), 16, o, (*backend).splitRows)
	return nil
}

func (b *backend) splitRows(o *compute.Split, _ *scratch, from, to int) {
	x, left, right, n := host.F32(o.X), host.F32(o.Left), host.F32(o.Right), o.X.Columns()
	l := leftColumns(o.Left, o.Right, n)
	for i := from; i < to; i++ {
		row := x[i*n : (i+1)*n]
		if left != nil {
			copy(left[i*l:], row[:l])
		}
		if right != nil {
			copy(right[i*(n-l):], row[l:])
		}
	}
}

// leftColumns is how many of n columns are the left part's.
func leftColumns(left, right *compute.Tensor, n int) int {
	if left != nil {
		return left.Columns()
	}
	return n - right.Columns()
}
