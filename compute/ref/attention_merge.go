package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

var _ = provides(attentionMerge)

func attentionMerge(o *compute.AttentionMerge) error {
	a, b, out, as, bs := host.F32(o.A), host.F32(o.B), host.F32(o.Out), host.F32(o.ASum), host.F32(o.BSum)
	n := o.A.Shape[2]
	for i := range as {
		most := max(float64(as[i]), float64(bs[i]))
		if math.IsInf(most, -1) {
			clear(out[i*n : (i+1)*n])
			continue
		}
		u, v := math.Exp(float64(as[i])-most), math.Exp(float64(bs[i])-most)
		for j := i * n; j < (i+1)*n; j++ {
			out[j] = float32((u*float64(a[j]) + v*float64(b[j])) / (u + v))
		}
	}
	return nil
}
