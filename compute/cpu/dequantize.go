package cpu

import (
	"unsafe"

	"lian/compute"
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

// block is the number of neighbours in a row that can only be read together.
func (x *source) block() int {
	switch {
	case x.packed == nil:
		return x.kind.BlockSize()
	case x.packed.Layout == compute.PackedAWQ:
		return 8
	}
	return 1
}

// together is the number of neighbours in a row that are better read together.
func (x *source) together() int {
	if x.packed != nil || x.kind.BlockSize() > 1 {
		return 256 // the largest block; of smaller ones several, as they lie side by side in memory
	}
	return 1
}

// begin says that columns [from, to) of rows of x are read next.
func (x *source) begin(s *scratch, from, to int) {
	if x.packed != nil {
		x.packed.start(s, from, to)
	}
}

// read writes columns [from, to) of row i; they are whole blocks.
func (c *kernels) read(s *scratch, x *source, i, from, to int, dst []float32) error {
	if x.packed != nil {
		x.packed.row(c, s, i, from, to, dst)
		return nil
	}
	start := i * x.kind.Bytes(x.stride)
	return c.dequantize(x.kind, x.bytes[start+x.kind.Bytes(from):start+x.kind.Bytes(to)], dst)
}
