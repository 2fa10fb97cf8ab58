package dtype

import "math"

// Encoders of the 256-value block formats, without an importance matrix. Source:
// ggml src/ggml-quants.c, quantize_row_*_K_ref. Layouts are described at the
// decoders in blocks_k.go.

func init() {
	encoders[Q2_K] = encodeQ2_K
	encoders[Q3_K] = encodeQ3_K
	encoders[Q4_K] = func(src []float32, dst []byte) bool { return encodeQ45_K(src, dst, 15, -1, 20) }
	encoders[Q5_K] = func(src []float32, dst []byte) bool { return encodeQ45_K(src, dst, 31, -0.5, 15) }
	encoders[Q6_K] = func(src []float32, dst []byte) bool { return encodeQ6_K(src, nil, dst) }
}

// largestK is a magnitude over what any K format can hold (65504 · 128 · 32),
// and far enough under float32's range that the searches cannot overflow.
const largestK = 1e9

// largest returns the largest of values that are not negative, 0 of none.
func largest(v []float32) (most float32) {
	for _, x := range v {
		most = max(most, x)
	}
	return most
}

// ratio is a/b, 0 where b is not positive.
func ratio(a, b float32) float32 {
	if b > 0 {
		return a / b
	}
	return 0
}

// encodeQ45_K packs Q4_K (top 15) and Q5_K (top 31).
func encodeQ45_K(src []float32, dst []byte, top int, first float32, steps int) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	var codes [256]uint8
	var scales, minimums [8]float32
	var weights [32]float32
	for j := range scales {
		x := src[32*j:][:32]
		var squares float32
		for _, v := range x {
			squares += float32(v * v)
		}
		mean := float32(math.Sqrt(float64(squares / 32)))
		for l, v := range x {
			weights[l] = mean + abs(v)
		}
		scales[j], minimums[j] = fitRange(x, weights[:], top, first, 0.1, steps, false, codes[32*j:][:32])
	}
	mostScale, mostMinimum := largest(scales[:]), largest(minimums[:])
	fits := putScale(dst, mostScale/63)
	fits = putScale(dst[2:], mostMinimum/63) && fits
	var s, m [8]uint8
	for j := range scales {
		s[j] = uint8(nearest(ratio(63, mostScale)*scales[j], 0, 63))
		m[j] = uint8(nearest(ratio(63, mostMinimum)*minimums[j], 0, 63))
	}
	finishQ45_K(src, dst, &codes, &s, &m, top)
	return fits
}

// finishQ45_K packs scales and minimums, rounds again with them as they are stored,
// and packs the codes. dst begins with the float16 numbers.
func finishQ45_K(src []float32, dst []byte, codes *[256]uint8, scales, minimums *[8]uint8, top int) {
	packed := dst[4:16]
	clear(packed)
	for j := range scales {
		s, m := scales[j], minimums[j]
		if j < 4 {
			packed[j], packed[j+4] = s, m
		} else {
			packed[j+4] = s&15 | m<<4
			packed[j-4] |= s >> 4 << 6
			packed[j] |= m >> 4 << 6
		}
	}
	d, dmin := scaleAt(dst), scaleAt(dst[2:])
	for j := range scales {
		s, m := scaleMinQ4_K(packed, j)
		scale, minimum := d*float32(s), dmin*float32(m)
		if scale == 0 {
			continue
		}
		for l := range 32 {
			codes[32*j+l] = uint8(nearest((src[32*j+l]+minimum)/scale, 0, top))
		}
	}
	out := dst[16:]
	if top == 31 {
		fifth := out[:32]
		clear(fifth)
		for i, q := range codes {
			fifth[i%32] |= q >> 4 << (i / 32)
		}
		out = out[32:]
	}
	for j := range 4 {
		for l := range 32 {
			out[32*j+l] = codes[64*j+l]&15 | codes[64*j+32+l]<<4
		}
	}
}

func encodeQ2_K(src []float32, dst []byte) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	var codes [256]uint8
	var scales, minimums [16]float32
	var weights [16]float32
	for j := range scales {
		x := src[16*j:][:16]
		for l, v := range x {
			weights[l] = abs(v)
		}
		scales[j], minimums[j] = fitRange(x, weights[:], 3, -0.5, 0.1, 15, true, codes[16*j:][:16])
	}
	mostScale, mostMinimum := largest(scales[:]), largest(minimums[:])
	fits := putScale(dst[80:], mostScale/15)
	fits = putScale(dst[82:], mostMinimum/15) && fits
	var packed [16]uint8
	for j := range scales {
		s := nearest(ratio(15, mostScale)*scales[j], 0, 15)
		m := nearest(ratio(15, mostMinimum)*minimums[j], 0, 15)
		packed[j] = uint8(s | m<<4)
	}
	finishQ2_K(src, dst, &codes, &packed)
	return fits
}

