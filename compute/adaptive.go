package compute

import "lian/dtype"

// Adaptive takes one step of the relatives of Adam. With g = Grad·GradScale + L2·Param:
//
//	M    = Beta1·M + (1−Beta1)·g        Slow = Beta3·Slow + (1−Beta3)·g
//	V    = KeepV·V + AddV·g²            Max  = max(Max, V), in V's place where there is one
//	D    = sqrt(CorrectV·V) + Epsilon, or 1 if Flat
//	Param = (1−Shrink)·Param − (RateM·M + RateG·g + RateSlow·Slow) / D
//
// What a rule does with the step number is in these numbers: bias corrections in CorrectV and the rates. Which they are for AMSGrad, Adam with L2,
// NAdam, RAdam, RMSprop, Adagrad and AdEMAMix is in train/optim.
//
//	Param, Grad, V, M, Slow, Max  one shape  float32; M, Slow and Max nil where a rule has none
//	GradScale                     [1]        float32; nil means 1
type Adaptive struct {
	Param, Grad, V, M, Slow, Max, GradScale *Tensor
	L2, Shrink                              float64
	Beta1, Beta3, KeepV, AddV               float64
	CorrectV, Epsilon                       float64
	RateM, RateG, RateSlow                  float64
	Flat                                    bool
}

// Name implements Op.
func (*Adaptive) Name() string { return "adaptive" }

// Inputs implements Op.
func (o *Adaptive) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Param, o.Grad, o.V, o.M, o.Slow, o.Max, o.GradScale)
}

// Outputs implements Op.
func (o *Adaptive) Outputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Param, o.V, o.M, o.Slow, o.Max)
}

// Check implements Op.
func (o *Adaptive) Check() error {
	c := check(o).updates(o.Param, o.Grad, o.GradScale).that(sameShape(o.Param, o.V), "V is %v, expected %v", o.V, o.Param)
	for _, x := range []*Tensor{o.M, o.Slow, o.Max} {
		c.that(x == nil || sameShape(o.Param, x), "a state is %v, expected %v", x, o.Param)
	}
	return c.that(o.M != nil || o.RateM == 0, "RateM is %v without M", o.RateM).that(o.Slow != nil || o.RateSlow == 0, "RateSlow is %v without Slow", o.RateSlow).err
}

// AdaDelta takes one step whose size follows from the steps before. With g = Grad·GradScale + L2·Param:
// V = Rho·V + (1−Rho)·g²; d = g·sqrt(Moved + Epsilon)/sqrt(V + Epsilon); Moved = Rho·Moved + (1−Rho)·d²; Param −= LearningRate·d.
//
//	Param, Grad, V, Moved  one shape  float32
//	GradScale              [1]        float32; nil means 1
//
// Source: Zeiler, arXiv 1212.5701, as torch.optim.Adadelta computes it.
type AdaDelta struct {
	Param, Grad, V, Moved, GradScale *Tensor
	LearningRate, Rho, Epsilon, L2   float64
}

// Name implements Op.
func (*AdaDelta) Name() string { return "adadelta" }

// Inputs implements Op.
func (o *AdaDelta) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Param, o.Grad, o.V, o.Moved, o.GradScale)
}

// Outputs implements Op.
func (o *AdaDelta) Outputs(list []*Tensor) []*Tensor { return append(list, o.Param, o.V, o.Moved) }

// Check implements Op.
func (o *AdaDelta) Check() error {
	return check(o).updates(o.Param, o.Grad, o.GradScale).that(sameShape(o.Param, o.V) && sameShape(o.Param, o.Moved), "V %v and Moved %v, expected %v", o.V, o.Moved, o.Param).err
}

