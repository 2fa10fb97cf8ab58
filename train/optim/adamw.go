// Package optim moves parameters along their gradients.
//
// It guarantees that an optimizer's state can be read and set by name, so that
// a run resumes exactly. It refuses nothing; what a step means is in compute.
package optim

import (
	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// AdamW is decoupled weight decay Adam over a set of parameters (arXiv 1711.05101).
type AdamW struct {
	Beta1, Beta2, Epsilon, Decay float64
	parameters                   *model.Parameters
	m, v                         map[string]*compute.Tensor
}

// NewAdamW allocates the state: two float32 tensors a parameter, zero.
func NewAdamW(b compute.Backend, p *model.Parameters) *AdamW {
	a := &AdamW{Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, parameters: p, m: map[string]*compute.Tensor{}, v: map[string]*compute.Tensor{}}
	for _, x := range p.All() {
		a.m[x.Name] = compute.NewTensor(b, dtype.F32, x.Tensor.Shape...)
		a.v[x.Name] = compute.NewTensor(b, dtype.F32, x.Tensor.Shape...)
	}
	return a
}

// Step moves every parameter that has a gradient; step counts from 1. Matrices decay, vectors do not.
func (a *AdamW) Step(s compute.Launcher, step int, rate float64, grad func(*compute.Tensor) *compute.Tensor, scale *compute.Tensor) {
	for _, x := range a.parameters.All() {
		g := grad(x.Tensor)
		if g == nil {
			continue
		}
		decay := a.Decay
		if len(x.Tensor.Shape) < 2 {
			decay = 0
		}
		s.Launch(&compute.AdamW{Param: x.Tensor, Grad: g, M: a.m[x.Name], V: a.v[x.Name], GradScale: scale,
			LearningRate: rate, Beta1: a.Beta1, Beta2: a.Beta2, Epsilon: a.Epsilon, Decay: decay, Step: step})
	}
}

// State is the optimizer's tensors by name, in a fixed order.
func (a *AdamW) State() *model.Parameters {
	var p model.Parameters
	for _, x := range a.parameters.All() {
		p.Add("m/"+x.Name, a.m[x.Name])
		p.Add("v/"+x.Name, a.v[x.Name])
	}
	return &p
}
