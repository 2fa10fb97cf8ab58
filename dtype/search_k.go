package dtype

import "math"

// Searches for the scale of a sub-block of a K format, as ggml's reference
// quantisers make them (ggml src/ggml-quants.c: make_qkx2_quants, make_qx_quants,
// make_q3_quants). All sums are float32 in ascending order, every product is
// rounded on its own (see blocks_legacy.go), so bytes are the same everywhere.

// tooSmall is the magnitude under which a sub-block counts as zeros.
const tooSmall = 1e-15

// nearest rounds halves to even and limits the result; NaN gives low. Adding
// 1.5·2²³ leaves a float32 no bits for a fraction. |low| and |high| are small.
func nearest(v float32, low, high int) int {
	if !(v > float32(low)) {
		return low
	}
	if v >= float32(high) {
		return high
	}
	return int(math.Float32bits(v+0x1.8p23)&0x7fffff) - 0x400000
}

// fitRange looks for codes 0…top, a scale and a minimum with x ≈ scale·code −
// minimum. It tries steps+1 ranges of codes from top+first on, widening by `by`;
// for each it solves for scale and minimum by weighted least squares, and keeps
// the one with the least error: weighted squares, or magnitudes if linear.
func fitRange(x, weights []float32, top int, first, by float32, steps int, linear bool, codes []uint8) (scale, minimum float32) {
	low, high := bounds(x)
	low = min(low, 0)
	if high == low {
		clear(codes)
		return 0, -low
	}
	var sumW, sumX float32
	for i, w := range weights {
		sumW += w
		sumX += float32(w * x[i])
	}
	// Codes are float32 while they are searched: nothing is converted, and a range's three sums wait for each other only.
	var chosen, tried [32]float32
	trial, weights := tried[:len(x)], weights[:len(x)]
	most := float32(top)
	inverse := most / (high - low)
	for i, v := range x {
		trial[i] = level(inverse*(v-low), most)
	}
	scale = 1 / inverse
	chosen = tried
	best := rangeLoss(x, weights, trial, scale, low, linear)
	for step := range steps + 1 {
		inverse := (first + float32(by*float32(step)) + most) / (high - low)
		var sumL, sumL2, sumXL float32
		for i, v := range x {
			l := level(inverse*(v-low), most)
			trial[i] = l
			wl := float32(weights[i] * l)
			sumL += wl
			sumL2 += float32(wl * l)
			sumXL += float32(wl * v)
		}
		determinant := float32(sumW*sumL2) - float32(sumL*sumL)
		if !(determinant > 0) {
			continue
		}
		s := (float32(sumW*sumXL) - float32(sumX*sumL)) / determinant
		m := (float32(sumL2*sumX) - float32(sumL*sumXL)) / determinant
		if m > 0 {
			m, s = 0, sumXL/sumL2
		}
		if e := rangeLoss(x, weights, trial, s, m, linear); e < best {
			chosen = tried
			best, scale, low = e, s, m // the next ranges start from this minimum, as in the reference
		}
	}
	for i := range codes {
		codes[i] = uint8(chosen[i])
	}
	return scale, -low
}

// level is nearest for codes 0…top, as a float32.
func level(v, top float32) float32 {
	if !(v > 0) {
		return 0
	}
	if v >= top {
		return top
	}
	return float32(v+0x1.8p23) - 0x1.8p23
}

// rangeLoss is what x ≈ scale·code + low is wrong by: weighted squares, or magnitudes if linear.
func rangeLoss(x, weights, codes []float32, scale, low float32, linear bool) (total float32) {
	weights, codes = weights[:len(x)], codes[:len(x)]
	if linear {
		for i, v := range x {
			total += float32(weights[i] * abs(float32(scale*codes[i])+low-v))
		}
		return total
	}
	for i, v := range x {
		d := float32(scale*codes[i]) + low - v
		total += float32(weights[i] * float32(d*d))
	}
	return total
}

