package cpu

import (
	"encoding/binary"
	"math"
	"unsafe"

	"lian/dtype"
)

// superBlock is a super-block as numbers: a value means d·scale·(q − offset) − dmin·least of its sub-block.
type superBlock struct {
	d, dmin      float32
	scale, least [16]int
	q            [superSize]int // IQ4_XS: the signed steps
	offset       int
}

// readSuper reads one super-block. Layouts: ggml's ggml-common.h, as in package dtype.
func readSuper(t dtype.Type, x []byte) (s superBlock) {
	f16 := func(at int) float32 { return dtype.F16ToF32(binary.LittleEndian.Uint16(x[at:])) }
	switch t {
	case dtype.Q2_K:
		s.d, s.dmin = f16(80), f16(82)
		for i, v := range x[:16] {
			s.scale[i], s.least[i] = int(v&15), int(v>>4)
		}
		for i := range s.q {
			s.q[i] = int(x[16+i/128*32+i%32] >> (i % 128 / 32 * 2) & 3)
		}
	case dtype.Q3_K:
		s.d, s.offset = f16(108), 32
		for i := range s.scale {
			s.scale[i] = int(x[96+i%8]>>(i/8*4)&15|x[104+i%4]>>(i/4*2)&3<<4) - 32
		}
		for i := range s.q {
			high := x[i%32] >> (i / 32) & 1
			s.q[i] = int(x[32+i/128*32+i%32]>>(i%128/32*2)&3|high<<2) - 4 + s.offset
		}
	case dtype.Q4_K, dtype.Q5_K:
		s.d, s.dmin = f16(0), f16(2)
		packed, nibbles := x[4:16], x[16:]
		if t == dtype.Q5_K {
			nibbles = x[48:]
		}
		for i := range 4 {
			a, b, c := packed[i], packed[i+4], packed[i+8]
			s.scale[i], s.least[i] = int(a&63), int(b&63)
			s.scale[i+4], s.least[i+4] = int(c&15|a>>6<<4), int(c>>4|b>>6<<4)
		}
		for i := range s.q {
			s.q[i] = int(nibbles[i/64*32+i%32] >> (i / 32 % 2 * 4) & 15)
			if t == dtype.Q5_K {
				s.q[i] |= int(x[16+i%32]>>(i/32)&1) << 4
			}
		}
	case dtype.Q6_K:
		s.d, s.offset = f16(208), 32
		for i := range s.scale {
			s.scale[i] = int(int8(x[192+i]))
		}
		for i := range s.q {
			half, part, l := i/128, i%128/32, i%32
			low, high := x[half*64+part%2*32+l]>>(part/2*4)&15, x[128+half*32+l]>>(part*2)&3
			s.q[i] = int(low | high<<4)
		}
	case dtype.IQ4_XS:
		s.d = f16(0)
		high := binary.LittleEndian.Uint16(x[2:])
		for i := range 8 {
			s.scale[i] = int(x[4+i/2]>>(i%2*4)&15|byte(high>>(2*i)&3)<<4) - 32
		}
		for i := range s.q {
			s.q[i] = iq4Steps[x[8+i/32*16+i%16]>>(i/16%2*4)&15]
		}
	}
	return s
}

