package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

func (b *backend) inverseRMS(x *float32, n int, epsilon float32) float32 {
	return float32(1 / math.Sqrt(float64(b.dot(x, x, n))/float64(n)+float64(epsilon)))
}

var _ = provides((*backend).rmsnorm)

func (b *backend) rmsnorm(o *compute.RMSNorm) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, w, out, n := host.F32(o.X), host.F32(o.Weight), host.F32(o.Out), o.X.Columns()
	b.spans(o.X.Rows(), 4, func(_ *scratch, from, to int) {
		for i := from; i < to; i++ {
			r := b.inverseRMS(at(x, i*n), n, o.Epsilon)
			b.normScale(at(out, i*n), at(x, i*n), at(w, 0), n, r)
		}
	})
	return nil
}

// normGroup is the number of rows whose contributions to DWeight are summed together.
const normGroup = 128

var _ = provides((*backend).rmsnormBackward)

func (b *backend) rmsnormBackward(o *compute.RMSNormBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, w, d, n, rows := host.F32(o.X), host.F32(o.Weight), host.F32(o.DOut), o.X.Columns(), o.X.Rows()
	dx, dw := host.F32(o.DX), host.F32(o.DWeight)
	groups := (rows + normGroup - 1) / normGroup
	sums := b.shared.need(slotA, groups*n)
	b.each(groups, func(_ *scratch, g int) {
		sum := sums[g*n : (g+1)*n]
		clear(sum)
		for i := g * normGroup; i < min(rows, (g+1)*normGroup); i++ {
			xi, di, wi := at(x, i*n), at(d, i*n), at(w, 0)
			r := b.inverseRMS(xi, n, o.Epsilon)
			if dw != nil {
				b.mulAdd(at(sum, 0), di, xi, n, r)
			}
			if dx != nil {
				c := r * r * r * b.dot3(di, wi, xi, n) / float32(n)
				if o.AccumulateX {
					b.normGradAdd(at(dx, i*n), di, wi, xi, n, r, c)
				} else {
					b.normGrad(at(dx, i*n), di, wi, xi, n, r, c)
				}
			}
		}
	})
	if dw == nil {
		return nil
	}
	if !o.AccumulateWeight {
		clear(dw)
	}
	for g := range groups {
		b.add(at(dw, 0), at(dw, 0), at(sums, g*n), n)
	}
	return nil
}
