package tokenizer

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"
)

// scoreBPE merges what gives a token, the best score first: sentencepiece's BPE, and
// llama.cpp's, where every token may come of it.
type scoreBPE struct {
	t        *Tokenizer
	llama    bool
	unknown  int32
	fallback bool
	bytes    [256]int32
	rank     []int32 // by id; equal scores have equal ranks
	symbols  trie    // user-defined tokens, which are never merged
	unused   bool    // there are unused tokens, which fall apart again

	once   sync.Once
	joints *joints
	ascii  [256]int32 // tokens of single bytes, -1
	chars  *charTable // tokens of single characters
}

func newScoreBPE(t *Tokenizer) (*scoreBPE, error) {
	d := &t.def
	m := &scoreBPE{t: t, llama: d.LongestFirst, fallback: d.ByteFallback}
	var err error
	if m.unknown, err = t.unknownID(); err != nil {
		return nil, err
	}
	if d.Scores == nil {
		return nil, fmt.Errorf("the tokens have no scores")
	}
	if all := t.byteTokens(&m.bytes); !all && m.fallback && !m.llama {
		return nil, fmt.Errorf("byte fallback is asked for, but the vocabulary has not the 256 tokens <0x00> to <0xFF>")
	}
	if m.llama {
		m.fallback = true
		for b := range m.bytes {
			if m.bytes[b] < 0 { // llama.cpp takes the byte as a text then
				if id, ok := t.surface.get(string([]byte{byte(b)})); ok {
					m.bytes[b] = id
				}
			}
		}
	} else {
		for id, text := range d.Tokens {
			switch d.role(int32(id)) {
			case UserDefined:
				m.symbols.add(Added{}, text)
			case Unused:
				m.unused = true
			}
		}
	}
	return m, nil
}

// piece is the token that a text may become by merging. sentencepiece never finds a
// text with a zero byte.
func (m *scoreBPE) piece(s string) (int32, bool) {
	id, ok := m.t.surface.get(s)
	if !ok || m.llama {
		return id, ok
	}
	if strings.IndexByte(s, 0) >= 0 {
		return 0, false
	}
	switch m.t.def.role(id) {
	case Ordinary, UserDefined, Unused:
		return id, true
	}
	return 0, false
}

// together is the rank and the token of a text.
func (m *scoreBPE) together(s string) (rank, whole int32) {
	if id, ok := m.piece(s); ok {
		return m.rank[id], id
	}
	return noRank, 0
}

func (m *scoreBPE) prepare() {
	m.once.Do(func() {
		scores := m.t.def.Scores
		order := make([]int32, len(scores))
		for i := range order {
			order[i] = int32(i)
		}
		sort.Slice(order, func(i, j int) bool { return scores[order[i]] > scores[order[j]] })
		m.rank = make([]int32, len(scores))
		rank := int32(0)
		for i, id := range order {
			if i > 0 && scores[id] != scores[order[i-1]] {
				rank++
			}
			m.rank[id] = rank
		}
		m.chars = newCharTable()
		for b := range m.ascii {
			m.ascii[b] = -1
		}
		for id, text := range m.t.def.Tokens {
			r, n := utf8.DecodeRuneInString(text)
			if got, ok := m.piece(text); n != len(text) || !ok || got != int32(id) {
				continue
			}
			if n == 1 {
				m.ascii[text[0]] = int32(id)
			} else if n > 1 {
				m.chars.set(r, int32(id))
			}
		}
		m.joints = newJoints(len(scores), func(id int32) string {
			if m.llama {
				return m.t.def.Tokens[id]
			}
			switch m.t.def.role(id) {
			case Ordinary, UserDefined, Unused:
				return m.t.def.Tokens[id]
			}
			return ""
		})
	})
}

func (m *scoreBPE) encode(dst []int32, piece string, w *work) []int32 {
	from := len(dst)
	for i := 0; i < len(piece); {
		end := m.next(piece, i)
		at := len(dst)
		dst = m.chunk(dst, piece[i:end], w)
		if !m.fallback && at > from && at < len(dst) && dst[at] == m.unknown && dst[at-1] == m.unknown {
			dst = append(dst[:at], dst[at+1:]...) // unknown tokens in a row are one
		}
		i = end
	}
	return dst
}

// next is the end of the chunk at piece[i:]: a user-defined symbol, or up to one, or
// up to a place where no token joins what is on both sides.
func (m *scoreBPE) next(piece string, i int) int {
	if len(m.symbols.added) == 0 {
		return m.joints.cut(piece, i)
	}
	if end := m.frozen(piece, i); end > 0 {
		return end
	}
	end := m.joints.cut(piece, i)
	for k := i + 1; k < end; k++ {
		if m.symbols.first[piece[k]] && utf8.RuneStart(piece[k]) && m.frozen(piece, k) > 0 {
			return k
		}
	}
	return end
}

// frozen is the end of the user-defined symbol at piece[i:], 0 if there is none.
func (m *scoreBPE) frozen(piece string, i int) (end int) {
	if len(m.symbols.added) > 0 && m.symbols.first[piece[i]] {
		m.symbols.at(piece, i, func(_, e int) { end = e })
	}
	return end
}

