package cpu

import (
	"unsafe"

	"lian/dtype"
)

// dequantizer is a kernel that writes the values of whole units of one type.
type dequantizer struct {
	unit int // values
	run  func(dst *float32, src *byte, units int)
}

// dequantize is dtype.Dequantize, with the same bits, by the kernels of this level where there is one.
func (c *kernels) dequantize(t dtype.Type, src []byte, dst []float32) error {
	d := &c.dequantizers[t]
	if d.run == nil || t.Bytes(len(dst)) != len(src) {
		return dtype.Dequantize(t, src, dst)
	}
	units := len(dst) / d.unit
	if units > 0 {
		d.run(unsafe.SliceData(dst), unsafe.SliceData(src), units)
	}
	if done := units * d.unit; done < len(dst) { // plain types only: the rest of a register
		return dtype.Dequantize(t, src[t.Bytes(done):], dst[done:])
	}
	return nil
}

// dequantizersOf names the kernels of a level, in the order of the generator.
func dequantizersOf(f16, bf16, q40, q41, q50, q51, q80, q2k, q3k, q4k, q5k, q6k, iq4nl, iq4xs, mxfp4 func(dst *float32, src *byte, units int)) [64]dequantizer {
	return [64]dequantizer{
		dtype.F16: {16, f16}, dtype.BF16: {16, bf16},
		dtype.Q4_0: {32, q40}, dtype.Q4_1: {32, q41}, dtype.Q5_0: {32, q50}, dtype.Q5_1: {32, q51}, dtype.Q8_0: {32, q80},
		dtype.Q2_K: {256, q2k}, dtype.Q3_K: {256, q3k}, dtype.Q4_K: {256, q4k}, dtype.Q5_K: {256, q5k}, dtype.Q6_K: {256, q6k},
		dtype.IQ4_NL: {32, iq4nl}, dtype.IQ4_XS: {256, iq4xs}, dtype.MXFP4: {32, mxfp4},
	}
}
