package grammar

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"sync"
	"unicode/utf8"
)

// Vocabulary is the set of tokens as a trie of their bytes, so that a mask is found by walking the automaton along it
// and not by trying each token. It is shared by all matchers of a model.
type Vocabulary struct {
	size  int
	bytes [][]byte
	stop  []int32
	all   trie
	// Within a JSON string nearly all tokens are allowed: those that are nothing but characters that stand for themselves
	// there. They are not walked but copied; odd holds the others.
	odd     trie
	plain   []int32 // their ids
	lengths []int32 // and how many characters each has
	mu      sync.Mutex
	upTo    map[int32]maskOf // those of at most so many characters
	longest int32
}

// trie is tokens by their bytes.
type trie struct {
	nodes []node
	ids   []int32 // in the order of their bytes
	depth int
}

// node is a trie node in depth-first order: its subtree is nodes[i:end]. The tokens that end here are ids[first:last].
type node struct {
	end         int32
	first, last int32
	depth       int16
	c           byte
}

// maxTokenBytes bounds a token; longer ones are never allowed.
const maxTokenBytes = 1<<15 - 1

// NewVocabulary makes the trie of tokens 0 … size-1. bytesOf gives the bytes that a token adds to the text, [Mark] of its text for a
// control token, and nothing for what no grammar may ask for: tokens without bytes are never allowed. stop are the ids that end
// a text; they are allowed exactly when the text is complete, and never as text. Ids of stop outside the vocabulary are left out.
func NewVocabulary(bytesOf func(id int32) []byte, size int, stop []int32) *Vocabulary {
	v := &Vocabulary{size: size, bytes: make([][]byte, size), upTo: map[int32]maskOf{}}
	for _, id := range stop {
		if id >= 0 && int(id) < size && !slices.Contains(v.stop, id) {
			v.stop = append(v.stop, id)
		}
	}
	type entry struct {
		begins uint64 // the first eight bytes
		id     int32
	}
	order := make([]entry, 0, size)
	var store []byte // one piece of memory for all
	for id := range int32(size) {
		if slices.Contains(v.stop, id) {
			continue
		}
		text := bytesOf(id)
		if len(text) == 0 || len(text) > maxTokenBytes || !isMark(text) && (bytes.IndexByte(text, markBegin) >= 0 || bytes.IndexByte(text, markEnd) >= 0) {
			continue // bytes of marks are never part of text
		}
		if cap(store)-len(store) < len(text) {
			store = make([]byte, 0, max(1<<16, len(text)))
		}
		store = append(store, text...)
		v.bytes[id] = store[len(store)-len(text) : len(store) : len(store)]
		var begins [8]byte
		copy(begins[:], text)
		order = append(order, entry{binary.BigEndian.Uint64(begins[:]), id})
	}
	slices.SortFunc(order, func(a, b entry) int {
		if a.begins != b.begins {
			return cmp.Compare(a.begins, b.begins)
		}
		if c := bytes.Compare(v.bytes[a.id], v.bytes[b.id]); c != 0 {
			return c
		}
		return cmp.Compare(a.id, b.id)
	})
	var odd []int32
	ids := make([]int32, len(order))
	for i, e := range order {
		ids[i] = e.id
		if n := plainCharacters(v.bytes[e.id]); n > 0 {
			v.plain, v.lengths, v.longest = append(v.plain, e.id), append(v.lengths, n), max(v.longest, n)
		} else {
			odd = append(odd, e.id)
		}
	}
	v.all, v.odd = v.trie(ids), v.trie(odd)
	return v
}

// plainCharacters is the number of characters of a token that is nothing but characters that stand for themselves in a JSON
// string, 0 for others.
func plainCharacters(text []byte) int32 {
	for _, c := range text {
		if c < 0x20 || c == '"' || c == '\\' {
			return 0
		}
	}
	if !utf8.Valid(text) {
		return 0
	}
	return int32(utf8.RuneCount(text))
}

// trie builds the nodes of tokens in byte order.
func (v *Vocabulary) trie(ids []int32) trie {
	t := trie{ids: ids}
	open := []int32{} // the nodes on the way to the last token
	shut := func(to int) {
		for len(open) > to {
			t.nodes[open[len(open)-1]].end = int32(len(t.nodes))
			open = open[:len(open)-1]
		}
	}
	var before []byte
	for i, id := range ids {
		text := v.bytes[id]
		common := 0
		for common < len(before) && common < len(text) && before[common] == text[common] {
			common++
		}
		shut(common)
		for d := common; d < len(text); d++ {
			open = append(open, int32(len(t.nodes)))
			t.nodes = append(t.nodes, node{depth: int16(d), c: text[d], first: int32(i), last: int32(i)})
		}
		t.nodes[open[len(open)-1]].last = int32(i + 1)
		t.depth = max(t.depth, len(text))
		before = text
	}
	shut(0)
	return t
}

// Size is the number of tokens.
func (v *Vocabulary) Size() int { return v.size }

// within is the plain tokens of at most n characters.
func (v *Vocabulary) within(n int32) maskOf {
	n = min(n, v.longest)
	v.mu.Lock()
	defer v.mu.Unlock()
	made, ok := v.upTo[n]
	if !ok {
		made = maskOf{bits: make([]uint64, (v.size+63)/64)}
		for i, id := range v.plain {
			if v.lengths[i] <= n {
				made.bits[id/64] |= 1 << (id % 64)
				made.count++
			}
		}
		v.upTo[n] = made
	}
	return made
}

// mask works out which tokens may follow a moment.
func (m *machine) mask(at *moment, v *Vocabulary) maskOf {
	for _, known := range at.masks {
		if known.vocabulary == v {
			return known
		}
	}
	made := maskOf{vocabulary: v, bits: make([]uint64, (v.size+63)/64)}
	tokens := &v.all
	if n := m.characters(at); n > 0 {
		plain := v.within(n)
		copy(made.bits, plain.bits)
		made.count, tokens = plain.count, &v.odd
	}
	if cap(m.path) < tokens.depth+2 {
		m.path = make([]*moment, tokens.depth+2)
	}
	path := m.path[:tokens.depth+2]
	path[0] = at
	for i := 0; i < len(tokens.nodes); {
		n := &tokens.nodes[i]
		to := m.step(path[n.depth], n.c)
		if to == dead {
			i = int(n.end)
			continue
		}
		for _, id := range tokens.ids[n.first:n.last] {
			made.bits[id/64] |= 1 << (id % 64)
			made.count++
		}
		path[n.depth+1] = to
		i++
	}
	clear(path)
	if at.complete {
		for _, id := range v.stop {
			made.bits[id/64] |= 1 << (id % 64)
			made.count++
		}
	}
	at.masks = append(at.masks, made)
	m.memory += len(made.bits) * 8
	return made
}

// characters is how many characters may follow where a moment is within a JSON string of any characters and nothing else can come
// but its end; 0 elsewhere.
func (m *machine) characters(at *moment) int32 {
	most := int32(0)
	for _, t := range at.threads {
		if t.state == m.g.character && t.stack != nil {
			if left, ok := m.g.runs[t.stack.state]; ok {
				most = max(most, left+1)
				continue
			}
		}
		for _, e := range m.g.states[t.state].edges {
			if e.low != '"' || e.high != '"' {
				return 0
			}
		}
	}
	return most
}
