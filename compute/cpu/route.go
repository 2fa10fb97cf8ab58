package cpu

import (
	"math"
	"slices"

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
	spansWith(b, o.Logits.Rows(), 4, o, (*backend).routeRows)
	return nil
}

func (b *backend) routeRows(o *compute.Route, s *scratch, from, to int) {
	logits, bias, weights, indices := host.F32(o.Logits), host.F32(o.Bias), host.F32(o.Weights), host.I32(o.Indices)
	experts, k := o.Logits.Columns(), o.Weights.Columns()
	scores, choice, ranks := s.need(slotA, experts), s.need(slotB, experts), s.need(slotC, max(k, o.Groups)+experts)
	for i := from; i < to; i++ {
		row, chosen := logits[i*experts:(i+1)*experts], indices[i*k:(i+1)*k]
		if o.Mixer {
			for j := range chosen {
				best := mixed(&o.RouteRule, row, chosen[:j], scores)
				chosen[j], weights[i*k+j] = int32(best), scores[best]*o.Factor()
			}
			continue
		}
		b.routeScores(scores, row, o.Sigmoid)
		copy(choice, scores)
		if bias != nil {
			b.add(at(choice, 0), at(scores, 0), at(bias, 0), experts)
		}
		if o.Groups > 1 {
			b.dropGroups(choice, ranks, &o.RouteRule)
		}
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
}

// mixed is SparseMixer's choice after those already taken, and the softmax that it is the largest of.
func mixed(rule *compute.RouteRule, logits []float32, taken []int32, among []float32) int {
	best := -1
	for e, l := range logits {
		if !slices.Contains(taken, int32(e)) && (best < 0 || l > logits[best]) {
			best = e
		}
	}
	most, sum := logits[best], float32(0)
	for e, l := range logits {
		among[e] = 0
		if !slices.Contains(taken, int32(e)) && (e == best || rule.Near(l, most)) {
			among[e] = float32(math.Exp(float64(l - most)))
		}
		sum += among[e]
	}
	for e := range among {
		among[e] /= sum
	}
	return best
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
	if err := host.CheckIndex(host.I32(o.Indices), o.Logits.Columns()); err != nil {
		return err
	}
	spansWith(b, o.Logits.Rows(), 4, o, (*backend).routeBackwardRows)
	return nil
}

func (b *backend) routeBackwardRows(o *compute.RouteBackward, s *scratch, from, to int) {
	logits, indices, d, dl := host.F32(o.Logits), host.I32(o.Indices), host.F32(o.DWeights), host.F32(o.DLogits)
	experts, k := o.Logits.Columns(), o.Weights.Columns()
	scores := s.need(slotA, experts)
	for i := from; i < to; i++ {
		if o.Mixer {
			mixedBack(o, i, scores)
			continue
		}
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
}

// mixedBack is row i of the gradient of SparseMixer's weights.
func mixedBack(o *compute.RouteBackward, i int, among []float32) {
	experts, k := o.Logits.Columns(), o.Weights.Columns()
	row, chosen := host.F32(o.DLogits)[i*experts:(i+1)*experts], host.I32(o.Indices)[i*k:(i+1)*k]
	clear(row)
	for j, d := range host.F32(o.DWeights)[i*k : (i+1)*k] {
		best := mixed(&o.RouteRule, host.F32(o.Logits)[i*experts:(i+1)*experts], chosen[:j], among)
		g := d * o.Factor() * among[best]
		for e, s := range among {
			row[e] -= float32(g * s)
		}
		row[best] += g
	}
}
