package cpu

import (
	"math"
	"testing"

	"lian/compute"
)

func TestSquaresOfFourBlocksAreThoseOfEach(t *testing.T) {
	x := make([]float32, 5*compute.SumBlock)
	for i := range x {
		x[i] = float32(math.Sin(float64(i*i))) * float32(1+i%7)
	}
	for _, k := range available {
		for _, n := range []int{0, 1, 15, 100, compute.SumBlock} {
			var got [4]float64
			k.sumSquares4(at(x, 0), at(x, n), at(x, 2*n), at(x, 3*n), n, &got[0])
			for i, sum := range got {
				if want := k.sumSquares(at(x, i*n), n); sum != want {
					t.Errorf("%s: %d values from %d on: %v, alone %v", k.level, n, i*n, sum, want)
				}
			}
		}
	}
}
