package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// blank is U+2581, with which sentencepiece writes a blank.
const blank = "\u2581"

// sentenceNormalizer is sentencepiece's normaliser. Source: sentencepiece, normalizer.cc.
type sentenceNormalizer struct {
	s       *Normalization
	m       *characterMap
	symbols trie      // user-defined symbols, which stay as they are
	same    [256]bool // bytes of characters that stay as they are
	plain   [256]bool // bytes that nothing but a blank's rule could change
}

func newSentenceNormalizer(s *Normalization, d *Definition) (*sentenceNormalizer, error) {
	m, err := newCharacterMap(s.Map)
	if err != nil {
		return nil, err
	}
	n := &sentenceNormalizer{s: s, m: m}
	for id, text := range d.Tokens {
		if d.role(int32(id)) == UserDefined {
			n.symbols.add(Added{}, text)
		}
	}
	for b := range 256 {
		n.same[b] = b != ' ' && !m.first[b] && !n.symbols.first[b]
		n.plain[b] = n.same[b] && b < utf8.RuneSelf
	}
	for b := 0x80; b < 0xc0; b++ { // within characters
		n.same[b] = true
	}
	return n, nil
}

// prefix is the new form of the beginning of s and the length of what it stands for.
func (n *sentenceNormalizer) prefix(s string) (text string, length int) {
	if n.symbols.first[s[0]] {
		n.symbols.at(s, 0, func(_, end int) { length = end })
		if length > 0 {
			return s[:length], length
		}
	}
	if n.m.first[s[0]] {
		if k, to := n.m.longest(s); k > 0 {
			return string(to), k
		}
	}
	if r, k := utf8.DecodeRuneInString(s); r != utf8.RuneError || k > 1 {
		return s[:k], k
	}
	return "\ufffd", 1
}

func (n *sentenceNormalizer) normalize(p *passage) {
	space := " "
	if n.s.EscapeSpaces {
		space = blank
	}
	s, at := p.s, 0
	if n.s.RemoveExtraSpaces {
		for at < len(s) {
			text, k := n.prefix(s[at:])
			if text != " " {
				break
			}
			at += k
		}
	}
	if at == len(s) {
		p.s, p.from = "", nil
		return
	}
	w := spanWriter{out: make([]byte, 0, len(s)+len(s)/2+8), track: p.track}
	if n.s.DummyPrefix && !n.s.SpaceIsSuffix && (p.base == 0 || !n.s.FirstOnly) {
		w.write(space, at)
	}
	before := n.s.RemoveExtraSpaces // the last character was a blank
	for at < len(s) {
		if end := at; n.plain[s[at]] {
			for end < len(s) && n.plain[s[end]] {
				end++
			}
			w.copy(s[at:end], at)
			before, at = false, end
			continue
		}
		if end := at; !w.track && n.same[s[at]] {
			for end < len(s) && n.same[s[end]] {
				end++
			}
			if utf8.ValidString(s[at:end]) {
				w.out = append(w.out, s[at:end]...)
				before, at = false, end
				continue
			}
		}
		text, k := n.prefix(s[at:])
		for before && text != "" && text[0] == ' ' {
			text = text[1:]
		}
		if text != "" {
			if n.s.EscapeSpaces {
				for i := 0; i < len(text); {
					end := i
					for end < len(text) && text[end] != ' ' {
						end++
					}
					w.write(text[i:end], at)
					if end < len(text) {
						w.write(blank, at)
						end++
					}
					i = end
				}
			} else {
				w.write(text, at)
			}
			before = text[len(text)-1] == ' '
		}
		at += k
		before = before && n.s.RemoveExtraSpaces
	}
	if n.s.RemoveExtraSpaces {
		for len(w.out) >= len(space) && string(w.out[len(w.out)-len(space):]) == space {
			w.out = w.out[:len(w.out)-len(space)]
			if w.track {
				at = w.at[len(w.out)]
				w.at = w.at[:len(w.out)]
			}
		}
	}
	if n.s.DummyPrefix && n.s.SpaceIsSuffix {
		w.write(space, at)
	}
	w.finish(p, at)
}

// spanWriter writes a new text and for each of its bytes the byte of the old one
// where the character begins that it comes from.
type spanWriter struct {
	out   []byte
	at    []int
	track bool
}

func (w *spanWriter) write(s string, at int) {
	w.out = append(w.out, s...)
	if w.track {
		for range len(s) {
			w.at = append(w.at, at)
		}
	}
}

// copy writes characters of one byte that stand as they are at byte at.
func (w *spanWriter) copy(s string, at int) {
	w.out = append(w.out, s...)
	if w.track {
		for i := range len(s) {
			w.at = append(w.at, at+i)
		}
	}
}

