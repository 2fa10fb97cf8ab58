package optim

import (
	"lian/compute"
	"lian/dtype"
)

// small8 is the size below which 8 bits save nothing worth their error, as bitsandbytes has it.
const small8 = 4096

func init() {
	rules["adamw8"] = func(o Options, p parameter) Rule {
		if p.elements() < small8 {
			return adamw{o, p.shape}
		}
		return adamw8{o, p.shape}
	}
	rules["lion8"] = func(o Options, p parameter) Rule {
		if p.elements() < small8 {
			return lion{o, p.shape}
		}
		return lion8{o, p.shape}
	}
}

// codes8 is an 8-bit state and its scales.
func codes8(name string, shape []int) []State {
	return []State{{name, dtype.U8, shape}, {name + "_scale", dtype.F32, []int{dtype.Blocks8(elements(shape))}}}
}

// adamw8 is AdamW with both means in 8 bits (Dettmers et al., arXiv 2110.02861).
type adamw8 struct {
	Options
	shape []int
}

func (a adamw8) States() []State { return append(codes8("m8", a.shape), codes8("v8", a.shape)...) }

func (a adamw8) Step(s compute.Launcher, m Move) {
	s.Launch(&compute.AdamW8{Param: m.Param, Grad: m.Grad, GradScale: m.Scale, M: m.States[0], ScaleM: m.States[1], V: m.States[2], ScaleV: m.States[3],
		LearningRate: m.Rate, Beta1: a.Beta1, Beta2: a.beta2(m.Step), Epsilon: a.Epsilon, Decay: m.Decay, Step: m.Step})
}

// lion8 is Lion with its mean in 8 bits.
type lion8 struct {
	Options
	shape []int
}

func (l lion8) States() []State { return codes8("m8", l.shape) }

func (l lion8) Step(s compute.Launcher, m Move) {
	s.Launch(&compute.Lion8{Param: m.Param, Grad: m.Grad, GradScale: m.Scale, M: m.States[0], ScaleM: m.States[1],
		LearningRate: m.Rate, Beta1: l.Beta1, Beta2: l.Beta2, Decay: m.Decay})
}
