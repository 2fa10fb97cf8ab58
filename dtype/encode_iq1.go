package dtype

import (
	"encoding/binary"
	"slices"
)

// Encoders of IQ1_S and IQ1_M. Source: ggml src/ggml-quants.c,
// quantize_row_iq1_s_impl and quantize_row_iq1_m_impl.

func init() {
	weightedEncoders[IQ1_S] = func(src, importance []float32, _ float32, dst []byte) bool { return encodeIQ1_S(src, importance, dst) }
	weightedEncoders[IQ1_M] = func(src, importance []float32, _ float32, dst []byte) bool { return encodeIQ1_M(src, importance, dst) }
	encoders[IQ1_M] = func(src []float32, dst []byte) bool { return encodeIQ1_M(src, nil, dst) }
}

// stepsIQ1 are the three values of a point shifted up (0) or down (1).
var stepsIQ1 = [2][3]float32{{-1 + shiftIQ1, shiftIQ1, 1 + shiftIQ1}, {-1 - shiftIQ1, -shiftIQ1, 1 - shiftIQ1}}

// ascending are the places of values in ascending order.
func ascending(x []float32) []int {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return 0
	})
	return order
}

// split is how a group is cut: the smallest values are level 0, those up to high
// level 1, the others level 2.
type split struct {
	low, high, shift int
	scale            float32
}

// levels assigns the levels of a split and turns them around where the scale is negative.
func (s *split) levels(order []int, levels []int8) {
	for j, i := range order {
		switch {
		case j < s.low:
			levels[i] = 0
		case j < s.high:
			levels[i] = 1
		default:
			levels[i] = 2
		}
		if s.scale < 0 {
			levels[i] = 2 - levels[i]
		}
	}
}

// onLattice gives the codes of points for levels, eight at a time; steps are those of each
// eight. Where points had to move, the scale is fitted again.
func onLattice(x, weights []float32, levels []int8, scale float32, steps func(k int) *[3]float32, codes []int) float32 {
	b, moved := bookIQ1(), false
	for k := range codes {
		key := 0
		for i, l := range levels[8*k:][:8] {
			key |= int(l) << (2 * i)
		}
		codes[k] = int(b.code[key])
		if codes[k] < 0 {
			moved = true
			s := steps(k)
			codes[k] = b.closest(key, x[8*k:], weights[8*k:], scale, func(v int8) float32 { return s[(v-1)/2] })
		}
	}
	if !moved {
		return scale
	}
	var sumQX, sumQ2 float32
	for k, code := range codes {
		s := steps(k)
		for i, v := range b.point(code) {
			w, q := weights[8*k+i], s[(v-1)/2]
			sumQX += float32(float32(w*q) * x[8*k+i])
			sumQ2 += float32(float32(w*q) * q)
		}
	}
	if sumQX > 0 && sumQ2 > 0 {
		return sumQX / sumQ2
	}
	return scale
}

func encodeIQ1_S(src, importance []float32, dst []byte) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	clear(dst)
	sigma2 := 2 * sumSquares(src) / 256
	var scales [8]float32
	var shifts [8]int
	var buffer [32]float32
	for j := range scales {
		x := src[32*j:][:32]
		weights := importantWeights(buffer[:], x, importance[32*j:], sigma2)
		if abs(farthest(x)) < 1e-12 {
			continue
		}
		order := ascending(x)
		best, ok := splitIQ1_S(x, weights, order)
		if !ok {
			continue
		}
		var levels [32]int8
		best.levels(order, levels[:])
		if best.scale < 0 {
			best.scale, best.shift = -best.scale, 1-best.shift
		}
		var codes [4]int
		scales[j] = onLattice(x, weights, levels[:], best.scale, func(int) *[3]float32 { return &stepsIQ1[best.shift] }, codes[:])
		shifts[j] = best.shift
		high := uint16(0)
		for k, code := range codes {
			dst[2+4*j+k] = byte(code)
			high |= uint16(code>>8) << (3 * k)
		}
		binary.LittleEndian.PutUint16(dst[34+2*j:], high)
	}
	return finishIQ(scales[:], 7, 1.125, dst, 15, func(j, l int) { dst[34+2*j+1] |= byte(l|shifts[j]<<3) << 4 })
}

// splitIQ1_S tries every split of 32 sorted values with both shifts; running sums
// give each its least-squares scale.
func splitIQ1_S(x, weights []float32, order []int) (best split, ok bool) {
	n := len(x)
	var sumX, sumW [33]float32
	for j, i := range order {
		sumX[j+1] = sumX[j] + float32(weights[i]*x[i])
		sumW[j+1] = sumW[j] + weights[i]
	}
	score := float32(-1)
	for low := 0; low <= n; low++ {
		for high := low; high <= n; high++ {
			for shift := range 2 {
				s := &stepsIQ1[shift]
				x0, x1, x2 := sumX[low]-sumX[0], sumX[high]-sumX[low], sumX[n]-sumX[high]
				w0, w1, w2 := sumW[low]-sumW[0], sumW[high]-sumW[low], sumW[n]-sumW[high]
				sumQX := float32(x0*s[0]) + float32(x1*s[1]) + float32(x2*s[2])
				sumQ2 := float32(float32(w0*s[0])*s[0]) + float32(float32(w1*s[1])*s[1]) + float32(float32(w2*s[2])*s[2])
				if sumQ2 > 0 && float32(sumQX*sumQX) > float32(score*sumQ2) {
					best, ok = split{low, high, shift, sumQX / sumQ2}, true
					score = best.scale * sumQX
				}
			}
		}
	}
	return best, ok
}

