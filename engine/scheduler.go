package engine

import "slices"

// scheduler decides what is computed in a step: first one token for each running sequence, then prompts in the order of their
// arrival, cut so that a step stays within its budget.
type scheduler struct {
	waiting, running []*sequence // each in the order of arrival
	blocks           *blocks
	stepTokens, most int
}

// work is a sequence's part of a step: ids[from:to] of it.
type work struct {
	sequence *sequence
	from, to int
}

// next plans a step. It takes the blocks that the step needs; when they run out, the newest sequence gives back its own and waits.
func (s *scheduler) next() []work {
	var plan []work
	budget := s.stepTokens
	for i := 0; i < len(s.running); i++ {
		q := s.running[i]
		n := min(len(q.ids)-q.computed, budget)
		if n <= 0 {
			continue
		}
		for !s.reserve(q, q.computed+n) {
			newest := s.running[len(s.running)-1]
			s.preempt(newest)
			if newest == q {
				n = 0
				break
			}
		}
		if n == 0 {
			break
		}
		plan = append(plan, work{q, q.computed, q.computed + n})
		budget -= n
	}
	for budget > 0 && len(s.waiting) > 0 && len(s.running) < s.most {
		q := s.waiting[0]
		n := min(len(q.ids)-q.computed, budget)
		// a prompt starts only if all of it fits, so that two half-read prompts never block each other
		if need(len(q.ids)) > len(s.blocks.free) || !s.reserve(q, n) {
			break
		}
		s.waiting, s.running = s.waiting[1:], append(s.running, q)
		plan = append(plan, work{q, 0, n})
		budget -= n
	}
	return plan
}

func (s *scheduler) reserve(q *sequence, tokens int) (ok bool) {
	q.blocks, ok = s.blocks.grow(q.blocks, tokens)
	return ok
}

// preempt puts the newest running sequence back at the head of the queue; what it had computed is computed again.
func (s *scheduler) preempt(q *sequence) {
	s.remove(q)
	q.computed = 0
	s.waiting = slices.Insert(s.waiting, 0, q)
}

// remove takes a sequence out and its blocks back.
func (s *scheduler) remove(q *sequence) {
	s.blocks.release(q.blocks)
	q.blocks = nil
	same := func(x *sequence) bool { return x == q }
	s.running, s.waiting = slices.DeleteFunc(s.running, same), slices.DeleteFunc(s.waiting, same)
}
