package compute

import "lian/dtype"

// SGD takes one step of stochastic gradient descent. With g = Grad·GradScale + Decay·Param:
// M = Momentum·M + (1−Dampening)·g (M = g at Step 1); Param −= LearningRate·(M, or with Nesterov g + Momentum·M). Without Momentum there is
// no M and Param −= LearningRate·g.
//
//	Param, Grad, M  one shape  float32; M nil without Momentum
//	GradScale       [1]        float32; nil means 1
//
// Source: torch.optim.SGD.
type SGD struct {
	Param, Grad, M, GradScale                *Tensor
	LearningRate, Momentum, Dampening, Decay float64
	Nesterov                                 bool
	Step                                     int
}

// Name implements Op.
func (*SGD) Name() string { return "sgd" }

// Inputs implements Op.
func (o *SGD) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Param, o.Grad, o.M, o.GradScale)
}

// Outputs implements Op.
func (o *SGD) Outputs(list []*Tensor) []*Tensor { return appendPresent(list, o.Param, o.M) }

// Check implements Op.
func (o *SGD) Check() error {
	return check(o).updates(o.Param, o.Grad, o.GradScale).
		that((o.Momentum == 0) == (o.M == nil) && (o.M == nil || sameShape(o.Param, o.M)), "M is %v with Momentum %v, expected %v with momentum and nil without", o.M, o.Momentum, o.Param).
		that(o.Step >= 1, "Step is %d, expected ≥ 1", o.Step).err
}

func (c *checker) updates(param, grad, scale *Tensor) *checker {
	return c.that(sameShape(param, grad) && param.Type == dtype.F32, "Param %v and Grad %v must be F32 of one shape", param, grad).optional("GradScale", scale, dtype.F32, 1)
}

// Lion takes one step along signs. With g = Grad·GradScale: Param = (1 − LearningRate·Decay)·Param − LearningRate·sign(Beta1·M + (1−Beta1)·g),
// sign(0) and sign(NaN) being 0, then M = Beta2·M + (1−Beta2)·g.
//
//	Param, Grad, M  one shape  float32
//	GradScale       [1]        float32; nil means 1
//
// Source: Chen et al., arXiv 2302.06675.
type Lion struct {
	Param, Grad, M, GradScale         *Tensor
	LearningRate, Beta1, Beta2, Decay float64
}

// Name implements Op.
func (*Lion) Name() string { return "lion" }

// Inputs implements Op.
func (o *Lion) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Param, o.Grad, o.M, o.GradScale)
}

// Outputs implements Op.
func (o *Lion) Outputs(list []*Tensor) []*Tensor { return append(list, o.Param, o.M) }

// Check implements Op.
func (o *Lion) Check() error {
	return check(o).updates(o.Param, o.Grad, o.GradScale).that(sameShape(o.Param, o.M), "M is %v, expected %v", o.M, o.Param).err
}

// Momentum averages gradients. With g = Grad·GradScale: M = Beta·M + (1−Beta)·g; Out = M, or with Nesterov (1−Beta)·g + Beta·M.
//
//	Grad, M, Out  one shape  float32; Out may alias Grad
//	GradScale     [1]        float32; nil means 1
//
// It is what Muon orthogonalises. Source: torch.optim.Muon.
type Momentum struct {
	Grad, M, Out, GradScale *Tensor
	Beta                    float64
	Nesterov                bool
}

// Name implements Op.
func (*Momentum) Name() string { return "momentum" }

// Inputs implements Op.
func (o *Momentum) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Grad, o.M, o.GradScale)
}

// Outputs implements Op.
func (o *Momentum) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out, o.M) }

// Check implements Op.
func (o *Momentum) Check() error {
	return check(o).updates(o.Out, o.Grad, o.GradScale).that(sameShape(o.Grad, o.M), "M is %v, expected %v", o.M, o.Grad).err
}

// Update moves parameters: Param = (1 − Shrink)·Param − Rate·Direction.
//
//	Param, Direction  one shape  float32
type Update struct {
	Param, Direction *Tensor
	Rate, Shrink     float64
}

// Name implements Op.
func (*Update) Name() string { return "update" }

// Inputs implements Op.
func (o *Update) Inputs(list []*Tensor) []*Tensor { return append(list, o.Param, o.Direction) }

// Outputs implements Op.
func (o *Update) Outputs(list []*Tensor) []*Tensor { return append(list, o.Param) }

// Check implements Op.
func (o *Update) Check() error {
	return check(o).that(sameShape(o.Param, o.Direction) && o.Param.Type == dtype.F32, "Param %v and Direction %v must be F32 of one shape", o.Param, o.Direction).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, n := range OddSizes() {
		for mode := range 4 {
			list = append(list, Sample{Name: sampleName("sgd", n, mode), Make: func(m Maker) Op {
				o := &SGD{Param: m.Normal(1, n), Grad: m.Normal(1, n), LearningRate: 0.1, Decay: 0.05, Step: 1 + mode/2}
				if mode > 0 {
					o.M, o.Momentum, o.Nesterov = m.Normal(1, n), 0.9, mode == 3
				}
				if mode == 2 {
					o.Dampening, o.GradScale = 0.3, m.Set(m.Zero(dtype.F32, 1), []float32{0.7})
				}
				return o
			}, Finite: true})
		}
		for _, scaled := range []bool{false, true} {
			scale := func(m Maker) *Tensor {
				if !scaled {
					return nil
				}
				return m.Set(m.Zero(dtype.F32, 1), []float32{0.7})
			}
			list = append(list, Sample{Name: sampleName("lion", n, scaled), Make: func(m Maker) Op {
				return &Lion{Param: m.Normal(1, n), Grad: m.Normal(1, n), M: m.Normal(1, n), GradScale: scale(m), LearningRate: 1e-2, Beta1: 0.9, Beta2: 0.99, Decay: 0.1}
			}, Finite: true}, Sample{Name: sampleName("momentum", n, scaled), Make: func(m Maker) Op {
				return &Momentum{Grad: m.Normal(1, n), M: m.Normal(1, n), Out: m.Zero(dtype.F32, n), GradScale: scale(m), Beta: 0.95, Nesterov: scaled}
			}, Finite: true})
		}
		list = append(list, Sample{Name: sampleName("update", n), Make: func(m Maker) Op {
			return &Update{Param: m.Normal(1, n), Direction: m.Normal(1, n), Rate: 0.02, Shrink: 1e-3}
		}})
	}
	return list
})
