package ref

import (
	"lian/compute"
	"lian/compute/host"
)

var _ = provides(scale)

func scale(o *compute.Scale) error {
	for i, x := range host.F32(o.X) {
		host.F32(o.Out)[i] = x * o.By
	}
	return nil
}

var _ = provides(mul)

func mul(o *compute.Mul) error {
	a, b, out := host.F32(o.A), host.F32(o.B), host.F32(o.Out)
	for i := range out {
		out[i] = a[i] * b[i%len(b)]
	}
	return nil
}

var _ = provides(sumProducts)

func sumProducts(o *compute.SumProducts) error {
	a, b, sums := host.F32(o.A), host.F32(o.B), make([]float64, o.A.Columns())
	for i := range a {
		sums[i%len(sums)] += float64(a[i]) * float64(b[i])
	}
	put(host.F32(o.Out), sums, o.Accumulate)
	return nil
}
