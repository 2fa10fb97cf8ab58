package stats

import (
	"math"
	"slices"

	"lian/random"
)

// Ratio is a sum over documents of one thing by another: nats by bytes.
type Ratio struct{ Over, Under float64 }

// BootstrapRatio is the interval of ΣOver/ΣUnder when documents are drawn anew (percentiles of so many resamples).
// Source: Efron, Annals of Statistics 7 (1979).
func BootstrapRatio(x []Ratio, confidence float64, resamples int, seed uint64) Interval {
	return bootstrap(len(x), confidence, resamples, seed, func(draw func(i int) int) float64 {
		var over, under float64
		for i := range x {
			d := x[draw(i)]
			over, under = over+d.Over, under+d.Under
		}
		return over / under
	})
}

// PairedRatio is the difference of the ratios of two systems on the same documents (B − A), its interval, and the two-sided
// p-value of no difference: the share of resamples on the other side of zero, doubled.
func PairedRatio(a, b []Ratio, confidence float64, resamples int, seed uint64) (difference float64, i Interval, p float64) {
	of := func(x []Ratio, draw func(int) int) float64 {
		var over, under float64
		for i := range x {
			d := x[draw(i)]
			over, under = over+d.Over, under+d.Under
		}
		return over / under
	}
	below, above := 0, 0
	i = bootstrap(len(a), confidence, resamples, seed, func(draw func(int) int) float64 {
		d := of(b, draw) - of(a, draw)
		if d <= 0 {
			below++
		}
		if d >= 0 {
			above++
		}
		return d
	})
	same := func(i int) int { return i }
	return of(b, same) - of(a, same), i, min(1, 2*float64(min(below, above)+1)/float64(resamples+1))
}

func bootstrap(n int, confidence float64, resamples int, seed uint64, figure func(draw func(i int) int) float64) Interval {
	if n == 0 || resamples == 0 {
		return Interval{math.NaN(), math.NaN()}
	}
	figures := make([]float64, resamples)
	for r := range figures {
		key := random.New(seed, "bootstrap", r)
		figures[r] = figure(func(i int) int { return key.Int(i, n) })
	}
	slices.Sort(figures)
	at := func(q float64) float64 {
		place := q * float64(len(figures)-1)
		low := int(place)
		high := min(low+1, len(figures)-1)
		return figures[low] + (place-float64(low))*(figures[high]-figures[low])
	}
	return Interval{at((1 - confidence) / 2), at((1 + confidence) / 2)}
}
