package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// centre is the mean of x and 1/sqrt(variance+epsilon).
func centre(x []float32, epsilon float32) (mean, r float64) {
	for _, v := range x {
		mean += float64(v) / float64(len(x))
	}
	variance := 0.0
	for _, v := range x {
		variance += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
	}
	return mean, 1 / math.Sqrt(variance+float64(epsilon))
}

// or is x[i], or a default where there is no x.
func or(x []float32, i int, otherwise float64) float64 {
	if x == nil {
		return otherwise
	}
	return float64(x[i])
}

var _ = provides(layernorm)

func layernorm(o *compute.LayerNorm) error {
	x, w, bias, out, n := addResidual(o.X, o.Residual, o.Sum), host.F32(o.Weight), host.F32(o.Bias), host.F32(o.Out), o.X.Columns()
	for at := 0; at < len(x); at += n {
		mean, r := centre(x[at:at+n], o.Epsilon)
		for j := range n {
			out[at+j] = float32((float64(x[at+j])-mean)*r*or(w, j, 1) + or(bias, j, 0))
		}
	}
	return nil
}

var _ = provides(layernormBackward)

func layernormBackward(o *compute.LayerNormBackward) error {
	x, w, d, dsum, n := host.F32(o.X), host.F32(o.Weight), host.F32(o.DOut), host.F32(o.DSum), o.X.Columns()
	grads := make([]float64, len(x))
	sumW, sumB := make([]float64, n), make([]float64, n)
	for at := 0; at < len(x); at += n {
		mean, r := centre(x[at:at+n], o.Epsilon)
		meanG, meanGX := 0.0, 0.0 // of g, of g·(x−mean)
		for j := range n {
			g, c := float64(d[at+j])*or(w, j, 1), float64(x[at+j])-mean
			meanG += g / float64(n)
			meanGX += g * c / float64(n)
			sumW[j] += float64(d[at+j]) * c * r
			sumB[j] += float64(d[at+j])
		}
		for j := range n {
			g, c := float64(d[at+j])*or(w, j, 1), float64(x[at+j])-mean
			grads[at+j] = r*(g-meanG) - c*r*r*r*meanGX
			if dsum != nil {
				grads[at+j] += float64(dsum[at+j])
			}
		}
	}
	put(host.F32(o.DX), grads, o.AccumulateX)
	put(host.F32(o.DResidual), grads, o.AccumulateResidual)
	put(host.F32(o.DWeight), sumW, o.AccumulateWeight)
	put(host.F32(o.DBias), sumB, o.AccumulateBias)
	return nil
}