// chunk encodes a piece of a piece.
func (m *scoreBPE) chunk(dst []int32, piece string, w *work) []int32 {
	var slot cacheSlot
	if len(piece) <= cacheBytes {
		ids, s, ok := w.find(dst, piece)
		if ok {
			return ids
		}
		slot = s
	} else if ids, ok := w.findLong(dst, piece); ok {
		return ids
	}
	from := len(dst)
	w.parts = m.chunkParts(w.parts[:0], piece, w)
	for _, p := range w.parts {
		dst = append(dst, p.id)
	}
	if slot.e != nil {
		slot.keep(dst[from:])
	} else {
		w.keepLong(piece, dst[from:])
	}
	return dst
}

func (m *scoreBPE) parts(dst []part, piece string, w *work) []part {
	for i := 0; i < len(piece); {
		end := m.next(piece, i)
		at := len(dst)
		dst = m.chunkParts(dst, piece[i:end], w)
		for k := at; k < len(dst); k++ {
			dst[k].start += i
			dst[k].end += i
		}
		if !m.fallback && at > 0 && at < len(dst) && dst[at].id == m.unknown && dst[at-1].id == m.unknown {
			dst[at-1].end = dst[at].end
			dst = append(dst[:at], dst[at+1:]...)
		}
		i = end
	}
	return dst
}

// chunkParts merges one chunk.
func (m *scoreBPE) chunkParts(dst []part, piece string, w *work) []part {
	if id, ok := m.t.surface.get(piece); ok && m.frozen(piece, 0) == len(piece) {
		return append(dst, part{id, 0, len(piece)})
	}
	g := &w.merge
	g.ids, g.ends = g.ids[:0], g.ends[:0]
	for i := 0; i < len(piece); {
		n := 1
		if piece[i] >= utf8.RuneSelf {
			if m.llama {
				n = min(leadLength(piece[i]), len(piece)-i)
			} else {
				_, n = utf8.DecodeRuneInString(piece[i:])
			}
		}
		id := int32(-1)
		if n == 1 {
			id = m.ascii[piece[i]]
		} else if r, k := utf8.DecodeRuneInString(piece[i:]); k == n {
			id = m.chars.of(r)
		}
		i += n
		g.ids, g.ends = append(g.ids, id), append(g.ends, int32(i))
	}
	g.byText(func(left, right, start, end int32) (int32, int32) {
		if left < 0 || right < 0 { // characters that are no tokens
			return m.together(piece[start:end])
		}
		e, key, ok := w.pairs.find(left, right)
		if !ok {
			e.pair = key
			e.rank, e.whole = m.together(piece[start:end])
		}
		return e.rank, e.whole
	})
	start := 0
	for i := range g.ids {
		end := int(g.ends[i])
		dst = m.token(dst, piece, start, end)
		start = end
	}
	if m.unused {
		dst = m.resegment(dst, piece)
	}
	return dst
}

// leadLength is the length of a character by its first byte, as llama.cpp takes it.
func leadLength(b byte) int {
	switch {
	case b < 0xc0:
		return 1
	case b < 0xe0:
		return 2
	case b < 0xf0:
		return 3
	}
	return 4
}

// token appends the token of piece[start:end], or those of its bytes.
func (m *scoreBPE) token(dst []part, piece string, start, end int) []part {
	s := piece[start:end]
	if id, ok := m.piece(s); ok {
		return append(dst, part{id, start, end})
	}
	if !m.fallback {
		if n := len(dst); n > 0 && start > 0 && dst[n-1].id == m.unknown && dst[n-1].end == start {
			dst[n-1].end = end
			return dst
		}
		return append(dst, part{m.unknown, start, end})
	}
	for i := range len(s) {
		// All bytes but the last stand for nothing, as in sentencepiece.
		p := part{m.bytes[s[i]], start, start}
		if i == len(s)-1 {
			p.end = end
		}
		if p.id >= 0 {
			dst = append(dst, p)
		}
	}
	return dst
}

// resegment takes unused tokens apart into what they were merged from: the best pair
// of two tokens, by the order in which they would merge.
func (m *scoreBPE) resegment(dst []part, piece string) []part {
	for k := 0; k < len(dst); k++ {
		p := dst[k]
		if p.id < 0 || m.t.def.role(p.id) != Unused {
			continue
		}
		if at := m.split(piece[p.start:p.end]); at > 0 {
			left := m.token(nil, piece, p.start, p.start+at)
			right := m.token(nil, piece, p.start+at, p.end)
			rest := append(append(left, right...), dst[k+1:]...)
			dst = append(dst[:k], rest...)
			k--
		}
	}
	return dst
}

// split is where an unused token was put together: the last step of merging it alone.
func (m *scoreBPE) split(s string) int {
	g := merger{}
	for i, r := range s {
		g.ids, g.ends = append(g.ids, -1), append(g.ends, int32(i+utf8.RuneLen(r)))
	}
	last := 0
	g.byText(func(_, _, start, end int32) (int32, int32) {
		if int(end-start) == len(s) {
			return noRank, 0
		}
		id, ok := m.piece(s[start:end])
		if !ok {
			return noRank, 0
		}
		return m.rank[id], id
	})
	if len(g.ends) == 2 {
		last = int(g.ends[0])
	}
	return last
}
