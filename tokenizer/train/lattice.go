package train

import (
	"math"
	"unicode/utf8"
)

// pieceTree finds the pieces that begin at a place: nodes are numbers, and a hash
// table leads from a node and a character to the next.
type pieceTree struct {
	slots []branch
	nodes int32
}

// branch is what a node and a character lead to.
type branch struct {
	key   uint64 // 0 is free
	node  int32
	piece int32 // the piece that ends there, −1 if none
}

func newPieceTree(pieces []scored) *pieceTree {
	t := &pieceTree{slots: make([]branch, 1<<12), nodes: 1}
	for id, p := range pieces {
		at, last := int32(0), 0
		for _, r := range p.text {
			last = t.add(at, r)
			at = t.slots[last].node
		}
		t.slots[last].piece = int32(id)
	}
	return t
}

func branchKey(node int32, r rune) uint64 { return uint64(node)<<21 | uint64(r) + 1 }

// find is the slot of a key, or the free one where it would be.
func (t *pieceTree) find(key uint64) int {
	mask := uint64(len(t.slots) - 1)
	i := key * 0x9e3779b97f4a7c15 >> 17 & mask
	for t.slots[i].key != 0 && t.slots[i].key != key {
		i = (i + 1) & mask
	}
	return int(i)
}

// add is the slot that a node and a character lead to, which is made if it is not there.
func (t *pieceTree) add(node int32, r rune) int {
	key := branchKey(node, r)
	i := t.find(key)
	if t.slots[i].key == 0 {
		if 2*int(t.nodes) > len(t.slots) {
			old := t.slots
			t.slots = make([]branch, 2*len(old))
			for _, b := range old {
				if b.key != 0 {
					t.slots[t.find(b.key)] = b
				}
			}
			i = t.find(key)
		}
		t.slots[i] = branch{key, t.nodes, -1}
		t.nodes++
	}
	return i
}

// next is what a node and a character lead to; its node is 0 for nothing.
func (t *pieceTree) next(node int32, r rune) *branch { return &t.slots[t.find(branchKey(node, r))] }

// edge is a piece at a place of a word.
type edge struct {
	piece      int32 // −1: an unknown character
	from, stop int32
}

// lattice is all ways to write a word with pieces. Places are in characters.
type lattice struct {
	u     *unigram
	chars []rune
	edges []edge // by where they begin, shorter ones first
	// logarithms of sums over the ways to a place, and from it
	alpha, beta []float32
	// of best ways
	best []float32
	last []int32 // the edge by which a place is best reached
	way  []int32
}

// set makes the lattice of a word. unless is a piece that may not be the whole word,
// −1 for none.
func (l *lattice) set(word []byte, unless int32) {
	l.chars = l.chars[:0]
	for len(word) > 0 {
		r, n := utf8.DecodeRune(word)
		l.chars = append(l.chars, r)
		word = word[n:]
	}
	l.edges = l.edges[:0]
	u := l.u
	for i := range l.chars {
		at, single := int32(0), false
		for j := i; j < len(l.chars); j++ {
			b := u.tree.next(at, l.chars[j])
			if at = b.node; at == 0 {
				break
			}
			if id := b.piece; id >= 0 && u.alive[id] {
				single = single || j == i
				if id != unless || i > 0 || j+1 < len(l.chars) {
					l.edges = append(l.edges, edge{id, int32(i), int32(j + 1)})
				}
			}
		}
		if !single {
			l.edges = append(l.edges, edge{-1, int32(i), int32(i + 1)})
		}
	}
}

// expect calls yield with each piece of the lattice and its expected number, in the
// order of the edges. Sums are of float32 logarithms in the reference's order, with
// its rounding: where texts are small, rounding decides between pieces.
func (l *lattice) expect(yield func(piece int32, n float64)) {
	n := len(l.chars)
	l.alpha, l.beta = resized(l.alpha, n+1), resized(l.beta, n+1)
	for i := range l.alpha {
		l.alpha[i], l.beta[i] = unset, unset
	}
	l.alpha[0], l.beta[n] = 0, 0
	for i := range l.edges {
		e := &l.edges[i]
		l.alpha[e.stop] = logSum(l.alpha[e.stop], l.u.score(e.piece)+l.alpha[e.from])
	}
	// Backwards by where edges begin; those that begin together in their own order.
	for last := len(l.edges); last > 0; {
		first := last - 1
		for first > 0 && l.edges[first-1].from == l.edges[last-1].from {
			first--
		}
		at := l.edges[first].from
		for _, e := range l.edges[first:last] {
			l.beta[at] = logSum(l.beta[at], l.u.score(e.piece)+l.beta[e.stop])
		}
		last = first
	}
	all := l.alpha[n]
	for _, e := range l.edges {
		yield(e.piece, math.Exp(float64(l.alpha[e.from]+l.u.score(e.piece)+l.beta[e.stop]-all)))
	}
}

// unset stands for the logarithm of nothing.
const unset = math.MaxFloat32

// logSum is log(exp(a) + exp(b)).
func logSum(a, b float32) float32 {
	if a == unset {
		return b
	}
	low, high := min(a, b), max(a, b)
	if high > low+50 {
		return high
	}
	return float32(float64(high) + math.Log1p(math.Exp(float64(low-high))))
}

func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, 2*n)
	}
	return s[:n]
}

// viterbi gives the edges of the best way from first to last, as indices, and its
// score; of equal ways the one whose pieces began earlier, as in the reference. The
// result is valid until the next call.
func (l *lattice) viterbi() (way []int32, score float32) {
	n := len(l.chars)
	l.best, l.last = resized(l.best, n+1), resized(l.last, n+1)
	for i := range l.last {
		l.last[i] = -1
	}
	l.best[0] = 0
	for i := range l.edges {
		e := &l.edges[i]
		if x := l.best[e.from] + l.u.score(e.piece); l.last[e.stop] < 0 || x > l.best[e.stop] {
			l.best[e.stop], l.last[e.stop] = x, int32(i)
		}
	}
	l.way = l.way[:0]
	for at := int32(n); at > 0; {
		k := l.last[at]
		l.way = append(l.way, k)
		at = l.edges[k].from
	}
	for i, j := 0, len(l.way)-1; i < j; i, j = i+1, j-1 {
		l.way[i], l.way[j] = l.way[j], l.way[i]
	}
	return l.way, l.best[n]
}
