package compute

import (
	"fmt"

	"lian/dtype"
)

// PackedLayout is how a weight that is not ggml's lies in its tensors. A weight [outputs, inputs] means
// float32(scale · (value − zero)), or float32(scale · code) where values are places in a table of codes.
//
// Such weights are multiplied from their own tensors, as the file has them: nothing is converted at load. That is exact by
// construction (a block type of our own could hold AWQ's groups, but neither act-order, where neighbours in a row have
// different scales, nor NF4 blocks that cross rows), it costs no memory, and one path serves all of them: a backend reads rows
// of the stored matrix as float32 and packs those, in the order they lie (AWQ and GPTQ store [inputs, outputs]) or turned.
type PackedLayout uint8

const (
	// PackedAWQ is AutoAWQ's "gemm" form: Values int32 [inputs, outputs/8], eight outputs 0 2 4 6 1 3 5 7 from the low bits on;
	// Zeros int32 [groups, outputs/8] likewise; Scales float16 [groups, outputs]. 4 bits.
	PackedAWQ PackedLayout = iota
	// PackedGPTQ is AutoGPTQ's: Values int32 [inputs·bits/32, outputs], inputs from the low bits on; Zeros int32
	// [groups, outputs·bits/32], outputs likewise; Scales float16 [groups, outputs]. 2, 3 (a value may lie across two words), 4 or 8
	// bits. GroupIndex gives the group of each input (act-order); without it groups are of Group neighbours.
	PackedGPTQ
	// PackedCodes is bitsandbytes' NF4 and FP4: Values uint8 [elements/2], rows of inputs one after another, the earlier element in
	// the high bits; Codes float32 [16]; Scales float32 [blocks] (absmax), one for Group elements, which may cross rows. With double
	// quantisation Scales are uint8 and mean ScaleCodes[Scales[i]] · ScaleScales[i/256] + ScaleOffset.
	PackedCodes
	// PackedRows is bitsandbytes' LLM.int8: Values int8 [outputs, inputs], Scales float32 [outputs] (the largest magnitude of a row);
	// a weight is float32(value · float32(scale / 127)).
	PackedRows
	// PackedGrid is any matrix of 4-bit or 8-bit values whose scales form a grid: Values uint8 [outputs, inputs·Bits/8], of 4 bits the
	// earlier in the low ones; Codes float32 [2^Bits], what a value means; Scales float32 [⌈outputs/GroupOutputs⌉, ⌈inputs/Group⌉],
	// Zeros float32 likewise or nil; GroupIndex as for GPTQ. A weight is float32(float32(code − zero) · scale). FP8 with scales by
	// block, row or tensor and the integers of compressed-tensors are of this kind.
	PackedGrid

	packedLayouts
)

var packedLayoutNames = [packedLayouts]string{"awq", "gptq", "codes", "rows", "grid"}

// String is a name in lower case.
func (l PackedLayout) String() string {
	if l >= packedLayouts {
		return fmt.Sprintf("layout(%d)", uint8(l))
	}
	return packedLayoutNames[l]
}

// PackedWeight is a matrix [Outputs, Inputs] in several tensors.
type PackedWeight struct {
	Layout          PackedLayout
	Outputs, Inputs int
	Bits            int // of a value: GPTQ 2, 3, 4 or 8, grid 4 or 8
	Group           int // inputs (AWQ, GPTQ without GroupIndex) or elements (codes) that share a scale
	GroupOutputs    int // outputs that share a scale, grid only
	ZeroOffset      int // what a zero is above what is stored: 1 in GPTQ files of version 1, else 0

	Values, Scales    *Tensor
	Zeros, GroupIndex *Tensor // AWQ, GPTQ, grid; GroupIndex int32 [inputs] or nil

	Codes                   *Tensor // codes and grid
	ScaleCodes, ScaleScales *Tensor // double quantisation: float32 [256], float32 [⌈blocks/256⌉]
	ScaleOffset             float32
}

// blocksOfScales is how many uint8 scales of double quantisation share a second scale.
const blocksOfScales = 256

