package dtype

import "math"

// F16ToF32 returns the value of a binary16 bit pattern; every one is exact.
func F16ToF32(h uint16) float32 {
	// As a float32 the exponent is too small by 112; the product makes that good,
	// also for subnormal numbers.
	b := math.Float32bits(math.Float32frombits(uint32(h&0x7fff)<<13) * 0x1p112)
	if h&0x7c00 == 0x7c00 { // infinity or NaN, payload kept
		b = 0x7f800000 | uint32(h&0x3ff)<<13
	}
	return math.Float32frombits(b | uint32(h&0x8000)<<16)
}

// F32ToF16 rounds to the nearest binary16, ties to even. Values over 65504 by
// half a step or more become infinite; a NaN stays a (quiet) NaN.
func F32ToF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b>>16) & 0x8000
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000: // NaN: keep the top of the payload, set the quiet bit
		return sign | 0x7e00 | uint16(b>>13)&0x3ff
	case b >= 0x47800000: // 65536 and more, infinity
		return sign | 0x7c00
	case b >= 0x38800000: // normal in binary16; a carry out of the mantissa is right, also into infinity
		b -= 112 << 23
		return sign | uint16((b+0xfff+(b>>13&1))>>13)
	default: // subnormal: adding 0.5 lines the value up on steps of 2⁻²⁴ and rounds to even
		rounded := math.Float32frombits(b) + 0.5
		return sign | uint16(math.Float32bits(rounded)-0x3f000000)
	}
}

// BF16ToF32 returns the value of a bfloat16 bit pattern; every one is exact.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// F32ToBF16 rounds to the nearest bfloat16, ties to even; a NaN stays a (quiet)
// NaN.
func F32ToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + (b >> 16 & 1)) >> 16)
}

// F8E4M3ToF32 returns the value of an 8-bit float with 4 exponent bits (bias
// 7), no infinity and NaN 0x7f and 0xff. Source: OCP 8-bit floating point,
// revision 1.0.
func F8E4M3ToF32(c uint8) float32 {
	sign := uint32(c&0x80) << 24
	exponent, mantissa := uint32(c>>3)&0xf, uint32(c)&7
	switch {
	case c&0x7f == 0x7f:
		return math.Float32frombits(sign | 0x7fc00000)
	case exponent == 0:
		return math.Float32frombits(math.Float32bits(float32(mantissa)*0x1p-9) | sign)
	}
	return math.Float32frombits(sign | (exponent+120)<<23 | mantissa<<20)
}

// F32ToF8E4M3 rounds to the nearest 8-bit float, ties to even. What is over the
// largest value, infinity included, becomes that value (±448), as in PyTorch
// since 2.15 (earlier ones made it NaN); a NaN stays NaN.
func F32ToF8E4M3(f float32) uint8 {
	b := math.Float32bits(f)
	sign := uint8(b >> 24 & 0x80)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7f
	case b >= 0x43e00000: // 448 and more
		return sign | 0x7e
	case b < 0x3c800000: // under 2⁻⁶: subnormal, steps of 2⁻⁹
		return sign | uint8(math.Float32bits(math.Float32frombits(b)+0x1p14)-0x46800000)
	}
	b -= 120 << 23
	return sign | uint8((b+0x7ffff+(b>>20&1))>>20)
}

// F8E5M2ToF32 returns the value of an 8-bit float with 5 exponent bits: the
// upper half of a binary16.
func F8E5M2ToF32(c uint8) float32 { return F16ToF32(uint16(c) << 8) }

// F32ToF8E5M2 rounds to the nearest 8-bit float, ties to even; what is over the
// largest value (57344) by half a step or more becomes infinite.
func F32ToF8E5M2(f float32) uint8 {
	b := math.Float32bits(f)
	sign := uint8(b >> 24 & 0x80)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7f
	case b >= 0x47800000: // 65536 and more
		return sign | 0x7c
	case b < 0x38800000: // under 2⁻¹⁴: subnormal, steps of 2⁻¹⁶
		return sign | uint8(math.Float32bits(math.Float32frombits(b)+0x1p7)-0x43000000)
	}
	b -= 112 << 23
	return sign | uint8((b+0xfffff+(b>>21&1))>>21)
}
