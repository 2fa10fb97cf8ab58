package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// inverseRMS is 1/sqrt(mean(x²)+epsilon).
func inverseRMS(x []float32, epsilon float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return 1 / math.Sqrt(sum/float64(len(x))+float64(epsilon))
}

var _ = provides(rmsnorm)

func rmsnorm(o *compute.RMSNorm) error {
	x, w, out, n := host.F32(o.X), host.F32(o.Weight), host.F32(o.Out), o.X.Columns()
	for at := 0; at < len(x); at += n {
		r := inverseRMS(x[at:at+n], o.Epsilon)
		for j := range n {
			out[at+j] = float32(float64(x[at+j]) * r * float64(w[j]))
		}
	}
	return nil
}

var _ = provides(rmsnormBackward)

func rmsnormBackward(o *compute.RMSNormBackward) error {
	x, w, d, n := host.F32(o.X), host.F32(o.Weight), host.F32(o.DOut), o.X.Columns()
	dx, dw := host.F32(o.DX), host.F32(o.DWeight)
	sumW := make([]float64, n)
	for at := 0; at < len(x); at += n {
		r := inverseRMS(x[at:at+n], o.Epsilon)
		dot := 0.0
		for j := range n {
			dot += float64(d[at+j]) * float64(w[j]) * float64(x[at+j])
			sumW[j] += float64(d[at+j]) * float64(x[at+j]) * r
		}
		for j := range dx[:min(n, len(dx))] {
			v := r*float64(d[at+j])*float64(w[j]) - float64(x[at+j])*r*r*r*dot/float64(n)
			if o.AccumulateX {
				v += float64(dx[at+j])
			}
			dx[at+j] = float32(v)
		}
	}
	for j := range dw {
		if o.AccumulateWeight {
			sumW[j] += float64(dw[j])
		}
		dw[j] = float32(sumW[j])
	}
	return nil
}

var _ = provides(rope)

func rope(o *compute.RoPE) error {
	x, positions, frequencies := host.F32(o.X), host.I32(o.Positions), host.F32(o.Frequencies)
	heads, head, half := o.X.Shape[1], o.X.Shape[2], len(frequencies)
	scale := float64(o.Scale)
	if scale == 0 {
		scale = 1
	}
	for row, position := range positions {
		for p, f := range frequencies {
			sin, cos := math.Sincos(float64(position) * float64(f))
			s, c := float64(float32(sin)*float32(scale)), float64(float32(cos)*float32(scale))
			if o.Inverse {
				s = -s
			}
			i, j := p, p+half
			if o.Interleaved {
				i, j = 2*p, 2*p+1
			}
			for h := range heads {
				v := x[(row*heads+h)*head:]
				a, b := float64(v[i]), float64(v[j])
				v[i], v[j] = float32(a*c-b*s), float32(b*c+a*s)
			}
		}
	}
	return nil
}