func (w *PackedWeight) tensors(list []*Tensor) []*Tensor {
	return appendPresent(list, w.Values, w.Scales, w.Zeros, w.GroupIndex, w.Codes, w.ScaleCodes, w.ScaleScales)
}

// Groups is the number of groups of inputs that AWQ, GPTQ and grid weights have, known from Scales.
func (w *PackedWeight) Groups() int {
	if w.Layout == PackedGrid {
		return w.Scales.Columns()
	}
	return w.Scales.Rows()
}

// Tensors are the tensors that the weight is made of.
func (w *PackedWeight) Tensors() []*Tensor { return w.tensors(nil) }

func (w *PackedWeight) check(c *checker) {
	c.that(w.Outputs >= 0 && w.Inputs >= 0 && w.Outputs <= 1<<30 && w.Inputs <= 1<<30, "a weight of %d × %d", w.Outputs, w.Inputs)
	c.that(w.Values != nil && w.Scales != nil, "the weight's values or scales are missing")
	if c.err != nil {
		return
	}
	n, k := w.Outputs, w.Inputs
	switch w.Layout {
	case PackedAWQ, PackedGPTQ:
		bits := 4
		if w.Layout == PackedGPTQ {
			bits = w.Bits
			c.that(bits == 2 || bits == 3 || bits == 4 || bits == 8, "values of %d bits; GPTQ has 2, 3, 4 or 8", bits)
		}
		c.that(w.Scales.Type == dtype.F16 || w.Scales.Type == dtype.BF16 || w.Scales.Type == dtype.F32, "Scales is %v, expected F16, BF16 or F32", w.Scales)
		c.is("Scales", w.Scales, w.Scales.Type, -1, n)
		if c.err != nil {
			return
		}
		groups := w.Groups()
		c.that(n*bits%32 == 0, "%d outputs of %d bits are not whole words", n, bits)
		c.is("Zeros", w.Zeros, dtype.I32, groups, n*bits/32)
		if w.Layout == PackedAWQ {
			c.is("Values", w.Values, dtype.I32, k, n/8)
			c.that(w.GroupIndex == nil, "an AWQ weight has no GroupIndex")
		} else {
			c.that(k*bits%32 == 0, "%d inputs of %d bits are not whole words", k, bits)
			c.is("Values", w.Values, dtype.I32, k*bits/32, n).optional("GroupIndex", w.GroupIndex, dtype.I32, k)
		}
		c.that(w.GroupIndex != nil || w.Group > 0 && (k+w.Group-1)/w.Group <= groups, "%d inputs in groups of %d, but scales of %d", k, w.Group, groups)
	case PackedCodes:
		c.that(w.Group > 0, "blocks of %d elements", w.Group)
		if c.err != nil {
			return
		}
		blocks := (n*k + w.Group - 1) / w.Group
		c.that(w.Values.Type == dtype.U8 && w.Values.Elements() == (n*k+1)/2, "Values is %v, expected U8 of %d", w.Values, (n*k+1)/2)
		c.is("Codes", w.Codes, dtype.F32, 16)
		if w.ScaleCodes == nil {
			c.is("Scales", w.Scales, dtype.F32, blocks)
		} else {
			c.is("Scales", w.Scales, dtype.U8, blocks).is("ScaleCodes", w.ScaleCodes, dtype.F32, 256).is("ScaleScales", w.ScaleScales, dtype.F32, (blocks+blocksOfScales-1)/blocksOfScales)
		}
	case PackedRows:
		c.is("Values", w.Values, dtype.I8, n, k).is("Scales", w.Scales, dtype.F32, n)
	case PackedGrid:
		c.that(w.Bits == 4 || w.Bits == 8, "values of %d bits; a grid has 4 or 8", w.Bits).that(w.Group > 0 && w.GroupOutputs > 0, "groups of %d outputs and %d inputs", w.GroupOutputs, w.Group)
		if c.err != nil {
			return
		}
		down, across := (n+w.GroupOutputs-1)/w.GroupOutputs, (k+w.Group-1)/w.Group
		c.that(k*w.Bits%8 == 0, "%d inputs of %d bits are not whole bytes", k, w.Bits)
		c.is("Values", w.Values, dtype.U8, n, k*w.Bits/8).is("Codes", w.Codes, dtype.F32, 1<<w.Bits)
		c.is("Scales", w.Scales, dtype.F32, down, across).optional("Zeros", w.Zeros, dtype.F32, down, across).optional("GroupIndex", w.GroupIndex, dtype.I32, k)
	default:
		c.that(false, "no such layout: %v", w.Layout)
	}
}

