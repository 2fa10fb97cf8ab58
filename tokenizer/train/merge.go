package train

import (
	"context"
	"slices"
	"sync"
)

// rule is in what the ways of learning merges differ.
type rule interface {
	// allowed tells whether a pair may be merged at all.
	allowed(left, right int32) bool
	// before orders pairs that come equally often.
	before(a, b pair) bool
	// merge makes a token of a pair that comes so often. fresh tells that the token is
	// new. It is not ok if the pair shall be forgotten unmerged.
	merge(p pair, count int64) (id int32, fresh, ok bool)
	// full tells that no more tokens are wanted.
	full() bool
	// least is the count below which pairs are not merged.
	least() int64
}

// merger merges the most frequent pair of neighbours, again and again.
type merger struct {
	rule
	*cells
	symbols int // ids so far
	counts  counts
	lists   lists
	queue   queue
	workers int
	// keep is the count below which pairs are dropped. It is 2 where texts are large:
	// most pairs come once, and will not be merged before the vocabulary is full. If it
	// is not full when the queue is empty, everything is counted again.
	keep    int64
	dropped bool

	// For tokens that arise in two ways, as with runs of one character.
	spent    map[pair]int64 // counts of pairs that were merged
	manyways map[pair]bool  // pairs with several candidates

	sides []*sides
}

// What follows is for speed and memory; tests set other values.
var (
	largeText    = 4 << 20 // cells from which pairs that come once are dropped
	parallelFrom = 1 << 14 // places from which a merge is shared by the workers
)

// newMerger counts the pairs of cells, whose ids are below symbols.
func newMerger(c *cells, symbols int, r rule, workers int) *merger {
	m := &merger{rule: r, cells: c, symbols: symbols, queue: queue{before: r.before}, workers: workers,
		spent: map[pair]int64{}, manyways: map[pair]bool{}}
	if len(c.ids) >= largeText {
		m.keep = 2
	}
	for range workers {
		m.sides = append(m.sides, &sides{})
	}
	m.countAll()
	return m
}

// run merges until the rule is full or no pair is left. It calls step now and then.
func (m *merger) run(ctx context.Context, step func()) error {
	for turn := 0; !m.full(); turn++ {
		if turn%64 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			step()
		}
		if len(m.queue.items) == 0 {
			if !m.dropped || m.least() >= m.keep {
				break
			}
			m.keep, m.dropped = 0, false
			m.countAll()
			continue
		}
		top := &m.queue.items[0]
		if now := m.count(top.pair); now != top.count {
			// Merges since have used some of its places.
			if top.count = now; now < m.keep {
				m.forget()
			} else {
				m.queue.down(0)
			}
			continue
		}
		if top.count < m.least() {
			break
		}
		c := *top
		m.queue.pop()
		whole, fresh, ok := m.rule.merge(c.pair, c.count)
		if ok {
			m.merge(c, whole, fresh)
		}
		m.lists.drop(c.where)
	}
	step()
	return nil
}

// count is how often a pair stands in the texts now. Like the reference, a pair that
// was merged keeps the count that it had.
func (m *merger) count(p pair) int64 {
	n := m.counts.get(p)
	if n == 0 && len(m.spent) > 0 && len(m.manyways) > 0 {
		n = m.spent[p]
	}
	return n
}

// forget drops the first candidate.
func (m *merger) forget() {
	c := m.queue.items[0]
	m.dropped = m.dropped || c.count > 0
	m.queue.pop()
	m.lists.drop(c.where)
	m.counts.add(c.pair, -c.count)
}

// merge puts whole for a pair at all its places and counts the new pairs.
func (m *merger) merge(c candidate, whole int32, fresh bool) {
	places := m.lists.places(c.where)
	if m.manyways[c.pair] {
		places = m.wordsOf(places, c.pair)
	}
	if !fresh {
		m.recall(whole)
	}
	m.symbols = max(m.symbols, int(whole)+1)
	for _, s := range m.sides {
		s.size(m.symbols)
	}
	parts := [][]int32{places}
	if len(places) >= parallelFrom && m.workers > 1 {
		parts = m.split(places, m.workers)
	}
	if len(parts) == 1 {
		m.sides[0].apply(m.cells, places, c.pair, whole)
	} else {
		var wait sync.WaitGroup
		for i, part := range parts {
			wait.Go(func() { m.sides[i].apply(m.cells, part, c.pair, whole) })
		}
		wait.Wait()
	}
	for _, s := range m.sides[1:len(parts)] {
		m.sides[0].take(s)
	}
	m.settle(m.sides[0], c.pair, whole, fresh)
	m.spend(c.pair)
	for _, s := range m.sides[:len(parts)] {
		s.clear()
	}
}

