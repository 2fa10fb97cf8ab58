package dtype

import "encoding/binary"

// Encoders of IQ4_NL and IQ4_XS. Source: ggml src/ggml-quants.c,
// quantize_row_iq4_nl_impl with 7 tries on either side.

func init() {
	encoders[IQ4_NL] = func(src []float32, dst []byte) bool { return encodeIQ4_NL(src, nil, dst) }
	encoders[IQ4_XS] = func(src []float32, dst []byte) bool { return encodeIQ4_XS(src, nil, dst) }
}

// nearestIQ4 is the code whose step is nearest to x, the higher of equals.
func nearestIQ4(x float32) byte {
	if !(x > iq4Values[0]) {
		return 0
	}
	if x >= iq4Values[15] {
		return 15
	}
	low, high := 0, 15
	for high-low > 1 {
		if middle := (low + high) / 2; x < iq4Values[middle] {
			high = middle
		} else {
			low = middle
		}
	}
	if x-iq4Values[low] < iq4Values[high]-x {
		return byte(low)
	}
	return byte(high)
}

// fitIQ4 looks for the scale with x ≈ scale·step by weighted least squares, over
// 15 assignments of codes.
func fitIQ4(x, weights []float32) float32 {
	most := farthest(x)
	if abs(most) < tooSmall {
		return 0
	}
	solve := func(inverse float32) (sumQX, sumQ2 float32) {
		for i, v := range x {
			q := iq4Values[nearestIQ4(inverse*v)]
			wq := float32(weights[i] * q)
			sumQX += float32(wq * v)
			sumQ2 += float32(wq * q)
		}
		return sumQX, sumQ2
	}
	sumQX, sumQ2 := solve(1 / (-most / iq4Values[0]))
	var scale float32
	if sumQ2 > 0 {
		scale = sumQX / sumQ2
	}
	best := scale * sumQX
	for try := -7; try <= 7; try++ {
		sumQX, sumQ2 := solve((float32(try) + iq4Values[0]) / most)
		if sumQ2 > 0 && float32(sumQX*sumQX) > float32(best*sumQ2) {
			scale = sumQX / sumQ2
			best = scale * sumQX
		}
	}
	return scale
}

// weightsIQ4 are x², or with an importance of each value importance·√(σ² + x²),
// where σ² is twice the mean square of the block.
func weightsIQ4(weights, x, importance []float32, sigma2 float32) []float32 {
	for i, v := range x {
		weights[i] = float32(v * v)
		if importance != nil {
			weights[i] = importance[i] * sqrt(sigma2+float32(v*v))
		}
	}
	return weights
}

func encodeIQ4_NL(src, importance []float32, dst []byte) bool {
	var weights [32]float32
	d := fitIQ4(src, weightsIQ4(weights[:], src, importance, 2.0/32*sumSquares(src)))
	inv := inverse(d)
	for j := range 16 {
		dst[2+j] = nearestIQ4(inv*src[j]) | nearestIQ4(inv*src[j+16])<<4
	}
	return putScale(dst, d)
}

func encodeIQ4_XS(src, importance []float32, dst []byte) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	var weights [32]float32
	var scales [8]float32
	sigma2 := sumSquares(src) * (2.0 / 256)
	for j := range scales {
		var w []float32
		if importance != nil {
			w = importance[32*j:][:32]
		}
		x := src[32*j:][:32]
		scales[j] = fitIQ4(x, weightsIQ4(weights[:], x, w, sigma2))
	}
	d := -farthest(scales[:]) / 32
	inv := inverse(d)
	fits := putScale(dst, d)
	clear(dst[2:8])
	var high uint16
	for j, s := range scales {
		l := nearest(inv*s, -32, 31)
		inv := inverse(d * float32(l))
		x, out := src[32*j:][:32], dst[8+16*j:][:16]
		for i := range out {
			out[i] = nearestIQ4(inv*x[i]) | nearestIQ4(inv*x[i+16])<<4
		}
		l += 32
		dst[4+j/2] |= byte(l&15) << (j % 2 * 4)
		high |= uint16(l>>4) << (2 * j)
	}
	binary.LittleEndian.PutUint16(dst[2:], high)
	return fits
}
