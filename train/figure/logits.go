package figure

import (
	"cmp"
	"math"
	"slices"

	"lian/compute"
	"lian/model"
)

// largestLogit is the largest score that any query of an attention gives any key that it sees: exactly, and from few of them. A query's
// logarithm of the softmax's denominator is never below its largest score, so queries are looked at in falling order of it, until none can
// exceed what was found. The attention must keep LogSumExp, as one with a tape does.
func largestLogit(s compute.Stream, o *compute.Attention) (float64, error) {
	bounds, err := model.Floats(s, o.LogSumExp)
	if err != nil {
		return 0, err
	}
	q, err := model.Floats(s, o.Q)
	if err != nil {
		return 0, err
	}
	k, err := model.Floats(s, o.K)
	if err != nil {
		return 0, err
	}
	starts := make([]int32, o.QueryStart.Elements())
	if err := s.Read(o.QueryStart, compute.HostBytes(starts)); err != nil {
		return 0, err
	}
	var slopes []float32
	if o.Slopes != nil {
		if slopes, err = model.Floats(s, o.Slopes); err != nil {
			return 0, err
		}
	}
	heads, kvHeads, size := o.Q.Shape[1], o.K.Shape[1], o.Q.Shape[2]
	order := make([]int, len(bounds))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(bounds[b], bounds[a]) })
	most := math.Inf(-1)
	for _, at := range order {
		// rounding may leave the bound a little below
		if float64(bounds[at]) < most-1e-3*math.Abs(most) {
			break
		}
		row, h := at/heads, at%heads
		n, _ := slices.BinarySearch(starts, int32(row)+1)
		first, last := int(starts[n-1]), int(starts[n])-1
		if o.Causal {
			last = row
		}
		if o.Window > 0 {
			first = max(first, row-o.Window+1)
		}
		for j := first; j <= last; j++ {
			sum := 0.0
			key := k[(j*kvHeads+h/(heads/kvHeads))*size:][:size]
			for c, x := range q[at*size:][:size] {
				sum += float64(x) * float64(key[c])
			}
			sum *= float64(o.Scale)
			if o.Softcap > 0 {
				sum = float64(o.Softcap) * math.Tanh(sum/float64(o.Softcap))
			}
			if slopes != nil {
				sum -= float64(slopes[h]) * float64(row-j)
			}
			most = max(most, sum)
		}
	}
	return most, nil
}
