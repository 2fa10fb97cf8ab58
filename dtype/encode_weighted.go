package dtype

import (
	"encoding/binary"
	"fmt"
)

// Encoders with an importance matrix. Source: ggml src/ggml-quants.c,
// quantize_row_*_impl. A value's error weighs importance · √(σ² + x²).

// weightedEncoders pack one block with the importance of each value; mean is the
// mean square of the row.
var weightedEncoders = [typeCount]func(src, importance []float32, mean float32, dst []byte) bool{}

func init() {
	weightedEncoders[Q4_0] = weightedQ4_0
	weightedEncoders[Q4_1] = weightedQ4_1
	weightedEncoders[Q5_0] = weightedQ5_0
	weightedEncoders[Q5_1] = weightedQ5_1
	weightedEncoders[Q2_K] = weightedQ2_K
	weightedEncoders[Q3_K] = weightedQ3_K
	weightedEncoders[Q4_K] = func(src, importance []float32, _ float32, dst []byte) bool {
		return weightedQ45_K(src, importance, dst, 15)
	}
	weightedEncoders[Q5_K] = func(src, importance []float32, _ float32, dst []byte) bool {
		return weightedQ45_K(src, importance, dst, 31)
	}
	weightedEncoders[Q6_K] = func(src, importance []float32, _ float32, dst []byte) bool { return encodeQ6_K(src, importance, dst) }
	weightedEncoders[IQ4_NL] = func(src, importance []float32, _ float32, dst []byte) bool { return encodeIQ4_NL(src, importance, dst) }
	weightedEncoders[IQ4_XS] = func(src, importance []float32, _ float32, dst []byte) bool { return encodeIQ4_XS(src, importance, dst) }
}

// QuantizeWeighted is Quantize for one row of a matrix with the importance of each
// of its values (how large the activations are that meet it, an "importance
// matrix"), with the bytes of ggml's quantisers. Types for which ggml does not use
// it (Q8_0, ternary, MXFP4 and plain types) are as Quantize makes them.
func QuantizeWeighted(t Type, row, importance []float32, dst []byte) error {
	if len(importance) != len(row) {
		return fmt.Errorf("quantise: %d values with the importance of %d", len(row), len(importance))
	}
	for i, v := range importance {
		if !(v >= 0) || v-v != 0 {
			return fmt.Errorf("quantise: importance %d is %v; expected a finite number from 0 on", i, v)
		}
	}
	if !t.Valid() || weightedEncoders[t] == nil {
		return Quantize(t, row, dst)
	}
	if err := checkLengths(t, len(dst), len(row)); err != nil {
		return fmt.Errorf("quantise: %w", err)
	}
	mean := sumSquares(row) / float32(max(len(row), 1))
	return eachBlock(t, row, dst, func(first int, block []float32, out []byte) bool {
		return weightedEncoders[t](block, importance[first:first+len(block)], mean, out)
	})
}

// importantWeights are importance·√(σ² + x²).
func importantWeights(weights, x, importance []float32, sigma2 float32) []float32 {
	for i, v := range x {
		weights[i] = importance[i] * sqrt(sigma2+float32(v*v))
	}
	return weights[:len(x)]
}

func sum(x []float32) (total float32) {
	for _, v := range x {
		total += v
	}
	return total
}

func weightedQ4_0(src, importance []float32, mean float32, dst []byte) bool {
	var weights [32]float32
	var codes [32]uint8
	d := fitSymmetric(src, importantWeights(weights[:], src, importance, mean), 8, codes[:])
	for j := range 16 {
		dst[2+j] = codes[j] | codes[j+16]<<4
	}
	return putScale(dst, d)
}

// fifthBits packs nibbles and fifth bits of 32 codes.
func fifthBits(codes *[32]uint8, word, nibbles []byte) {
	var fifth uint32
	for j := range 16 {
		nibbles[j] = codes[j]&15 | codes[j+16]<<4
		fifth |= uint32(codes[j]>>4)<<j | uint32(codes[j+16]>>4)<<(j+16)
	}
	binary.LittleEndian.PutUint32(word, fifth)
}

func weightedQ5_0(src, importance []float32, mean float32, dst []byte) bool {
	var weights [32]float32
	var codes [32]uint8
	d := fitSymmetric(src, importantWeights(weights[:], src, importance, mean), 16, codes[:])
	fifthBits(&codes, dst[2:], dst[6:])
	return putScale(dst, d)
}

// fitImportant is fitRange as all encoders with importance use it.
func fitImportant(x, weights []float32, top int, codes []uint8) (scale, minimum float32) {
	return fitRange(x, weights, top, -0.9, 0.05, 36, false, codes)
}

func weightedQ4_1(src, importance []float32, mean float32, dst []byte) bool {
	var weights [32]float32
	var codes [32]uint8
	d, minimum := fitImportant(src, importantWeights(weights[:], src, importance, mean), 15, codes[:])
	for j := range 16 {
		dst[4+j] = codes[j] | codes[j+16]<<4
	}
	fits := putScale(dst, d)
	return putScale(dst[2:], -minimum) && fits
}

