package ref

import (
	"lian/compute"
	"lian/compute/host"
)

// scaleOf is a gradient's factor.
func scaleOf(t *compute.Tensor) float64 { return or(host.F32(t), 0, 1) }

var _ = provides(sgd)

func sgd(o *compute.SGD) error {
	p, m := host.F32(o.Param), host.F32(o.M)
	for i, grad := range host.F32(o.Grad) {
		g := float64(grad)*scaleOf(o.GradScale) + o.Decay*float64(p[i])
		step := g
		if m != nil {
			average := g
			if o.Step > 1 {
				average = o.Momentum*float64(m[i]) + (1-o.Dampening)*g
			}
			m[i], step = float32(average), average
			if o.Nesterov {
				step = g + o.Momentum*average
			}
		}
		p[i] = float32(float64(p[i]) - o.LearningRate*step)
	}
	return nil
}

var _ = provides(lion)

func lion(o *compute.Lion) error {
	p, m := host.F32(o.Param), host.F32(o.M)
	for i, grad := range host.F32(o.Grad) {
		g := float64(grad) * scaleOf(o.GradScale)
		u := o.Beta1*float64(m[i]) + (1-o.Beta1)*g
		p[i] = float32((1-o.LearningRate*o.Decay)*float64(p[i]) - o.LearningRate*sign(u))
		m[i] = float32(o.Beta2*float64(m[i]) + (1-o.Beta2)*g)
	}
	return nil
}

var _ = provides(momentum)

func momentum(o *compute.Momentum) error {
	m, out := host.F32(o.M), host.F32(o.Out)
	for i, grad := range host.F32(o.Grad) {
		g := float64(grad) * scaleOf(o.GradScale)
		average := o.Beta*float64(m[i]) + (1-o.Beta)*g
		m[i], out[i] = float32(average), float32(average)
		if o.Nesterov {
			out[i] = float32((1-o.Beta)*g + o.Beta*average)
		}
	}
	return nil
}

var _ = provides(update)

func update(o *compute.Update) error {
	p := host.F32(o.Param)
	for i, d := range host.F32(o.Direction) {
		p[i] = float32((1-o.Shrink)*float64(p[i]) - o.Rate*float64(d))
	}
	return nil
}
