package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// softmaxKernels are the kernels that Softmax has beside those of the loss.
type softmaxKernels struct {
	shift          func(out, x *float32, n int, by float32)     // out = x − by
	scaleTo        func(out, x *float32, n int, by float32)     // out = x·by
	softmaxBack    func(dx, y, d *float32, n int, mean float32) // dx = y·(d − mean)
	logSoftmaxBack func(dx, y, d *float32, n int, sum float32)  // dx = d − exp(y)·sum
}

var _ = provides((*backend).softmax)

func (b *backend) softmax(o *compute.Softmax) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, out, n := host.F32(o.X), host.F32(o.Out), o.X.Columns()
	k := sinkOf(out, slotF, x)
	b.spans(o.X.Rows(), 1, func(s *scratch, from, to int) {
		for i := from; i < to; i++ {
			b.softmaxRow(s, slice(k.at(s, i*n, n), n), x[i*n:(i+1)*n], o.Log)
			k.done(b.kernels, s, i*n, n)
		}
	})
	return nil
}

func (b *backend) softmaxRow(s *scratch, y, row []float32, log bool) {
	n := len(row)
	most, sum := b.most(at(row, 0), n), float32(0)
	e := y
	if log {
		e = s.need(slotE, min(n, stretch))
	}
	for from := 0; from < n; from += stretch {
		count := min(stretch, n-from)
		if !log {
			e = y[from:]
		}
		sum += b.expSum(at(e, 0), at(row, from), count, most)
	}
	for from := 0; from < n; from += stretch {
		if count := min(stretch, n-from); log {
			b.shift(at(y, from), at(row, from), count, most+float32(math.Log(float64(sum))))
		} else {
			b.scaleTo(at(y, from), at(y, from), count, 1/sum)
		}
	}
}

// inParts runs f over [0, n) in parts of a stretch.
func (b *backend) inParts(n int, f func(from, n int)) {
	for from := 0; from < n; from += stretch {
		f(from, min(stretch, n-from))
	}
}

var _ = provides((*backend).softmaxBackward)

func (b *backend) softmaxBackward(o *compute.SoftmaxBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	y, d, dx, n := host.F32(o.Result), host.F32(o.DOut), host.F32(o.DX), o.Result.Columns()
	b.spans(o.Result.Rows(), 1, func(_ *scratch, from, to int) {
		for i := from; i < to; i++ {
			first, sum := i*n, float32(0)
			if o.Log {
				sum = b.sumOf(d[first : first+n])
				b.inParts(n, func(at0, count int) {
					b.logSoftmaxBack(at(dx, first+at0), at(y, first+at0), at(d, first+at0), count, sum)
				})
				continue
			}
			b.inParts(n, func(at0, count int) { sum += b.dot(at(d, first+at0), at(y, first+at0), count) })
			b.inParts(n, func(at0, count int) {
				b.softmaxBack(at(dx, first+at0), at(y, first+at0), at(d, first+at0), count, sum)
			})
		}
	})
	return nil
}

var _ = kernelsOf("generic", func(k *kernels) {
	k.shift = func(out, x *float32, n int, by float32) {
		o := slice(out, n)
		for i, v := range slice(x, n) {
			o[i] = v - by
		}
	}
	k.scaleTo = func(out, x *float32, n int, by float32) {
		o := slice(out, n)
		for i, v := range slice(x, n) {
			o[i] = v * by
		}
	}
	k.softmaxBack = func(dx, y, d *float32, n int, mean float32) {
		o, e := slice(dx, n), slice(d, n)
		for i, v := range slice(y, n) {
			o[i] = v * (e[i] - mean)
		}
	}
	k.logSoftmaxBack = func(dx, y, d *float32, n int, sum float32) {
		o, e := slice(dx, n), slice(d, n)
		for i, v := range slice(y, n) {
			o[i] = e[i] - float32(exp32(v)*sum)
		}
	}
})
