package ref

import (
	"math"
	"slices"

	"lian/compute"
	"lian/compute/host"
)

// routeScores are the scores of one row of router logits.
func routeScores(l []float32, sigmoids bool) []float64 {
	scores, most, sum := make([]float64, len(l)), math.Inf(-1), 0.0
	for _, v := range l {
		most = max(most, float64(v))
	}
	for i, v := range l {
		if sigmoids {
			scores[i] = sigmoid(float64(v))
			continue
		}
		scores[i] = math.Exp(float64(v) - most)
		sum += scores[i]
	}
	for i := range scores {
		if !sigmoids {
			scores[i] /= sum
		}
	}
	return scores
}

var _ = provides(route)

func route(o *compute.Route) error {
	logits, bias, weights, indices := host.F32(o.Logits), host.F32(o.Bias), host.F32(o.Weights), host.I32(o.Indices)
	experts, k := o.Logits.Columns(), o.Weights.Columns()
	for i := range o.Logits.Rows() {
		if o.Mixer {
			mix(&o.RouteRule, logits[i*experts:(i+1)*experts], func(j, e int, among []float64) {
				indices[i*k+j], weights[i*k+j] = int32(e), float32(among[e]*float64(o.Factor()))
			}, k)
			continue
		}
		scores := routeScores(logits[i*experts:(i+1)*experts], o.Sigmoid)
		choice := make([]float64, experts)
		for e := range choice {
			choice[e] = scores[e] + or(bias, e, 0)
		}
		if o.Groups > 1 {
			size := experts / o.Groups
			ranks := make([]float64, o.Groups)
			for g := range ranks {
				group := choice[g*size : (g+1)*size]
				for _, at := range byRank(group)[:o.GroupBest] {
					ranks[g] += group[at]
				}
			}
			for _, g := range byRank(ranks)[o.TopGroups:] {
				for e := int(g) * size; e < (int(g)+1)*size; e++ {
					choice[e] = math.Inf(-1)
				}
			}
		}
		chosen, sum := byRank(choice)[:k], 0.0
		for _, e := range chosen {
			sum += scores[e]
		}
		if o.Sigmoid {
			sum += compute.RouteFloor
		}
		for j, e := range chosen {
			w := scores[e] * float64(o.Factor())
			if o.Renormalise {
				w /= sum
			}
			indices[i*k+j], weights[i*k+j] = e, float32(w)
		}
	}
	return nil
}

// mix calls chosen with each choice of SparseMixer and the softmax that it is the largest of.
func mix(rule *compute.RouteRule, logits []float32, chosen func(j, e int, among []float64), k int) {
	left := slices.Clone(logits)
	for j := range k {
		order := make([]float64, len(left))
		for e, v := range left {
			order[e] = float64(v)
		}
		best := int(byRank(order)[0])
		near := slices.Clone(left)
		for e, v := range near {
			if !rule.Near(v, left[best]) {
				near[e] = float32(math.Inf(-1))
			}
		}
		chosen(j, best, routeScores(near, false))
		left[best] = float32(math.Inf(-1))
	}
}

var _ = provides(routeBackward)

func routeBackward(o *compute.RouteBackward) error {
	logits, indices, d, dl := host.F32(o.Logits), host.I32(o.Indices), host.F32(o.DWeights), host.F32(o.DLogits)
	experts, k := o.Logits.Columns(), o.Weights.Columns()
	if err := host.CheckIndex(indices, experts); err != nil {
		return err
	}
	for i := range o.Logits.Rows() {
		if o.Mixer {
			row := make([]float64, experts)
			mix(&o.RouteRule, logits[i*experts:(i+1)*experts], func(j, chosen int, among []float64) {
				for e, s := range among {
					one := 0.0
					if e == chosen {
						one = 1
					}
					row[e] += float64(d[i*k+j]) * float64(o.Factor()) * among[chosen] * (one - s)
				}
			}, k)
			for e, g := range row {
				dl[i*experts+e] = float32(g)
			}
			continue
		}
		scores, ds := routeScores(logits[i*experts:(i+1)*experts], o.Sigmoid), make([]float64, experts)
		sum, dot := 0.0, 0.0
		for j, e := range indices[i*k : (i+1)*k] {
			sum += scores[e]
			dot += float64(d[i*k+j]) * scores[e]
		}
		if o.Sigmoid {
			sum += compute.RouteFloor
		}
		all := 0.0 // Σ ds·s
		for j, e := range indices[i*k : (i+1)*k] {
			ds[e] = float64(d[i*k+j]) * float64(o.Factor())
			if o.Renormalise {
				ds[e] = (ds[e] - float64(o.Factor())*dot/sum) / sum
			}
			all += ds[e] * scores[e]
		}
		for e, s := range scores {
			g := ds[e] * s * (1 - s)
			if !o.Sigmoid {
				g = s * (ds[e] - all)
			}
			dl[i*experts+e] = float32(g)
		}
	}
	return nil
}
