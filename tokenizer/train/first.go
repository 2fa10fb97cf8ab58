package train

import "sync"

// countAll counts the pairs of all words and makes candidates of them.
//
// It goes through the places by their left symbol, so many symbols at a time that
// their places fit in a few megabytes, and counts the right symbols of each in a
// plain array. What comes out does not depend on the workers.
func (m *merger) countAll() {
	m.counts, m.lists, m.queue.items = newCounts(), lists{}, nil
	share := make([]int, m.symbols)
	m.eachPair(func(left, _, _ int32) { share[left]++ })
	groups := make(chan [2]int)
	go func() {
		defer close(groups)
		const most = 4 << 20
		from, sum := 0, 0
		for left := range share {
			if sum > 0 && sum+share[left] > most {
				groups <- [2]int{from, left}
				from, sum = left, 0
			}
			sum += share[left]
		}
		if sum > 0 {
			groups <- [2]int{from, len(share)}
		}
	}()
	var wait sync.WaitGroup
	var lock sync.Mutex
	for range m.workers {
		wait.Go(func() {
			rights := make([]delta, m.symbols)
			for g := range groups {
				m.countGroup(g[0], g[1], share, rights, &lock)
			}
		})
	}
	wait.Wait()
	m.queue.build()
}

// eachPair calls f with each pair of neighbours and the place of the left one.
func (m *merger) eachPair(f func(left, right, place int32)) {
	for at := int32(0); at < int32(len(m.ids)); {
		left := m.ids[at]
		if left == end {
			at++
			continue
		}
		next := m.after(at)
		if right := m.ids[next]; right != end {
			f(left, right, at)
		}
		at = next
	}
}

// countGroup counts the pairs whose left symbols are from first to before last.
func (m *merger) countGroup(first, last int, share []int, rights []delta, lock *sync.Mutex) {
	next := make([]int, last-first+1) // by left symbol: where its next place goes
	for i := first; i < last; i++ {
		next[i-first+1] = next[i-first] + share[i]
	}
	places := make([]placed, next[last-first])
	m.eachPair(func(left, right, place int32) {
		if i := int(left) - first; i >= 0 && i < last-first {
			places[next[i]] = placed{right, place}
			next[i]++
		}
	})
	var seen []int32
	begin := 0
	for i := range last - first {
		left := int32(first + i)
		mine := places[begin:next[i]]
		begin = next[i]
		seen = seen[:0]
		for _, p := range mine {
			d := &rights[p.neighbour]
			if !d.seen {
				d.seen = true
				seen = append(seen, p.neighbour)
			}
			d.places++
			d.gain += m.weight(p.place)
		}
		lock.Lock()
		for _, right := range seen {
			d := &rights[right]
			switch {
			case !m.allowed(left, right):
			case d.gain < m.keep:
				m.dropped = true
			default:
				p := pairOf(left, right)
				m.counts.add(p, d.gain)
				d.where = m.lists.make(d.places)
				m.queue.items = append(m.queue.items, candidate{d.gain, p, d.where})
			}
		}
		for _, p := range mine {
			m.place(&rights[p.neighbour], p.place)
		}
		lock.Unlock()
		for _, right := range seen {
			rights[right] = delta{}
		}
	}
}