// ScheduleFree takes one step of the two sequences that stand for a schedule: Z moves by plain steps, Param is between Z and the average of all Z,
// and gradients are taken there. With g = Grad·GradScale, and V = Beta2·V + (1−Beta2)·g², u = g/(sqrt(V/(1−Beta2ᵗ)) + Epsilon) + Decay·Param, or u =
// g + Decay·Param without V:
//
//	Param += Weight·(Z − Param) + LearningRate·(Beta1·(1−Weight) − 1)·u;  Z −= LearningRate·u
//
// Weight is the share of this step in the average. The average itself, which is what to evaluate, is Param + (1 − 1/Beta1)·(Z − Param).
//
//	Param, Grad, Z, V  one shape  float32; V nil without second moments (SGD)
//	GradScale          [1]        float32; nil means 1
//
// Source: Defazio et al., arXiv 2405.15682.
type ScheduleFree struct {
	Param, Grad, Z, V, GradScale                       *Tensor
	LearningRate, Beta1, Beta2, Epsilon, Decay, Weight float64
	Step                                               int
}

// Name implements Op.
func (*ScheduleFree) Name() string { return "schedule_free" }

// Inputs implements Op.
func (o *ScheduleFree) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Param, o.Grad, o.Z, o.V, o.GradScale)
}

// Outputs implements Op.
func (o *ScheduleFree) Outputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Param, o.Z, o.V)
}

// Check implements Op.
func (o *ScheduleFree) Check() error {
	return check(o).updates(o.Param, o.Grad, o.GradScale).that(sameShape(o.Param, o.Z), "Z is %v, expected %v", o.Z, o.Param).
		that(o.V == nil || sameShape(o.Param, o.V), "V is %v, expected %v", o.V, o.Param).that(o.Step >= 1, "Step is %d, expected ≥ 1", o.Step).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	squares := func(m Maker, n int) *Tensor {
		x := m.Normal(1, n)
		values, err := m.Floats(x)
		if err != nil {
			panic(err)
		}
		for i, v := range values {
			values[i] = v * v
		}
		return m.Set(x, values)
	}
	for _, n := range OddSizes() {
		for mode := range 6 {
			list = append(list, Sample{Name: sampleName("adaptive", n, mode), Make: func(m Maker) Op {
				o := &Adaptive{Param: m.Normal(1, n), Grad: m.Normal(1, n), V: squares(m, n), KeepV: 0.95, AddV: 0.05, CorrectV: 1.3, Epsilon: 1e-3, RateG: 0.01, Shrink: 1e-3}
				if mode > 0 {
					o.M, o.Beta1, o.RateM = m.Normal(1, n), 0.9, 0.02
				}
				switch mode {
				case 2:
					o.Max, o.L2, o.RateG = squares(m, n), 0.1, 0
				case 3:
					o.Flat = true
				case 4:
					o.Slow, o.Beta3, o.RateSlow = m.Normal(1, n), 0.999, 0.03
				case 5:
					o.GradScale, o.KeepV, o.AddV = m.Set(m.Zero(dtype.F32, 1), []float32{0.7}), 1, 1
				}
				return o
			}, Finite: true})
		}
		list = append(list, Sample{Name: sampleName("adadelta", n), Make: func(m Maker) Op {
			return &AdaDelta{Param: m.Normal(1, n), Grad: m.Normal(1, n), V: squares(m, n), Moved: squares(m, n), LearningRate: 0.5, Rho: 0.9, Epsilon: 1e-6, L2: 0.01}
		}, Finite: true})
		for mode := range 3 {
			list = append(list, Sample{Name: sampleName("schedule_free", n, mode), Make: func(m Maker) Op {
				o := &ScheduleFree{Param: m.Normal(1, n), Grad: m.Normal(1, n), Z: m.Normal(1, n), LearningRate: 0.02, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-3, Decay: 0.1, Weight: 0.3, Step: 3}
				if mode > 0 {
					o.V = squares(m, n)
				}
				if mode == 2 {
					o.GradScale = m.Set(m.Zero(dtype.F32, 1), []float32{0.7})
				}
				return o
			}, Finite: true})
		}
	}
	return list
})
