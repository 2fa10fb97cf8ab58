package quant

import (
	"math"

	"lian/dtype"
)

// What HQQ minimises and how, with the numbers of its authors' code.
const (
	hqqNorm   = 0.7  // errors count by their size to this power: few large ones are better than many small ones
	hqqRounds = 20   // at most
	hqqWeight = 10   // of the squared part, at first
	hqqGrowth = 1.01 // of that weight, each round
)

// HQQ rounds each weight of a matrix [outputs, inputs] to the nearest code of a grid whose zero and scale are moved from the range's,
// so that Σ |error|^0.7 of a group falls. It needs no activations. No group comes out worse than by Nearest in that measure.
//
// Each round takes off the errors what shrinkage leaves of them, as outliers that no grid has to reach, and solves for the grid by
// least squares. GPTQ's layout holds zeros as whole numbers, which a zero alone cannot use to move by less than a step: so here the
// scale is solved for too. Source: Badri and Shaji, "Half-Quadratic Quantization of Large Machine Learning Models", 2023.
func (a Affine) HQQ(weights []float32, outputs, inputs int) *Codes {
	c, size := a.codes(outputs, inputs), a.group(inputs)
	eachRow(outputs, func(r int) {
		for g := range inputs / size {
			at, n := r*inputs+g*size, r*(inputs/size)+g
			w := weights[at : at+size]
			c.Scales[n], c.Zeros[n] = a.halfQuadratic(w)
			for i, v := range w {
				c.Values[at+i] = a.code(v, c.Scales[n], c.Zeros[n])
			}
		}
	})
	return c
}

// halfQuadratic is the grid of one group.
func (a Affine) halfQuadratic(w []float32) (bestScale float32, bestZero uint8) {
	scale, zero := a.grid(func(i int) float32 { return w[i] }, len(w))
	bestScale, bestZero = scale, zero
	best, weight := math.Inf(1), float64(hqqWeight)
	for range hqqRounds {
		sum, zeros := 0.0, 0.0
		var products, squares float64
		for _, v := range w {
			q := float32(a.code(v, scale, zero)) - float32(zero)
			e := float64(v - scale*q)
			sum += math.Pow(math.Abs(e), hqqNorm)
			kept := float64(v) - float64(scale)*shrunk(e/float64(scale), weight)
			zeros += float64(q) + float64(zero) - kept/float64(scale)
			products, squares = products+kept*float64(q), squares+float64(q*q)
		}
		if sum >= best {
			break
		}
		best, bestScale, bestZero = sum, scale, zero
		weight *= hqqGrowth
		if !a.Symmetric {

			zero = uint8(min(max(math.RoundToEven(zeros/float64(len(w))), 1), float64(a.top())))
		}
		if zero == bestZero && squares > 0 && products > 0 {
			if s := dtype.F16ToF32(dtype.F32ToF16(float32(products / squares))); s > 0 {
				scale = s
			}
		}
	}
	return bestScale, bestZero
}

// shrunk is the proximal step of Σ |x|^0.7 at a weight, for an error in steps of the grid, so that the unit of the weights does not
// matter: small errors become 0, large ones stay nearly whole.
func shrunk(e, weight float64) float64 {
	if e == 0 {
		return 0
	}
	size := math.Abs(e)
	return math.Copysign(max(size-math.Pow(size, hqqNorm-1)/weight, 0), e)
}
