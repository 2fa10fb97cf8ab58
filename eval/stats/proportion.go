// Package stats says how sure a figure is: intervals of shares and means, and
// paired tests of two systems on the same questions.
//
// It guarantees the values of scipy and statsmodels on the golden vectors, and
// bootstraps that depend on their seed only. It refuses to give an interval for
// nothing: no sample is NaN, not zero.
package stats

import "math"

// Interval is a range that holds the true value with a confidence.
type Interval struct{ Low, High float64 }

// Excludes says whether a value lies outside.
func (i Interval) Excludes(v float64) bool { return v < i.Low || v > i.High }

// Wilson is the score interval of k right out of n. Source: Wilson, JASA 22 (1927).
func Wilson(k, n int, confidence float64) Interval {
	if n == 0 {
		return Interval{math.NaN(), math.NaN()}
	}
	z := normalQuantile((1 + confidence) / 2)
	p, m := float64(k)/float64(n), float64(n)
	centre := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return Interval{max(0, centre-half), min(1, centre+half)}
}

// normalQuantile is the inverse of the standard normal distribution.
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// McNemar is the exact two-sided p-value of two systems on the same questions: onlyA were right with A alone, onlyB with B
// alone. Source: McNemar, Psychometrika 12 (1947), the binomial form.
func McNemar(onlyA, onlyB int) float64 {
	n, k := onlyA+onlyB, min(onlyA, onlyB)
	if n == 0 {
		return 1
	}
	sum := 0.0
	for i := 0; i <= k; i++ {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(i + 1))
		c, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(a - b - c - float64(n)*math.Ln2)
	}
	return min(1, 2*sum)
}

// PairedShare is the interval of the difference of two shares on the same n questions (B − A), as Newcombe's method 10 gives it.
// Source: Newcombe, Statistics in Medicine 17 (1998).
func PairedShare(both, onlyA, onlyB, neither int, confidence float64) (difference float64, i Interval) {
	n := both + onlyA + onlyB + neither
	if n == 0 {
		return math.NaN(), Interval{math.NaN(), math.NaN()}
	}
	pa, pb := float64(both+onlyA)/float64(n), float64(both+onlyB)/float64(n)
	a, b := Wilson(both+onlyA, n, confidence), Wilson(both+onlyB, n, confidence)
	phi := 0.0
	if denominator := float64(both+onlyA) * float64(onlyB+neither) * float64(both+onlyB) * float64(onlyA+neither); denominator > 0 {
		// continuity as Newcombe's: the product of concordant less that of discordant, made smaller by n/2 where positive
		cross := float64(both)*float64(neither) - float64(onlyA)*float64(onlyB)
		if cross > 0 {
			cross = max(cross-float64(n)/2, 0)
		}
		phi = cross / math.Sqrt(denominator)
	}
	difference = pb - pa
	low := math.Sqrt(square(pb-b.Low) - 2*phi*(pb-b.Low)*(a.High-pa) + square(a.High-pa))
	high := math.Sqrt(square(b.High-pb) - 2*phi*(b.High-pb)*(pa-a.Low) + square(pa-a.Low))
	return difference, Interval{max(-1, difference-low), min(1, difference+high)}
}

func square(x float64) float64 { return x * x }
