package grammar

import (
	"bytes"
	"slices"
)

// Vocabulary is the set of tokens as a trie of their bytes, so that a mask is found by walking the automaton along it
// and not by trying each token. It is immutable and shared by all matchers of a model.
type Vocabulary struct {
	size  int
	bytes [][]byte
	stop  []int32
	nodes []node
	depth int
}

// node is a trie node in depth-first order: its subtree is nodes[i:end].
type node struct {
	end    int32
	depth  int32
	c      byte
	tokens []int32 // tokens that end here
}

// NewVocabulary makes the trie of tokens 0 … size-1. bytesOf gives the bytes that a token adds to the text, and nothing
// for control tokens: those, and tokens without bytes, are never allowed. stop are the ids that end a text; they are
// allowed exactly when the text is complete, and never as text. Ids of stop outside the vocabulary are left out.
func NewVocabulary(bytesOf func(id int32) []byte, size int, stop []int32) *Vocabulary {
	v := &Vocabulary{size: size, bytes: make([][]byte, size)}
	for _, id := range stop {
		if id >= 0 && int(id) < size && !slices.Contains(v.stop, id) {
			v.stop = append(v.stop, id)
		}
	}
	order := make([]int32, 0, size)
	for id := range int32(size) {
		if slices.Contains(v.stop, id) {
			continue
		}
		if text := bytesOf(id); len(text) > 0 {
			v.bytes[id] = bytes.Clone(text)
			order = append(order, id)
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return bytes.Compare(v.bytes[a], v.bytes[b]) })
	v.build(order, 0)
	return v
}

// build adds the nodes of tokens that share their first depth bytes, in byte order.
func (v *Vocabulary) build(order []int32, depth int) {
	v.depth = max(v.depth, depth)
	for len(order) > 0 {
		c := v.bytes[order[0]][depth]
		n := 1
		for n < len(order) && v.bytes[order[n]][depth] == c {
			n++
		}
		here := len(v.nodes)
		v.nodes = append(v.nodes, node{depth: int32(depth), c: c})
		rest := order[:n]
		for len(rest) > 0 && len(v.bytes[rest[0]]) == depth+1 {
			v.nodes[here].tokens = append(v.nodes[here].tokens, rest[0])
			rest = rest[1:]
		}
		v.build(rest, depth+1)
		v.nodes[here].end = int32(len(v.nodes))
		order = order[n:]
	}
}

// Size is the number of tokens.
func (v *Vocabulary) Size() int { return v.size }

// mask works out which tokens may follow a moment.
func (m *machine) mask(at *moment, v *Vocabulary) maskOf {
	for _, known := range at.masks {
		if known.vocabulary == v {
			return known
		}
	}
	made := maskOf{vocabulary: v, bits: make([]uint64, (v.size+63)/64)}
	allow := func(id int32) {
		made.bits[id/64] |= 1 << (id % 64)
		made.count++
	}
	path := make([]*moment, v.depth+2)
	path[0] = at
	for i := 0; i < len(v.nodes); {
		n := &v.nodes[i]
		to := m.step(path[n.depth], n.c)
		if to == dead {
			i = int(n.end)
			continue
		}
		for _, id := range n.tokens {
			allow(id)
		}
		path[n.depth+1] = to
		i++
	}
	if at.complete {
		for _, id := range v.stop {
			allow(id)
		}
	}
	at.masks = append(at.masks, made)
	m.memory += len(made.bits) * 8
	return made
}
