package ref

import (
	"lian/compute"
	"lian/compute/host"
)

var _ = provides(gather)

func gather(o *compute.Gather) error {
	index, out, n := host.I32(o.Index), host.F32(o.Out), o.Table.Columns()
	if err := host.CheckIndex(index, o.Table.Rows()); err != nil {
		return err
	}
	for i, entry := range index {
		row, err := values(o.Table.View(o.Table.Rows(), n).Slice(int(entry), int(entry)+1))
		if err != nil {
			return err
		}
		for j, v := range row {
			out[i*n+j] = float32(v)
		}
	}
	return nil
}

var _ = provides(scatterAdd)

func scatterAdd(o *compute.ScatterAdd) error {
	index, x, out, n := host.I32(o.Index), host.F32(o.X), host.F32(o.Out), o.X.Columns()
	if err := host.CheckIndex(index, o.Out.Rows()); err != nil {
		return err
	}
	if !o.Accumulate {
		clear(out)
	}
	for i, entry := range index {
		for j := range n {
			out[int(entry)*n+j] += x[i*n+j]
		}
	}
	return nil
}

var _ = provides(scatter)

func scatter(o *compute.Scatter) error {
	index := host.I32(o.Index)
	if err := host.CheckIndex(index, o.Out.Shape[0]); err != nil || len(index) == 0 {
		return err
	}
	x, out := host.Bytes(o.X), host.Bytes(o.Out)
	row := len(x) / len(index)
	for i, slot := range index {
		copy(out[int(slot)*row:], x[i*row:(i+1)*row])
	}
	return nil
}
