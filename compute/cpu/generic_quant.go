package cpu

import (
	"encoding/binary"
	"math"
	"unsafe"

	"lian/dtype"
)

func genericQuant(t *quantTile, rows, bits int) {
	const lanes = 8
	size := lanes*2 + lanes*bits*4
	w := unsafe.Slice(t.weights, t.blocks*size)
	values := unsafe.Slice(t.values, t.blocks*rows*32)
	scales, sums := slice(t.scales, t.blocks*rows), unsafe.Slice(t.sums, t.blocks*rows)
	for r := range rows {
		out := slice(at(slice(t.out, 1), r*t.stride/4), lanes)
		clear(out)
		for b := range t.blocks {
			block, a := w[b*size:(b+1)*size], values[(b*rows+r)*32:][:32]
			for lane := range out {
				whole := int32(0)
				for i, v := range a {
					g := i / 4
					if bits == 8 {
						whole += int32(int8(block[lanes*2+(g*lanes+lane)*4+i%4])) * int32(v)
					} else {
						whole += int32(block[lanes*2+(g%4*lanes+lane)*4+i%4]>>(g/4*4)&15) * int32(v)
					}
				}
				if bits == 4 {
					whole += sums[b*rows+r]
				}
				d := dtype.F16ToF32(binary.LittleEndian.Uint16(block[lane*2:])) * scales[b*rows+r]
				out[lane] += float32(float32(whole) * d)
			}
		}
	}
}

func genericRound8(dst *int8, scales *float32, sums *int32, src *float32, blocks, dstStride, scaleStride, offset int) {
	for i := range blocks {
		block := slice(at(slice(src, 1), i*quantBlock), quantBlock)
		out := unsafe.Slice((*int8)(unsafe.Add(unsafe.Pointer(dst), i*dstStride)), quantBlock)
		stored := (*float32)(unsafe.Add(unsafe.Pointer(scales), i*scaleStride))
		sum := (*int32)(unsafe.Add(unsafe.Pointer(sums), i*scaleStride))
		scale, inverse := int8Scale(block)
		if scale-scale != 0 { // NaN or ∞ in the block: nothing to round, the product is NaN
			*stored, *sum = float32(math.NaN()), 0
			clear(out)
			continue
		}
		total := int32(0)
		for j, v := range block {
			q := roundAway(v * inverse)
			total += q
			out[j] = int8(q)
		}
		*stored, *sum = dtype.F16ToF32(dtype.F32ToF16(scale)), -int32(offset)*total
	}
}

func genericWide(t *quantTile, rows int) {
	const lanes = 8
	const size = lanes * 44
	w := unsafe.Slice(t.weights, t.blocks*size)
	values := unsafe.Slice(t.values, t.blocks*rows*32)
	scales, sums, weighted := slice(t.scales, t.blocks*rows), unsafe.Slice(t.sums, t.blocks*rows*2), slice(t.weighted, t.blocks*rows)
	for r := range rows {
		out := slice(at(slice(t.out, 1), r*t.stride/4), lanes)
		clear(out)
		for b := range t.blocks {
			block, a := w[b*size:(b+1)*size], values[(b*rows+r)*32:][:32]
			number := func(i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(block[i*4:])) }
			for lane := range out {
				for half := range 2 {
					whole := sums[(b*rows+r)*2+half]
					for i := half * 16; i < half*16+16; i++ {
						whole += int32(block[lanes*12+(i/4*lanes+lane)*4+i%4]) * int32(a[i])
					}
					d := float32(number(half*lanes+lane) * scales[b*rows+r])
					out[lane] += float32(float32(whole) * d)
				}
				out[lane] += float32(number(2*lanes+lane) * weighted[b*rows+r])
			}
		}
	}
}
