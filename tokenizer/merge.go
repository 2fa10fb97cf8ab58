package tokenizer

import (
	"math"
	"sync"
)

const noRank = math.MaxInt32

// shortPiece is the length in bytes up to which scanning for the best pair beats a
// heap: nearly every piece of text is shorter.
const shortPiece = 64

// merge appends the ids of a piece of which every byte has a token: the pair of
// neighbours with the best rank, the leftmost of equals, is merged until no
// neighbours merge. Source: Sennrich et al., arXiv 1508.07909.
func (t *Tokenizer) merge(dst []int32, piece string) []int32 {
	if len(piece) > shortPiece {
		return t.mergeLong(dst, piece)
	}
	var ids, rank, whole [shortPiece]int32
	n := len(piece)
	for i := range n {
		ids[i] = t.single[piece[i]]
	}
	for i := 0; i+1 < n; i++ {
		rank[i], whole[i] = t.ranks.get(ids[i], ids[i+1])
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
		ids[best] = whole[best]
		copy(ids[best+1:n-1], ids[best+2:n])
		if best+2 < n {
			copy(rank[best+1:n-2], rank[best+2:n-1])
			copy(whole[best+1:n-2], whole[best+2:n-1])
		}
		n--
		if best > 0 {
			rank[best-1], whole[best-1] = t.ranks.get(ids[best-1], ids[best])
		}
		if best+1 < n {
			rank[best], whole[best] = t.ranks.get(ids[best], ids[best+1])
		}
	}
	return append(dst, ids[:n]...)
}

// longPiece is the working memory for one long piece: symbols as a doubly linked
// list, candidate merges in a binary heap, so that a megabyte without a space takes
// n log n steps.
type longPiece struct {
	id, prev, next []int32
	heap           []candidate
}

type candidate struct {
	rank, at, left, right, whole int32
}

var longPieces = sync.Pool{New: func() any { return new(longPiece) }}

func (t *Tokenizer) mergeLong(dst []int32, piece string) []int32 {
	w := longPieces.Get().(*longPiece)
	defer longPieces.Put(w)
	w.id, w.prev, w.next, w.heap = w.id[:0], w.prev[:0], w.next[:0], w.heap[:0]
	n := len(piece)
	for i := range n {
		w.id = append(w.id, t.single[piece[i]])
		w.prev = append(w.prev, int32(i-1))
		w.next = append(w.next, int32(i+1))
	}
	w.next[n-1] = -1
	for i := 0; i+1 < n; i++ {
		w.offer(t, int32(i))
	}
	for len(w.heap) > 0 {
		c := w.pop()
		// A candidate is stale once one of its symbols has merged into something else.
		if w.id[c.at] != c.left || w.next[c.at] < 0 || w.id[w.next[c.at]] != c.right {
			continue
		}
		gone := w.next[c.at]
		w.id[c.at] = c.whole
		w.id[gone] = -1
		w.next[c.at] = w.next[gone]
		if w.next[gone] >= 0 {
			w.prev[w.next[gone]] = c.at
		}
		if w.prev[c.at] >= 0 {
			w.offer(t, w.prev[c.at])
		}
		w.offer(t, c.at)
	}
	for i := int32(0); i >= 0; i = w.next[i] {
		dst = append(dst, w.id[i])
	}
	return dst
}

// offer puts the pair that begins at symbol i into the heap if it merges.
func (w *longPiece) offer(t *Tokenizer, i int32) {
	j := w.next[i]
	if j < 0 {
		return
	}
	rank, whole := t.ranks.get(w.id[i], w.id[j])
	if rank == noRank {
		return
	}
	w.heap = append(w.heap, candidate{rank, i, w.id[i], w.id[j], whole})
	for k := len(w.heap) - 1; k > 0; {
		parent := (k - 1) / 2
		if !w.heap[k].before(w.heap[parent]) {
			break
		}
		w.heap[k], w.heap[parent] = w.heap[parent], w.heap[k]
		k = parent
	}
}

func (w *longPiece) pop() candidate {
	top := w.heap[0]
	last := len(w.heap) - 1
	w.heap[0] = w.heap[last]
	w.heap = w.heap[:last]
	for k := 0; ; {
		child := 2*k + 1
		if child >= last {
			break
		}
		if child+1 < last && w.heap[child+1].before(w.heap[child]) {
			child++
		}
		if !w.heap[child].before(w.heap[k]) {
			break
		}
		w.heap[k], w.heap[child] = w.heap[child], w.heap[k]
		k = child
	}
	return top
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}
