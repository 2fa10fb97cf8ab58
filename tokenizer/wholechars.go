package tokenizer

import "unicode/utf8"

// charTable gives the token that the bytes of a character merge into by themselves.
// Where no token holds a piece of a character beside another (joints.partial), merging
// may begin with characters instead of bytes: the same merges follow, in the same
// order, if every character is whole before it merges with its neighbours.
type charTable struct {
	block  [(utf8.MaxRune + 1) / 256]int32 // index into ids / 256; 0 is the empty block
	ids    []int32                         // id + 1, 0 for characters that are not whole
	latest map[rune]int32                  // rank of the last of a character's merges
}

func (c *charTable) of(r rune) int32 { return c.ids[c.block[r>>8]<<8|r&255] - 1 }

func (c *charTable) set(r rune, id int32) {
	if c.block[r>>8] == 0 {
		c.block[r>>8] = int32(len(c.ids) >> 8)
		c.ids = append(c.ids, make([]int32, 256)...)
	}
	c.ids[c.block[r>>8]<<8|r&255] = id + 1
}

func newCharTable() *charTable {
	return &charTable{ids: make([]int32, 256), latest: map[rune]int32{}}
}

// newCharTable finds the characters of the vocabulary that become whole.
func (m *byteBPE) newCharTable() *charTable {
	c := newCharTable()
	for id := range m.t.kind {
		if !m.t.isWord(int32(id)) {
			continue
		}
		s := m.word(int32(id))
		if len(s) < 2 || len(s) > utf8.UTFMax {
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		if n != len(s) || r == utf8.RuneError {
			continue
		}
		if whole, latest, ok := m.alone(s); ok {
			c.set(r, whole)
			c.latest[r] = latest
		}
	}
	return c
}

// alone merges the bytes of a character, and gives the rank of the last merge.
func (m *byteBPE) alone(s string) (id, latest int32, ok bool) {
	var ids [utf8.UTFMax]int32
	var ends [utf8.UTFMax]int
	n := len(s)
	for i := range n {
		if ids[i], ends[i] = m.single[s[i]], i+1; ids[i] < 0 {
			return 0, 0, false
		}
	}
	for n > 1 {
		best, at, whole := int32(noRank), 0, int32(0)
		start := 0
		for i := 0; i+1 < n; i++ {
			rank, w := m.rank(ids[i], ids[i+1], s[start:ends[i+1]])
			if rank < best {
				best, at, whole = rank, i, w
			}
			start = ends[i]
		}
		if best == noRank {
			return 0, 0, false
		}
		latest = max(latest, best)
		ids[at], ends[at] = whole, ends[at+1]
		copy(ids[at+1:], ids[at+2:n])
		copy(ends[at+1:], ends[at+2:n])
		n--
	}
	return ids[0], latest, true
}

// rank is that of merging two symbols whose text is s.
func (m *byteBPE) rank(left, right int32, s string) (rank, whole int32) {
	if m.ranks != nil {
		return m.ranks.get(left, right)
	}
	if id, ok := m.words.get(s); ok {
		return id, id
	}
	return noRank, 0
}

// early marks the joints of tokens that come before their characters are whole: there
// merging has to begin with bytes.
func (m *byteBPE) early(rank int32, s string) {
	for i, r := range s {
		if r >= utf8.RuneSelf && m.chars.latest[r] >= rank {
			m.joints.mark(s, i)
			m.joints.mark(s, i+utf8.RuneLen(r))
		}
	}
}

// mark sets the joint before s[i:] as one where a piece of a character may lie.
func (j *joints) mark(s string, i int) {
	if i > 0 && i < len(s) {
		at := uint(s[i-1])<<8 | uint(s[i])
		j.partial[at>>6] |= 1 << (at & 63)
	}
}

// checkOrder looks for tokens that come early.
func (m *byteBPE) checkOrder() {
	if m.ranks == nil {
		for id := range m.t.kind {
			if m.t.isWord(int32(id)) {
				if s := m.word(int32(id)); len(s) > 2 && utf8.ValidString(s) {
					m.early(int32(id), s)
				}
			}
		}
		return
	}
	for i, p := range m.t.def.Merges {
		if len(p[0])+len(p[1]) > 4 { // fewer are one character, or ASCII
			if s, ok := FromByteLevel(p[0] + p[1]); ok && utf8.ValidString(s) {
				m.early(int32(i), s)
			}
		}
	}
}

// characters fills w.merge with the characters of a piece, if merging may begin with
// them.
func (m *byteBPE) characters(piece string, w *work) bool {
	g := &w.merge
	for i := 0; i < len(piece); {
		b := piece[i]
		if b < utf8.RuneSelf {
			i++
			g.ids, g.ends = append(g.ids, m.single[b]), append(g.ends, int32(i))
			continue
		}
		r, n := utf8.DecodeRuneInString(piece[i:])
		if i > 0 {
			if at := uint(piece[i-1])<<8 | uint(b); m.joints.partial[at>>6]>>(at&63)&1 != 0 {
				return false
			}
		}
		if next := i + n; next < len(piece) {
			if at := uint(piece[next-1])<<8 | uint(piece[next]); m.joints.partial[at>>6]>>(at&63)&1 != 0 {
				return false
			}
		}
		id := int32(-1)
		if n > 1 {
			id = m.chars.of(r)
		}
		if id >= 0 {
			i += n
			g.ids, g.ends = append(g.ids, id), append(g.ends, int32(i))
			continue
		}
		for range n { // not whole: byte by byte
			i++
			g.ids, g.ends = append(g.ids, m.single[piece[i-1]]), append(g.ends, int32(i))
		}
	}
	return true
}
