package dtype

import (
	"encoding/binary"
	"math"
)

// The 32-value block formats. Every product that is followed by a sum is
// written float32(a*b): the conversion forbids the compiler to fuse them into
// one rounding, which some architectures would, and bytes would differ.

func init() {
	decoders[Q4_0], encoders[Q4_0] = decodeQ4_0, encodeQ4_0
	decoders[Q4_1], encoders[Q4_1] = decodeQ4_1, encodeQ4_1
	decoders[Q5_0], encoders[Q5_0] = decodeQ5_0, encodeQ5_0
	decoders[Q5_1], encoders[Q5_1] = decodeQ5_1, encodeQ5_1
	decoders[Q8_0], encoders[Q8_0] = decodeQ8_0, encodeQ8_0
	decoders[Q8_1] = func(src []byte, dst []float32) { decodeInt8(src[4:], scaleAt(src), dst) }
}

// scaleAt reads the binary16 at the start of b.
func scaleAt(b []byte) float32 { return F16ToF32(binary.LittleEndian.Uint16(b)) }

// putScale writes a binary16 and reports whether the value is within its range.
func putScale(b []byte, v float32) bool {
	h := F32ToF16(v)
	binary.LittleEndian.PutUint16(b, h)
	return h&0x7c00 != 0x7c00
}

// inverse is 1/d, with 0 for 0: a block of zeros stays zeros.
func inverse(d float32) float32 {
	if d == 0 {
		return 0
	}
	return 1 / d
}

// farthest returns the value with the largest magnitude, sign kept; the first
// of equals.
func farthest(x []float32) float32 {
	var most, value float32
	for _, v := range x {
		if a := abs(v); a > most {
			most, value = a, v
		}
	}
	return value
}

func abs(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }

func bounds(x []float32) (low, high float32) {
	low, high = math.MaxFloat32, -math.MaxFloat32
	for _, v := range x {
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
	}
	return low, high
}

func decodeQ4_0(src []byte, dst []float32) {
	d := scaleAt(src)
	for j, q := range src[2:18] {
		dst[j] = d * float32(int(q&15)-8)
		dst[j+16] = d * float32(int(q>>4)-8)
	}
}

func encodeQ4_0(src []float32, dst []byte) bool {
	d := farthest(src) / -8
	inv := inverse(d)
	fits := putScale(dst, d)
	lower, upper, codes := src[:16], src[16:32], dst[2:18]
	for j, v := range lower {
		low := min(15, int8(float32(v*inv)+8.5))
		high := min(15, int8(float32(upper[j]*inv)+8.5))
		codes[j] = byte(low) | byte(high)<<4
	}
	return fits
}

func decodeQ4_1(src []byte, dst []float32) {
	d, m := scaleAt(src), scaleAt(src[2:])
	for j, q := range src[4:20] {
		dst[j] = float32(d*float32(q&15)) + m
		dst[j+16] = float32(d*float32(q>>4)) + m
	}
}

func encodeQ4_1(src []float32, dst []byte) bool {
	low, high := bounds(src)
	d := (high - low) / 15
	inv := inverse(d)
	fits := putScale(dst, d)
	fits = putScale(dst[2:], low) && fits
	for j := range 16 {
		a := min(15, int8(float32((src[j]-low)*inv)+0.5))
		b := min(15, int8(float32((src[j+16]-low)*inv)+0.5))
		dst[4+j] = byte(a) | byte(b)<<4
	}
	return fits
}

func decodeQ5_0(src []byte, dst []float32) {
	d := scaleAt(src)
	fifth := binary.LittleEndian.Uint32(src[2:])
	for j, q := range src[6:22] {
		dst[j] = d * float32(int(q&15|byte(fifth>>j<<4)&16)-16)
		dst[j+16] = d * float32(int(q>>4|byte(fifth>>(j+16)<<4)&16)-16)
	}
}

func encodeQ5_0(src []float32, dst []byte) bool {
	d := farthest(src) / -16
	inv := inverse(d)
	fits := putScale(dst, d)
	var fifth uint32
	lower, upper, codes := src[:16], src[16:32], dst[6:22]
	for j, v := range lower {
		a := byte(min(31, int8(float32(v*inv)+16.5)))
		b := byte(min(31, int8(float32(upper[j]*inv)+16.5)))
		codes[j] = a&15 | b<<4
		fifth |= uint32(a>>4)<<j | uint32(b>>4)<<(j+16)
	}
	binary.LittleEndian.PutUint32(dst[2:], fifth)
	return fits
}

func decodeQ5_1(src []byte, dst []float32) {
	d, m := scaleAt(src), scaleAt(src[2:])
	fifth := binary.LittleEndian.Uint32(src[4:])
	for j, q := range src[8:24] {
		dst[j] = float32(d*float32(q&15|byte(fifth>>j<<4)&16)) + m
		dst[j+16] = float32(d*float32(q>>4|byte(fifth>>(j+16)<<4)&16)) + m
	}
}

func encodeQ5_1(src []float32, dst []byte) bool {
	low, high := bounds(src)
	d := (high - low) / 31
	inv := inverse(d)
	fits := putScale(dst, d)
	fits = putScale(dst[2:], low) && fits
	var fifth uint32
	for j := range 16 {
		a := byte(float32((src[j]-low)*inv) + 0.5)
		b := byte(float32((src[j+16]-low)*inv) + 0.5)
		dst[8+j] = a&15 | b<<4
		fifth |= uint32(a>>4&1)<<j | uint32(b>>4&1)<<(j+16)
	}
	binary.LittleEndian.PutUint32(dst[4:], fifth)
	return fits
}

func decodeQ8_0(src []byte, dst []float32) { decodeInt8(src[2:], scaleAt(src), dst) }

func decodeInt8(codes []byte, d float32, dst []float32) {
	for j := range dst {
		dst[j] = d * float32(int8(codes[j]))
	}
}

func encodeQ8_0(src []float32, dst []byte) bool {
	d := abs(farthest(src)) / 127
	inv := inverse(d)
	fits := putScale(dst, d)
	codes := dst[2:][:len(src)]
	for j, v := range src {
		codes[j] = byte(int8(roundAway(v * inv)))
	}
	return fits
}

// roundAway rounds halves away from zero, as C's roundf; |v| ≤ 127.5. The largest float32 below a half, with the sign of v, does it
// without a branch: a half more than a whole number reaches the next one by the sum's own rounding.
func roundAway(v float32) int {
	const half = 0x3effffff
	return int(int32(v + math.Float32frombits(math.Float32bits(v)&(1<<31)|half)))
}
