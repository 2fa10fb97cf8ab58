package tokenizer

import (
	"container/heap"
	"unicode/utf8"
)

// node is a token at a place of the lattice of a text.
type node struct {
	id         int32
	start, end int
	score      float32 // of the token
	best       float32 // of the best way from the beginning through it
}

// hypothesis is a way from some node to the end.
type hypothesis struct {
	node *node
	next *hypothesis
	f, g float32 // with and without the best way to its beginning
}

type agenda []*hypothesis

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].f > a[j].f }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)        { *a = append(*a, x.(*hypothesis)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// nbest finds the n best ways through the lattice from its end to its beginning
// (A*). Source: sentencepiece, unigram_model.cc, Lattice::NBest.
func (m *unigram) nbest(piece string, n int) [][]int32 {
	ends := make([][]*node, len(piece)+1) // nodes by where they end
	ends[0] = []*node{{id: -1}}
	for i := 0; i < len(piece); {
		_, width := utf8.DecodeRuneInString(piece[i:])
		single := false
		add := func(id int32, end int, score float32) {
			x := &node{id: id, start: i, end: end, score: score}
			for k, before := range ends[i] {
				if sum := before.best + score; k == 0 || sum > x.best {
					x.best = sum
				}
			}
			ends[end] = append(ends[end], x)
		}
		m.tree.walk(piece, i, func(id int32, end int) {
			single = single || end == i+width
			add(id, end, float32(m.tokenScore(id, end-i)))
		})
		if !single {
			add(m.unknown, i+width, float32(m.least)-penalty)
		}
		i += width
	}
	a := &agenda{}
	heap.Push(a, &hypothesis{node: &node{id: -1, start: len(piece), end: len(piece) + 1}})
	const most, kept = 10000, 512
	var out [][]int32
	for a.Len() > 0 && len(out) < n {
		top := heap.Pop(a).(*hypothesis)
		if top.node.end == 0 {
			out = append(out, m.way(top.next, piece))
			continue
		}
		for _, left := range ends[top.node.start] {
			heap.Push(a, &hypothesis{left, top, left.best + top.g, left.score + top.g})
		}
		if a.Len() >= most { // as the reference does
			smaller := &agenda{}
			for range min(kept, n*10) {
				heap.Push(smaller, heap.Pop(a))
			}
			a = smaller
		}
	}
	return out
}

// way is the ids of a hypothesis; unknown characters in a row are one token, or bytes.
func (m *unigram) way(h *hypothesis, piece string) []int32 {
	var parts []part
	for ; h.next != nil; h = h.next {
		x := h.node
		if k := len(parts) - 1; k >= 0 && x.id == m.unknown && parts[k].id == m.unknown && m.t.def.FuseUnknown {
			parts[k].end = x.end
			continue
		}
		parts = append(parts, part{x.id, x.start, x.end})
	}
	ids := []int32{}
	for _, p := range m.fallBack(parts, 0, piece) {
		ids = append(ids, p.id)
	}
	return ids
}
