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
	x, w, out, n := addResidual(o.X, o.Residual, o.Sum), host.F32(o.Weight), host.F32(o.Out), o.X.Columns()
	for at := 0; at < len(x); at += n {
		r := inverseRMS(x[at:at+n], o.Epsilon)
		for j := range n {
			out[at+j] = float32(float64(x[at+j]) * r * (float64(w[j]) + float64(o.Offset)))
		}
	}
	return nil
}

// addResidual is what a norm takes: x, or the sum that it stores.
func addResidual(x, residual, sum *compute.Tensor) []float32 {
	if residual == nil {
		return host.F32(x)
	}
	a, b, s := host.F32(x), host.F32(residual), host.F32(sum)
	for i := range s {
		s[i] = a[i] + b[i]
	}
	return s
}

var _ = provides(rmsnormBackward)

func rmsnormBackward(o *compute.RMSNormBackward) error {
	x, w, d, dsum, n := host.F32(o.X), host.F32(o.Weight), host.F32(o.DOut), host.F32(o.DSum), o.X.Columns()
	grads := make([]float64, len(x))
	sumW := make([]float64, n)
	for at := 0; at < len(x); at += n {
		r := inverseRMS(x[at:at+n], o.Epsilon)
		dot := 0.0
		for j := range n {
			dot += float64(d[at+j]) * (float64(w[j]) + float64(o.Offset)) * float64(x[at+j])
			sumW[j] += float64(d[at+j]) * float64(x[at+j]) * r
		}
		for j := range n {
			grads[at+j] = r*float64(d[at+j])*(float64(w[j])+float64(o.Offset)) - float64(x[at+j])*r*r*r*dot/float64(n)
			if dsum != nil {
				grads[at+j] += float64(dsum[at+j])
			}
		}
	}
	put(host.F32(o.DX), grads, o.AccumulateX)
	put(host.F32(o.DResidual), grads, o.AccumulateResidual)
	put(host.F32(o.DWeight), sumW, o.AccumulateWeight)
	return nil
}

// put is dst = values, or dst += values; nothing without dst.
func put(dst []float32, values []float64, accumulate bool) {
	for i := range dst {
		if accumulate {
			dst[i] = float32(float64(dst[i]) + values[i])
		} else {
			dst[i] = float32(values[i])
		}
	}
}
