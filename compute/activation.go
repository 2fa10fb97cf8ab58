package compute

import "lian/dtype"

// ActivationKind is a function applied to each value.
type ActivationKind uint8

// The activations. The gradient at a corner is the one that PyTorch takes.
const (
	Identity  ActivationKind = iota // x
	SiLU                            // x·sigmoid(x). Source: arXiv 1702.03118
	GELU                            // x·Φ(x), Φ by erf. Source: arXiv 1606.08415
	GELUTanh                        // x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2
	QuickGELU                       // x·sigmoid(1.702·x)
	ReLU                            // max(x, 0)
	ReLU2                           // max(x, 0)². Source: arXiv 2109.08668
	Sigmoid                         // 1/(1 + exp(−x))
	Tanh                            // tanh(x)
	Softplus                        // log(1 + exp(x))

	ActivationKinds // how many there are
)

var activationNames = [ActivationKinds]string{"identity", "silu", "gelu", "gelu_tanh", "quick_gelu", "relu", "relu2", "sigmoid", "tanh", "softplus"}

// String is the name as in configurations.
func (k ActivationKind) String() string {
	if k < ActivationKinds {
		return activationNames[k]
	}
	return "unknown activation"
}

// QuickGELUAlpha is what QuickGELU multiplies its argument by.
const QuickGELUAlpha = 1.702

// Activation writes Out = Kind(X), element by element.
//
//	X, Out  any shape, equal  float32; Out may alias X when there is no tape
//
// NaN stays NaN. Values of −∞ are outside of what it promises.
type Activation struct {
	X, Out *Tensor
	Kind   ActivationKind
}

// Name implements Op.
func (*Activation) Name() string { return "activation" }

// Inputs implements Op.
func (o *Activation) Inputs(list []*Tensor) []*Tensor { return append(list, o.X) }

// Outputs implements Op.
func (o *Activation) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Activation) Check() error {
	return check(o).that(sameShape(o.X, o.Out) && o.X.Type == dtype.F32, "X %v and Out %v must be F32 of one shape", o.X, o.Out).
		that(o.Kind > Identity && o.Kind < ActivationKinds, "Kind is %d (%v), expected 1 to %d", o.Kind, o.Kind, ActivationKinds-1).err
}

// Backward implements Differentiable.
func (o *Activation) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	if dx := fresh(b, o.X); dx.To != nil {
		launch(b, ActivationBackward{X: o.X, DOut: d, DX: dx.To, Kind: o.Kind})
		dx.done(b)
	}
}

// ActivationBackward is the gradient of Activation: DX = DOut · Kind′(X).
//
//	X, DOut, DX  any shape, equal  float32; DX may alias DOut
type ActivationBackward struct {
	X, DOut, DX *Tensor
	Kind        ActivationKind
}

// Name implements Op.
func (*ActivationBackward) Name() string { return "activation_backward" }

// Inputs implements Op.
func (o *ActivationBackward) Inputs(list []*Tensor) []*Tensor { return append(list, o.X, o.DOut) }

// Outputs implements Op.
func (o *ActivationBackward) Outputs(list []*Tensor) []*Tensor { return append(list, o.DX) }

// Check implements Op.
func (o *ActivationBackward) Check() error {
	return check(o).that(sameShape(o.X, o.DOut) && sameShape(o.X, o.DX) && o.X.Type == dtype.F32, "X %v, DOut %v and DX %v must be F32 of one shape", o.X, o.DOut, o.DX).
		that(o.Kind > Identity && o.Kind < ActivationKinds, "Kind is %d (%v), expected 1 to %d", o.Kind, o.Kind, ActivationKinds-1).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	for kind := SiLU; kind < ActivationKinds; kind++ {
		add := func(n int, scale float64) { // far out both sides are remainders of what cancels: Floor
			list = append(list, Sample{Name: sampleName("activation", kind, n, scale), Make: func(m Maker) Op {
				return &Activation{X: m.Normal(scale, n), Out: m.Zero(dtype.F32, n), Kind: kind}
			}, Floor: 1e-6 * scale, GradientTolerance: kind.cornered(scale)}, Sample{Name: sampleName("activation_backward", kind, n, scale), Make: func(m Maker) Op {
				return &ActivationBackward{X: m.Normal(scale, n), DOut: m.Normal(1, n), DX: m.Zero(dtype.F32, n), Kind: kind}
			}, Floor: 1e-6})
		}
		for _, n := range OddSizes() {
			add(n, 2)
		}
		for _, n := range []int{1, 2, 300} {
			add(n, 1e-3)
			add(n, 40)
		}
	}
	return list
})

// cornered is the gradient tolerance of samples: functions with a corner are not held against finite differences, nor ReLU2 where its
// slope bends within one.
func (k ActivationKind) cornered(scale float64) float64 {
	if k == ReLU || k == ReLU2 && scale < 1 {
		return -1
	}
	return 0
}
