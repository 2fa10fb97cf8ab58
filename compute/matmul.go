package compute

import "lian/dtype"

// MatMul writes Out[i,j] = Alpha · Σ_k A[i,k]·B[k,j] (+ Out[i,j] with Accumulate)
// (+ Residual[i,j]) (+ Bias[j]).
//
//	A    [m, k], or [k, m] with TransA   float32
//	B    [k, n], or [n, k] with TransB   float32; without TransA also float16, bfloat16 or quantised (rows are whole blocks)
//	Out, Residual [m, n]                 float32; Residual may alias Out
//	Bias [n]                             float32
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
// There the chain over blocks is float32, product and sum rounded separately. A block with NaN or ∞ makes its row's outputs NaN.
// Types for which a backend has no such kernel are dequantised and multiplied with A as rounded.
// Without Fast a quantised B means its dequantised values.
//
// With BF16, float32 A and B are rounded to bfloat16 (to nearest even) on the way to the multipliers and the sums stay
// float32: pretraining's usual precision, two to ten times as fast where the machine multiplies bfloat16. The chain then goes
// over pairs of k; or, with AMX, over steps of 32 k: the even and the odd k of a step are two chains from 0, added to each
// other and then to the sum. Denormal operands and results of a step count as 0. The gradient's products inherit it.
//
// The gradient is always float, through B's dequantised values: dA = Alpha · dOut·Bᵀ, dB = Alpha · Aᵀ·dOut, dResidual = dOut, dBias = Σ_i dOut.
type MatMul struct {
	A, B, Out      *Tensor
	TransA, TransB bool
	Alpha          float32 // 0 means 1
	Accumulate     bool
	Residual, Bias *Tensor
	Fast           bool
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
	c.that(o.Out.Rows() == m && o.Out.Columns() == n && o.Out.Type == dtype.F32, "Out is %v, expected F32[%d %d]", o.Out, m, n)
	c.that(o.A.Type == dtype.F32, "A is %v, expected F32", o.A)
	c.that(o.B.Type == dtype.F32 || !o.TransA, "B is %v; with TransA it must be F32", o.B)
	c.that(!o.Fast || o.TransB || !o.B.Type.Quantized(), "B is %v and not transposed; Fast multiplies rows of blocks along k", o.B)
	c.that(o.Residual == nil || o.Residual.Elements() == m*n && o.Residual.Type == dtype.F32, "Residual is %v, expected F32[%d %d]", o.Residual, m, n)
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