func weightedQ5_1(src, importance []float32, mean float32, dst []byte) bool {
	var weights [32]float32
	var codes [32]uint8
	d, minimum := fitImportant(src, importantWeights(weights[:], src, importance, mean), 31, codes[:])
	fifthBits(&codes, dst[4:], dst[8:])
	fits := putScale(dst, d)
	return putScale(dst[2:], -minimum) && fits
}

func weightedQ45_K(src, importance []float32, dst []byte, top int) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	var codes [256]uint8
	var scales, minimums, sums [8]float32
	var buffer [32]float32
	sigma2 := 2 * sumSquares(src) / 256
	for j := range scales {
		x := src[32*j:][:32]
		weights := importantWeights(buffer[:], x, importance[32*j:], sigma2)
		sums[j] = sum(weights)
		scales[j], minimums[j] = fitImportant(x, weights, top, codes[32*j:][:32])
	}
	var s, m [8]uint8
	fits := putScale(dst, fitPositive(scales[:], sums[:], 63, s[:]))
	fits = putScale(dst[2:], fitPositive(minimums[:], sums[:], 63, m[:])) && fits
	finishQ45_K(src, dst, &codes, &s, &m, top)
	return fits
}

func weightedQ2_K(src, importance []float32, _ float32, dst []byte) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	var codes [256]uint8
	var scales, minimums, sums [16]float32
	var buffer [16]float32
	sigma2 := sumSquares(src) / 256
	for j := range scales {
		x := src[16*j:][:16]
		weights := importantWeights(buffer[:], x, importance[16*j:], sigma2)
		sums[j] = sum(weights)
		scales[j], minimums[j] = fitImportant(x, weights, 3, codes[16*j:][:16])
	}
	var s, m [16]uint8
	fits := putScale(dst[80:], fitPositive(scales[:], sums[:], 15, s[:]))
	fits = putScale(dst[82:], fitPositive(minimums[:], sums[:], 15, m[:])) && fits
	for j := range s {
		s[j] |= m[j] << 4
	}
	finishQ2_K(src, dst, &codes, &s)
	return fits
}

func weightedQ3_K(src, importance []float32, _ float32, dst []byte) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	var codes [256]uint8
	var scales, sums [16]float32
	var buffer [16]float32
	sigma2 := 2 * sumSquares(src) / 256
	for j := range scales {
		x := src[16*j:][:16]
		weights := importantWeights(buffer[:], x, importance[16*j:], sigma2)
		sums[j] = sum(weights)
		scales[j] = fitSymmetric(x, weights, 4, codes[16*j:][:16])
	}
	var stored [16]uint8
	clear(dst)
	fits := putScale(dst[108:], fitSymmetric(scales[:], sums[:], 32, stored[:]))
	finishQ3_K(src, dst, &codes, &stored)
	return fits
}

// fitPositive looks for codes 0…top and a scale with x ≈ scale·code: the best of
// nine ranges by squares, then one code at a time for up to five rounds (ggml's
// make_qp_quants). A value under 0 has a code under 0 while ranges are compared, and
// that code in eight bits without a sign from then on, as there.
func fitPositive(x, weights []float32, top int, codes []uint8) float32 {
	most := largest(x)
	if most < tooSmall {
		clear(codes)
		return 0
	}
	const lowest = -4096
	loss := func(inverse float32, unsigned bool) (total float32) {
		scale := 1 / inverse
		for i, v := range x {
			l := nearest(inverse*v, lowest, top)
			if unsigned {
				l = int(uint8(l))
			}
			d := v - float32(scale*float32(l))
			total += float32(float32(weights[i]*d) * d)
		}
		return total
	}
	inverse := float32(top) / most
	best := loss(inverse, true)
	for step := -4; step <= 4; step++ {
		if step == 0 {
			continue
		}
		trial := (float32(0.1*float32(step)) + float32(top)) / most
		if e := loss(trial, false); e < best {
			best, inverse = e, trial
		}
	}
	var sumXL, sumL2 float32
	for i, v := range x {
		level := nearest(inverse*v, lowest, top)
		codes[i] = uint8(level)
		w, l := weights[i], float32(level)
		sumXL += float32(float32(w*v) * l)
		sumL2 += float32(float32(w*l) * l)
	}
	for range 5 {
		changed := false
		for i, v := range x {
			w, l := weights[i], float32(codes[i])
			xl, l2 := sumXL-float32(float32(w*v)*l), sumL2-float32(float32(w*l)*l)
			if !(xl > 0 && l2 > 0) {
				continue
			}
			moved := nearest(float32(v*l2)/xl, lowest, top)
			if moved == int(codes[i]) {
				continue
			}
			m := float32(moved)
			xl += float32(float32(w*v) * m)
			l2 += float32(float32(w*m) * m)
			if float32(float32(xl*xl)*sumL2) > float32(float32(sumXL*sumXL)*l2) {
				codes[i], sumXL, sumL2, changed = uint8(moved), xl, l2, true
			}
		}
		if !changed {
			break
		}
	}
	return ratio(sumXL, sumL2)
}
