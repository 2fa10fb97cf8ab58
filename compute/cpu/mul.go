package cpu

import (
	"lian/compute"
	"lian/compute/host"
)

// mulKernels are the kernels of Mul.
type mulKernels struct {
	mul  func(out, a, b *float32, n int)
	axpy func(sum, x *float32, n int, by float32) // sum += x·by
}

var _ = provides((*backend).scaleOp)

func (b *backend) scaleOp(o *compute.Scale) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, out := host.F32(o.X), host.F32(o.Out)
	b.stretches(len(out), func(_ *scratch, from, n int) { b.scaleTo(at(out, from), at(x, from), n, o.By) })
	return nil
}

var _ = provides((*backend).mulOp)

func (b *backend) mulOp(o *compute.Mul) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, y, out, n := host.F32(o.A), host.F32(o.B), host.F32(o.Out), o.A.Columns()
	if len(x) == len(y) {
		b.stretches(len(out), func(_ *scratch, from, n int) { b.mul(at(out, from), at(x, from), at(y, from), n) })
		return nil
	}
	b.spans(o.A.Rows(), 4, func(_ *scratch, from, to int) {
		for i := from; i < to; i++ {
			b.mul(at(out, i*n), at(x, i*n), at(y, 0), n)
		}
	})
	return nil
}

var _ = provides((*backend).sumProducts)

func (b *backend) sumProducts(o *compute.SumProducts) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, y, n, rows := host.F32(o.A), host.F32(o.B), o.A.Columns(), o.A.Rows()
	groups := (rows + normGroup - 1) / normGroup
	sums := b.shared.need(slotA, groups*n)
	b.each(groups, func(_ *scratch, g int) {
		sum := sums[g*n : (g+1)*n]
		clear(sum)
		for i := g * normGroup; i < min(rows, (g+1)*normGroup); i++ {
			b.mulAdd(at(sum, 0), at(x, i*n), at(y, i*n), n, 1)
		}
	})
	b.sumGroups(host.F32(o.Out), sums, groups, n, o.Accumulate)
	return nil
}

var _ = kernelsOf("generic", func(k *kernels) {
	k.axpy = func(sum, x *float32, n int, by float32) {
		o := slice(sum, n)
		for i, v := range slice(x, n) {
			o[i] += float32(v * by)
		}
	}
	k.mul = func(out, a, b *float32, n int) {
		o, x, y := slice(out, n), slice(a, n), slice(b, n)
		for i := range o {
			o[i] = x[i] * y[i]
		}
	}
})
