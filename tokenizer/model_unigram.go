package tokenizer

import (
	"fmt"
	"math"
	"sort"
	"sync"
	"unicode/utf8"
)

// unigram finds the tokens with the best sum of scores (Viterbi). Source: Kudo,
// arXiv 1804.10959; sums are kept and ties broken as in sentencepiece
// (unigram_model.cc, EncodeOptimized) or huggingface/tokenizers.
type unigram struct {
	t        *Tokenizer
	unknown  int32
	fallback bool
	llama    bool
	bytes    [256]int32
	score    []float64 // by id; NaN for those that are never taken
	least    float64
	best     float64

	once sync.Once
	tree prefixTree
}

// penalty is what an unknown character costs beside the worst token.
const penalty = 10

func newUnigram(t *Tokenizer) (*unigram, error) {
	d := &t.def
	m := &unigram{t: t, fallback: d.ByteFallback, llama: d.LongestFirst}
	var err error
	if m.unknown, err = t.unknownID(); err != nil {
		return nil, err
	}
	if d.Scores == nil {
		return nil, fmt.Errorf("the tokens have no scores")
	}
	t.byteTokens(&m.bytes)
	m.score = make([]float64, len(d.Scores))
	// sentencepiece begins at the least positive float32, which logarithms of
	// probabilities never pass: user-defined tokens score just under zero.
	m.least, m.best = math.Inf(1), 0x1p-126
	for id, s := range d.Scores {
		m.score[id] = s
		if d.Roles == nil || d.role(int32(id)) == Ordinary {
			m.least, m.best = min(m.least, s), max(m.best, s)
		}
	}
	return m, nil
}

func (m *unigram) prepare() {
	m.once.Do(func() {
		d := &m.t.def
		var ids []int32
		for id, text := range d.Tokens {
			take := text != "" && m.t.isWord(int32(id))
			if d.Roles != nil {
				r := d.role(int32(id))
				take = text != "" && (r == Ordinary || r == UserDefined || r == Unused && m.llama)
			}
			if got, ok := m.t.surface.get(text); take && ok && got == int32(id) {
				ids = append(ids, int32(id))
			}
		}
		m.tree = newPrefixTree(ids, func(id int32) string { return d.Tokens[id] })
	})
}

// path is the best way to one byte of a piece.
type path struct {
	score float64
	id    int32
	from  int32 // -1: none yet
}

// viterbi fills w.paths for a piece.
func (m *unigram) viterbi(piece string, w *work) {
	if cap(w.paths) < len(piece)+1 {
		w.paths = make([]path, len(piece)+1)
	}
	paths := w.paths[:len(piece)+1]
	w.paths = paths
	for i := range paths {
		paths[i] = path{from: -1}
	}
	unknown := m.least - penalty
	if m.t.def.Float32 {
		unknown = float64(float32(m.least) - penalty)
	}
	for i := 0; i < len(piece); {
		n := 1
		if piece[i] >= utf8.RuneSelf {
			if _, n = utf8.DecodeRuneInString(piece[i:]); m.llama {
				n = min(leadLength(piece[i]), len(piece)-i)
			}
		}
		till, single := paths[i].score, false
		m.tree.walk(piece, i, func(id int32, end int) {
			single = single || end == i+n
			score := m.tokenScore(id, end-i)
			m.reach(&paths[end], till, score, id, i)
		})
		if !single {
			m.reach(&paths[i+n], till, unknown, m.unknown, i)
		}
		i += n
	}
}

// tokenScore is the score of a token of n bytes.
func (m *unigram) tokenScore(id int32, n int) float64 {
	if m.t.def.Roles != nil && m.t.def.Roles[id] == UserDefined {
		if m.llama {
			return 0
		}
		return float64(float32(float64(float32(n)*float32(m.best)) - 0.1))
	}
	return m.score[id]
}

// reach takes a way to p if it is better than the one there.
func (m *unigram) reach(p *path, till, score float64, id int32, from int) {
	sum := till + score
	if m.t.def.Float32 {
		sum = float64(float32(sum))
	}
	if p.from < 0 || sum > p.score {
		*p = path{sum, id, int32(from)}
	}
}

func (m *unigram) encode(dst []int32, piece string, w *work) []int32 {
	if len(piece) > cacheBytes || piece == "" {
		return m.whole(dst, piece, w)
	}
	ids, slot, ok := w.find(dst, piece)
	if ok {
		return ids
	}
	from := len(dst)
	dst = m.whole(dst, piece, w)
	slot.keep(dst[from:])
	return dst
}

func (m *unigram) whole(dst []int32, piece string, w *work) []int32 {
	w.parts = m.parts(w.parts[:0], piece, w)
	for _, p := range w.parts {
		dst = append(dst, p.id)
	}
	return dst
}

