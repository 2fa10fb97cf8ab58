package quant

import "testing"

// TestSmoothedActivationsRoundBetter: activations in 8 bits by row, as W8A8 has them, with a few large inputs.
func TestSmoothedActivationsRoundBetter(t *testing.T) {
	const inputs, outputs = 64, 32
	x, w := correlated(100, inputs, outputs)
	largest := make([]float32, inputs)
	for _, row := range x {
		row[7], row[40] = 30*row[7], 50*row[40]
		for i, v := range row {
			largest[i] = max(largest[i], float32(v), float32(-v))
		}
	}
	plain := make([]float32, inputs)
	for i := range plain {
		plain[i] = 1
	}
	error8 := func(scales []float32) (sum float64) {
		var rows []float32
		for _, row := range x {
			for i, v := range row {
				rows = append(rows, float32(v)/scales[i])
			}
		}
		scaled := make([]float32, len(w))
		for i, v := range w {
			scaled[i] = v * scales[i%inputs]
		}
		activations, weights := RoundInt8(rows, len(x), inputs), RoundInt8(scaled, outputs, inputs)
		for r, row := range x {
			for o := range outputs {
				exact, got := 0.0, 0
				for i, v := range row {
					exact += v * float64(w[o*inputs+i])
					got += int(activations.Values[r*inputs+i]) * int(weights.Values[o*inputs+i])
				}
				d := float64(got)*float64(activations.Scales[r])*float64(weights.Scales[o]) - exact
				sum += d * d
			}
		}
		return sum
	}
	smooth, rough := error8(SmoothScales([]Product{{w, outputs}}, largest)), error8(plain)
	if smooth > 0.5*rough {
		t.Errorf("squared error %.4g smoothed, %.4g as it is", smooth, rough)
	}
}
