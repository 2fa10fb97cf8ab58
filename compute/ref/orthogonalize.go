package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

var _ = provides(orthogonalize)

func orthogonalize(o *compute.Orthogonalize) error {
	m, n := o.X.Shape[0], o.X.Shape[1]
	x, _ := values(o.X)
	a, b, c, epsilon := o.Coefficients()
	norm := 0.0
	for _, v := range x {
		norm += v * v
	}
	norm = max(math.Sqrt(norm), epsilon)
	for i := range x {
		x[i] /= norm
	}
	if m > n {
		x = flip(x, m, n)
	}
	r, k := min(m, n), max(m, n)
	for range o.Steps {
		g := times(x, flip(x, r, k), r, k, r, o.BF16)
		poly := times(g, g, r, r, r, o.BF16)
		for i := range poly {
			poly[i] = b*g[i] + c*poly[i]
		}
		next := times(poly, x, r, r, k, o.BF16)
		for i := range next {
			next[i] += a * x[i]
		}
		x = next
	}
	if m > n {
		x = flip(x, n, m)
	}
	put(host.F32(o.Out), x, false)
	return nil
}

// flip is the transpose of an m × n matrix.
func flip(x []float64, m, n int) []float64 {
	out := make([]float64, len(x))
	for i := range m {
		for j := range n {
			out[j*m+i] = x[i*n+j]
		}
	}
	return out
}

// times is the product of an m × k and a k × n matrix.
func times(x, y []float64, m, k, n int, rounded bool) []float64 {
	if rounded {
		x, y = append([]float64(nil), x...), append([]float64(nil), y...)
		roundToBF16(x)
		roundToBF16(y)
	}
	out := make([]float64, m*n)
	for i := range m {
		for p := range k {
			for j := range n {
				out[i*n+j] += x[i*k+p] * y[p*n+j]
			}
		}
	}
	return out
}
