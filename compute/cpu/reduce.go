package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// sumOf is the sum of a row: stretches, each in fixed lanes, then one chain.
func (b *backend) sumOf(x []float32) float32 {
	sum := float32(0)
	for from := 0; from < len(x); from += stretch {
		sum += b.sum(at(x, from), min(stretch, len(x)-from))
	}
	return sum
}

// largest is the largest value of a row and where it first stands, NaN passed over; −∞ and 0 of none.
func (b *backend) largest(x []float32) (most float32, where int) {
	most = float32(math.Inf(-1))
	in := 0
	for from := 0; from < len(x); from += stretch {
		if m := b.most(at(x, from), min(stretch, len(x)-from)); m > most {
			most, in = m, from
		}
	}
	for i, v := range x[in:] {
		if v == most && !math.IsInf(float64(v), -1) {
			return most, in + i
		}
	}
	return most, 0
}

// logSumExp is log Σ exp(x); e has room for a stretch.
func (b *backend) logSumExp(x, e []float32) float32 {
	most := b.most(at(x, 0), len(x))
	if math.IsInf(float64(most), 0) { // nothing to subtract: a finite shift will do
		most = float32(math.Copysign(math.MaxFloat32, float64(most)))
	}
	sum := float32(0)
	for from := 0; from < len(x); from += stretch {
		sum += b.expSum(at(e, 0), at(x, from), min(stretch, len(x)-from), most)
	}
	if sum == 0 {
		return float32(math.Inf(-1))
	}
	return most + float32(math.Log(float64(sum)))
}

var _ = provides((*backend).rowReduce)

func (b *backend) rowReduce(o *compute.RowReduce) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, out, n := host.F32(o.X), host.F32(o.Out), o.X.Columns()
	b.spans(o.X.Rows(), 1, func(s *scratch, from, to int) {
		for i := from; i < to; i++ {
			row := x[i*n : (i+1)*n]
			switch o.Kind {
			case compute.RowSum:
				out[i] = b.sumOf(row)
			case compute.RowMean:
				out[i] = b.sumOf(row) / float32(n)
			case compute.RowMax:
				out[i] = b.most(at(row, 0), n)
			case compute.RowLogSumExp:
				out[i] = b.logSumExp(row, s.need(slotE, min(n, stretch)))
			}
		}
	})
	return nil
}

var _ = provides((*backend).rowReduceBackward)

func (b *backend) rowReduceBackward(o *compute.RowReduceBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, dx, d, result, n := host.F32(o.X), host.F32(o.DX), host.F32(o.DOut), host.F32(o.Result), o.X.Columns()
	b.spans(o.X.Rows(), 1, func(_ *scratch, from, to int) {
		for i := from; i < to; i++ {
			row, g := dx[i*n:(i+1)*n], d[i]
			switch o.Kind {
			case compute.RowLogSumExp:
				for at0 := 0; at0 < n; at0 += stretch {
					b.expScale(at(row, at0), at(x, i*n+at0), min(stretch, n-at0), result[i], g)
				}
				continue
			case compute.RowMax:
				clear(row)
				if n > 0 {
					_, best := b.largest(x[i*n : (i+1)*n])
					row[best] = g
				}
				continue
			case compute.RowMean:
				g /= float32(n)
			}
			for j := range row {
				row[j] = g
			}
		}
	})
	return nil
}
