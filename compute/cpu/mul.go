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
	spansWith(b, o.Out.Elements(), stretch, o, (*backend).scaleSpan)
	return nil
}

func (b *backend) scaleSpan(o *compute.Scale, _ *scratch, from, to int) {
	x, out := host.F32(o.X), host.F32(o.Out)
	for ; from < to; from += stretch {
		b.scaleTo(at(out, from), at(x, from), min(stretch, to-from), o.By)
	}
}

var _ = provides((*backend).mulOp)

func (b *backend) mulOp(o *compute.Mul) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.A.Elements() == o.B.Elements() {
		spansWith(b, o.Out.Elements(), stretch, o, (*backend).mulSpan)
	} else {
		spansWith(b, o.A.Rows(), 4, o, (*backend).mulByRow)
	}
	return nil
}

func (b *backend) mulSpan(o *compute.Mul, _ *scratch, from, to int) {
	x, y, out := host.F32(o.A), host.F32(o.B), host.F32(o.Out)
	for ; from < to; from += stretch {
		b.mul(at(out, from), at(x, from), at(y, from), min(stretch, to-from))
	}
}

// mulByRow multiplies each row by the same one.
func (b *backend) mulByRow(o *compute.Mul, _ *scratch, from, to int) {
	x, y, out, n := host.F32(o.A), host.F32(o.B), host.F32(o.Out), o.A.Columns()
	for i := from; i < to; i++ {
		b.mul(at(out, i*n), at(x, i*n), at(y, 0), n)
	}
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
