package tokenizer

import "math"

const noRank = math.MaxInt32

// merger is the working memory for merging one piece: its symbols with the bytes at
// which they end, and for long pieces a linked list of them with a heap of the
// pairs that may merge, so that a megabyte without a space takes n log n steps.
type merger struct {
	ids, ends  []int32
	prev, next []int32
	heap       []candidate
}

type candidate struct {
	rank, at, left, right, whole int32
}

// shortPiece is the number of symbols up to which looking at all pairs beats a heap:
// nearly every piece of text is shorter.
const shortPiece = 48

// byPairs merges the symbols in m.ids: the pair of neighbours with the best rank,
// the leftmost of equals, until no neighbours merge. Source: Sennrich et al.,
// arXiv 1508.07909.
func (m *merger) byPairs(r *ranks) {
	n := len(m.ids)
	if n < 2 {
		return
	}
	if n > shortPiece {
		m.long(func(i, j int32) (rank, whole int32) { return r.get(m.ids[i], m.ids[j]) })
		return
	}
	var rank, whole [shortPiece]int32
	ids, ends := m.ids, m.ends
	for i := 0; i+1 < n; i++ {
		rank[i], whole[i] = r.get(ids[i], ids[i+1])
	}
	for n > 1 {
		best := 0
		for i := 1; i < n-1; i++ {
			if rank[i] < rank[best] {
				best = i
			}
		}
		if rank[best] == noRank {
			break
		}
		ids[best], ends[best] = whole[best], ends[best+1]
		n--
		for i := best + 1; i < n; i++ {
			ids[i], ends[i] = ids[i+1], ends[i+1]
			rank[i-1], whole[i-1] = rank[i], whole[i]
		}
		if best > 0 {
			rank[best-1], whole[best-1] = r.get(ids[best-1], ids[best])
		}
		if best+1 < n {
			rank[best], whole[best] = r.get(ids[best], ids[best+1])
		}
	}
	m.ids, m.ends = ids[:n], ends[:n]
}

// byText merges like byPairs, where the text of two neighbours tells what they
// become: rank gives that of a part of the piece, which the symbols left and right
// make together.
func (m *merger) byText(rank func(left, right, start, end int32) (rank, whole int32)) {
	n := len(m.ids)
	if n < 2 {
		return
	}
	if n > shortPiece {
		m.long(func(i, j int32) (int32, int32) { return rank(m.ids[i], m.ids[j], m.start(i), m.ends[j]) })
		return
	}
	ids, ends := m.ids, m.ends
	var ranks, whole [shortPiece]int32
	start := func(i int) int32 {
		if i == 0 {
			return 0
		}
		return ends[i-1]
	}
	for i := 0; i+1 < n; i++ {
		ranks[i], whole[i] = rank(ids[i], ids[i+1], start(i), ends[i+1])
	}
	for n > 1 {
		best := 0
		for i := 1; i < n-1; i++ {
			if ranks[i] < ranks[best] {
				best = i
			}
		}
		if ranks[best] == noRank {
			break
		}
		ids[best], ends[best] = whole[best], ends[best+1]
		n--
		for i := best + 1; i < n; i++ {
			ids[i], ends[i] = ids[i+1], ends[i+1]
			ranks[i-1], whole[i-1] = ranks[i], whole[i]
		}
		if best > 0 {
			ranks[best-1], whole[best-1] = rank(ids[best-1], ids[best], start(best-1), ends[best])
		}
		if best+1 < n {
			ranks[best], whole[best] = rank(ids[best], ids[best+1], start(best), ends[best+1])
		}
	}
	m.ids, m.ends = ids[:n], ends[:n]
}

// start is where symbol i of a long piece begins.
func (m *merger) start(i int32) int32 {
	if p := m.prev[i]; p >= 0 {
		return m.ends[p]
	}
	return 0
}

// long merges with a heap; pair gives the rank of two neighbours.
func (m *merger) long(pair func(i, j int32) (rank, whole int32)) {
	n := len(m.ids)
	m.prev, m.next, m.heap = m.prev[:0], m.next[:0], m.heap[:0]
	for i := range n {
		m.prev = append(m.prev, int32(i-1))
		m.next = append(m.next, int32(i+1))
	}
	m.next[n-1] = -1
	offer := func(i int32) {
		j := m.next[i]
		if j < 0 {
			return
		}
		if rank, whole := pair(i, j); rank != noRank {
			m.push(candidate{rank, i, m.ends[i], m.ends[j], whole})
		}
	}
	for i := range n - 1 {
		offer(int32(i))
	}
	for len(m.heap) > 0 {
		c := m.pop()
		// A candidate is stale once one of its symbols has merged into something else:
		// symbols are known by where they end, and a symbol that is gone ends nowhere.
		j := m.next[c.at]
		if m.ends[c.at] != c.left || j < 0 || m.ends[j] != c.right {
			continue
		}
		m.ids[c.at], m.ends[c.at] = c.whole, c.right
		m.ends[j] = -1
		m.next[c.at] = m.next[j]
		if m.next[j] >= 0 {
			m.prev[m.next[j]] = c.at
		}
		if m.prev[c.at] >= 0 {
			offer(m.prev[c.at])
		}
		offer(c.at)
	}
	kept := 0
	for i := int32(0); i >= 0; i = m.next[i] {
		m.ids[kept], m.ends[kept] = m.ids[i], m.ends[i]
		kept++
	}
	m.ids, m.ends = m.ids[:kept], m.ends[:kept]
}

func (m *merger) push(c candidate) {
	m.heap = append(m.heap, c)
	for k := len(m.heap) - 1; k > 0; {
		parent := (k - 1) / 2
		if !m.heap[k].before(m.heap[parent]) {
			break
		}
		m.heap[k], m.heap[parent] = m.heap[parent], m.heap[k]
		k = parent
	}
}

func (m *merger) pop() candidate {
	top := m.heap[0]
	last := len(m.heap) - 1
	m.heap[0] = m.heap[last]
	m.heap = m.heap[:last]
	for k := 0; ; {
		child := 2*k + 1
		if child >= last {
			break
		}
		if child+1 < last && m.heap[child+1].before(m.heap[child]) {
			child++
		}
		if !m.heap[child].before(m.heap[k]) {
			break
		}
		m.heap[k], m.heap[child] = m.heap[child], m.heap[k]
		k = child
	}
	return top
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}
