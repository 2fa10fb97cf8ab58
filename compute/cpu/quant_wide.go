package cpu

import (
	"encoding/binary"
	"math"
	"unsafe"

	"lian/dtype"
)

// wideOffset is what a type's stored values are above their meaning.
func wideOffset(t dtype.Type) int {
	if t == dtype.Q6_K {
		return 32
	}
	return 0
}

// packWide is packQuant for types with two scales and a minimum.
func (c *kernels) packWide(dst, rows []byte, t dtype.Type, panel, n, blocks int) {
	lanes := c.quantLanes
	rowBytes, each := t.Bytes(blocks*quantBlock), lanes*(12+quantBlock)
	var q [quantBlock]byte
	for lane := range min(lanes, n-panel*lanes) {
		row := rows[(panel*lanes+lane)*rowBytes:][:rowBytes]
		for b := range blocks {
			out := dst[b*each : (b+1)*each]
			for i, v := range unpackWide(&q, t, row, b) {
				binary.LittleEndian.PutUint32(out[(i*lanes+lane)*4:], math.Float32bits(v))
			}
			out = out[lanes*12:]
			for i, v := range q {
				out[(i/4*lanes+lane)*4+i%4] = v
			}
		}
	}
}

// unpackWide reads the 32 values of block b of a row and gives the scales of its halves and its minimum: a value means
// scale × (q − offset) + minimum. Layouts: ggml-quants.c, as in package dtype.
func unpackWide(q *[quantBlock]byte, t dtype.Type, row []byte, b int) [3]float32 {
	f16 := func(x []byte) float32 { return dtype.F16ToF32(binary.LittleEndian.Uint16(x)) }
	switch t {
	case dtype.Q4_1:
		x := row[b*20:]
		for i, v := range x[4:20] {
			q[i], q[i+16] = v&15, v>>4
		}
		return [3]float32{f16(x), f16(x), f16(x[2:])}
	case dtype.Q5_1:
		x := row[b*24:]
		high := binary.LittleEndian.Uint32(x[4:])
		for i, v := range x[8:24] {
			q[i], q[i+16] = v&15|byte(high>>i&1)<<4, v>>4|byte(high>>(i+16)&1)<<4
		}
		return [3]float32{f16(x), f16(x), f16(x[2:])}
	case dtype.Q6_K:
		x, n, j := row[b/8*210:], b%8/4, b%4
		low, high := x[n*64+j%2*32:], x[128+n*32:]
		for i := range q {
			q[i] = low[i]>>(j/2*4)&15 | high[i]>>(2*j)&3<<4
		}
		d, scales := f16(x[208:]), x[192+n*8+j*2:]
		return [3]float32{d * float32(int8(scales[0])), d * float32(int8(scales[1])), 0}
	}
	// Q4_K and Q5_K: two float16, twelve bytes of 6-bit scales and minimums, high bits for Q5_K, nibbles.
	size, nibbles := 144, 16
	if t == dtype.Q5_K {
		size, nibbles = 176, 48
	}
	x, j := row[b/8*size:], b%8
	packed := x[4:16]
	var scale, least byte
	if j < 4 {
		scale, least = packed[j]&63, packed[j+4]&63
	} else {
		scale, least = packed[j+4]&15|packed[j-4]>>6<<4, packed[j+4]>>4|packed[j]>>6<<4
	}
	for i := range q {
		q[i] = x[nibbles+j/2*32+i] >> (j % 2 * 4) & 15
		if t == dtype.Q5_K {
			q[i] |= x[16+i] >> j & 1 << 4
		}
	}
	d := f16(x) * float32(scale)
	return [3]float32{d, d, -f16(x[2:]) * float32(least)}
}

// halves gives, for activations as the kernels want them, −offset × the sums of half blocks, and scale × the sums of blocks.
func (b *backend) halves(values []int8, scales []float32, m, blocks, group, offset int) (sums []int32, weighted []float32) {
	n := m * blocks
	space := b.shared.need(slotI, 2*n)
	sums = unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(space))), 2*n)
	weighted = b.shared.need(slotJ, n)
	b.spans(n, 64, func(_ *scratch, from, to int) {
		for i := from; i < to; i++ {
			block := values[i*quantBlock : (i+1)*quantBlock]
			first, second := int32(0), int32(0)
			for j, v := range block[:16] {
				first += int32(v)
				second += int32(block[16+j])
			}
			sums[2*i], sums[2*i+1] = -int32(offset)*first, -int32(offset)*second
			weighted[i] = float32(scales[i] * float32(first+second))
		}
	})
	return sums, weighted
}
