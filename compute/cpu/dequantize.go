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

// stretchOfRow is how many values of a row are dequantised at a time: those of a panel's rows stay in a near cache.
const stretchOfRow = 512

// packRows writes the panel of rows [lane, lane+count) of a packed weight, all of k.
func (c *kernels) packRows(s *scratch, dst []float32, b *source, lane, count, k int, pairs bool) error {
	const stride = stretchOfRow + 16 // rows at a distance of a power of two would fall into one set of the cache
	rows, size := s.need(slotC, count*stride), b.kind.Bytes(k)
	for from := 0; from < k; from += stretchOfRow {
		n := min(stretchOfRow, k-from)
		first, last := b.kind.Bytes(from), b.kind.Bytes(from+n)
		for i := range count {
			row := b.bytes[(lane+i)*size:]
			if err := c.dequantize(b.kind, row[first:last], rows[i*stride:i*stride+n]); err != nil {
				return err
			}
		}
		c.packAs(pairs, dst[depth(from, pairs)*c.columns:], operand{rows, stride, true}, 0, count, c.columns, 0, n)
	}
	return nil
}

// panelGroup is the number of panels that a block of b lies across: they are packed together.
func (b *backend) panelGroup(x *source) int {
	if !x.across {
		return 1
	}
	return max(1, x.kind.BlockSize()/b.columns)
}

// packAcross writes np panels, size values apart, from number first on, of a weight whose packed rows lie along n: what a
// gradient is multiplied with. A row's blocks are dequantised once for all the panels that they lie across.
func (c *kernels) packAcross(s *scratch, dst []float32, size int, b *source, first, np, n, k int, pairs bool) error {
	const deep = 16 // rows at a time; even, for pairs
	block, bytes := b.kind.BlockSize(), b.kind.Bytes(n)
	most := max(256, block) // values of a row at a time, a multiple of every block and panel
	for left := first * c.columns / most * most; left < min((first+np)*c.columns, n); left += most {
		width := min(most, n-left)
		rows := s.need(slotC, deep*width)
		from, to := max(first*c.columns, left)/c.columns, min((min((first+np)*c.columns, left+width)+c.columns-1)/c.columns, first+np)
		for r := 0; r < k; r += deep {
			count := min(deep, k-r)
			for i := range count {
				row := b.bytes[(r+i)*bytes:]
				if err := c.dequantize(b.kind, row[b.kind.Bytes(left):b.kind.Bytes(left+width)], rows[i*width:(i+1)*width]); err != nil {
					return err
				}
			}
			for p := from; p < to; p++ {
				lanes := min(c.columns, n-p*c.columns)
				c.packAs(pairs, dst[(p-first)*size+depth(r, pairs)*c.columns:], operand{rows, width, false}, p*c.columns-left, lanes, c.columns, 0, count)
			}
		}
	}
	return nil
}
