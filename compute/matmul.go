package compute

import (
	"math"

	"lian/dtype"
)

// MatMul writes Out[i,j] = Activation(Alpha · Σ_k A[i,k]·B[k,j] (+ Out[i,j] with Accumulate)
// (+ Residual[i,j]) (+ Bias[j])).
//
//	A    [m, k], or [k, m] with TransA   float32 or bfloat16
//	B    [k, n], or [n, k] with TransB   float32, float16 or bfloat16; without TransA also quantised (rows are whole blocks)
//	Out  [m, n]                          float32 or bfloat16, rounded last
//	Residual [m, n]                      float32 or of Out's type; may alias Out, but not on a tape with an Activation
//	Bias [n]                             float32
//
// Activation's zero value is none. With Accumulate there is none and Out is float32; a quantised B with Fast takes float32 A, Out and
// Residual.
//
// Operands of more axes count as rows of their last axis. A weight is stored
// [out, in], so a layer is TransB.
//
// Σ_k is one float32 chain of fused multiply-adds in ascending k, then Alpha, then the sum so far, Residual, Bias:
// a row's result does not depend on how many rows there are. A quantised B with Fast has its A rounded to int8, 127 steps of
// the largest magnitude of a block, halves away from zero. B's type says how:
//
//   - Blocks of 32 (Q4_0 … Q8_0, IQ4_NL, MXFP4): A in blocks of 32 with float16 scales d_a (ggml's Q8_0). For each block,
//     Σ += Σ q·a · (d·d_a), where Σ q·a is an exact integer; types with a minimum then add m · (d_a · Σ a).
//   - Blocks of 256 (the K-quants, IQ, TQ): A in blocks of 256 with float32 scales. For each, Σ += Σ s·(Σ q·a) · (d·d_a), where
//     the sum over sub-blocks with their whole scales s is an exact integer; types with minimums then subtract
//     Σ m·(Σ a) · (d_min·d_a), an exact integer too.
//
// There the chain over blocks is float32: of fused multiply-adds for blocks of 32, product and sum rounded separately for
// blocks of 256. A block with NaN or ∞ makes its row's outputs NaN.
// For the other types (RoundsActivations) A is not rounded: their dequantised values are multiplied.
// Without Fast a quantised B means its dequantised values.
//
// With Outliers the outliers of a row (OutlierBound) are 0 where A is rounded, and Out gets Alpha·A[i,k]·B[j,k] added for each of them,
// last but for the Activation, in ascending k, each a fused multiply-add with the dequantised B. It is meant for what a norm made,
// where the same few channels are large in every row.
//
// With BF16, A and a B of float32 or bfloat16 are rounded to bfloat16 (to nearest even) on the way to the multipliers and the sums stay
// float32: pretraining's usual precision, two to ten times as fast where the machine multiplies bfloat16. The chain then goes
// over pairs of k; or, with AMX, over steps of 32 k: the even and the odd k of a step are two chains from 0, added to each
// other and then to the sum. Denormal operands and results of a step count as 0. The gradient's products inherit it.
//
// The gradient is always float, through B's dequantised values: dA = Alpha · dOut·Bᵀ, dB = Alpha · Aᵀ·dOut, dResidual = dOut, dBias = Σ_i dOut.
// With an Activation dOut is first multiplied by its slope, for which the product is computed again: what stands before it is not kept.
type MatMul struct {
	A, B, Out      *Tensor
	TransA, TransB bool
	Alpha          float32 // 0 means 1
	Accumulate     bool
	Residual, Bias *Tensor
	Activation     ActivationKind
	Fast           bool
	Outliers       bool
	BF16           bool
}

// Name implements Op.
func (*MatMul) Name() string { return "matmul" }

// Inputs implements Op.
func (o *MatMul) Inputs(list []*Tensor) []*Tensor {
	if o.Accumulate {
		return appendPresent(list, o.A, o.B, o.Residual, o.Bias, o.Out)
	}
	return appendPresent(list, o.A, o.B, o.Residual, o.Bias)
}

