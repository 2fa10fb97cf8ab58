package cpu

import (
	"unsafe"

	"lian/dtype"
)

// dequantizers are the kernels by type: each writes the values of whole blocks, of plain types of groups of 16.
type dequantizers [64]func(dst *float32, src *byte, blocks int)

// dequantize is dtype.Dequantize, with the same bits, by the kernels of this level where there is one.
func (c *kernels) dequantize(t dtype.Type, src []byte, dst []float32) error {
	if int(t) >= len(c.dequantizers) || c.dequantizers[t] == nil || t.Bytes(len(dst)) != len(src) {
		return dtype.Dequantize(t, src, dst)
	}
	unit := max(16, t.BlockSize())
	blocks := len(dst) / unit
	if blocks > 0 {
		c.dequantizers[t](unsafe.SliceData(dst), unsafe.SliceData(src), blocks)
	}
	if done := blocks * unit; done < len(dst) { // plain types only: less than 16
		return dtype.Dequantize(t, src[t.Bytes(done):], dst[done:])
	}
	return nil
}