// spend takes a merged pair out of the counts.
func (m *merger) spend(p pair) {
	if n := m.counts.get(p); n > 0 {
		m.counts.add(p, -n)
		m.spent[p] = n
	}
}

// settle makes the changes that a merge noted.
func (m *merger) settle(s *sides, p pair, whole int32, fresh bool) {
	left, right := p.left(), p.right()
	// What a merge brought about and used itself, as in a b a b: it is lost from the
	// new pair, whose count is not known yet.
	if n := s.left[whole].loss; n > 0 && s.right[left].places > 0 {
		s.right[left].gain -= n
		s.left[whole].loss = 0
	}
	if n := s.right[whole].loss; n > 0 && s.left[right].places > 0 {
		s.left[right].gain -= n
		s.right[whole].loss = 0
	}
	for _, x := range s.lefts {
		if n := s.left[x].loss; n > 0 {
			m.counts.add(pairOf(x, left), -n)
		}
	}
	for _, y := range s.rights {
		if n := s.right[y].loss; n > 0 {
			m.counts.add(pairOf(right, y), -n)
		}
	}
	for _, x := range s.lefts {
		m.gained(&s.left[x], pairOf(x, whole), fresh)
	}
	for _, y := range s.rights {
		m.gained(&s.right[y], pairOf(whole, y), fresh)
	}
	for _, r := range s.leftPlaces {
		m.place(&s.left[r.neighbour], r.place)
	}
	for _, r := range s.rightPlaces {
		m.place(&s.right[r.neighbour], r.place)
	}
}

// gained makes a candidate of a pair that a merge brought about.
func (m *merger) gained(d *delta, p pair, fresh bool) {
	d.where = list{}
	if d.places == 0 || !m.allowed(p.left(), p.right()) {
		return
	}
	n := d.gain
	if fresh && n < m.keep {
		m.dropped = true
		return
	}
	if !fresh {
		if old := m.counts.get(p); old > 0 {
			m.manyways[p] = true
		} else if old := m.spent[p]; old > 0 {
			m.manyways[p] = true
			m.counts.add(p, old)
		}
	}
	n = m.counts.add(p, n)
	if !fresh && n < m.keep {
		return // dropped later, or found again by recall
	}
	d.where = m.lists.make(d.places)
	d.filled = 0
	m.queue.push(candidate{n, p, d.where})
}

func (m *merger) place(d *delta, place int32) {
	if d.where.n > 0 {
		m.lists.places(d.where)[d.filled] = place
		d.filled++
	}
}

// wordsOf gives the places of a pair in all words that hold one of the places.
func (m *merger) wordsOf(places []int32, p pair) []int32 {
	var out []int32
	done := int32(-1) // the end of the last word looked at
	for _, place := range slices.Sorted(slices.Values(places)) {
		if place < done {
			continue
		}
		at := m.word(place)
		for m.ids[at] != end {
			next := m.after(at)
			if m.ids[at] == p.left() && m.ids[next] == p.right() {
				out = append(out, at)
			}
			at = next
		}
		done = at
	}
	return out
}

// recall counts anew the dropped pairs of a token that is about to arise once more.
func (m *merger) recall(id int32) {
	if !m.dropped {
		return
	}
	found := map[pair]int64{}
	for at := int32(0); at < int32(len(m.ids)); at++ {
		if m.ids[at] != id {
			continue
		}
		if b := m.previous(at); b >= 0 {
			found[pairOf(m.ids[b], id)] += m.weight(at)
		}
		if a := m.after(at); m.ids[a] != end {
			if m.ids[a] != id { // else it is the left neighbour of that one
				found[pairOf(id, m.ids[a])] += m.weight(at)
			}
		}
	}
	for p, n := range found {
		if m.counts.get(p) == 0 && m.spent[p] == 0 && m.allowed(p.left(), p.right()) {
			m.counts.add(p, n)
		}
	}
}
