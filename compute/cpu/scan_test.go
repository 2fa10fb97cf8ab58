package cpu

import (
	"math"
	"testing"
)

// TestScansAreTheirSums holds the scans against float64, with infinities and NaN among the values.
func TestScansAreTheirSums(t *testing.T) {
	for _, n := range []int{1, 7, 127, 128, 129, 4096, 4097, 49152} {
		row := make([]float32, n)
		for i := range row {
			row[i] = float32(3*math.Sin(float64(i)*1.7) + math.Cos(float64(i)*0.3))
		}
		if n > 7 {
			row[3], row[5] = float32(math.Inf(-1)), -3e38
		}
		maxima := make([]float32, (n+127)/128)
		Maxima(maxima, row, 128)
		most := float32(math.Inf(-1))
		for i, got := range maxima {
			want := float32(math.Inf(-1))
			for _, v := range row[i*128 : min(i*128+128, n)] {
				want = max(want, v)
			}
			if got != want {
				t.Errorf("%d values: part %d has %v, expected %v", n, i, got, want)
			}
			most = max(most, want)
		}
		const by = 0.7
		e, sums := make([]float32, n), make([]float32, (n+ScanPart-1)/ScanPart)
		Exponentials(e, sums, row, by, most*by)
		total, sum, plain := 0.0, 0.0, 0.0
		for i, v := range row {
			want := math.Exp(float64(v*by) - float64(most*by))
			if math.Abs(float64(e[i])-want) > 1e-6*want+1e-37 {
				t.Fatalf("%d values: exponential of %v is %v, expected %v", n, v, e[i], want)
			}
			total += want
			plain += math.Exp(float64(v) - float64(most))
		}
		for _, s := range sums {
			sum += float64(s)
		}
		if math.Abs(sum-total) > 1e-5*total {
			t.Errorf("%d values: sum %v, expected %v", n, sum, total)
		}
		if got, want := LogSumExp(row, most), float64(most)+math.Log(plain); math.Abs(got-want) > 1e-5 {
			t.Errorf("%d values: log of the sum is %v, expected %v", n, got, want)
		}
	}
	row := []float32{1, float32(math.NaN()), 3}
	maxima := []float32{0}
	Maxima(maxima, row, 128)
	e, sums := make([]float32, 3), make([]float32, 1)
	Exponentials(e, sums, row, 1, 3)
	if maxima[0] != 3 || sums[0] == sums[0] {
		t.Errorf("with NaN the largest is %v and the sum %v, expected 3 and NaN", maxima[0], sums[0])
	}
}

func BenchmarkScan(b *testing.B) {
	row := make([]float32, 151936)
	for i := range row {
		row[i] = float32(3 * math.Sin(float64(i)*1.7))
	}
	maxima, e, sums := make([]float32, (len(row)+127)/128), make([]float32, len(row)), make([]float32, (len(row)+ScanPart-1)/ScanPart)
	b.Run("most", func(b *testing.B) {
		for b.Loop() {
			Maxima(maxima[:1], row, len(row))
		}
	})
	b.Run("maxima128", func(b *testing.B) {
		for b.Loop() {
			Maxima(maxima, row, 128)
		}
	})
	b.Run("exponentials", func(b *testing.B) {
		for b.Loop() {
			Exponentials(e, sums, row, 0.7, 3)
		}
	})
}
