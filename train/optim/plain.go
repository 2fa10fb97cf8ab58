package optim

import "lian/compute"

func init() {
	rules["sgd"] = func(o Options, p parameter) Rule { return sgd{o, p.shape} }
	rules["lion"] = func(o Options, p parameter) Rule { return lion{o, p.shape} }
	rules["adadelta"] = func(o Options, p parameter) Rule { return adadelta{o, p.shape} }
}

// sgd is stochastic gradient descent with momentum; its decay is in the gradient.
type sgd struct {
	Options
	shape []int
}

func (g sgd) States() []State {
	if g.Momentum == 0 {
		return nil
	}
	return []State{like("m", g.shape)}
}

func (g sgd) Step(s compute.Launcher, m Move) {
	o := &compute.SGD{Param: m.Param, Grad: m.Grad, GradScale: m.Scale, LearningRate: m.Rate, Decay: m.Decay, Step: m.Step}
	if g.Momentum > 0 {
		o.M, o.Momentum, o.Dampening, o.Nesterov = m.States[0], g.Momentum, g.Dampening, g.Nesterov
	}
	s.Launch(o)
}

// lion steps along signs (arXiv 2302.06675).
type lion struct {
	Options
	shape []int
}

func (l lion) States() []State { return []State{like("m", l.shape)} }

func (l lion) Step(s compute.Launcher, m Move) {
	s.Launch(&compute.Lion{Param: m.Param, Grad: m.Grad, M: m.States[0], GradScale: m.Scale, LearningRate: m.Rate, Beta1: l.Beta1, Beta2: l.Beta2, Decay: m.Decay})
}

// adadelta's steps have the size of those before (arXiv 1212.5701); beta2 is its ρ.
type adadelta struct {
	Options
	shape []int
}

func (a adadelta) States() []State { return []State{like("v", a.shape), like("moved", a.shape)} }

func (a adadelta) Step(s compute.Launcher, m Move) {
	s.Launch(&compute.AdaDelta{Param: m.Param, Grad: m.Grad, GradScale: m.Scale, V: m.States[0], Moved: m.States[1], LearningRate: m.Rate, Rho: a.beta2(m.Step), Epsilon: a.Epsilon, L2: m.Decay})
}
