package compute

import "lian/dtype"

// Orthogonalize writes a matrix near the closest one with orthonormal rows (or columns, if there are fewer): X / max(‖X‖, Epsilon), then
// Steps times X ← A·X + (B·G + C·G²)·X with G = X·Xᵀ, or for a tall X the same from the other side with G = Xᵀ·X. Five steps
// with the coefficients of Muon bring every singular value into about [0.7, 1.2].
//
//	X, Out  [m, n]  float32; Out must not alias X
//
// With BF16 the products are of bfloat16 pairs, as in MatMul; what is between them stays float32. ‖X‖ is SumSquares's sum.
// Source: Jordan et al., Muon, 2024 (quintic Newton–Schulz), as torch.optim.Muon computes it.
type Orthogonalize struct {
	X, Out           *Tensor
	Steps            int
	A, B, C, Epsilon float64 // all 0: 3.4445, −4.775, 2.0315 and 1e-7
	BF16             bool
}

// Coefficients are A, B, C and Epsilon with their defaults.
func (o *Orthogonalize) Coefficients() (a, b, c, epsilon float64) {
	if o.A == 0 && o.B == 0 && o.C == 0 {
		return 3.4445, -4.775, 2.0315, 1e-7
	}
	return o.A, o.B, o.C, o.Epsilon
}

// Name implements Op.
func (*Orthogonalize) Name() string { return "orthogonalize" }

// Inputs implements Op.
func (o *Orthogonalize) Inputs(list []*Tensor) []*Tensor { return append(list, o.X) }

// Outputs implements Op.
func (o *Orthogonalize) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Orthogonalize) Check() error {
	c := check(o).is("X", o.X, dtype.F32, -1, -1)
	if c.err != nil {
		return c.err
	}
	return c.that(sameShape(o.X, o.Out), "Out is %v, expected %v", o.Out, o.X).that(o.Steps >= 0, "Steps is %d, expected ≥ 0", o.Steps).
		that(o.Out == nil || o.X.Buffer != o.Out.Buffer || o.X.Offset != o.Out.Offset || o.X.Elements() == 0, "Out is X").err
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, s := range [][2]int{{0, 3}, {1, 1}, {1, 9}, {7, 12}, {33, 33}, {70, 20}, {65, 300}} {
		for _, pairs := range []bool{false, true} {
			tolerance := 1e-4 // five steps with slopes of up to 3.4 each
			if pairs {
				tolerance = 5e-2
			}
			list = append(list, Sample{Name: sampleName("orthogonalize", s, pairs), Make: func(m Maker) Op {
				return &Orthogonalize{X: m.Normal(1e-2, s[0], s[1]), Out: m.Zero(dtype.F32, s[0], s[1]), Steps: 5, BF16: pairs}
			}, Tolerance: tolerance, Finite: true})
		}
	}
	return list
})