func (m *unigram) parts(dst []part, piece string, w *work) []part {
	if piece == "" {
		return dst
	}
	m.viterbi(piece, w)
	from := len(dst)
	for end := len(piece); end > 0; {
		p := w.paths[end]
		start := int(p.from)
		if start < 0 {
			start, p.id = 0, m.unknown // cannot happen: every character is reached
		}
		// Unknown characters in a row are one token.
		if n := len(dst); p.id == m.unknown && n > from && dst[n-1].id == m.unknown && (m.llama || m.t.def.FuseUnknown) {
			dst[n-1].start = start
		} else {
			dst = append(dst, part{p.id, start, end})
		}
		end = start
	}
	for i, j := from, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return m.fallBack(dst, from, piece)
}

// fallBack writes unknown parts with byte tokens if the definition asks for it.
func (m *unigram) fallBack(dst []part, from int, piece string) []part {
	unknown := 0
	for _, p := range dst[from:] {
		if p.id == m.unknown {
			unknown++
		}
	}
	if unknown == 0 {
		return dst
	}
	var out []part
	for _, p := range dst[from:] {
		if p.id != m.unknown {
			out = append(out, p)
			continue
		}
		s := piece[p.start:p.end]
		// What is unknown character by character may be a token as a whole.
		if id, ok := m.t.surface.get(s); ok && m.t.isWord(id) && m.t.def.Roles == nil {
			out = append(out, part{id, p.start, p.end})
			continue
		}
		if m.fallback && m.allBytes(s) {
			for i := range len(s) {
				b := part{m.bytes[s[i]], p.start, p.end}
				if m.t.def.Float32 && i < len(s)-1 { // sentencepiece: only the last byte has a place
					b.end = p.start
				}
				out = append(out, b)
			}
			continue
		}
		out = append(out, p)
	}
	return append(dst[:from], out...)
}

func (m *unigram) allBytes(s string) bool {
	for i := range len(s) {
		if m.bytes[s[i]] < 0 {
			return false
		}
	}
	return true
}

// prefixTree finds the tokens that a text begins with.
type prefixTree struct {
	nodes []treeNode
	edges []treeEdge
	wide  [][256]int32 // children of nodes with many, by byte; 0 for none
}

type treeNode struct {
	id int32 // -1: no token ends here
	at int32 // first edge, or index into wide
	n  int16 // number of edges; -1: wide
}

type treeEdge struct {
	b    byte
	node int32
}

// newPrefixTree makes the tree of the tokens with the given ids; if two have the same
// text, the later one counts.
func newPrefixTree(ids []int32, text func(id int32) string) prefixTree {
	sort.SliceStable(ids, func(i, j int) bool { return text(ids[i]) < text(ids[j]) })
	t := prefixTree{nodes: make([]treeNode, 1, 4*len(ids)+1)}
	t.build(0, ids, 0, text)
	return t
}

// build makes the node of the tokens ids, which agree in their first depth bytes.
func (t *prefixTree) build(node int32, ids []int32, depth int, text func(id int32) string) {
	t.nodes[node].id = -1
	for len(ids) > 0 && len(text(ids[0])) == depth {
		t.nodes[node].id = ids[0]
		ids = ids[1:]
	}
	if len(ids) == 0 {
		return
	}
	var ends []int
	for i := range ids {
		if i == len(ids)-1 || text(ids[i])[depth] != text(ids[i+1])[depth] {
			ends = append(ends, i+1)
		}
	}
	first := int32(len(t.nodes))
	for range ends {
		t.nodes = append(t.nodes, treeNode{})
	}
	if len(ends) > 6 {
		t.nodes[node].n, t.nodes[node].at = -1, int32(len(t.wide))
		t.wide = append(t.wide, [256]int32{})
		table := &t.wide[len(t.wide)-1]
		for k, end := range ends {
			table[text(ids[end-1])[depth]] = first + int32(k)
		}
	} else {
		t.nodes[node].n, t.nodes[node].at = int16(len(ends)), int32(len(t.edges))
		for k, end := range ends {
			t.edges = append(t.edges, treeEdge{text(ids[end-1])[depth], first + int32(k)})
		}
	}
	start := 0
	for k, end := range ends {
		t.build(first+int32(k), ids[start:end], depth+1, text)
		start = end
	}
}

// walk calls yield with each token that s[i:] begins with and where it ends, short
// ones first.
func (t *prefixTree) walk(s string, i int, yield func(id int32, end int)) {
	node := &t.nodes[0]
	for j := i; j < len(s); j++ {
		next := int32(0)
		if node.n < 0 {
			next = t.wide[node.at][s[j]]
		} else {
			for _, e := range t.edges[node.at : node.at+int32(node.n)] {
				if e.b == s[j] {
					next = e.node
					break
				}
			}
		}
		if next == 0 {
			return
		}
		node = &t.nodes[next]
		if node.id >= 0 {
			yield(node.id, j+1)
		}
	}
}
