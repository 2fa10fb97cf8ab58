package grammar

// prune removes every move that cannot lead to the end of its rule, so that a matcher never enters a dead end. It
// reports whether anything is left of the start rule.
//
// A state is productive if it returns, or has a move to a productive state; a call is such a move only if the rule it
// calls is productive too. The least fixpoint is found by following the moves backwards.
func (g *Grammar) prune() bool {
	productive := make([]bool, len(g.states))
	before := make([][]int32, len(g.states)) // before[s]: states whose productivity may change when s becomes productive
	var work []int32
	mark := func(s int32) {
		if !productive[s] {
			productive[s] = true
			work = append(work, s)
		}
	}
	for i := range g.states {
		s := &g.states[i]
		for _, e := range s.edges {
			before[e.to] = append(before[e.to], int32(i))
		}
		for _, to := range s.empty {
			before[to] = append(before[to], int32(i))
		}
		for _, c := range s.calls {
			before[c.to] = append(before[c.to], int32(i))
			before[c.rule] = append(before[c.rule], int32(i))
		}
		if s.returns {
			mark(int32(i))
		}
	}
	leads := func(s *state) bool {
		for _, e := range s.edges {
			if productive[e.to] {
				return true
			}
		}
		for _, to := range s.empty {
			if productive[to] {
				return true
			}
		}
		for _, c := range s.calls {
			if productive[c.to] && productive[c.rule] {
				return true
			}
		}
		return false
	}
	for len(work) > 0 {
		s := work[len(work)-1]
		work = work[:len(work)-1]
		for _, p := range before[s] {
			if !productive[p] && leads(&g.states[p]) {
				mark(p)
			}
		}
	}
	for i := range g.states {
		s := &g.states[i]
		s.edges = keep(s.edges, func(e edge) bool { return productive[e.to] })
		s.empty = keep(s.empty, func(to int32) bool { return productive[to] })
		s.calls = keep(s.calls, func(c call) bool { return productive[c.to] && productive[c.rule] })
	}
	return productive[g.start]
}

func keep[T any](list []T, ok func(T) bool) []T {
	kept := list[:0]
	for _, x := range list {
		if ok(x) {
			kept = append(kept, x)
		}
	}
	return kept
}

// leftRecursive reports whether some rule that the start can reach may call itself before it has read a byte. Such a
// network has no finite closure.
func (g *Grammar) leftRecursive() bool {
	nullable := g.nullable()
	const (
		unseen = iota
		open
		done
	)
	mark := map[int32]int{} // by the first state of the rule
	reach := map[int32]bool{}
	rules := []int32{g.start}
	var visit func(rule int32) bool
	visit = func(rule int32) bool {
		mark[rule] = open
		seen := map[int32]bool{rule: true}
		for work := []int32{rule}; len(work) > 0; {
			s := &g.states[work[len(work)-1]]
			work = work[:len(work)-1]
			push := func(to int32) {
				if !seen[to] {
					seen[to] = true
					work = append(work, to)
				}
			}
			for _, to := range s.empty {
				push(to)
			}
			for _, c := range s.calls {
				switch mark[c.rule] {
				case open:
					return true
				case unseen:
					if visit(c.rule) {
						return true
					}
				}
				if nullable[c.rule] {
					push(c.to)
				}
			}
		}
		mark[rule] = done
		return false
	}
	for len(rules) > 0 { // every rule in use is a possible place of recursion
		rule := rules[len(rules)-1]
		rules = rules[:len(rules)-1]
		if mark[rule] == unseen && visit(rule) {
			return true
		}
		for work := []int32{rule}; len(work) > 0; {
			i := work[len(work)-1]
			work = work[:len(work)-1]
			if reach[i] {
				continue
			}
			reach[i] = true
			s := &g.states[i]
			for _, e := range s.edges {
				work = append(work, e.to)
			}
			work = append(work, s.empty...)
			for _, c := range s.calls {
				work = append(work, c.to)
				if mark[c.rule] == unseen {
					rules = append(rules, c.rule)
				} else {
					work = append(work, c.rule)
				}
			}
		}
	}
	return false
}

// nullable finds the states from which their rule can return without reading a byte.
func (g *Grammar) nullable() []bool {
	null := make([]bool, len(g.states))
	for changed := true; changed; {
		changed = false
		for i := len(g.states) - 1; i >= 0; i-- {
			s := &g.states[i]
			if null[i] {
				continue
			}
			ok := s.returns
			for _, to := range s.empty {
				ok = ok || null[to]
			}
			for _, c := range s.calls {
				ok = ok || null[c.rule] && null[c.to]
			}
			if ok {
				null[i], changed = true, true
			}
		}
	}
	return null
}
