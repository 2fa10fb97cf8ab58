package dtype

import (
	"encoding/binary"
	"math"
)

// Decoders of non-linear 4-bit, ternary and MX blocks. Source: ggml
// src/ggml-quants.c; OCP Microscaling Formats 1.0 for MXFP4.

func init() {
	decoders[IQ4_NL] = decodeIQ4_NL
	decoders[IQ4_XS] = decodeIQ4_XS
	decoders[TQ1_0] = decodeTQ1_0
	decoders[TQ2_0] = decodeTQ2_0
	decoders[MXFP4] = decodeMXFP4
	decoders[NVFP4] = decodeNVFP4
	decoders[Q1_0] = decodeQ1_0
	decoders[Q2_0] = decodeQ2_0
}

// iq4Values are the sixteen steps of IQ4_NL and IQ4_XS.
var iq4Values = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// fp4Values are the sixteen values of a 4-bit float (e2m1), doubled: scales are
// halves of what they mean, so that every product is exact or rounded once.
var fp4Values = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

func decodeIQ4_NL(src []byte, dst []float32) {
	d := scaleAt(src)
	for j, q := range src[2:18] {
		dst[j] = d * iq4Values[q&15]
		dst[j+16] = d * iq4Values[q>>4]
	}
}

// decodeIQ4_XS: d, uint16 high scale bits, scales_l[4], qs[128].
func decodeIQ4_XS(src []byte, dst []float32) {
	d, high := scaleAt(src), binary.LittleEndian.Uint16(src[2:])
	for j := range 8 {
		scale := int(src[4+j/2]>>(j%2*4)&15) | int(high>>(2*j)&3)<<4
		step := d * float32(scale-32)
		for l, q := range src[8+16*j:][:16] {
			dst[32*j+l] = step * iq4Values[q&15]
			dst[32*j+l+16] = step * iq4Values[q>>4]
		}
	}
}

// decodeTQ1_0: qs[48] with five ternary digits a byte, qh[4] with four, d. A
// byte is a fraction of 256 in base 3: multiplying by 3^n brings digit n on top.
func decodeTQ1_0(src []byte, dst []float32) {
	d := scaleAt(src[52:])
	power := [5]byte{1, 3, 9, 27, 81}
	digit := func(q byte, n int) float32 {
		return float32(int(uint16(q*power[n])*3>>8) - 1)
	}
	out := 0
	for _, part := range []struct{ from, to, digits int }{{0, 32, 5}, {32, 48, 5}, {48, 52, 4}} {
		for n := range part.digits {
			for _, q := range src[part.from:part.to] {
				dst[out] = digit(q, n) * d
				out++
			}
		}
	}
}

// decodeTQ2_0: qs[64], d; 32 bytes hold 128 values, two bits each.
func decodeTQ2_0(src []byte, dst []float32) {
	d := scaleAt(src[64:])
	for half := range 2 {
		for part := range 4 {
			for l, q := range src[32*half:][:32] {
				dst[128*half+32*part+l] = float32(int(q>>(2*part)&3)-1) * d
			}
		}
	}
}

// decodeMXFP4: one byte exponent (bias 127), qs[16].
func decodeMXFP4(src []byte, dst []float32) {
	half := halfScaleMXFP4(src[0])
	for j, q := range src[1:17] {
		dst[j] = half * fp4Values[q&15]
		dst[j+16] = half * fp4Values[q>>4]
	}
}

// halfScaleMXFP4 is 2^(e−128). The standard's NaN (255) is 2^127 to ggml, so also here.
func halfScaleMXFP4(e byte) float32 {
	if e < 2 { // subnormal
		return math.Float32frombits(0x00200000 << e)
	}
	return math.Float32frombits(uint32(e-1) << 23)
}

// decodeNVFP4: four unsigned 8-bit float scales, qs[32]; 8 bytes hold 16 values.
func decodeNVFP4(src []byte, dst []float32) {
	for group := range 4 {
		half := halfScaleNVFP4(src[group])
		for j, q := range src[4+8*group:][:8] {
			dst[16*group+j] = fp4Values[q&15] * half
			dst[16*group+j+8] = fp4Values[q>>4] * half
		}
	}
}

// halfScaleNVFP4 is half of an unsigned 8-bit float: e4m3 whose sign is not looked
// at, of which 0x7f is 0 (and 0xff, which no writer makes, 480: as in ggml).
func halfScaleNVFP4(c byte) float32 {
	switch c {
	case 0x7f:
		return 0
	case 0xff:
		return 240
	}
	return F8E4M3ToF32(c&0x7f) / 2
}

// decodeQ1_0: d, a bit for each of 128 values: −d or d.
func decodeQ1_0(src []byte, dst []float32) {
	d := scaleAt(src)
	for j := range dst {
		dst[j] = -d
		if src[2+j/8]>>(j%8)&1 != 0 {
			dst[j] = d
		}
	}
}

// decodeQ2_0: d, qs[16]; four values a byte, neighbours from the low bits on.
func decodeQ2_0(src []byte, dst []float32) {
	d := scaleAt(src)
	for j := range dst {
		dst[j] = float32(int(src[2+j/4]>>(j%4*2)&3)-1) * d
	}
}
