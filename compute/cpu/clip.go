package cpu

import (
	"lian/compute"
	"lian/compute/host"
)

// clipKernels are the kernels of Clip.
type clipKernels struct {
	clip     func(out, x *float32, n int, low, high float32)
	clipGrad func(dx, x, d *float32, n int, low, high float32) // dx = d·(low ≤ x ≤ high)
}

// clipTask is what a span of Clip or of its gradient needs to know; d is nil for Clip.
type clipTask struct {
	*clipKernels
	out, x, d []float32
	low, high float32
}

func (t *clipTask) span(_ *scratch, from, to int) {
	for ; from < to; from += stretch {
		n := min(stretch, to-from)
		if t.d == nil {
			t.clip(at(t.out, from), at(t.x, from), n, t.low, t.high)
		} else {
			t.clipGrad(at(t.out, from), at(t.x, from), at(t.d, from), n, t.low, t.high)
		}
	}
}

var _ = provides((*backend).clip)

func (b *backend) clip(o *compute.Clip) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := frame[clipTask](b)
	*t = clipTask{tableOf[clipKernels](b.kernels), host.F32(o.Out), host.F32(o.X), nil, o.Low, o.High}
	b.spansOf(len(t.out), stretch, t)
	return nil
}

var _ = provides((*backend).clipBackward)

func (b *backend) clipBackward(o *compute.ClipBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := frame[clipTask](b)
	*t = clipTask{tableOf[clipKernels](b.kernels), host.F32(o.DX), host.F32(o.X), host.F32(o.DOut), o.Low, o.High}
	b.spansOf(len(t.out), stretch, t)
	return nil
}

var _ = kernelsOf("generic", func(k *kernels) {
	t := tableOf[clipKernels](k)
	t.clip = func(out, x *float32, n int, low, high float32) {
		o := slice(out, n)
		for i, v := range slice(x, n) {
			o[i] = max(min(v, high), low) // Go's min and max keep NaN
		}
	}
	t.clipGrad = func(dx, x, d *float32, n int, low, high float32) {
		o, g := slice(dx, n), slice(d, n)
		for i, v := range slice(x, n) {
			slope := float32(1)
			if v < low || v > high {
				slope = 0
			}
			o[i] = g[i] * slope
		}
	}
})
