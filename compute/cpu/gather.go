package cpu

import (
	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
	"sync/atomic"
)

var _ = provides((*backend).gather)

func (b *backend) gather(o *compute.Gather) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	index, out, n := host.I32(o.Index), host.F32(o.Out), o.Table.Columns()
	if err := host.CheckIndex(index, o.Table.Rows()); err != nil {
		return err
	}
	table, kind := host.Bytes(o.Table), o.Table.Type
	size := kind.Bytes(n)
	var floats []float32
	if kind == dtype.F32 {
		floats = host.F32(o.Table)
	}
	var failed atomic.Pointer[error]
	b.spans(len(index), 16, func(_ *scratch, from, to int) {
		for i := from; i < to; i++ {
			entry := int(index[i])
			if floats != nil {
				copy(out[i*n:(i+1)*n], floats[entry*n:])
			} else if err := b.dequantize(kind, table[entry*size:(entry+1)*size], out[i*n:(i+1)*n]); err != nil {
				failed.Store(&err)
				return
			}
		}
	})
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
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
	index, x, out, n := host.I32(o.Index), host.F32(o.X), host.F32(o.Out), o.X.Columns()
	if err := host.CheckIndex(index, o.Out.Rows()); err != nil {
		return err
	}
	if !o.Accumulate {
		b.spans(len(out), 4096, func(_ *scratch, from, to int) { clear(out[from:to]) })
	}
	b.spans(n, 32, func(_ *scratch, from, to int) {
		for i, entry := range index {
			d := at(out, int(entry)*n+from)
			b.add(d, d, at(x, i*n+from), to-from)
		}
	})
	return nil
}
