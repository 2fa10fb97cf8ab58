package tokenizer

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// charBPE is BPE over characters with ranked pairs, as tokenizer.json describes it:
// unknown characters, affixes, byte fallback. Source: huggingface/tokenizers, bpe.
type charBPE struct {
	t        *Tokenizer
	ranks    *ranks
	prefix   string
	suffix   string
	unknown  int32 // -1 for none
	fallback bool
	bytes    [256]int32 // ids of <0x00> …, -1
	ascii    [128]int32 // ids of single characters where there are no affixes, -1
	cuts     bool       // pieces may be cut at joints

	once   sync.Once
	joints *joints
}

func newCharBPE(t *Tokenizer) (*charBPE, error) {
	d := &t.def
	m := &charBPE{t: t, prefix: d.ContinuingPrefix, suffix: d.WordSuffix, unknown: -1, fallback: d.ByteFallback}
	var err error
	if m.unknown, err = t.unknownID(); err != nil {
		return nil, err
	}
	if m.ranks, err = t.pairs(len(m.prefix)); err != nil {
		return nil, err
	}
	all := t.byteTokens(&m.bytes)
	for b := range m.ascii {
		m.ascii[b] = -1
		if id, ok := t.surface.get(string(rune(b))); ok && t.isWord(id) {
			m.ascii[b] = id
		}
	}
	// With partial byte fallback or merges of the unknown token, neighbours matter
	// that no token holds side by side.
	m.cuts = m.prefix == "" && m.suffix == "" && (!m.fallback || all)
	for _, p := range d.Merges {
		m.cuts = m.cuts && (m.unknown < 0 || p[0] != d.Unknown && p[1] != d.Unknown)
	}
	return m, nil
}

// unknownID is the id of the unknown token, -1 if the definition has none.
func (t *Tokenizer) unknownID() (int32, error) {
	if t.def.Unknown == "" {
		return -1, nil
	}
	id, ok := t.surface.get(t.def.Unknown)
	if !ok {
		return -1, fmt.Errorf("unknown token: %q is not in the vocabulary", t.def.Unknown)
	}
	return id, nil
}

// byteTokens finds the tokens <0x00> to <0xFF>; all tells that none is missing.
func (t *Tokenizer) byteTokens(ids *[256]int32) (all bool) {
	all = true
	for b := range ids {
		ids[b] = -1
		if id, ok := t.surface.get(fmt.Sprintf("<0x%02X>", b)); ok {
			ids[b] = id
		} else {
			all = false
		}
	}
	return all
}

func (m *charBPE) prepare() {
	m.once.Do(func() {
		if m.cuts {
			m.joints = newJoints(len(m.t.kind), m.t.ordinarySurface)
		}
	})
}

// ordinarySurface is the surface form of an id that text may become, "" for others.
func (t *Tokenizer) ordinarySurface(id int32) string {
	if !t.isWord(id) {
		return ""
	}
	return t.def.Tokens[id]
}

func (m *charBPE) encode(dst []int32, piece string, w *work) []int32 {
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

func (m *charBPE) whole(dst []int32, piece string, w *work) []int32 {
	if piece == "" {
		return dst
	}
	if m.keep(piece) {
		if id, ok := m.word(piece); ok {
			return append(dst, id)
		}
	}
	if !m.cuts || m.unknown < 0 && !m.fallback {
		m.symbols(piece, w)
		return append(dst, w.merge.ids...)
	}
	from := len(dst)
	for i := 0; i < len(piece); {
		end := m.joints.cut(piece, i)
		at := len(dst)
		dst = m.chunk(dst, piece[i:end], w)
		if m.t.def.FuseUnknown && at > from && at < len(dst) && dst[at] == m.unknown && dst[at-1] == m.unknown {
			dst = append(dst[:at], dst[at+1:]...)
		}
		i = end
	}
	return dst
}

// keep tells whether a piece that is a token stays whole.
func (m *charBPE) keep(piece string) bool {
	return m.t.def.IgnoreMerges || m.t.def.WholeBreaks && strings.Trim(piece, "\n") == ""
}

// word is the token that a piece is as a whole.
func (m *charBPE) word(piece string) (int32, bool) {
	id, ok := m.t.surface.get(piece)
	return id, ok && m.t.isWord(id)
}

// chunk encodes a piece of a piece.
func (m *charBPE) chunk(dst []int32, piece string, w *work) []int32 {
	if len(piece) > cacheBytes {
		if ids, ok := w.findLong(dst, piece); ok {
			return ids
		}
		m.symbols(piece, w)
		w.keepLong(piece, w.merge.ids)
		return append(dst, w.merge.ids...)
	}
	ids, slot, ok := w.find(dst, piece)
	if ok {
		return ids
	}
	m.symbols(piece, w)
	slot.keep(w.merge.ids)
	return append(dst, w.merge.ids...)
}

func (m *charBPE) parts(dst []part, piece string, w *work) []part {
	if piece == "" {
		return dst
	}
	if m.keep(piece) {
		if id, ok := m.word(piece); ok {
			return append(dst, part{id, 0, len(piece)})
		}
	}
	m.symbols(piece, w)
	start := 0
	for i, id := range w.merge.ids {
		end := int(w.merge.ends[i])
		dst = append(dst, part{id, start, end})
		start = end
	}
	return dst
}

// symbols merges a piece in w.merge. Characters that are dropped leave no room: the
// places after them move to the left, as in the reference.
func (m *charBPE) symbols(piece string, w *work) {
	g := &w.merge
	g.ids, g.ends = g.ids[:0], g.ends[:0]
	end, pending := 0, 0 // pending: bytes of the unknown token that is not written yet
	add := func(id int32, n int) {
		end += n
		g.ids, g.ends = append(g.ids, id), append(g.ends, int32(end))
	}
	for i := 0; i < len(piece); {
		n := 1
		if piece[i] >= utf8.RuneSelf {
			_, n = utf8.DecodeRuneInString(piece[i:])
		}
		id, ok := m.symbol(piece, i, i+n)
		switch {
		case ok:
			if pending > 0 {
				add(m.unknown, pending)
				pending = 0
			}
			add(id, n)
		case m.fallback && m.byteIDs(piece, i, n, add):
		case m.unknown < 0:
		case m.t.def.FuseUnknown:
			pending += n
		default:
			if pending > 0 {
				add(m.unknown, pending)
			}
			pending = n
		}
		i += n
	}
	if pending > 0 {
		add(m.unknown, pending)
	}
	g.byPairs(m.ranks)
}

// symbol is the token of the character piece[i:end], with its affixes.
func (m *charBPE) symbol(piece string, i, end int) (int32, bool) {
	if m.prefix == "" && m.suffix == "" {
		if b := piece[i]; b < utf8.RuneSelf {
			return m.ascii[b], m.ascii[b] >= 0
		}
		return m.word(piece[i:end])
	}
	s := piece[i:end]
	if i > 0 {
		s = m.prefix + s
	}
	if end == len(piece) {
		s += m.suffix
	}
	return m.word(s)
}

// byteIDs adds the byte tokens of the character piece[i:i+n] with its affixes, if
// the vocabulary has them all.
func (m *charBPE) byteIDs(piece string, i, n int, add func(id int32, n int)) bool {
	s := piece[i : i+n]
	if m.prefix != "" || m.suffix != "" {
		if i > 0 {
			s = m.prefix + s
		}
		if i+n == len(piece) {
			s += m.suffix
		}
	}
	for k := range len(s) {
		if m.bytes[s[k]] < 0 {
			return false
		}
	}
	for k := range len(s) {
		add(m.bytes[s[k]], 1)
	}
	return true
}
