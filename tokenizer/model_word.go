package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// wordPiece takes the longest token that a word begins with, then the longest that
// goes on, until the word ends or nothing fits. Source: BERT, tokenization.py.
type wordPiece struct {
	t       *Tokenizer
	unknown int32
	longest int // bytes of the longest token
}

func newWordPiece(t *Tokenizer) (*wordPiece, error) {
	m := &wordPiece{t: t}
	var err error
	if m.unknown, err = t.unknownID(); err != nil {
		return nil, err
	}
	for _, text := range t.def.Tokens {
		m.longest = max(m.longest, len(text))
	}
	return m, nil
}

func (m *wordPiece) prepare() {}

func (m *wordPiece) encode(dst []int32, piece string, w *work) []int32 {
	return w.byParts(dst, piece, m)
}

func (m *wordPiece) parts(dst []part, piece string, _ *work) []part {
	if piece == "" {
		return dst
	}
	d, from := &m.t.def, len(dst)
	if d.LongestWord > 0 && utf8.RuneCountInString(piece) > d.LongestWord {
		return m.give(dst, from, piece)
	}
	prefix := d.ContinuingPrefix
	for start := 0; start < len(piece); {
		found := false
		for end := min(len(piece), start+m.longest); end > start; end-- {
			if end < len(piece) && !utf8.RuneStart(piece[end]) {
				continue
			}
			s := piece[start:end]
			if start > 0 && prefix != "" {
				s = prefix + s
			}
			if id, ok := m.t.surface.get(s); ok && m.t.isWord(id) {
				dst = append(dst, part{id, start, end})
				start, found = end, true
				break
			}
		}
		if !found {
			return m.give(dst, from, piece)
		}
	}
	return dst
}

// give makes the whole word unknown.
func (m *wordPiece) give(dst []part, from int, piece string) []part {
	dst = dst[:from]
	if m.unknown < 0 {
		return dst
	}
	return append(dst, part{m.unknown, 0, len(piece)})
}

// phantomWordPiece is llama.cpp's WordPiece: words stand behind U+2581, and any
// token may go on a word. Source: llama-vocab.cpp, llm_tokenizer_wpm_session.
type phantomWordPiece struct {
	t       *Tokenizer
	unknown int32
	longest int
}

func newPhantomWordPiece(t *Tokenizer) (*phantomWordPiece, error) {
	m := &phantomWordPiece{t: t}
	var err error
	if m.unknown, err = t.unknownID(); err != nil {
		return nil, err
	}
	for _, text := range t.def.Tokens {
		m.longest = max(m.longest, len(text))
	}
	return m, nil
}

func (m *phantomWordPiece) prepare() {}

func (m *phantomWordPiece) encode(dst []int32, piece string, w *work) []int32 {
	return w.byParts(dst, piece, m)
}

func (m *phantomWordPiece) parts(dst []part, piece string, _ *work) []part {
	word, from := blank+piece, len(dst)
	for i := 0; i < len(word); {
		found := false
		for end := min(len(word), i+m.longest+1); end > i; end-- {
			if id, ok := m.t.surface.get(word[i:end]); ok {
				dst = append(dst, part{id, max(0, i-len(blank)), max(0, end-len(blank))})
				i, found = end, true
				break
			}
		}
		if !found {
			dst = dst[:from]
			break
		}
	}
	if len(dst) == from && m.unknown >= 0 {
		dst = append(dst, part{m.unknown, 0, len(piece)})
	}
	return dst
}

// wordLevel takes a piece as a token.
type wordLevel struct {
	t       *Tokenizer
	unknown int32
}

func (m *wordLevel) prepare() {}

func (m *wordLevel) encode(dst []int32, piece string, w *work) []int32 {
	for _, p := range m.parts(nil, piece, w) {
		dst = append(dst, p.id)
	}
	return dst
}

func (m *wordLevel) parts(dst []part, piece string, _ *work) []part {
	id, ok := m.t.surface.get(piece)
	if !ok || !m.t.isWord(id) {
		id = m.unknown
	}
	if id < 0 || piece == "" {
		return dst
	}
	return append(dst, part{id, 0, len(piece)})
}

// characters takes each character, and each user-defined symbol, as a token.
type characters struct {
	*scoreBPE
	words bool // words between U+2581 instead of characters (sentencepiece's word model)
}

func (m *characters) prepare() {}

func (m *characters) encode(dst []int32, piece string, w *work) []int32 {
	w.parts = m.parts(w.parts[:0], piece, w)
	for _, p := range w.parts {
		dst = append(dst, p.id)
	}
	return dst
}

func (m *characters) parts(dst []part, piece string, _ *work) []part {
	for i := 0; i < len(piece); {
		end := 0
		if !m.words {
			end = m.frozen(piece, i)
		}
		if end == 0 {
			_, n := utf8.DecodeRuneInString(piece[i:])
			end = i + n
			if m.words {
				if k := strings.Index(piece[i+1:], blank); k >= 0 {
					end = i + 1 + k
				} else {
					end = len(piece)
				}
			}
		}
		dst = m.token(dst, piece, i, end)
		i = end
	}
	return dst
}

// longestMatch takes the longest token at each place. Source: RWKV; llama-vocab.cpp.
type longestMatch struct {
	t       *Tokenizer
	unknown int32
	tree    prefixTree
}

func newLongestMatch(t *Tokenizer) (*longestMatch, error) {
	m := &longestMatch{t: t}
	var err error
	if m.unknown, err = t.unknownID(); err != nil {
		return nil, err
	}
	var ids []int32
	for id := range t.kind {
		if t.isWord(int32(id)) && t.vocab.token(int32(id)) != "" {
			ids = append(ids, int32(id))
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("model.vocab: no ordinary token")
	}
	m.tree = newPrefixTree(ids, t.vocab.token)
	return m, nil
}

func (m *longestMatch) prepare() {}

func (m *longestMatch) encode(dst []int32, piece string, w *work) []int32 {
	w.parts = m.parts(w.parts[:0], piece, w)
	for _, p := range w.parts {
		dst = append(dst, p.id)
	}
	return dst
}

func (m *longestMatch) parts(dst []part, piece string, _ *work) []part {
	for i := 0; i < len(piece); {
		id, end := m.unknown, i+1
		m.tree.walk(piece, i, func(k int32, e int) { id, end = k, e })
		if id >= 0 {
			dst = append(dst, part{id, i, end})
		}
		i = end
	}
	return dst
}
