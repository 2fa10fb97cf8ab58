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
// so that Σ |error|^0.7 of a group falls. It needs no activations. No group comes out worse than by Nearest, in that measure or in squares.
//
// Each round takes off the errors what shrinkage leaves of them, as outliers that no grid has to reach, and solves for the grid by
// least squares. A grid whose squared error is above the range's is passed over, as predictions suffer by squares. GPTQ's layout
// holds zeros as whole numbers, which a zero alone cannot use to move by less than a step: so here the scale is solved for too. Source: Badri and Shaji, "Half-Quadratic Quantization of Large Machine Learning Models", 2023.
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
	best, last, allowed, weight := math.Inf(1), math.Inf(1), math.Inf(1), float64(hqqWeight)
	for round := range hqqRounds {
		step := float64(scale)
		var own, squared, zeros, products, squares float64
		for _, v := range w {
			q := float64(a.code(v, scale, zero)) - float64(zero)
			e := float64(v)/step - q // in steps, so that the unit of the weights does not matter
			kept := float64(v) / step
			if size := math.Abs(e); size > 0 {
				slope := math.Exp((hqqNorm - 1) * math.Log(size))
				own, squared = own+size*slope, squared+e*e
				// the proximal step of Σ |e|^0.7: small errors become 0, large ones stay nearly whole
				kept -= math.Copysign(max(size-slope/weight, 0), e)
			}
			zeros += q + float64(zero) - kept
			products, squares = products+kept*q, squares+q*q
		}
		own, squared = own*math.Pow(step, hqqNorm), squared*step*step
		if round == 0 {
			allowed = squared
		}
		if own >= last {
			break
		}
		last = own
		if own < best && squared <= allowed {
			best, bestScale, bestZero = own, scale, zero
		}
		weight *= hqqGrowth
		before := zero
		if !a.Symmetric {
			zero = uint8(min(max(math.RoundToEven(zeros/float64(len(w))), 1), float64(a.top())))
		}
		if zero == before && squares > 0 && products > 0 {
			if s := dtype.F16ToF32(dtype.F32ToF16(float32(products / squares * step))); s > 0 {
				scale = s
			}
		}
	}
	return bestScale, bestZero
}
