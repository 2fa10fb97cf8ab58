package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// routeScores writes the scores of one row of router logits.
func (b *backend) routeScores(scores, logits []float32, sigmoids bool) {
	n := len(logits)
	if sigmoids {
		b.activate[compute.Sigmoid](at(scores, 0), at(logits, 0), n)
		return
	}
	sum := b.expSum(at(scores, 0), at(logits, 0), n, b.most(at(logits, 0), n))
	b.scaleTo(at(scores, 0), at(scores, 0), n, 1/sum)
}

var _ = provides((*backend).route)

func (b *backend) route(o *compute.Route) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	logits, bias, weights, indices := host.F32(o.Logits), host.F32(o.Bias), host.F32(o.Weights), host.I32(o.Indices)
	experts, k := o.Logits.Columns(), o.Weights.Columns()
	b.spans(o.Logits.Rows(), 4, func(s *scratch, from, to int) {
		scores, choice, ranks := s.need(slotA, experts), s.need(slotB, experts), s.need(slotC, max(k, o.Groups)+experts)
		for i := from; i < to; i++ {
			b.routeScores(scores, logits[i*experts:(i+1)*experts], o.Sigmoid)
			copy(choice, scores)
			if bias != nil {
				b.add(at(choice, 0), at(scores, 0), at(bias, 0), experts)
			}
			if o.Groups > 1 {
				b.dropGroups(choice, ranks, &o.RouteRule)
			}
			chosen := indices[i*k : (i+1)*k]
			b.best(choice, ranks[:k], chosen)
			factor := o.Factor()
			if o.Renormalise {
				sum := float32(0)
				for _, e := range chosen {
					sum += scores[e]
				}
				if o.Sigmoid {
					sum += compute.RouteFloor
				}
				factor /= sum
			}
			for j, e := range chosen {
				weights[i*k+j] = scores[e] * factor
			}
		}
	})
	return nil
}

// dropGroups makes the choice of experts in groups that are not among the best impossible. space has room for all of them.
func (b *backend) dropGroups(choice, space []float32, rule *compute.RouteRule) {
	size := len(choice) / rule.Groups
	ranks, rest := space[:rule.Groups], space[rule.Groups:]
	for g := range ranks {
		group := choice[g*size : (g+1)*size]
		ranks[g] = 0
		var where [64]int32
		if rule.GroupBest <= len(where) {
			b.best(group, rest[:rule.GroupBest], where[:rule.GroupBest])
		} else {
			b.best(group, rest[:rule.GroupBest], make([]int32, rule.GroupBest))
		}
		for _, v := range rest[:rule.GroupBest] {
			ranks[g] += v
		}
	}
	for g, rank := range ranks {
		better := 0
		for h, other := range ranks {
			if other > rank || other == rank && h < g || rank != rank && (other == other || h < g) {
				better++
			}
		}
		if better < rule.TopGroups {
			continue
		}
		for e := g * size; e < (g+1)*size; e++ {
			choice[e] = float32(math.Inf(-1))
		}
	}
}

var _ = provides((*backend).routeBackward)

func (b *backend) routeBackward(o *compute.RouteBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	logits, indices, d, dl := host.F32(o.Logits), host.I32(o.Indices), host.F32(o.DWeights), host.F32(o.DLogits)
	experts, k := o.Logits.Columns(), o.Weights.Columns()
	if err := host.CheckIndex(indices, experts); err != nil {
		return err
	}
	b.spans(o.Logits.Rows(), 4, func(s *scratch, from, to int) {
		scores := s.need(slotA, experts)
		for i := from; i < to; i++ {
			b.routeScores(scores, logits[i*experts:(i+1)*experts], o.Sigmoid)
			row, chosen, dw := dl[i*experts:(i+1)*experts], indices[i*k:(i+1)*k], d[i*k:(i+1)*k]
			clear(row)
			sum, dot, all := float32(0), float32(0), float32(0)
			for j, e := range chosen {
				sum += scores[e]
				dot += float32(dw[j] * scores[e])
			}
			if o.Sigmoid {
				sum += compute.RouteFloor
			}
			for j, e := range chosen {
				g := dw[j] * o.Factor()
				if o.Renormalise {
					g = (dw[j] - dot/sum) / sum * o.Factor()
				}
				row[e] = g
				all += float32(g * scores[e])
			}
			if o.Sigmoid {
				for _, e := range chosen {
					row[e] *= scores[e] * (1 - scores[e])
				}
				continue
			}
			b.softmaxBack(at(row, 0), at(scores, 0), at(row, 0), experts, all)
		}
	})
	return nil
}
