package cpu

import (
	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

var _ = provides((*backend).gather)

func (b *backend) gather(o *compute.Gather) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	index := host.I32(o.Index)
	if err := host.CheckIndex(index, o.Table.Rows()); err != nil {
		return err
	}
	b.failed.Store(nil)
	spansWith(b, len(index), 16, o, (*backend).gatherRows)
	if err := b.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (b *backend) gatherRows(o *compute.Gather, _ *scratch, from, to int) {
	index, out, n, kind := host.I32(o.Index), host.F32(o.Out), o.Table.Columns(), o.Table.Type
	table, size := host.Bytes(o.Table), kind.Bytes(n)
	for i := from; i < to; i++ {
		row := table[int(index[i])*size:][:size]
		if kind == dtype.F32 {
			copy(bytesOf(out[i*n:(i+1)*n]), row)
		} else if err := b.dequantize(kind, row, out[i*n:(i+1)*n]); err != nil {
			b.fail(err)
			return
		}
	}
}

var _ = provides((*backend).scatter)

func (b *backend) scatter(o *compute.Scatter) error {
	index := host.I32(o.Index)
	if err := host.CheckIndex(index, o.Out.Shape[0]); err != nil || len(index) == 0 {
		return err
	}
	x, out := host.Bytes(o.X), host.Bytes(o.Out)
	row := len(x) / len(index)
	for i, slot := range index {
		copy(out[int(slot)*row:(int(slot)+1)*row], x[i*row:])
	}
	return nil
}

var _ = provides((*backend).scatterAdd)

// scatterAdd splits the columns: each worker adds all rows in order, so the order never depends on the workers.
func (b *backend) scatterAdd(o *compute.ScatterAdd) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := host.CheckIndex(host.I32(o.Index), o.Out.Rows()); err != nil {
		return err
	}
	if !o.Accumulate {
		b.zero(host.F32(o.Out))
	}
	spansWith(b, o.X.Columns(), 32, o, (*backend).scatterAddColumns)
	return nil
}

func (b *backend) scatterAddColumns(o *compute.ScatterAdd, _ *scratch, from, to int) {
	x, out, n := host.F32(o.X), host.F32(o.Out), o.X.Columns()
	for i, entry := range host.I32(o.Index) {
		d := at(out, int(entry)*n+from)
		b.add(d, d, at(x, i*n+from), to-from)
	}
}
