package compute

import "lian/dtype"

// Gated writes Out = Kind(g) · (u + Offset), element by element, with g = min(Gate, Limit) and u = Up clamped to ±Limit; without
// Limit, g = Gate and u = Up. SiLU makes it SwiGLU, GELU GeGLU, ReLU ReGLU; QuickGELU with Limit 7 and Offset 1 is the
// gate of gpt-oss.
//
//	Gate, Up, Out  any shape, equal  float32; Out may alias either when there is no tape
//
// Limit and Offset are for SiLU and QuickGELU. Source: Shazeer, arXiv 2002.05202; openai/gpt-oss, torch/model.py.
type Gated struct {
	Gate, Up, Out *Tensor
	Kind          ActivationKind
	Limit, Offset float32 // 0: none
}

// Name implements Op.
func (*Gated) Name() string { return "gated" }

// Inputs implements Op.
func (o *Gated) Inputs(list []*Tensor) []*Tensor { return append(list, o.Gate, o.Up) }

// Outputs implements Op.
func (o *Gated) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// GatedKinds are the activations that Gated takes.
func GatedKinds() []ActivationKind {
	return []ActivationKind{SiLU, GELU, GELUTanh, QuickGELU, ReLU, ReLU2, Sigmoid}
}

func (c *checker) gated(kind ActivationKind, limit, offset float32) *checker {
	switch {
	case kind <= Identity || kind > Sigmoid:
		return c.that(false, "Kind is %d (%v), expected one of %v", kind, kind, GatedKinds())
	case limit < 0:
		return c.that(false, "Limit is %v, expected ≥ 0", limit)
	case (limit != 0 || offset != 0) && kind != SiLU && kind != QuickGELU:
		return c.that(false, "Limit %v and Offset %v are for silu and quick_gelu, Kind is %v", limit, offset, kind)
	}
	return c
}

// Check implements Op.
func (o *Gated) Check() error {
	return check(o).that(sameShape(o.Gate, o.Up) && sameShape(o.Gate, o.Out) && o.Gate.Type == dtype.F32,
		"Gate %v, Up %v and Out %v must be F32 of one shape", o.Gate, o.Up, o.Out).gated(o.Kind, o.Limit, o.Offset).err
}

// Backward implements Differentiable.
func (o *Gated) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	gate, up := fresh(b, o.Gate), fresh(b, o.Up)
	if gate.To == nil && up.To == nil {
		return
	}
	launch(b, GatedBackward{Gate: o.Gate, Up: o.Up, DOut: d, DGate: gate.To, DUp: up.To, Kind: o.Kind, Limit: o.Limit, Offset: o.Offset})
	gate.done(b)
	up.done(b)
}

// GatedBackward is the gradient of Gated: DUp = DOut·Kind(g) where Up lies within ±Limit, DGate = DOut·(u + Offset)·Kind′(g) where Gate
// is at most Limit; 0 elsewhere.
//
//	DGate, DUp  shape of Gate; nil where nobody wants them
type GatedBackward struct {
	Gate, Up, DOut, DGate, DUp *Tensor
	Kind                       ActivationKind
	Limit, Offset              float32
}

// Name implements Op.
func (*GatedBackward) Name() string { return "gated_backward" }

// Inputs implements Op.
func (o *GatedBackward) Inputs(list []*Tensor) []*Tensor { return append(list, o.Gate, o.Up, o.DOut) }

// Outputs implements Op.
func (o *GatedBackward) Outputs(list []*Tensor) []*Tensor { return appendPresent(list, o.DGate, o.DUp) }

// Check implements Op.
func (o *GatedBackward) Check() error {
	return check(o).that(sameShape(o.Gate, o.DOut) && sameShape(o.Gate, o.Up) && (o.DGate == nil || sameShape(o.Gate, o.DGate)) && (o.DUp == nil || sameShape(o.Gate, o.DUp)) && o.Gate.Type == dtype.F32,
		"Gate %v, Up %v, DOut %v, DGate %v, DUp %v must be F32 of one shape", o.Gate, o.Up, o.DOut, o.DGate, o.DUp).gated(o.Kind, o.Limit, o.Offset).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	add := func(kind ActivationKind, n int, scale float64, limit, offset float32) {
		corner := kind.cornered(scale)
		if limit > 0 {
			corner = -1
		}
		list = append(list, Sample{Name: sampleName("gated", kind, n, scale, limit), Make: func(m Maker) Op {
			return &Gated{Gate: m.Normal(scale, n), Up: m.Normal(1, n), Out: m.Zero(dtype.F32, n), Kind: kind, Limit: limit, Offset: offset}
		}, GradientTolerance: corner})
		for want := 1; want <= 3; want++ {
			list = append(list, Sample{Name: sampleName("gated_backward", kind, n, scale, limit, want), Make: func(m Maker) Op {
				o := &GatedBackward{Gate: m.Normal(scale, n), Up: m.Normal(1, n), DOut: m.Normal(1, n), Kind: kind, Limit: limit, Offset: offset}
				if want&1 != 0 {
					o.DGate = m.Zero(dtype.F32, n)
				}
				if want&2 != 0 {
					o.DUp = m.Zero(dtype.F32, n)
				}
				return o
			}})
		}
	}
	for _, kind := range GatedKinds() {
		for _, n := range OddSizes() {
			add(kind, n, 3, 0, 0)
		}
		add(kind, 1000, 60, 0, 0)
	}
	for _, kind := range []ActivationKind{SiLU, QuickGELU} {
		for _, n := range []int{1, 17, 257, 5000} {
			add(kind, n, 3, 0, 1)
			add(kind, n, 4, 1.5, 1)
		}
	}
	return list
})
