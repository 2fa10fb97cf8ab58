package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// Optimizers that few runs take are plain loops: an update is a thousandth of the step it ends.

var _ = provides((*backend).adaptive)

func (b *backend) adaptive(o *compute.Adaptive) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.Param.Elements(), stretch, o, (*backend).adaptiveSpan)
	return nil
}

func (b *backend) adaptiveSpan(o *compute.Adaptive, _ *scratch, from, to int) {
	p, g, v := host.F32(o.Param)[from:to], host.F32(o.Grad)[from:to], host.F32(o.V)[from:to]
	m, slow, most := part(o.M, from, to), part(o.Slow, from, to), part(o.Max, from, to)
	scale, l2, keep := factor(o.GradScale), float32(o.L2), float32(1-o.Shrink)
	keepV, addV, correct, epsilon := float32(o.KeepV), float32(o.AddV), float32(o.CorrectV), float32(o.Epsilon)
	beta1, rest1, beta3, rest3 := float32(o.Beta1), float32(1-o.Beta1), float32(o.Beta3), float32(1-o.Beta3)
	rateM, rateG, rateSlow := float32(o.RateM), float32(o.RateG), float32(o.RateSlow)
	for i, x := range g {
		x = float32(x*scale) + float32(l2*p[i])
		square := float32(keepV*v[i]) + float32(addV*float32(x*x))
		v[i] = square
		if most != nil {
			square = max(square, most[i])
			most[i] = square
		}
		step := rateG * x
		if m != nil {
			m[i] = float32(beta1*m[i]) + float32(rest1*x)
			step += float32(rateM * m[i])
		}
		if slow != nil {
			slow[i] = float32(beta3*slow[i]) + float32(rest3*x)
			step += float32(rateSlow * slow[i])
		}
		if !o.Flat {
			step /= root(float32(correct*square)) + epsilon
		}
		p[i] = float32(p[i]*keep) - step
	}
}

// part is a span of a state; nil of none.
func part(t *compute.Tensor, from, to int) []float32 {
	if t == nil {
		return nil
	}
	return host.F32(t)[from:to]
}

// factor is a gradient's factor.
func factor(t *compute.Tensor) float32 {
	if t == nil {
		return 1
	}
	return host.F32(t)[0]
}

func root(x float32) float32 { return float32(math.Sqrt(float64(x))) }

var _ = provides((*backend).adaDelta)

func (b *backend) adaDelta(o *compute.AdaDelta) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.Param.Elements(), stretch, o, (*backend).adaDeltaSpan)
	return nil
}

func (b *backend) adaDeltaSpan(o *compute.AdaDelta, _ *scratch, from, to int) {
	p, v, moved := host.F32(o.Param)[from:to], host.F32(o.V)[from:to], host.F32(o.Moved)[from:to]
	scale, l2, rate, rho, rest, epsilon := factor(o.GradScale), float32(o.L2), float32(o.LearningRate), float32(o.Rho), float32(1-o.Rho), float32(o.Epsilon)
	for i, x := range host.F32(o.Grad)[from:to] {
		x = float32(x*scale) + float32(l2*p[i])
		v[i] = float32(rho*v[i]) + float32(rest*float32(x*x))
		d := x * (root(moved[i]+epsilon) / root(v[i]+epsilon))
		moved[i] = float32(rho*moved[i]) + float32(rest*float32(d*d))
		p[i] -= float32(rate * d)
	}
}

var _ = provides((*backend).scheduleFree)

func (b *backend) scheduleFree(o *compute.ScheduleFree) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.Param.Elements(), stretch, o, (*backend).scheduleFreeSpan)
	return nil
}

func (b *backend) scheduleFreeSpan(o *compute.ScheduleFree, _ *scratch, from, to int) {
	y, z, v := host.F32(o.Param)[from:to], host.F32(o.Z)[from:to], part(o.V, from, to)
	scale, beta2, rest2, epsilon, decay := factor(o.GradScale), float32(o.Beta2), float32(1-o.Beta2), float32(o.Epsilon), float32(o.Decay)
	weight, ahead, rate := float32(o.Weight), float32(o.LearningRate*(o.Beta1*(1-o.Weight)-1)), float32(o.LearningRate)
	correct := float32(1 / (1 - math.Pow(o.Beta2, float64(o.Step))))
	for i, u := range host.F32(o.Grad)[from:to] {
		u *= scale
		if v != nil {
			v[i] = float32(beta2*v[i]) + float32(rest2*float32(u*u))
			u /= root(float32(v[i]*correct)) + epsilon
		}
		u += float32(decay * y[i])
		y[i] += float32(weight*(z[i]-y[i])) + float32(ahead*u)
		z[i] -= float32(rate * u)
	}
}
