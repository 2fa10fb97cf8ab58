package quant

import (
	"math"
	"testing"
)

// energyOf is Σ d·H·dᵀ over rows.
func energyOf(h []float64, inputs int) func(d []float32, rows int) (float64, error) {
	return func(d []float32, rows int) (sum float64, err error) {
		for r := range rows {
			row := d[r*inputs : (r+1)*inputs]
			for i, a := range row {
				for j, b := range row {
					sum += float64(a) * float64(b) * h[i*inputs+j]
				}
			}
		}
		return sum, nil
	}
}

func TestScalesByActivationsAndClippingEachLessenTheErrorOfOutputs(t *testing.T) {
	const inputs, outputs = 64, 64
	x, w := correlated(300, inputs, outputs)
	for _, row := range x { // a few inputs are much larger than the others, as in language models
		row[7], row[40] = 20*row[7], 30*row[40]
	}
	h := gram(x, inputs)
	sizes := make([]float32, inputs)
	for i := range sizes {
		sizes[i] = float32(math.Sqrt(h[i*inputs+i] / float64(len(x))))
	}
	for _, bits := range []int{3, 4} {
		a := Affine{Bits: bits, Group: 32}
		nearest := outputError(x, w, a.Nearest(w, outputs, inputs).Dequantized(), inputs)
		s, err := a.ActivationScales([]Product{{w, outputs}}, sizes, energyOf(h, inputs))
		if err != nil {
			t.Fatal(err)
		}
		scaled, scaledH := make([]float32, len(w)), make([]float32, len(h))
		for i, v := range w {
			scaled[i] = v * s[i%inputs]
		}
		for i, v := range h {
			scaledH[i] = float32(v) / s[i/inputs] / s[i%inputs]
		}
		back := func(c *Codes) float64 {
			v := c.Dequantized()
			for i := range v {
				v[i] /= s[i%inputs]
			}
			return outputError(x, w, v, inputs)
		}
		byScales, clipped := back(a.Nearest(scaled, outputs, inputs)), back(a.Clipped(scaled, outputs, inputs, scaledH))
		if byScales > 0.5*nearest {
			t.Errorf("%d bits: error %.4g with scales, %.4g without", bits, byScales, nearest)
		}
		if clipped > 1.02*byScales { // groups are clipped each for itself
			t.Errorf("%d bits: error %.4g with clipping, %.4g without", bits, clipped, byScales)
		}
	}
}
