package quant

import (
	"math"
	"math/rand/v2"
	"testing"
)

// heavyTailed are weights with outliers, as those of language models have.
func heavyTailed(n int) []float32 {
	r, w := rand.New(rand.NewPCG(3, 4)), make([]float32, n)
	for i := range w {
		w[i] = float32(r.NormFloat64() * 0.02)
		if r.IntN(50) == 0 {
			w[i] *= 5
		}
	}
	return w
}

func TestHQQErrsNoMoreThanRoundingInItsOwnMeasureOrInSquares(t *testing.T) {
	const outputs, inputs = 32, 256
	w := heavyTailed(outputs * inputs)
	measure := func(c *Codes) (own, squares float64) {
		for i, v := range c.Dequantized() {
			e := math.Abs(float64(v - w[i]))
			own, squares = own+math.Pow(e, hqqNorm), squares+e*e
		}
		return own, squares
	}
	for _, bits := range []int{2, 3, 4, 8} {
		for _, symmetric := range []bool{false, true} {
			for _, group := range []int{32, 64, 0} {
				a := Affine{Bits: bits, Group: group, Symmetric: symmetric}
				own, squares := measure(a.HQQ(w, outputs, inputs))
				nearest, nearestSquares := measure(a.Nearest(w, outputs, inputs))
				if own > nearest || bits < 8 && own > 0.995*nearest {
					t.Errorf("%+v: Σ|e|^0.7 %.5g, of rounding %.5g", a, own, nearest)
				}
				if squares > 1.0001*nearestSquares {
					t.Errorf("%+v: squared error %.5g, of rounding %.5g", a, squares, nearestSquares)
				}
			}
		}
	}
}

func TestHQQOfRowsWithoutValuesOrOfOneValueIsExact(t *testing.T) {
	for _, v := range []float32{0, 1, -1} {
		w := make([]float32, 64*32)
		for i := range w {
			w[i] = v
		}
		for _, got := range (Affine{Bits: 4, Group: 32}).HQQ(w, 64, 32).Dequantized() {
			if math.Abs(float64(got-v)) > 1e-3 {
				t.Fatalf("%g came back as %g", v, got)
			}
		}
	}
}
