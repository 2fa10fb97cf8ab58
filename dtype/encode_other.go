package dtype

import (
	"encoding/binary"
	"math"
)

// Encoders of ternary, MX, NV, one- and two-bit blocks and of the activation
// formats. Source: ggml src/ggml-quants.c, quantize_row_*_ref. Layouts are
// described at the decoders in blocks_other.go.

func init() {
	encoders[Q8_1] = encodeQ8_1
	encoders[Q8_K] = encodeQ8_K
	encoders[TQ1_0] = encodeTQ1_0
	encoders[TQ2_0] = encodeTQ2_0
	encoders[MXFP4] = encodeMXFP4
	encoders[NVFP4] = encodeNVFP4
	encoders[Q1_0] = encodeQ1_0
	encoders[Q2_0] = encodeQ2_0
}

// encodeQ8_1: the codes of Q8_0 with the sum of the codes, scaled, in bytes 2 and 3.
func encodeQ8_1(src []float32, dst []byte) bool {
	d := abs(farthest(src)) / 127
	inv := inverse(d)
	fits, sum := putScale(dst, d), 0
	for j, v := range src {
		q := roundAway(v * inv)
		dst[4+j] = byte(int8(q))
		sum += q
	}
	return putScale(dst[2:], float32(sum)*d) && fits
}

// encodeQ8_K: float32 d, int8 qs[256], int16 sums of 16 codes.
func encodeQ8_K(src []float32, dst []byte) bool {
	clear(dst)
	most := farthest(src)
	if most == 0 {
		return true
	}
	inverse := -127 / most
	if inverse-inverse != 0 { // a magnitude so small that its inverse is infinite
		return false
	}
	for j, v := range src {
		q := nearest(inverse*v, -127, 127)
		dst[4+j] = byte(int8(q))
		sum := dst[260+j/16*2:]
		binary.LittleEndian.PutUint16(sum, binary.LittleEndian.Uint16(sum)+uint16(int16(q)))
	}
	binary.LittleEndian.PutUint32(dst, math.Float32bits(1/inverse))
	return true
}

// ternary is the code 0, 1 or 2 of a value in units of the largest magnitude.
func ternary(v, inv float32) uint8 { return uint8(roundAway(v*inv) + 1) }

func encodeTQ1_0(src []float32, dst []byte) bool {
	d := abs(farthest(src))
	inv := inverse(d)
	fits, out := putScale(dst[52:], d), 0
	for _, part := range []struct{ bytes, digits int }{{32, 5}, {16, 5}, {4, 4}} {
		for m := range part.bytes {
			q := 0
			for n := range 5 { // four digits stand before a zero
				q *= 3
				if n < part.digits {
					q += int(ternary(src[m+n*part.bytes], inv))
				}
			}
			dst[out] = byte((q*256 + 242) / 243) // a fraction of 3⁵ as one of 2⁸, rounded up
			out++
		}
		src = src[part.bytes*part.digits:]
	}
	return fits
}

func encodeTQ2_0(src []float32, dst []byte) bool {
	d := abs(farthest(src))
	inv := inverse(d)
	var codes [256]uint8
	for i, v := range src {
		codes[i] = ternary(v, inv)
	}
	packTwoBits(codes[:], dst[:64])
	return putScale(dst[64:], d)
}

// nearestFP4 is the code whose value times half is nearest to x; the first of equals.
func nearestFP4(x, half float32) byte {
	best, least := 0, abs(0*half-x)
	for i, v := range fp4Values[1:] {
		if e := abs(float32(v*half) - x); e < least {
			best, least = i+1, e
		}
	}
	return byte(best)
}

// encodeMXFP4's exponent is that of the largest magnitude less two: e2m1 reaches 6.
// Unlike ggml, where an exponent under 0 wraps around, magnitudes under 2⁻¹²⁵ take
// the smallest scale.
func encodeMXFP4(src []float32, dst []byte) bool {
	var e byte
	if most := abs(farthest(src)); most > 0 {
		_, exponent := math.Frexp(float64(most)) // most = f·2^exponent, ½ ≤ f < 1
		e = byte(max(exponent-1-2+127, 0))
	}
	dst[0] = e
	half := halfScaleMXFP4(e)
	for j := range 16 {
		dst[1+j] = nearestFP4(src[j], half) | nearestFP4(src[j+16], half)<<4
	}
	return true
}

func encodeNVFP4(src []float32, dst []byte) bool {
	if abs(farthest(src)) > 448*6 {
		return false
	}
	for group := range 4 {
		x := src[16*group:][:16]
		dst[group] = unsignedE4M3(abs(farthest(x)) / 6)
		half := halfScaleNVFP4(dst[group])
		for j := range 8 {
			dst[4+8*group+j] = nearestFP4(x[j], half) | nearestFP4(x[j+8], half)<<4
		}
	}
	return true
}

// unsignedE4M3 rounds as ggml does: halves up, and what is under half of the
// smallest value to 0.
func unsignedE4M3(x float32) byte {
	if !(x > 0) {
		return 0
	}
	b := math.Float32bits(min(x, 448))
	exponent := int(b>>23) - 127 + 7
	if exponent <= 0 {
		return byte(min(7, int(float32(x*512)+0.5)))
	}
	code := exponent<<3 | int(b>>20&7)
	return byte(min(code+int(b>>19&1), 0x7e)) // a carry out of the mantissa is right
}

func encodeQ1_0(src []float32, dst []byte) bool {
	clear(dst)
	var sum float32
	for j, v := range src {
		sum += abs(v)
		if v >= 0 {
			dst[2+j/8] |= 1 << (j % 8)
		}
	}
	return putScale(dst, sum/128)
}

func encodeQ2_0(src []float32, dst []byte) bool {
	d := abs(farthest(src))
	inv := inverse(d)
	clear(dst)
	for j, v := range src {
		dst[2+j/4] |= ternary(v, inv) << (j % 4 * 2)
	}
	return putScale(dst, d)
}