// finishQ2_K rounds again with the scales and minimums as they are stored and
// packs the codes. dst ends with the float16 numbers.
func finishQ2_K(src []float32, dst []byte, codes *[256]uint8, packed *[16]uint8) {
	copy(dst, packed[:])
	d, dmin := scaleAt(dst[80:]), scaleAt(dst[82:])
	for j, p := range packed {
		scale, minimum := d*float32(p&15), dmin*float32(p>>4)
		if scale == 0 {
			continue
		}
		for l := range 16 {
			codes[16*j+l] = uint8(nearest((src[16*j+l]+minimum)/scale, 0, 3))
		}
	}
	packTwoBits(codes[:], dst[16:80])
}

// packTwoBits packs the low two bits of 256 codes: of each 128, byte l holds
// codes l, l+32, l+64 and l+96.
func packTwoBits(codes []uint8, dst []byte) {
	for half := range 2 {
		for l := range 32 {
			c := codes[128*half+l:]
			dst[32*half+l] = c[0]&3 | c[32]&3<<2 | c[64]&3<<4 | c[96]&3<<6
		}
	}
}

func encodeQ3_K(src []float32, dst []byte) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	var codes [256]uint8
	var scales [16]float32
	for j := range scales {
		scales[j] = fitByTurns(src[16*j:][:16], 4, codes[16*j:][:16])
	}
	var stored [16]uint8
	clear(dst)
	fits := true
	if most := farthest(scales[:]); most != 0 {
		inverse := -32 / most
		fits = putScale(dst[108:], 1/inverse)
		for j, s := range scales {
			stored[j] = uint8(nearest(inverse*s, -32, 31) + 32)
		}
	}
	finishQ3_K(src, dst, &codes, &stored)
	return fits
}

// finishQ3_K packs the scales (32 added), rounds again with them, and packs the
// codes (4 added). dst ends with the float16 number and is 0 before it.
func finishQ3_K(src []float32, dst []byte, codes *[256]uint8, stored *[16]uint8) {
	for j, l := range stored {
		dst[96+j%8] |= l & 15 << (j / 8 * 4)
		dst[104+j%4] |= l >> 4 << (j / 4 * 2)
	}
	d := scaleAt(dst[108:])
	for j := range stored {
		scale := d * float32(int(stored[j])-32)
		if scale == 0 {
			continue
		}
		for l := range 16 {
			codes[16*j+l] = uint8(nearest(src[16*j+l]/scale, -4, 3) + 4)
		}
	}
	for i, q := range codes {
		dst[i%32] |= q >> 2 << (i / 32)
	}
	packTwoBits(codes[:], dst[32:96])
}

func encodeQ6_K(src, importance []float32, dst []byte) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	var codes [256]uint8
	var scales [16]float32
	for j := range scales {
		var w []float32
		if importance != nil {
			w = importance[16*j:][:16]
		}
		scales[j] = fitSymmetric(src[16*j:][:16], w, 32, codes[16*j:][:16])
	}
	clear(dst)
	most := farthest(scales[:])
	if abs(most) < tooSmall {
		return true // a block of zeros, whatever the codes say
	}
	inverse := -128 / most
	fits := putScale(dst[208:], 1/inverse)
	d := scaleAt(dst[208:])
	for j, s := range scales {
		stored := nearest(inverse*s, -128, 127)
		dst[192+j] = byte(int8(stored))
		scale := d * float32(stored)
		if scale == 0 {
			continue
		}
		for l := range 16 {
			codes[16*j+l] = uint8(nearest(src[16*j+l]/scale, -32, 31) + 32)
		}
	}
	for half := range 2 {
		low, high := dst[64*half:][:64], dst[128+32*half:][:32]
		for l := range 32 {
			c := codes[128*half+l:]
			low[l] = c[0]&15 | c[64]&15<<4
			low[l+32] = c[32]&15 | c[96]&15<<4
			high[l] = c[0]>>4 | c[32]>>4<<2 | c[64]>>4<<4 | c[96]>>4<<6
		}
	}
	return fits
}
