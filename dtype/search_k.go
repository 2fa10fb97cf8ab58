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
	loss := func(codes []uint8, scale, low float32) (total float32) {
		for i, w := range weights {
			d := abs(float32(scale*float32(codes[i])) + low - x[i])
			if !linear {
				d = float32(d * d)
			}
			total += float32(w * d)
		}
		return total
	}
	inverse := float32(top) / (high - low)
	for i, v := range x {
		codes[i] = uint8(nearest(inverse*(v-low), 0, top))
	}
	scale = 1 / inverse
	best := loss(codes, scale, low)
	var buffer [32]uint8
	trial := buffer[:len(x)]
	for step := range steps + 1 {
		inverse := (first + float32(by*float32(step)) + float32(top)) / (high - low)
		var sumL, sumL2, sumXL float32
		for i, v := range x {
			l := nearest(inverse*(v-low), 0, top)
			trial[i] = uint8(l)
			w, l32 := weights[i], float32(l)
			wl := float32(w * l32)
			sumL += wl
			sumL2 += float32(wl * l32)
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
		if e := loss(trial, s, m); e < best {
			copy(codes, trial)
			best, scale, low = e, s, m // the next ranges start from this minimum, as in the reference
		}
	}
	return scale, -low
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
	solve := func(inverse float32) (sumXL, sumL2 float32) {
		for i, v := range x {
			l := float32(nearest(inverse*v, -top, top-1))
			w := float32(v * v)
			if weights != nil {
				w = weights[i]
			}
			sumXL += float32(float32(w*v) * l)
			sumL2 += float32(float32(w*l) * l)
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
