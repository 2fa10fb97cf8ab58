package tokenizer

import "sync"

// byteBPE is byte-level BPE: symbols begin as bytes. With ranks it merges listed
// pairs (GPT-2), without it merges what gives a token, the lowest id first
// (tiktoken).
type byteBPE struct {
	t            *Tokenizer
	single       [256]int32 // id of a byte, -1 when the vocabulary lacks it
	missing      []byte
	ranks        *ranks // nil: by text
	ignoreMerges bool

	once   sync.Once
	words  index // ordinary tokens by their bytes
	joints *joints
	chars  *charTable
}

// prepare makes what only encoding needs.
func (m *byteBPE) prepare() {
	m.once.Do(func() {
		if m.words.slots == nil {
			m.indexWords()
		}
		m.joints = newJoints(len(m.t.kind), func(id int32) string {
			if !m.t.isWord(id) {
				return ""
			}
			return m.word(id)
		})
		m.chars = m.newCharTable()
		m.checkOrder()
	})
}

// indexWords makes the table of tokens by bytes. An added token may be a word of the
// ordinary vocabulary as well.
func (m *byteBPE) indexWords() {
	m.words = newIndex(len(m.t.kind), m.word)
	var scratch []byte
	for id, k := range m.t.kind {
		if !m.t.isWord(int32(id)) {
			continue
		}
		if _, ok := appendFromByteLevel(scratch[:0], m.t.def.Tokens[id]); ok { // text becomes no other
			m.words.put(int32(id), k != added)
		}
	}
}

// word is the bytes of which a token is made when the model makes it.
func (m *byteBPE) word(id int32) string {
	if m.t.kind[id] == added {
		if b, ok := FromByteLevel(m.t.def.Tokens[id]); ok {
			return b
		}
	}
	return m.t.vocab.token(id)
}

func (m *byteBPE) encode(dst []int32, piece string, w *work) []int32 {
	if len(m.missing) > 0 {
		piece = m.known(piece)
	}
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

// whole encodes a piece of which every byte has a token.
func (m *byteBPE) whole(dst []int32, piece string, w *work) []int32 {
	if len(piece) == 1 {
		return append(dst, m.single[piece[0]])
	}
	if piece == "" {
		return dst
	}
	if m.ignoreMerges || m.ranks == nil {
		if id, ok := m.words.get(piece); ok {
			return append(dst, id)
		}
	}
	for i := 0; i < len(piece); {
		end := m.joints.cut(piece, i)
		if i == 0 && end == len(piece) {
			if end > cacheBytes {
				return m.chunk(dst, piece, w)
			}
			return m.merge(dst, piece, w)
		}
		dst = m.chunk(dst, piece[i:end], w)
		i = end
	}
	return dst
}

// chunk encodes a piece of a piece.
func (m *byteBPE) chunk(dst []int32, piece string, w *work) []int32 {
	if len(piece) == 1 {
		return append(dst, m.single[piece[0]])
	}
	if len(piece) > cacheBytes {
		ids, ok := w.findLong(dst, piece)
		if ok {
			return ids
		}
		from := len(dst)
		dst = m.merge(dst, piece, w)
		w.keepLong(piece, dst[from:])
		return dst
	}
	ids, slot, ok := w.find(dst, piece)
	if ok {
		return ids
	}
	from := len(dst)
	dst = m.merge(dst, piece, w)
	slot.keep(dst[from:])
	return dst
}

func (m *byteBPE) merge(dst []int32, piece string, w *work) []int32 {
	m.symbols(piece, w)
	return append(dst, w.merge.ids...)
}

// symbols merges a piece in w.merge.
func (m *byteBPE) symbols(piece string, w *work) {
	g := &w.merge
	g.ids, g.ends = g.ids[:0], g.ends[:0]
	if !m.characters(piece, w) {
		g.ids, g.ends = g.ids[:0], g.ends[:0]
		for i := range len(piece) {
			g.ids = append(g.ids, m.single[piece[i]])
			g.ends = append(g.ends, int32(i+1))
		}
	}
	if m.ranks != nil {
		g.byPairs(m.ranks)
		return
	}
	g.byText(func(left, right, start, end int32) (int32, int32) {
		e, key, ok := w.pairs.find(left, right)
		if !ok {
			e.pair = key
			e.rank, e.whole = m.rank(left, right, piece[start:end])
		}
		return e.rank, e.whole
	})
}

func (m *byteBPE) parts(dst []part, piece string, w *work) []part {
	whole, places := piece, []int(nil)
	if len(m.missing) > 0 {
		if piece = m.known(whole); len(piece) < len(whole) {
			places = make([]int, 0, len(piece))
			for i := range len(whole) {
				if m.single[whole[i]] >= 0 {
					places = append(places, i)
				}
			}
		}
	}
	if piece == "" {
		return dst
	}
	if len(piece) > 1 && (m.ignoreMerges || m.ranks == nil) {
		if id, ok := m.words.get(piece); ok {
			w.merge.ids, w.merge.ends = append(w.merge.ids[:0], id), append(w.merge.ends[:0], int32(len(piece)))
			return m.place(dst, w, places)
		}
	}
	m.symbols(piece, w)
	return m.place(dst, w, places)
}

func (m *byteBPE) place(dst []part, w *work, places []int) []part {
	start := 0
	for i, id := range w.merge.ids {
		end := int(w.merge.ends[i])
		if places != nil {
			dst = append(dst, part{id, places[start], places[end-1] + 1})
		} else {
			dst = append(dst, part{id, start, end})
		}
		start = end
	}
	return dst
}

// known is a piece without the bytes that the vocabulary lacks: their neighbours
// become neighbours of each other, as in the reference.
func (m *byteBPE) known(piece string) string {
	for i := range len(piece) {
		if m.single[piece[i]] < 0 {
			kept := make([]byte, 0, len(piece))
			for i := range len(piece) {
				if m.single[piece[i]] >= 0 {
					kept = append(kept, piece[i])
				}
			}
			return string(kept)
		}
	}
	return piece
}

// newByteBPE reads the merges.
func newByteBPE(t *Tokenizer) (*byteBPE, error) {
	m := &byteBPE{t: t, ignoreMerges: t.def.IgnoreMerges}
	for b := range m.single {
		m.single[b] = -1
	}
	for id, k := range t.kind {
		if !t.isWord(int32(id)) || len(t.def.Tokens[id]) > 2 {
			continue // a byte's symbol has at most two bytes
		}
		if b, ok := FromByteLevel(t.def.Tokens[id]); ok && len(b) == 1 && (k != added || m.single[b[0]] < 0) {
			m.single[b[0]] = int32(id)
		}
	}
	for b, id := range m.single {
		if id < 0 {
			m.missing = append(m.missing, byte(b))
		}
	}
	if t.def.Model == RankBPE {
		return m, nil
	}
	r, err := t.pairs(0)
	m.ranks = r
	return m, err
}
