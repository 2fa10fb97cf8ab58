package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

var _ = provides(adaptive)

func adaptive(o *compute.Adaptive) error {
	p, v, m, slow, most := host.F32(o.Param), host.F32(o.V), host.F32(o.M), host.F32(o.Slow), host.F32(o.Max)
	for i, grad := range host.F32(o.Grad) {
		g := float64(grad)*scaleOf(o.GradScale) + o.L2*float64(p[i])
		square := o.KeepV*float64(v[i]) + o.AddV*g*g
		v[i] = float32(square)
		if most != nil {
			square = max(square, float64(most[i]))
			most[i] = float32(square)
		}
		step := o.RateG * g
		if m != nil {
			mean := o.Beta1*float64(m[i]) + (1-o.Beta1)*g
			m[i] = float32(mean)
			step += o.RateM * mean
		}
		if slow != nil {
			mean := o.Beta3*float64(slow[i]) + (1-o.Beta3)*g
			slow[i] = float32(mean)
			step += o.RateSlow * mean
		}
		if !o.Flat {
			step /= math.Sqrt(o.CorrectV*square) + o.Epsilon
		}
		p[i] = float32((1-o.Shrink)*float64(p[i]) - step)
	}
	return nil
}

var _ = provides(adaDelta)

func adaDelta(o *compute.AdaDelta) error {
	p, v, moved := host.F32(o.Param), host.F32(o.V), host.F32(o.Moved)
	for i, grad := range host.F32(o.Grad) {
		g := float64(grad)*scaleOf(o.GradScale) + o.L2*float64(p[i])
		square := o.Rho*float64(v[i]) + (1-o.Rho)*g*g
		d := g * math.Sqrt(float64(moved[i])+o.Epsilon) / math.Sqrt(square+o.Epsilon)
		v[i], moved[i] = float32(square), float32(o.Rho*float64(moved[i])+(1-o.Rho)*d*d)
		p[i] = float32(float64(p[i]) - o.LearningRate*d)
	}
	return nil
}

var _ = provides(scheduleFree)

func scheduleFree(o *compute.ScheduleFree) error {
	y, z, v := host.F32(o.Param), host.F32(o.Z), host.F32(o.V)
	correct := 1 - math.Pow(o.Beta2, float64(o.Step))
	for i, grad := range host.F32(o.Grad) {
		u := float64(grad) * scaleOf(o.GradScale)
		if v != nil {
			square := o.Beta2*float64(v[i]) + (1-o.Beta2)*u*u
			v[i] = float32(square)
			u /= math.Sqrt(square/correct) + o.Epsilon
		}
		u += o.Decay * float64(y[i])
		y[i] = float32(float64(y[i]) + o.Weight*(float64(z[i])-float64(y[i])) + o.LearningRate*(o.Beta1*(1-o.Weight)-1)*u)
		z[i] = float32(float64(z[i]) - o.LearningRate*u)
	}
	return nil
}
