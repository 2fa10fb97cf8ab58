package compute

import "lian/dtype"

// AdamW8 takes the step of AdamW with M and V kept in 8 bits: value = code's value in the map · its block's scale. After the step each
// block of dtype.Block8 values is written again with its largest magnitude for a scale.
//
//	Param, Grad       one shape     float32
//	M, V              one shape     uint8 codes
//	ScaleM, ScaleV    [⌈n/256⌉]     float32
//	GradScale         [1]           float32; nil means 1
//
// The code of x = value/scale is that of the map's value nearest to the point of a grid of 65536 nearest to x, as bitsandbytes' CPU
// kernel has it (dtype.Codes8); a block of zeros has codes 0. Source: Dettmers et al., arXiv 2110.02861.
type AdamW8 struct {
	Param, Grad, M, V, ScaleM, ScaleV, GradScale *Tensor
	LearningRate, Beta1, Beta2, Epsilon, Decay   float64
	Step                                         int
}

// Name implements Op.
func (*AdamW8) Name() string { return "adamw8" }

// Inputs implements Op.
func (o *AdamW8) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Param, o.Grad, o.M, o.V, o.ScaleM, o.ScaleV, o.GradScale)
}

// Outputs implements Op.
func (o *AdamW8) Outputs(list []*Tensor) []*Tensor {
	return append(list, o.Param, o.M, o.V, o.ScaleM, o.ScaleV)
}

// Check implements Op.
func (o *AdamW8) Check() error {
	return check(o).updates(o.Param, o.Grad, o.GradScale).codes(o.Param, o.M, o.ScaleM).codes(o.Param, o.V, o.ScaleV).that(o.Step >= 1, "Step is %d, expected ≥ 1", o.Step).err
}

// codes checks an 8-bit state.
func (c *checker) codes(param, state, scale *Tensor) *checker {
	if c.err != nil {
		return c
	}
	n := param.Elements()
	return c.that(state != nil && state.Type == dtype.U8 && state.Elements() == n, "a state is %v, expected %d codes of 8 bits", state, n).
		is("a state's scales", scale, dtype.F32, dtype.Blocks8(n))
}

// Lion8 takes the step of Lion with M kept in 8 bits, as AdamW8 keeps it.
//
//	Param, Grad  one shape  float32
//	M            one shape  uint8 codes
//	ScaleM       [⌈n/256⌉]  float32
//	GradScale    [1]        float32; nil means 1
type Lion8 struct {
	Param, Grad, M, ScaleM, GradScale *Tensor
	LearningRate, Beta1, Beta2, Decay float64
}

// Name implements Op.
func (*Lion8) Name() string { return "lion8" }

// Inputs implements Op.
func (o *Lion8) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Param, o.Grad, o.M, o.ScaleM, o.GradScale)
}

// Outputs implements Op.
func (o *Lion8) Outputs(list []*Tensor) []*Tensor { return append(list, o.Param, o.M, o.ScaleM) }

// Check implements Op.
func (o *Lion8) Check() error {
	return check(o).updates(o.Param, o.Grad, o.GradScale).codes(o.Param, o.M, o.ScaleM).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, n := range []int{0, 1, 255, 256, 257, 1000, 5005} {
		for _, scaled := range []bool{false, true} {
			positive := func(m Maker) *Tensor {
				x := m.Normal(1, dtype.Blocks8(n))
				values, err := m.Floats(x)
				if err != nil {
					panic(err)
				}
				for i, v := range values {
					values[i] = v*v + 0.01
				}
				return m.Set(x, values)
			}
			scale := func(m Maker) *Tensor {
				if !scaled {
					return nil
				}
				return m.Set(m.Zero(dtype.F32, 1), []float32{0.7})
			}
			// a value on the border between two codes may go either way
			list = append(list, Sample{Name: sampleName("adamw8", n, scaled), Make: func(m Maker) Op {
				return &AdamW8{Param: m.Normal(1, n), Grad: m.Normal(1, n), M: anyBytes(m, dtype.U8, n), V: anyBytes(m, dtype.U8, n), ScaleM: positive(m), ScaleV: positive(m), GradScale: scale(m),
					LearningRate: 1e-2, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-3, Decay: 0.1, Step: 3}
			}, Finite: true, Tolerance: 0.03}, Sample{Name: sampleName("lion8", n, scaled), Make: func(m Maker) Op {
				return &Lion8{Param: m.Normal(1, n), Grad: m.Normal(1, n), M: anyBytes(m, dtype.U8, n), ScaleM: positive(m), GradScale: scale(m), LearningRate: 1e-2, Beta1: 0.9, Beta2: 0.99, Decay: 0.1}
			}, Finite: true, Tolerance: 0.03})
		}
	}
	return list
})