// Outputs implements Op.
func (o *MatMul) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Scale is Alpha with its default.
func (o *MatMul) Scale() float32 {
	if o.Alpha == 0 {
		return 1
	}
	return o.Alpha
}

// Dimensions are m, n and k of the product.
func (o *MatMul) Dimensions() (m, n, k int) {
	m, k = o.A.Rows(), o.A.Columns()
	if o.TransA {
		m, k = k, m
	}
	n = o.B.Columns()
	if o.TransB {
		n = o.B.Rows()
	}
	return m, n, k
}

// Check implements Op.
func (o *MatMul) Check() error {
	c := check(o).that(o.A != nil && o.B != nil && o.Out != nil, "an operand is missing")
	if c.err != nil {
		return c.err
	}
	m, n, k := o.Dimensions()
	kb := o.B.Rows()
	if o.TransB {
		kb = o.B.Columns()
	}
	c.that(k == kb, "A %v (transposed %v) and B %v (transposed %v) do not fit", o.A, o.TransA, o.B, o.TransB)
	float := func(t *Tensor) bool { return t.Type == dtype.F32 || t.Type == dtype.BF16 }
	if o.Out.Rows() != m || o.Out.Columns() != n || !float(o.Out) { // numbers would be boxed, right or wrong
		c.that(false, "Out is %v, expected F32 or BF16 [%d %d]", o.Out, m, n)
	}
	c.that(float(o.A), "A is %v, expected F32 or BF16", o.A)
	c.that(float(o.B) || o.B.Type == dtype.F16 || !o.TransA, "B is %v; with TransA it must be F32, F16 or BF16", o.B)
	c.that(o.Activation < ActivationKinds, "Activation is %d, expected 0 (none) to %d", o.Activation, ActivationKinds-1)
	c.that(!o.Accumulate || o.Out.Type == dtype.F32 && o.Activation == Identity, "Accumulate into %v with activation %v: only float32 sums, and without one", o.Out, o.Activation)
	if o.Fast && o.B.Type.Quantized() {
		c.that(o.A.Type == dtype.F32 && o.Out.Type == dtype.F32, "A is %v and Out %v; with Fast and a quantised B both must be F32", o.A, o.Out)
	}
	c.that(!o.Fast || o.TransB || !o.B.Type.Quantized(), "B is %v and not transposed; Fast multiplies rows of blocks along k", o.B)
	if r := o.Residual; r != nil && (r.Elements() != m*n || r.Type != dtype.F32 && r.Type != o.Out.Type) {
		c.that(false, "Residual is %v, expected F32 or %v [%d %d]", r, o.Out.Type, m, n)
	}
	return c.optional("Bias", o.Bias, dtype.F32, n).err
}

// Backward implements Differentiable.
func (o *MatMul) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	m, n, k := o.Dimensions()
	d = d.View(m, n)
	if o.Activation != Identity {
		before := *o
		before.Out, before.Activation = b.Tensor(dtype.F32, m, n), Identity
		launch(b, before)
		slope := b.Tensor(dtype.F32, m, n)
		launch(b, ActivationBackward{X: before.Out, DOut: d, DX: slope, Kind: o.Activation})
		d = slope
	}
	if da, acc := b.Into(o.A); da != nil {
		if o.TransA { // dA [k, m] = B · dOutᵀ
			launch(b, MatMul{A: o.B, B: d, Out: da.View(k, m), TransA: o.TransB, TransB: true, Alpha: o.Alpha, Accumulate: acc, BF16: o.BF16})
		} else { // dA [m, k] = dOut · Bᵀ
			launch(b, MatMul{A: d, B: o.B, Out: da.View(m, k), TransB: !o.TransB, Alpha: o.Alpha, Accumulate: acc, BF16: o.BF16})
		}
	}
	if db, acc := b.Into(o.B); db != nil {
		if o.TransB { // dB [n, k] = dOutᵀ · A
			launch(b, MatMul{A: d, B: o.A, Out: db.View(n, k), TransA: true, TransB: o.TransA, Alpha: o.Alpha, Accumulate: acc, BF16: o.BF16})
		} else { // dB [k, n] = Aᵀ · dOut
			launch(b, MatMul{A: o.A, B: d, Out: db.View(k, n), TransA: !o.TransA, Alpha: o.Alpha, Accumulate: acc, BF16: o.BF16})
		}
	}
	if o.Residual != nil {
		if dr, acc := b.Into(o.Residual); dr != nil {
			addInto(b, d, dr.View(m, n), acc)
		}
	}
	if o.Bias != nil {
		if db, acc := b.Into(o.Bias); db != nil {
			launch(b, SumRows{X: d, Out: db, Accumulate: acc})
		}
	}
}

