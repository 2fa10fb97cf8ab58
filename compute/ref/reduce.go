package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// largest is the largest value and where it first stands, NaN passed over; −∞ and 0 of none.
func largest(x []float32) (most float64, at int) {
	most = math.Inf(-1)
	for i, v := range x {
		if float64(v) > most {
			most, at = float64(v), i
		}
	}
	return most, at
}

// logSumExp is log Σ exp(x).
func logSumExp(x []float32) float64 {
	most, _ := largest(x)
	sum := 0.0
	for _, v := range x {
		if math.IsInf(most, 0) { // nothing to subtract: a finite shift will do
			most = math.Copysign(math.MaxFloat32, most)
		}
		sum += math.Exp(float64(v) - most)
	}
	if sum == 0 {
		return math.Inf(-1)
	}
	return most + math.Log(sum)
}

var _ = provides(rowReduce)

func rowReduce(o *compute.RowReduce) error {
	x, n := host.F32(o.X), o.X.Columns()
	for i := range host.F32(o.Out) {
		row, result := x[i*n:(i+1)*n], 0.0
		switch o.Kind {
		case compute.RowMax:
			result, _ = largest(row)
		case compute.RowLogSumExp:
			result = logSumExp(row)
		default:
			for _, v := range row {
				result += float64(v)
			}
			if o.Kind == compute.RowMean {
				result /= float64(n)
			}
		}
		host.F32(o.Out)[i] = float32(result)
	}
	return nil
}

var _ = provides(rowReduceBackward)

func rowReduceBackward(o *compute.RowReduceBackward) error {
	x, dx, n := host.F32(o.X), host.F32(o.DX), o.X.Columns()
	for i, d := range host.F32(o.DOut) {
		row := x[i*n : (i+1)*n]
		_, best := largest(row)
		for j, v := range row {
			g := float64(d)
			switch {
			case o.Kind == compute.RowMean:
				g /= float64(n)
			case o.Kind == compute.RowLogSumExp:
				g *= math.Exp(float64(v) - float64(host.F32(o.Result)[i]))
			case o.Kind == compute.RowMax && j != best:
				g = 0
			}
			dx[i*n+j] = float32(g)
		}
	}
	return nil
}
