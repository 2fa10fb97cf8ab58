package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

var _ = provides((*backend).attentionMerge)

func (b *backend) attentionMerge(o *compute.AttentionMerge) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.ASum.Elements(), 16, o, (*backend).mergeRows)
	return nil
}

func (b *backend) mergeRows(o *compute.AttentionMerge, _ *scratch, from, to int) {
	x, y, out, xs, ys, n := host.F32(o.A), host.F32(o.B), host.F32(o.Out), host.F32(o.ASum), host.F32(o.BSum), o.A.Shape[2]
	for i := from; i < to; i++ {
		most := max(xs[i], ys[i])
		if math.IsInf(float64(most), -1) {
			clear(out[i*n : (i+1)*n])
			continue
		}
		u, v := math.Exp(float64(xs[i]-most)), math.Exp(float64(ys[i]-most))
		left, right := float32(u/(u+v)), float32(v/(u+v))
		for j := i * n; j < (i+1)*n; j++ {
			out[j] = float32(left*x[j]) + float32(right*y[j])
		}
	}
}
