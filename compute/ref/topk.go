package ref

import (
	"cmp"
	"math"
	"slices"

	"lian/compute"
	"lian/compute/host"
)

var _ = provides(argmax)

func argmax(o *compute.Argmax) error {
	x, n := host.F32(o.X), o.X.Columns()
	for i := range host.I32(o.Out) {
		_, best := largest(x[i*n : (i+1)*n])
		host.I32(o.Out)[i] = int32(best)
	}
	return nil
}

// byRank are the indices of x from the largest value to the smallest, equal ones ascending, NaN as −∞.
func byRank[F float32 | float64](x []F) []int32 {
	order := make([]int32, len(x))
	for i := range order {
		order[i] = int32(i)
	}
	rank := func(v F) float64 {
		if v != v {
			return math.Inf(-1)
		}
		return float64(v)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(rank(x[b]), rank(x[a])) })
	return order
}

var _ = provides(topK)

func topK(o *compute.TopK) error {
	x, n, k := host.F32(o.X), o.X.Columns(), o.Indices.Columns()
	values, indices := host.F32(o.Values), host.I32(o.Indices)
	for i := range o.X.Rows() {
		row := x[i*n : (i+1)*n]
		for j, at := range byRank(row)[:k] {
			indices[i*k+j] = at
			if values != nil {
				values[i*k+j] = row[at]
			}
		}
	}
	return nil
}