// iq4Steps are the sixteen values of IQ4_NL and IQ4_XS.
var iq4Steps = [16]int{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

const genericSuperLanes = 8

// genericUnpackSuper writes panels as the AVX2 kernels have them: scales twice, as 16-bit numbers.
func genericUnpackSuper(t dtype.Type) func(dst, src *byte, stride, blocks int) {
	subs, size := superTypes[t].subs, t.BlockBytes()
	return func(dst, src *byte, stride, blocks int) {
		const lanes = genericSuperLanes
		elements := superElements(subs)
		panel := unsafe.Slice((*uint32)(unsafe.Pointer(dst)), elements*lanes*blocks)
		rows := unsafe.Slice(src, (lanes-1)*stride+blocks*size)
		for b := range blocks {
			for lane := range lanes {
				s := readSuper(t, rows[lane*stride+b*size:][:size])
				put := func(element int, v uint32) { panel[(b*elements+element)*lanes+lane] = v }
				pair := func(low, high int) uint32 { return uint32(uint16(low)) | uint32(uint16(high))<<16 }
				put(0, math.Float32bits(s.d))
				put(1, math.Float32bits(s.dmin))
				for i := range subs {
					put(2+i, pair(s.scale[i], s.scale[i]))
				}
				second := s.least
				if s.offset != 0 || t == dtype.IQ4_XS {
					second = s.scale
				}
				for i := range subs / 2 {
					put(2+subs+i, pair(second[2*i], second[2*i+1]))
				}
				for i := range superSize / 4 {
					q := s.q[4*i : 4*i+4]
					put(2+subs+subs/2+i, uint32(byte(q[0]))|uint32(byte(q[1]))<<8|uint32(byte(q[2]))<<16|uint32(byte(q[3]))<<24)
				}
			}
		}
	}
}

// genericMultiplySuper multiplies rows with a panel that genericUnpackSuper made.
func genericMultiplySuper(form superForm, rows int) func(*superTile) {
	subs, offset := 8, int32(0)
	switch form {
	case superMinimum16:
		subs = 16
	case superOffset16:
		subs, offset = 16, 32
	}
	return func(t *superTile) {
		const lanes = genericSuperLanes
		elements, each := superElements(subs), superSize/subs
		panel := unsafe.Slice((*uint32)(unsafe.Pointer(t.panel)), elements*lanes*t.blocks)
		values := unsafe.Slice(t.values, t.blocks*rows*superSize)
		sums, scales := unsafe.Slice((*int16)(unsafe.Pointer(t.sums)), t.blocks*rows*subs), slice(t.scales, t.blocks*rows)
		for r := range rows {
			out := slice((*float32)(unsafe.Add(unsafe.Pointer(t.out), r*t.stride)), lanes)
			if t.resume == 0 {
				clear(out)
			}
			for b := range t.blocks {
				a, sum, scale := values[(b*rows+r)*superSize:][:superSize], sums[(b*rows+r)*subs:][:subs], scales[b*rows+r]
				for lane := range out {
					element := func(i int) uint32 { return panel[(b*elements+i)*lanes+lane] }
					whole, second := int32(0), int32(0)
					for s := range subs {
						part := int32(0)
						for i := s * each; i < (s+1)*each; i++ {
							q := element(2+subs+subs/2+i/4) >> (i % 4 * 8)
							if form == superTable8 {
								part += int32(int8(q)) * int32(a[i])
							} else {
								part += int32(byte(q)) * int32(a[i])
							}
						}
						whole += int32(int16(element(2+s))) * part
						second += int32(int16(element(2+subs+s/2)>>(s%2*16))) * int32(sum[s])
					}
					number := func(i int) float32 { return math.Float32frombits(element(i)) }
					out[lane] += float32(float32(whole-offset*second) * float32(number(0)*scale))
					if form <= superMinimum16 {
						out[lane] -= float32(float32(second) * float32(number(1)*scale))
					}
				}
			}
		}
	}
}

func genericRoundSuper(dst *int8, scales *float32, sums *byte, src *float32, blocks, dstStride, scaleStride, sumStride, subs, shift int) {
	for i := range blocks {
		block := slice(at(slice(src, 1), i*superSize), superSize)
		out := unsafe.Slice((*int8)(unsafe.Add(unsafe.Pointer(dst), i*dstStride)), superSize)
		stored := (*float32)(unsafe.Add(unsafe.Pointer(scales), i*scaleStride))
		var sum [16]int32
		scale, inverse := int8Scale(block)
		if scale-scale != 0 { // NaN or ∞ in the block: nothing to round, the product is NaN
			*stored = float32(math.NaN())
			clear(out)
		} else {
			*stored = scale
			for j, v := range block {
				q := roundAway(float32(v * inverse))
				out[j] = int8(q)
				sum[j/(superSize/subs)] += q
			}
		}
		to := unsafe.Add(unsafe.Pointer(sums), i*sumStride)
		for j, v := range sum[:subs] {
			if shift > 0 {
				*(*int32)(unsafe.Add(to, j*4)) = -v << shift
			} else {
				*(*int16)(unsafe.Add(to, j*2)) = int16(v)
			}
		}
	}
}

func genericSuperKernels() superKernels {
	k := superKernels{superLanes: genericSuperLanes, superRound: genericRoundSuper, superUnpack: map[dtype.Type]func(dst, src *byte, stride, blocks int){}}
	for t := range superTypes {
		k.superUnpack[t] = genericUnpackSuper(t)
	}
	for form := range superForms {
		for rows := 1; rows <= 4; rows++ {
			k.superMultiply[form] = append(k.superMultiply[form], genericMultiplySuper(form, rows))
		}
	}
	return k
}
