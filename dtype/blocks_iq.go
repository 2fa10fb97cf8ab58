package dtype

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Decoders of the lattice formats. Source: ggml src/ggml-quants.c,
// dequantize_row_iq*. Points hold magnitudes (IQ2, IQ3: signs are stored beside
// them) or values −1, 0, 1 (IQ1, which adds ±1/8 to all of them).

func init() {
	decoders[IQ2_XXS] = decodeIQ2_XXS
	decoders[IQ2_XS] = decodeIQ2_XS
	decoders[IQ2_S] = decodeIQ2_S
	decoders[IQ3_XXS] = decodeIQ3_XXS
	decoders[IQ3_S] = decodeIQ3_S
	decoders[IQ1_S] = decodeIQ1_S
	decoders[IQ1_M] = decodeIQ1_M
}

// evenSigns are eight signs of which seven bits are stored: the number of minus signs is even.
func evenSigns(seven uint32) byte {
	seven &= 127
	return byte(seven | uint32(bits.OnesCount32(seven))&1<<7)
}

// signed writes step × point with the signs of bits: 1 is minus.
func signed(dst []float32, step float32, point []int8, signs byte) {
	for j, p := range point {
		v := step * float32(p)
		dst[j] = math.Float32frombits(math.Float32bits(v) ^ uint32(signs)>>j<<31)
	}
}

// decodeIQ2_XXS: d, then for each 32 values four codes and a word of four times
// seven signs and a 4-bit scale.
func decodeIQ2_XXS(src []byte, dst []float32) {
	d, grid := scaleAt(src), latticeIQ2_XXS()
	for group := range 8 {
		codes := src[2+8*group:][:8]
		word := binary.LittleEndian.Uint32(codes[4:])
		step := d * (0.5 + float32(word>>28)) * 0.25
		for l := range 4 {
			signed(dst[32*group+8*l:][:8], step, grid.at(int(codes[l])), evenSigns(word>>(7*l)))
		}
	}
}

// decodeIQ2_XS: d, uint16 qs[32] (nine bits of code, seven of signs), scales[8].
func decodeIQ2_XS(src []byte, dst []float32) {
	d, grid := scaleAt(src), latticeIQ2_XS()
	for l := range 32 {
		code := binary.LittleEndian.Uint16(src[2+2*l:])
		scale := src[66+l/4] >> (l / 2 % 2 * 4) & 15
		step := d * (0.5 + float32(scale)) * 0.25
		signed(dst[8*l:][:8], step, grid.at(int(code&511)), evenSigns(uint32(code>>9)))
	}
}

// decodeIQ2_S: d, codes[32], signs[32], qh[8] (two high bits of each code), scales[8].
func decodeIQ2_S(src []byte, dst []float32) {
	d, grid := scaleAt(src), latticeIQ2_S()
	for l := range 32 {
		code := int(src[2+l]) | int(src[66+l/4]>>(l%4*2)&3)<<8
		scale := src[74+l/4] >> (l / 2 % 2 * 4) & 15
		step := d * (0.5 + float32(scale)) * 0.25
		signed(dst[8*l:][:8], step, grid.at(code), src[34+l])
	}
}

// decodeIQ3_XXS: d, codes[64] of four values each, then a word of signs and scale
// for each 32 values as in IQ2_XXS.
func decodeIQ3_XXS(src []byte, dst []float32) {
	d, grid := scaleAt(src), latticeIQ3_XXS()
	for group := range 8 {
		word := binary.LittleEndian.Uint32(src[66+4*group:])
		step := d * (0.5 + float32(word>>28)) * 0.5
		for l := range 4 {
			signs, out := evenSigns(word>>(7*l)), dst[32*group+8*l:][:8]
			signed(out[:4], step, grid.at(int(src[2+8*group+2*l])), signs)
			signed(out[4:], step, grid.at(int(src[2+8*group+2*l+1])), signs>>4)
		}
	}
}

// decodeIQ3_S: d, codes[64], qh[8] (a ninth bit of each code), signs[32], scales[4].
func decodeIQ3_S(src []byte, dst []float32) {
	d, grid := scaleAt(src), latticeIQ3_S()
	for l := range 64 { // of four values
		code := int(src[2+l]) | int(src[66+l/8]>>(l%8)&1)<<8
		scale := src[106+l/16] >> (l / 8 % 2 * 4) & 15
		step := d * float32(1+2*int(scale))
		signed(dst[4*l:][:4], step, grid.at(code), src[74+l/2]>>(l%2*4))
	}
}

const shiftIQ1 = 0.125

// decodeIQ1_S: d, codes[32], uint16 qh[8]: three high bits for each of four codes,
// a 3-bit scale, and whether ⅛ is taken off rather than added.
func decodeIQ1_S(src []byte, dst []float32) {
	d, grid := scaleAt(src), latticeIQ1()
	for group := range 8 {
		high := binary.LittleEndian.Uint16(src[34+2*group:])
		step, shift := d*float32(2*int(high>>12&7)+1), float32(shiftIQ1)
		if high&0x8000 != 0 {
			shift = -shiftIQ1
		}
		for l := range 4 {
			code := int(src[2+4*group+l]) | int(high>>(3*l)&7)<<8
			for j, p := range grid.at(code) {
				dst[32*group+8*l+j] = step * (float32(p) + shift)
			}
		}
	}
}

// decodeIQ1_M: codes[32], qh[16] (for each code three high bits and the sign of
// its shift), uint16 scales[4]: four 3-bit scales and four bits of d each.
func decodeIQ1_M(src []byte, dst []float32) {
	var words [4]uint16
	var half uint16
	for i := range words {
		words[i] = binary.LittleEndian.Uint16(src[48+2*i:])
		half |= words[i] >> 12 << (4 * i)
	}
	d, grid := F16ToF32(half), latticeIQ1()
	for l := range 32 { // of eight values; two share a scale
		high := src[32+l/2] >> (l % 2 * 4)
		step, shift := d*float32(2*int(words[l/8]>>(l/2%4*3)&7)+1), float32(shiftIQ1)
		if high&8 != 0 {
			shift = -shiftIQ1
		}
		for j, p := range grid.at(int(src[l]) | int(high&7)<<8) {
			dst[8*l+j] = step * (float32(p) + shift)
		}
	}
}