// finish makes the new text that of p; end is where its last character ends.
func (w *spanWriter) finish(p *passage, end int) {
	p.s = string(w.out)
	if !w.track {
		return
	}
	from := make([]span, len(w.at))
	next := p.origin(end)
	for i := len(w.at) - 1; i >= 0; i-- {
		at := p.origin(w.at[i])
		from[i] = span{at, next}
		next = at
	}
	p.from = from
}

// llama is llama.cpp's reading: blanks are written when a word begins, and those at
// the ends are not all removed. Source: llama-vocab.cpp, llm_tokenizer_ugm_session.
func (n *sentenceNormalizer) llama(p *passage) {
	space := " "
	if n.s.EscapeSpaces {
		space = blank
	}
	w := spanWriter{out: make([]byte, 0, len(p.s)+len(p.s)/2+8), track: p.track}
	prepended, inWord := false, false
	at := 0
	for at < len(p.s) {
		text, k := n.llamaPrefix(p.s[at:])
		for i := range len(text) {
			if text[i] == ' ' {
				inWord = false
				if !n.s.RemoveExtraSpaces {
					w.write(space, at)
				}
				continue
			}
			if !inWord {
				inWord = true
				if n.s.DummyPrefix && !n.s.SpaceIsSuffix && !prepended || n.s.RemoveExtraSpaces {
					w.write(space, at)
					prepended = true
				}
			}
			w.write(text[i:i+1], at)
		}
		at += k
	}
	if n.s.SpaceIsSuffix && n.s.DummyPrefix {
		w.write(space, at)
	}
	w.finish(p, at)
}

// llamaPrefix takes a beginning of a user-defined symbol for the symbol, as llama.cpp does.
func (n *sentenceNormalizer) llamaPrefix(s string) (text string, length int) {
	if n.symbols.first[s[0]] {
		node := int32(0)
		for length < len(s) {
			child, ok := n.symbols.next[uint64(node)<<8|uint64(s[length])]
			if !ok {
				break
			}
			node = child
			length++
		}
		return s[:length], length
	}
	return n.prefix(s)
}

// llamaSpaces puts a blank before a text, which comes from nothing in it, and writes
// blanks as U+2581 if EscapeSpaces asks for it.
func (s *Normalization) llamaSpaces(p *passage) {
	if s.DummyPrefix && p.s != "" {
		if p.track {
			old := p.spans()
			p.from = append([]span{{p.base, p.base}}, old...)
		}
		p.s = " " + p.s
	}
	if !s.EscapeSpaces {
		return
	}
	if p.track {
		p.replace(byText(" ")(nil, p.s), blank)
	} else {
		p.s = strings.ReplaceAll(p.s, " ", blank)
	}
}

// llamaBert is llama.cpp's reading of BERT's normaliser and splitter: words are
// written with blanks between. Source: llama-vocab.cpp, llm_tokenizer_wpm_session.
func (s *Normalization) llamaBert(p *passage) {
	if s.StripAccents {
		p.eachDecomposed()
	}
	changes := make([]change, 0, 2*len(p.s))
	for _, r := range p.s {
		switch {
		case unicode.IsSpace(r):
			changes = append(changes, change{r: ' ', by: 0})
		case r == 0 || r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs) || s.StripAccents && unicode.Is(unicode.M, r):
			changes = append(changes, change{r: -1, by: 0}) // gone
		default:
			if s.Lowercase {
				r = unicode.ToLower(r)
			}
			if unicode.IsPunct(r) || r < 0x7f && unicode.IsSymbol(r) || isChinese(r) {
				changes = append(changes, change{r: ' ', by: 0}, change{r: r, by: 1}, change{r: ' ', by: 1})
			} else {
				changes = append(changes, change{r: r, by: 0})
			}
		}
	}
	kept, removed := changes[:0], 0
	for _, c := range changes {
		switch {
		case c.r >= 0:
			kept = append(kept, c)
		case len(kept) == 0:
			removed++
		default: // on the last character that stands for an old one
			for i := len(kept) - 1; i >= 0; i-- {
				if kept[i].by <= 0 {
					kept[i].by--
					break
				}
			}
		}
	}
	p.transform(kept, removed)
}

// eachDecomposed puts the first character of its decomposition in place of each,
// which is what llama.cpp keeps.
func (p *passage) eachDecomposed() {
	if norm.NFD.IsNormalString(p.s) {
		return
	}
	p.each(func(r rune) rune {
		first, _ := utf8.DecodeRuneInString(norm.NFD.String(string(r)))
		return first
	})
}
