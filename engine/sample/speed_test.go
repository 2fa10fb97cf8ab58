package sample

import (
	"fmt"
	"math"
	"testing"

	"lian/random"
)

// logitsOf is a row as language models make them: most tokens far below a few; sharp says how far.
func logitsOf(n int, sharp float64, seed uint64) []float32 {
	row, r := make([]float32, n), random.New(seed)
	for i := range row {
		row[i] = float32(2.5 * r.Normal(i))
	}
	for i := range 50 {
		row[(i*7919+13)%n] = float32(8 + sharp*math.Exp(-float64(i)/4))
	}
	return row
}

func BenchmarkNext(b *testing.B) {
	for _, n := range []int{49152, 151936} {
		row := logitsOf(n, 8, 1)
		flat := make([]float32, n)
		for i := range flat {
			flat[i] = float32(math.Sin(float64(i)))
		}
		for _, c := range []struct {
			name string
			p    Params
			row  []float32
		}{
			{"greedy", Params{}, row},
			{"temperature", Params{Temperature: 0.8}, row},
			{"top_k", Params{Temperature: 0.8, TopK: 40}, row},
			{"top_p", Params{Temperature: 0.8, TopP: 0.95}, row},
			{"min_p", Params{Temperature: 0.8, MinP: 0.05}, row},
			{"llama.cpp", Params{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05, Order: []string{LlamaCpp}}, row},
			{"penalties", Params{Temperature: 0.8, TopK: 40, TopP: 0.95, RepetitionPenalty: 1.1, RepeatLastN: 64}, row},
			{"dry", Params{Temperature: 0.8, TopK: 40, DRYMultiplier: 0.8, DRYBase: 1.75, DRYAllowedLength: 2, DRYLastN: 1024}, row},
			{"typical", Params{Temperature: 0.8, TypicalP: 0.95}, row},
			{"top_n_sigma", Params{Temperature: 0.8, TopNSigma: 1}, row},
			{"mirostat", Params{Temperature: 0.8, Mirostat: 2, MirostatTau: 5, MirostatEta: 0.1}, row},
			{"top_p_flat", Params{Temperature: 0.8, TopP: 0.95}, flat},
		} {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				s := New(c.p)
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					s.Next(c.row, i)
					i++
				}
			})
		}
	}
}
