package optim

import (
	"lian/compute"
)

func init() {
	rules["schedule_free"] = func(o Options, p parameter) Rule { return &scheduleFree{Options: o, shape: p.shape, squares: true} }
	rules["schedule_free_sgd"] = func(o Options, p parameter) Rule { return &scheduleFree{Options: o, shape: p.shape} }
}

// scheduleFree averages where the weights have been instead of letting the rate fall (arXiv 2405.15682). It goes with the schedule
// constant, with a warm-up if one likes. Published weights are the average.
type scheduleFree struct {
	Options
	shape   []int
	squares bool

	known             int // steps that the sums hold
	most, sum, latest float64
}

// States has the weights themselves too: what a checkpoint publishes is the average, not where gradients are taken.
func (f *scheduleFree) States() []State {
	list := []State{like("z", f.shape)}
	if f.squares {
		list = append(list, like("v", f.shape))
	}
	return list
}

func (f *scheduleFree) Start(s compute.Launcher, param *compute.Tensor, states []*compute.Tensor) {
	copyTo(s, states[0], param)
}

func (f *scheduleFree) Step(s compute.Launcher, m Move) {
	o := &compute.ScheduleFree{Param: m.Param, Grad: m.Grad, GradScale: m.Scale, Z: m.States[0], LearningRate: m.Rate, Beta1: f.Beta1, Beta2: f.beta2(m.Step), Epsilon: f.Epsilon,
		Decay: m.Decay, Weight: f.weight(m.Step, m.Rates), Step: m.Step}
	if f.squares {
		o.V = m.States[1]
	}
	s.Launch(o)
}

// weight is a step's share in the average: the square of the largest rate so far over the sum of those of all steps so far.
func (f *scheduleFree) weight(step int, rates func(int) float64) float64 {
	if f.known > step {
		f.known, f.most, f.sum, f.latest = 0, 0, 0, 0
	}
	for f.known < step {
		f.known++
		f.most = max(f.most, rates(f.known))
		f.latest = f.most * f.most
		f.sum += f.latest
	}
	if f.sum == 0 {
		return 0
	}
	return f.latest / f.sum
}

// publish turns the weights into the average.
func (f *scheduleFree) publish(s compute.Launcher, param *compute.Tensor, states []*compute.Tensor) {
	ahead := 1 - 1/f.Beta1
	s.Launch(&compute.Update{Param: param, Direction: states[0], Rate: -ahead, Shrink: ahead})
}

func copyTo(s compute.Launcher, to, from *compute.Tensor) {
	s.Launch(&compute.Scale{X: from, Out: to, By: 1})
}
