package engine

import (
	"cmp"
	"slices"
)

// scheduler decides what is computed in a step: first the next token of every running sequence, with its drafts, then prompts, cut so
// that a step stays within its budget. It knows ids, how many of them are computed, and blocks; no model.
//
// More of Priority goes first, and within a class who came first. When blocks run out the tree gives up what only it holds, then the
// last of the lowest class goes back to the queue. A sequence that waits rises by a class every `patience` steps, so that none waits
// for ever.
type scheduler struct {
	waiting, running []*sequence
	blocks           *blocks
	stepTokens, most int
	noPrefix         bool // nothing that is computed serves another
	steps            int  // planned so far; fairness is counted in them
	arrivals         int
	plan             []work
	budget           int // of the step being planned
	preemptions      int
}

const patience = 64

// work is a sequence's part of a step: ids[from:to] of it, then drafts.
type work struct {
	sequence *sequence
	from, to int
	drafts   []int32
}

func (w *work) rows() int { return w.to - w.from + len(w.drafts) }

// asks is the number of its last rows whose logits are wanted: none in the middle of a prompt.
func (w *work) asks() int {
	if w.to < len(w.sequence.ids) {
		return 0
	}
	return 1 + len(w.drafts)
}

// place is what the scheduler notes of a sequence.
type place struct {
	arrival int // in order
	since   int // step from which its waiting counts
	class   int // it was admitted in
	served  int // step in which it was last computed
}

// add takes a sequence in.
func (s *scheduler) add(q *sequence) {
	s.arrivals++
	q.place = place{arrival: s.arrivals, since: s.steps}
	s.waiting = append(s.waiting, q)
}

// classOf is what a waiting sequence has risen to.
func (s *scheduler) classOf(q *sequence) int {
	return q.request.Priority + (s.steps-q.place.since)/patience
}

// next plans a step and takes the blocks that it needs.
func (s *scheduler) next() []work {
	s.steps++
	s.plan, s.budget = s.plan[:0], s.stepTokens
	s.decode()
	s.prefill()
	s.admit()
	for i := range s.plan {
		s.plan[i].sequence.place.served = s.steps
	}
	return s.plan
}

// decode gives every running sequence that lacks no more than its last token a row, and rows for its drafts. Where the budget is too
// small for all, who was served last comes last.
func (s *scheduler) decode() {
	var ready []*sequence
	for _, q := range s.running {
		if q.missing() == 1 {
			ready = append(ready, q)
		}
	}
	slices.SortStableFunc(ready, func(a, b *sequence) int {
		return cmp.Or(cmp.Compare(b.place.class, a.place.class), cmp.Compare(a.place.served, b.place.served))
	})
	for i, q := range ready {
		drafts := q.drafts
		if most := s.budget - (len(ready) - i); len(drafts) > max(most, 0) { // the others' tokens first
			drafts = drafts[:max(most, 0)]
		}
		s.compute(q, 1, drafts)
	}
}

// prefill goes on with prompts that have begun.
func (s *scheduler) prefill() {
	for _, q := range slices.Clone(s.running) {
		if n := q.missing(); n > 1 {
			s.compute(q, min(n, s.budget), nil)
		}
	}
}

// compute plans the next n ids of a running sequence. When blocks run out, the last of all running gives back its own.
func (s *scheduler) compute(q *sequence, n int, drafts []int32) {
	to := q.computed + n
	if s.budget < n+len(drafts) || n == 0 || !slices.Contains(s.running, q) {
		return
	}
	if !s.blocks.fits(&q.table, q.computed, to+len(drafts)) {
		drafts = nil // they are not worth another's blocks
	}
	for !s.blocks.grow(&q.table, q.computed, to+len(drafts)) {
		last := s.running[len(s.running)-1]
		s.preempt(last)
		if last == q {
			return
		}
	}
	s.plan = append(s.plan, work{q, q.computed, to, drafts})
	s.budget -= n + len(drafts)
}

