package optim

import (
	"math"

	"lian/compute"
)

func init() {
	rules["adafactor"] = func(o Options, p parameter) Rule { return adafactor{o, p.shape, false} }
	rules["adafactor_fairseq"] = func(o Options, p parameter) Rule { return adafactor{o, p.shape, true} }
}

// adafactor keeps the squares of a matrix as row and column means (arXiv 1804.04235): as PyTorch computes it, or as Fairseq and transformers do.
type adafactor struct {
	Options
	shape   []int
	fairseq bool
}

// float32's distance from 1 to the next number is PyTorch's first epsilon; the published constants are the others.
const (
	adafactorEpsilon  = 0x1p-23
	fairseqEpsilon    = 1e-30
	adafactorSmallest = 1e-3 // size of a weight that is 0
)

func (a adafactor) States() []State {
	var list []State
	if n := len(a.shape); n < 2 {
		list = []State{like("v", a.shape)}
	} else {
		col := append(append([]int{}, a.shape[:n-2]...), a.shape[n-1])
		list = []State{like("row", a.shape[:n-1]), like("col", col)}
	}
	if a.fairseq && a.FirstMean {
		list = append(list, like("m", a.shape))
	}
	return list
}

func (a adafactor) Step(s compute.Launcher, m Move) {
	power := a.Beta2Power
	if power == 0 {
		power = 0.8
	}
	k := float64(m.Step)
	o := &compute.AdaFactor{Param: m.Param, Grad: m.Grad, GradScale: m.Scale, Fresh: math.Pow(k, -power), Epsilon1: adafactorEpsilon, Epsilon2: adafactorSmallest, Clip: a.StepClip,
		ScaleByParam: a.Relative, Additive: a.fairseq, Rate: min(m.Rate, 1/math.Sqrt(k)), Shrink: m.Rate * m.Decay}
	if a.fairseq {
		o.Epsilon1, o.Rate = fairseqEpsilon, m.Rate
		if a.TimedRate {
			o.Rate = min(1e-6*k, 1/math.Sqrt(k))
		}
		o.Shrink = o.Rate * m.Decay
	}
	states := m.States
	if len(a.shape) < 2 {
		o.V, states = states[0], states[1:]
	} else {
		o.Row, o.Col, states = states[0], states[1], states[2:]
	}
	if len(states) > 0 {
		o.M, o.Beta1 = states[0], a.Beta1
	}
	s.Launch(o)
}