var _ = sampled(func() []Sample {
	var list []Sample
	add := func(name string, tolerance float64, gradient float64, f func(m Maker) *MatMul) {
		list = append(list, Sample{Name: "matmul/" + name, Make: func(m Maker) Op { return f(m) }, Tolerance: tolerance, Floor: 1e-3, GradientTolerance: gradient})
	}
	for _, s := range [][3]int{{0, 4, 5}, {1, 1, 1}, {1, 70, 33}, {5, 37, 65}, {13, 33, 7}, {40, 96, 130}, {70, 20, 2100}} {
		rows, n, k := s[0], s[1], s[2]
		for kind := SiLU; kind < ActivationKinds; kind++ {
			smooth := kind.cornered(1)
			if s[0] > 40 || s[0] == 0 {
				smooth = -1
			}
			add(sampleName("activation", kind, rows, n, k), 5e-6, smooth, func(m Maker) *MatMul {
				return &MatMul{A: m.Normal(1/math.Sqrt(float64(k)), rows, k), B: m.Normal(1, n, k), Out: m.Zero(dtype.F32, rows, n), TransB: true, Bias: m.Normal(1, n), Residual: m.Normal(1, rows, n), Activation: kind}
			})
		}
		for trans := range 4 {
			for types := 1; types < 8; types++ {
				for _, bf16 := range []bool{false, true} {
					tolerance := 5e-6
					if types&4 != 0 {
						tolerance = 4e-3 // Out is rounded: 2⁻⁹, and where the two sums differ at a border
					}
					add(sampleName("mixed", trans, types, bf16, rows, n, k), tolerance, -1, func(m Maker) *MatMul {
						of := func(brain bool, shape ...int) *Tensor {
							if brain {
								return m.Packed(dtype.BF16, 1, shape...)
							}
							return m.Normal(1, shape...)
						}
						o := &MatMul{A: of(types&1 != 0, rows, k), B: of(types&2 != 0, k, n), Out: of(types&4 != 0, rows, n), TransA: trans&1 != 0, TransB: trans&2 != 0, BF16: bf16}
						if o.TransA {
							o.A = o.A.View(k, rows)
						}
						if o.TransB {
							o.B = o.B.View(n, k)
						}
						if trans == 2 {
							o.Residual, o.Bias, o.Activation = of(types&4 != 0, rows, n), m.Normal(1, n), GELU
						}
						return o
					})
				}
			}
		}
	}
	for trans := range 4 {
		add(sampleName("half", trans), 5e-6, -1, func(m Maker) *MatMul {
			o := &MatMul{A: m.Normal(1, 19, 50), B: m.Packed(dtype.F16, 1, 50, 70), Out: m.Zero(dtype.F32, 19, 70), TransA: trans&1 != 0, TransB: trans&2 != 0}
			if o.TransA {
				o.A = o.A.View(50, 19)
			}
			if o.TransB {
				o.B = o.B.View(70, 50)
			}
			return o
		})
	}
	for _, kind := range []dtype.Type{dtype.Q4_0, dtype.Q8_0} {
		add(sampleName("activation", kind), 5e-6, -1, func(m Maker) *MatMul {
			return &MatMul{A: m.Normal(1, 5, 64), B: m.Packed(kind, 0.1, 70, 64), Out: m.Zero(dtype.F32, 5, 70), TransB: true, Fast: true, Bias: m.Normal(1, 70), Activation: SiLU}
		})
	}
	return list
})