func encodeIQ1_M(src, importance []float32, dst []byte) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	clear(dst)
	sigma2 := 2 * sumSquares(src) / 256
	var scales [16]float32
	var shifts [16]int // bit 1: of the first eight values, bit 0: of the others
	var codes [16][2]int
	var buffer [16]float32
	weigh := func(j int) []float32 {
		x := src[16*j:][:16]
		if importance != nil {
			return importantWeights(buffer[:], x, importance[16*j:], sigma2)
		}
		for i, v := range x {
			buffer[i] = float32(v * v)
		}
		return buffer[:]
	}
	steps := func(j, k int) *[3]float32 { return &stepsIQ1[shifts[j]>>(1-k)&1] }
	for j := range scales {
		x, weights := src[16*j:][:16], weigh(j)
		if abs(farthest(x)) < 1e-7 {
			continue
		}
		order := ascending(x)
		best, ok := splitIQ1_M(x, weights, order)
		if !ok {
			continue
		}
		var levels [16]int8
		best.levels(order, levels[:])
		if best.scale < 0 {
			best.scale, best.shift = -best.scale, 3-best.shift
		}
		shifts[j] = best.shift
		scales[j] = onLattice(x, weights, levels[:], best.scale, func(k int) *[3]float32 { return steps(j, k) }, codes[j][:])
		dst[2*j], dst[2*j+1] = byte(codes[j][0]), byte(codes[j][1])
		dst[32+j] = byte(codes[j][0]>>8 | codes[j][1]>>8<<4)
	}
	most := largest(scales[:])
	if most == 0 {
		return true
	}
	d := most / 15
	inverse := 1 / d
	var words [4]uint16
	var sumQX, sumQ2 float32
	for j, s := range scales {
		l := scaleCode(inverse, s, 7)
		words[j/4] |= uint16(l) << (3 * (j % 4))
		dst[32+j] |= byte(shifts[j]>>1)<<3 | byte(shifts[j]&1)<<7
		weights := weigh(j)
		for k, code := range codes[j] {
			for i, v := range bookIQ1().point(code) {
				w, q := weights[8*k+i], steps(j, k)[(v-1)/2]*float32(2*l+1)
				sumQX += float32(float32(w*q) * src[16*j+8*k+i])
				sumQ2 += float32(float32(w*q) * q)
			}
		}
	}
	if sumQ2 > 0 {
		d = sumQX / sumQ2
	}
	half := F32ToF16(d * 1.1125)
	for i := range words {
		words[i] |= half >> (4 * i) << 12
		binary.LittleEndian.PutUint16(dst[48+2*i:], words[i])
	}
	return half&0x7c00 != 0x7c00
}

// splitIQ1_M tries every split of 16 sorted values with the four shifts of its halves.
func splitIQ1_M(x, weights []float32, order []int) (best split, ok bool) {
	n := len(x)
	var products, squares [16][3][2]float32 // weight · step · value, weight · step², by value, level and shift
	for i, w := range weights {
		for l := range 3 {
			for shift := range 2 {
				q := stepsIQ1[shift][l]
				products[i][l][shift], squares[i][l][shift] = float32(float32(w*q)*x[i]), float32(float32(w*q)*q)
			}
		}
	}
	score := float32(-1)
	for low := 0; low <= n; low++ {
		for high := low; high <= n; high++ {
			var sumQX, sumQ2 [4]float32
			for j, i := range order {
				l := 2
				if j < low {
					l = 0
				} else if j < high {
					l = 1
				}
				for shift := range 4 {
					s := shift >> 1
					if i >= n/2 {
						s = shift & 1
					}
					sumQX[shift] += products[i][l][s]
					sumQ2[shift] += squares[i][l][s]
				}
			}
			for shift := range 4 {
				if sumQ2[shift] > 0 && better(sumQX[shift], sumQ2[shift], score) {
					best, ok = split{low, high, shift, sumQX[shift] / sumQ2[shift]}, true
					score = best.scale * sumQX[shift]
				}
			}
		}
	}
	return best, ok
}

// better says whether a split of IQ1_M explains more than the best so far, by more than roundings make. Values that are nearly equal
// fit both shifts equally well; groups of one block must then choose alike, since one that chooses otherwise has another
// scale, and three bits tell scales apart badly. ggml compares exactly, so there the last bit of a sum decides.
func better(sumQX, sumQ2, score float32) bool {
	return float32(sumQX*sumQX) > float32(float32(score*sumQ2)*(1+0x1p-19))
}
