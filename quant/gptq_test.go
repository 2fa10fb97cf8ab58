package quant

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// correlated are inputs whose columns have much in common, as activations do, and a matrix of weights.
func correlated(rows, inputs, outputs int) (x [][]float64, weights []float32) {
	r := rand.New(rand.NewPCG(1, 2))
	for range rows {
		common, row := r.NormFloat64(), make([]float64, inputs)
		for k := range row {
			row[k] = (common + 0.4*r.NormFloat64()) * (0.2 + float64(k%5))
		}
		x = append(x, row)
	}
	weights = make([]float32, outputs*inputs)
	for i := range weights {
		weights[i] = float32(r.NormFloat64())
	}
	return x, weights
}

func gram(x [][]float64, n int) []float64 {
	h := make([]float64, n*n)
	for _, row := range x {
		for i, a := range row {
			for j, b := range row {
				h[i*n+j] += a * b
			}
		}
	}
	return h
}

// outputError is Σ (x·wᵀ − x·vᵀ)².
func outputError(x [][]float64, w, v []float32, inputs int) (sum float64) {
	for _, row := range x {
		for o := 0; o < len(w); o += inputs {
			d := 0.0
			for k, a := range row {
				d += a * (float64(w[o+k]) - float64(v[o+k]))
			}
			sum += d * d
		}
	}
	return sum
}

func TestGPTQKeepsOutputsNearerThanRounding(t *testing.T) {
	const inputs, outputs = 64, 32
	x, w := correlated(300, inputs, outputs)
	for _, bits := range []int{2, 3, 4, 8} {
		for _, symmetric := range []bool{false, true} {
			for _, order := range []bool{false, true} {
				a := Affine{Bits: bits, Group: 32, Symmetric: symmetric, ActOrder: order}
				nearest := outputError(x, w, a.Nearest(w, outputs, inputs).Dequantized(), inputs)
				c, err := a.GPTQ(w, outputs, inputs, gram(x, inputs))
				if err != nil {
					t.Fatal(err)
				}
				if got := outputError(x, w, c.Dequantized(), inputs); got > 0.6*nearest {
					t.Errorf("%+v: squared error %.4g, of rounding %.4g", a, got, nearest)
				}
			}
		}
	}
}

// TestGPTQIsTheSlowAlgorithm: the paper's rule written plainly, with the inverse made anew after each input (optimal brain quantiser
// in a fixed order).
func TestGPTQIsTheSlowAlgorithm(t *testing.T) {
	const inputs, outputs = 32, 4
	x, w := correlated(100, inputs, outputs)
	a := Affine{Bits: 4, Group: 32}
	c, err := a.GPTQ(w, outputs, inputs, gram(x, inputs))
	if err != nil {
		t.Fatal(err)
	}
	for o := range outputs {
		h := gram(x, inputs)
		mean := 0.0
		for i := range inputs {
			mean += h[i*inputs+i] / inputs
		}
		row := make([]float64, inputs)
		for k := range row {
			row[k], h[k*inputs+k] = float64(w[o*inputs+k]), h[k*inputs+k]+dampening*mean
		}
		for i := range inputs {
			n := inputs - i
			rest := make([]float64, n*n)
			for r := range n {
				copy(rest[r*n:], h[(i+r)*inputs+i:(i+r)*inputs+inputs])
			}
			first := solve(rest, n) // the first column of the inverse of what is left
			q := a.code(float32(row[i]), c.Scales[o], c.Zeros[o])
			if got := c.Values[o*inputs+i]; got != q && math.Abs(math.Abs(row[i]/float64(c.Scales[o])-math.Trunc(row[i]/float64(c.Scales[o])))-0.5) > 1e-3 {
				t.Fatalf("output %d, input %d: %d, the slow algorithm says %d", o, i, got, q)
			}
			e := row[i] - float64(c.Scales[o])*(float64(c.Values[o*inputs+i])-float64(c.Zeros[o]))
			for j := range n {
				row[i+j] -= e * first[j] / first[0]
			}
		}
	}
}

// solve is the first column of a matrix's inverse, by elimination.
func solve(m []float64, n int) []float64 {
	b := make([]float64, n)
	b[0] = 1
	for i := range n {
		for r := i + 1; r < n; r++ {
			f := m[r*n+i] / m[i*n+i]
			for k := i; k < n; k++ {
				m[r*n+k] -= f * m[i*n+k]
			}
			b[r] -= f * b[i]
		}
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			b[i] -= m[i*n+k] * b[k]
		}
		b[i] /= m[i*n+i]
	}
	return b
}

func TestCodesOfAllBitsLieAsGPTQHasThem(t *testing.T) {
	_, w := correlated(1, 96, 32)
	for _, bits := range []int{2, 3, 4, 8} {
		c := Affine{Bits: bits, Group: 32}.Nearest(w, 32, 96)
		tensors := c.Tensors("m")
		words := tensors[1].Data
		for _, at := range [][2]int{{0, 0}, {3, 10}, {31, 95}, {7, 42}} { // of 3 bits, 10 and 42 lie across two words
			var v uint32
			for b := range bits {
				bit := at[1]*bits + b
				word := bit/32*32 + at[0]
				v |= uint32(words[4*word+bit%32/8]>>(bit%8)&1) << b
			}
			if v != uint32(c.Values[at[0]*96+at[1]]) {
				t.Errorf("%d bits: value %v is %d, expected %d", bits, at, v, c.Values[at[0]*96+at[1]])
			}
		}
	}
	for _, c := range []struct {
		a    Affine
		fits bool
	}{{Affine{Bits: 4, Group: 32}, true}, {Affine{Bits: 4, Group: 36}, false}, {Affine{Bits: 3, Group: 0}, true}} {
		if got := c.a.Fits(32, 96); got != c.fits {
			t.Error(fmt.Sprintf("%+v", c.a), got)
		}
	}
}