// PackedMatMul writes Out[i,j] = Alpha · Σ_k A[i,k]·Weight[j,k] (+ Out) (+ Residual) (+ Bias[j]): a layer whose weight another
// program quantised. With Transposed it multiplies with the weight the other way, Out[i,j] = Alpha · Σ_k A[i,k]·Weight[k,j] …,
// which is the gradient to the activations.
//
//	A             [m, inputs], or [m, outputs] if Transposed   float32
//	Out, Residual [m, outputs], or [m, inputs] if Transposed   float32
//	Bias          [outputs], or [inputs] if Transposed         float32
//
// Sums are those of MatMul without Fast. With Fast (not Transposed) A is rounded to int8 in blocks of 32 inputs as MatMul does for
// types of 32. AWQ and GPTQ weights of 4 bits in whole groups of 32 then have the sums of such a type with a minimum −zero·scale:
// for each block Σ += Σ value·a · (scale·d_a), then Σ += minimum · (d_a · Σ a). Other weights are multiplied with A as rounded.
//
// Gradient, always float: dA, dResidual and dBias as MatMul; the weight has none.
// Sources: AutoAWQ and AutoGPTQ (arXiv 2306.00978, 2210.17323), bitsandbytes (arXiv 2305.14314, 2208.07339).
type PackedMatMul struct {
	A, Out         *Tensor
	Weight         PackedWeight
	Transposed     bool
	Fast           bool
	Alpha          float32 // 0 means 1
	Accumulate     bool
	Residual, Bias *Tensor
}

// Name implements Op.
func (*PackedMatMul) Name() string { return "packed_matmul" }

// Inputs implements Op.
func (o *PackedMatMul) Inputs(list []*Tensor) []*Tensor {
	list = o.Weight.tensors(appendPresent(list, o.A, o.Residual, o.Bias))
	if o.Accumulate {
		list = append(list, o.Out)
	}
	return list
}

// Outputs implements Op.
func (o *PackedMatMul) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Scale is Alpha with its default.
func (o *PackedMatMul) Scale() float32 {
	if o.Alpha == 0 {
		return 1
	}
	return o.Alpha
}

// Dimensions are m, n and k of the product.
func (o *PackedMatMul) Dimensions() (m, n, k int) {
	if o.Transposed {
		return o.A.Rows(), o.Weight.Inputs, o.Weight.Outputs
	}
	return o.A.Rows(), o.Weight.Outputs, o.Weight.Inputs
}

// Check implements Op.
func (o *PackedMatMul) Check() error {
	c := check(o).that(o.A != nil && o.Out != nil, "an operand is missing")
	if c.err != nil {
		return c.err
	}
	if o.Weight.check(c); c.err != nil {
		return c.err
	}
	c.that(!o.Fast || !o.Transposed, "Fast and Transposed: a gradient is always float")
	m, n, k := o.Dimensions()
	c.that(o.A.Type == dtype.F32 && o.A.Columns() == k, "A is %v, expected F32[%d %d]", o.A, m, k)
	c.that(o.Out.Type == dtype.F32 && o.Out.Rows() == m && o.Out.Columns() == n, "Out is %v, expected F32[%d %d]", o.Out, m, n)
	c.that(o.Residual == nil || o.Residual.Elements() == m*n && o.Residual.Type == dtype.F32, "Residual is %v, expected F32[%d %d]", o.Residual, m, n)
	return c.optional("Bias", o.Bias, dtype.F32, n).err
}

// Backward implements Differentiable.
func (o *PackedMatMul) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	m, n, k := o.Dimensions()
	d = d.View(m, n)
	if da, acc := b.Into(o.A); da != nil {
		launch(b, PackedMatMul{A: d, Out: da.View(m, k), Weight: o.Weight, Transposed: !o.Transposed, Alpha: o.Alpha, Accumulate: acc})
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
