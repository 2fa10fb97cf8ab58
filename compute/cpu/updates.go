package cpu

import (
	"lian/compute"
	"lian/compute/host"
)

// updateKernels are the kernels of optimizers other than AdamW.
type updateKernels struct {
	sgd      func(param, grad *float32, n int, scale, decay, rate float32)
	sgdM     func(param, grad, mean *float32, n int, scale, decay, rate, old, fresh, direct, average float32) // mean = old·mean + fresh·g, step = direct·g + average·mean
	lion     func(param, grad, mean *float32, n int, scale, beta1, rest1, beta2, rest2, keep, rate float32)
	momentum func(out, grad, mean *float32, n int, scale, beta, rest, direct, average float32)
	update   func(param, direction *float32, n int, keep, rate float32)
}

// updateTask is what a span of one of these operations needs to know.
type updateTask struct {
	*updateKernels
	run                   func(t *updateTask, from, n int) // not a closure
	param, grad, mean     []float32
	scale, decay, rate    float32
	old, fresh            float32
	old2, fresh2          float32
	direct, average, keep float32
}

func (t *updateTask) span(_ *scratch, from, to int) {
	for ; from < to; from += stretch {
		t.run(t, from, min(stretch, to-from))
	}
}

// updates runs one of these operations on all values.
func (b *backend) updates(t updateTask, scale *compute.Tensor) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := frame[updateTask](b)
	*f = t
	f.updateKernels, f.scale = tableOf[updateKernels](b.kernels), 1
	if scale != nil {
		f.scale = host.F32(scale)[0]
	}
	b.spansOf(len(f.param), stretch, f)
}

var _ = provides((*backend).sgdOp)

func (b *backend) sgdOp(o *compute.SGD) error {
	t := updateTask{param: host.F32(o.Param), grad: host.F32(o.Grad), mean: host.F32(o.M), decay: float32(o.Decay), rate: float32(o.LearningRate),
		old: float32(o.Momentum), fresh: float32(1 - o.Dampening), average: 1, run: runSGD}
	if o.Step == 1 {
		t.old, t.fresh = 0, 1
	}
	if o.Nesterov {
		t.direct, t.average = 1, float32(o.Momentum)
	}
	b.updates(t, o.GradScale)
	return nil
}

func runSGD(t *updateTask, from, n int) {
	if t.mean == nil {
		t.sgd(at(t.param, from), at(t.grad, from), n, t.scale, t.decay, t.rate)
	} else {
		t.sgdM(at(t.param, from), at(t.grad, from), at(t.mean, from), n, t.scale, t.decay, t.rate, t.old, t.fresh, t.direct, t.average)
	}
}

var _ = provides((*backend).lionOp)

func (b *backend) lionOp(o *compute.Lion) error {
	b.updates(updateTask{param: host.F32(o.Param), grad: host.F32(o.Grad), mean: host.F32(o.M), rate: float32(o.LearningRate), keep: float32(1 - o.LearningRate*o.Decay),
		old: float32(o.Beta1), fresh: float32(1 - o.Beta1), old2: float32(o.Beta2), fresh2: float32(1 - o.Beta2), run: runLion}, o.GradScale)
	return nil
}

func runLion(t *updateTask, from, n int) {
	t.lion(at(t.param, from), at(t.grad, from), at(t.mean, from), n, t.scale, t.old, t.fresh, t.old2, t.fresh2, t.keep, t.rate)
}

var _ = provides((*backend).momentumOp)

func (b *backend) momentumOp(o *compute.Momentum) error {
	t := updateTask{param: host.F32(o.Out), grad: host.F32(o.Grad), mean: host.F32(o.M), old: float32(o.Beta), fresh: float32(1 - o.Beta), average: 1, run: runMomentum}
	if o.Nesterov {
		t.direct, t.average = t.fresh, t.old
	}
	b.updates(t, o.GradScale)
	return nil
}

func runMomentum(t *updateTask, from, n int) {
	t.momentum(at(t.param, from), at(t.grad, from), at(t.mean, from), n, t.scale, t.old, t.fresh, t.direct, t.average)
}

var _ = provides((*backend).updateOp)

func (b *backend) updateOp(o *compute.Update) error {
	b.updates(updateTask{param: host.F32(o.Param), grad: host.F32(o.Direction), rate: float32(o.Rate), keep: float32(1 - o.Shrink), run: runUpdate}, nil)
	return nil
}

func runUpdate(t *updateTask, from, n int) {
	t.update(at(t.param, from), at(t.grad, from), n, t.keep, t.rate)
}

var _ = kernelsOf("generic", func(k *kernels) {
	t := tableOf[updateKernels](k)
	t.sgd = func(param, grad *float32, n int, scale, decay, rate float32) {
		p := slice(param, n)
		for i, v := range slice(grad, n) {
			p[i] -= float32(rate * (float32(v*scale) + float32(decay*p[i])))
		}
	}
	t.sgdM = func(param, grad, mean *float32, n int, scale, decay, rate, old, fresh, direct, average float32) {
		p, m := slice(param, n), slice(mean, n)
		for i, v := range slice(grad, n) {
			g := float32(v*scale) + float32(decay*p[i])
			m[i] = float32(old*m[i]) + float32(fresh*g)
			p[i] -= float32(rate * (float32(direct*g) + float32(average*m[i])))
		}
	}
	t.lion = func(param, grad, mean *float32, n int, scale, beta1, rest1, beta2, rest2, keep, rate float32) {
		p, m := slice(param, n), slice(mean, n)
		for i, v := range slice(grad, n) {
			g, step := v*scale, float32(0)
			switch u := float32(beta1*m[i]) + float32(rest1*g); {
			case u > 0:
				step = rate
			case u < 0:
				step = -rate
			}
			p[i] = float32(p[i]*keep) - step
			m[i] = float32(beta2*m[i]) + float32(rest2*g)
		}
	}
	t.momentum = func(out, grad, mean *float32, n int, scale, beta, rest, direct, average float32) {
		o, m := slice(out, n), slice(mean, n)
		for i, v := range slice(grad, n) {
			g := v * scale
			m[i] = float32(beta*m[i]) + float32(rest*g)
			o[i] = float32(direct*g) + float32(average*m[i])
		}
	}
	t.update = func(param, direction *float32, n int, keep, rate float32) {
		p := slice(param, n)
		for i, d := range slice(direction, n) {
			p[i] = float32(p[i]*keep) - float32(rate*d)
		}
	}
})
