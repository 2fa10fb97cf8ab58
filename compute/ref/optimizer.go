package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

var _ = provides(sumSquares)

func sumSquares(o *compute.SumSquares) error {
	total := 0.0
	for _, t := range o.X {
		x := host.F32(t)
		for at := 0; at < len(x); at += compute.SumBlock {
			sum := 0.0
			for _, v := range x[at:min(at+compute.SumBlock, len(x))] {
				sum += float64(v) * float64(v)
			}
			total += sum
		}
	}
	host.F64(o.Out)[0] = total
	return nil
}

var _ = provides(clipFactor)

func clipFactor(o *compute.ClipFactor) error {
	factor := 1.0
	if o.MaxNorm > 0 {
		factor = min(1, float64(o.MaxNorm)/(math.Sqrt(host.F64(o.SumSquares)[0])+1e-6))
	}
	host.F32(o.Out)[0] = float32(factor)
	return nil
}

var _ = provides(adamw)

func adamw(o *compute.AdamW) error {
	p, g, m, v := host.F32(o.Param), host.F32(o.Grad), host.F32(o.M), host.F32(o.V)
	scale := 1.0
	if o.GradScale != nil {
		scale = float64(host.F32(o.GradScale)[0])
	}
	c1, c2 := 1-math.Pow(o.Beta1, float64(o.Step)), 1-math.Pow(o.Beta2, float64(o.Step))
	for i := range p {
		x := float64(g[i]) * scale
		mi := o.Beta1*float64(m[i]) + (1-o.Beta1)*x
		vi := o.Beta2*float64(v[i]) + (1-o.Beta2)*x*x
		w := float64(p[i]) * (1 - o.LearningRate*o.Decay)
		w -= o.LearningRate / c1 * mi / (math.Sqrt(vi/c2) + o.Epsilon)
		p[i], m[i], v[i] = float32(w), float32(mi), float32(vi)
	}
	return nil
}