// admit begins waiting sequences in order. One that cannot begin takes the place of running ones of a lower class; if there are none
// it and those after it wait. One that begins as another does whose prompt is being computed waits for those keys.
func (s *scheduler) admit() {
	slices.SortStableFunc(s.waiting, func(a, b *sequence) int {
		return cmp.Or(cmp.Compare(s.classOf(b), s.classOf(a)), cmp.Compare(a.place.arrival, b.place.arrival))
	})
	for _, q := range slices.Clone(s.waiting) {
		if s.budget == 0 {
			return
		}
		class := s.classOf(q)
		if s.shares(q) {
			continue
		}
		for len(s.running) >= s.most || !s.begin(q) {
			if len(s.running) == 0 || s.running[len(s.running)-1].place.class >= class {
				return
			}
			s.preempt(s.running[len(s.running)-1])
		}
		s.waiting = slices.DeleteFunc(s.waiting, func(x *sequence) bool { return x == q })
		q.place.class = class
		at, _ := slices.BinarySearchFunc(s.running, q, func(a, b *sequence) int {
			return cmp.Or(cmp.Compare(b.place.class, a.place.class), cmp.Compare(a.place.arrival, b.place.arrival))
		})
		s.running = slices.Insert(s.running, at, q)
		s.compute(q, min(q.missing(), s.budget), nil)
	}
}

// begin finds what of a sequence is known. A prompt begins only if all of it fits, so that half-read prompts do not take each other's
// blocks.
func (s *scheduler) begin(q *sequence) bool {
	known, miss := s.look(q.root, q.ids, &q.table)
	if !s.blocks.fits(&q.table, known, len(q.ids)) {
		s.blocks.release(&q.table)
		return false
	}
	q.computed = known
	if !q.begun {
		q.begun, q.cached, q.miss = true, known, miss
	}
	s.blocks.tree.count(known)
	return true
}

// look begins a table with what is known of ids.
func (s *scheduler) look(root rootKey, ids []int32, to *table) (known int, miss string) {
	if s.noPrefix {
		ids = nil
	}
	return s.blocks.tree.match(root, ids, to)
}

// match is look for who needs no more than that.
func (s *scheduler) match(root rootKey, ids []int32, to *table) int {
	known, _ := s.look(root, ids, to)
	s.blocks.tree.count(known)
	return known
}

// shares says whether a running sequence is about to compute keys that a waiting one can use, and that nobody has computed yet.
func (s *scheduler) shares(q *sequence) bool {
	if s.noPrefix {
		return false
	}
	for _, r := range s.running {
		if r.root != q.root || r.missing() <= 1 {
			continue
		}
		common := 0
		for most := min(len(q.ids)-1, len(r.ids)); common < most && q.ids[common] == r.ids[common]; {
			common++
		}
		if common/blockSize > r.computed/blockSize {
			return true
		}
	}
	return false
}

// preempt puts a running sequence back in the queue, in the class that it had reached. What the tree keeps of it need not be computed
// again.
func (s *scheduler) preempt(q *sequence) {
	s.remove(q)
	s.plan = slices.DeleteFunc(s.plan, func(w work) bool {
		if w.sequence == q {
			s.budget += w.rows()
		}
		return w.sequence == q
	})
	q.place.since = s.steps - (q.place.class-q.request.Priority)*patience
	s.waiting = append(s.waiting, q)
	s.preemptions++
}

// done notes that ids of a sequence up to `computed` have their keys.
func (s *scheduler) done(q *sequence, computed int) {
	q.computed = s.keep(&q.table, q.ids, computed)
}

// keep makes known what a table holds of ids below `computed`, and gives back what windows have passed.
func (s *scheduler) keep(t *table, ids []int32, computed int) int {
	if !s.noPrefix {
		s.blocks.tree.plant(ids, computed, t)
	}
	s.blocks.slide(t, computed)
	return computed
}

// remove takes a sequence out and its blocks back.
func (s *scheduler) remove(q *sequence) {
	s.blocks.release(&q.table)
	q.computed = 0
	same := func(x *sequence) bool { return x == q }
	s.running, s.waiting = slices.DeleteFunc(s.running, same), slices.DeleteFunc(s.waiting, same)
}