// fitSymmetric looks for codes −top…top−1 and a scale with x ≈ scale·code, by
// weighted least squares (nil weights are x²) over 19 ranges of codes. Codes are
// stored with top added.
func fitSymmetric(x, weights []float32, top int, codes []uint8) float32 {
	most := farthest(x)
	if abs(most) < tooSmall {
		clear(codes)
		return 0
	}
	var own, weighed [32]float32
	if weights == nil {
		weights = own[:len(x)]
		for i, v := range x {
			weights[i] = float32(v * v)
		}
	}
	weights, wx := weights[:len(x)], weighed[:len(x)]
	for i, v := range x {
		wx[i] = float32(weights[i] * v)
	}
	lowest, highest := -float32(top), float32(top-1)
	solve := func(inverse float32) (sumXL, sumL2 float32) {
		for i, v := range x {
			l := lowest
			if v = inverse * v; v >= highest {
				l = highest
			} else if v > lowest {
				l = float32(v+0x1.8p23) - 0x1.8p23
			}
			sumXL += float32(wx[i] * l)
			sumL2 += float32(float32(weights[i]*l) * l)
		}
		return sumXL, sumL2
	}
	store := func(inverse float32) {
		for i, v := range x {
			codes[i] = uint8(top + nearest(inverse*v, -top, top-1))
		}
	}
	inverse := -float32(top) / most
	store(inverse)
	sumXL, sumL2 := solve(inverse)
	var scale float32
	if sumL2 != 0 {
		scale = sumXL / sumL2
	}
	best := scale * sumXL
	for step := -9; step <= 9; step++ {
		if step == 0 {
			continue
		}
		inverse := -(float32(top) + float32(0.1*float32(step))) / most
		if sumXL, sumL2 := solve(inverse); sumL2 > 0 && float32(sumXL*sumXL) > float32(best*sumL2) {
			store(inverse)
			scale = sumXL / sumL2
			best = scale * sumXL
		}
	}
	return scale
}

// fitByTurns looks for codes −top…top−1 and a scale as fitSymmetric does, but
// moves one code at a time for up to five rounds. Codes are stored with top
// added.
func fitByTurns(x []float32, top int, codes []uint8) float32 {
	most := farthest(x)
	if abs(most) < tooSmall {
		clear(codes)
		return 0
	}
	inverse := -float32(top) / most
	var level [16]int
	var sumXL, sumL2 float32
	for i, v := range x {
		level[i] = nearest(inverse*v, -top, top-1)
		l, w := float32(level[i]), float32(v*v)
		sumXL += float32(float32(w*v) * l)
		sumL2 += float32(float32(w*l) * l)
	}
	for range 5 {
		changed := false
		for i, v := range x {
			l, w := float32(level[i]), float32(v*v)
			xl := sumXL - float32(float32(w*v)*l)
			if !(xl > 0) {
				continue
			}
			l2 := sumL2 - float32(float32(w*l)*l)
			moved := nearest(float32(v*l2)/xl, -top, top-1)
			if moved == level[i] {
				continue
			}
			xl += float32(float32(w*v) * float32(moved))
			l2 += float32(float32(w*float32(moved)) * float32(moved))
			if l2 > 0 && float32(float32(xl*xl)*sumL2) > float32(float32(sumXL*sumXL)*l2) {
				level[i], sumXL, sumL2, changed = moved, xl, l2, true
			}
		}
		if !changed {
			break
		}
	}
	for i := range x {
		codes[i] = uint8(level[i] + top)
	}
	if sumL2 == 0 {
		return 0
	}
	return sumXL / sumL2
}

func sqrt(v float32) float32 { return float32(math.Sqrt(float64(v))) }

// sumSquares adds in ascending order.
func sumSquares(x []float32) (sum float32) {
	for _, v := range x {
		sum += float32(v * v)
	}
	return sum
}
