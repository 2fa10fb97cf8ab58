package tokenizer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// characterMap is sentencepiece's precompiled_charsmap: a double-array trie of
// strings to replace, and what replaces them. Source: sentencepiece, normalizer.cc;
// darts-clone.
type characterMap struct {
	units []uint32
	texts []byte // each ends with a zero byte
	first [256]bool
}

// newCharacterMap reads the map: the size of the trie in bytes, the trie, the texts.
func newCharacterMap(data []byte) (*characterMap, error) {
	m := &characterMap{}
	if len(data) == 0 {
		return m, nil
	}
	if len(data) < 4 {
		return nil, fmt.Errorf("precompiled_charsmap: %d bytes; expected a size of 4 bytes first", len(data))
	}
	size := uint64(binary.LittleEndian.Uint32(data))
	if data = data[4:]; size > uint64(len(data)) || size%4 != 0 {
		return nil, fmt.Errorf("precompiled_charsmap: a trie of %d bytes in %d; expected whole units within them", size, len(data))
	}
	m.units = make([]uint32, size/4)
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	m.texts = data[size:]
	for b := 1; b < 256; b++ {
		if len(m.units) > 0 {
			at := offset(m.units[0]) ^ uint32(b)
			m.first[b] = int(at) < len(m.units) && label(m.units[at]) == uint32(b)
		}
	}
	return m, nil
}

func offset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }
func label(unit uint32) uint32  { return unit & (1<<31 | 0xff) }

// prefixes calls yield with each string of the map that s begins with, short ones first.
func (m *characterMap) prefixes(s string, yield func(length int, text []byte) bool) {
	if len(m.units) == 0 {
		return
	}
	at := offset(m.units[0])
	for i := 0; i < len(s) && s[i] != 0; i++ {
		at ^= uint32(s[i])
		if int(at) >= len(m.units) {
			return
		}
		unit := m.units[at]
		if label(unit) != uint32(s[i]) {
			return
		}
		at ^= offset(unit)
		if unit>>8&1 == 1 && int(at) < len(m.units) {
			if v := int(m.units[at] & (1<<31 - 1)); v < len(m.texts) {
				text := m.texts[v:]
				if n := bytes.IndexByte(text, 0); n >= 0 {
					text = text[:n]
				}
				if !yield(i+1, text) {
					return
				}
			}
		}
	}
}

// longest is the longest string of the map that s begins with.
func (m *characterMap) longest(s string) (length int, text []byte) {
	m.prefixes(s, func(n int, t []byte) bool {
		length, text = n, t
		return true
	})
	return length, text
}

// shortest gives the text of the shortest string of the map that s begins with.
func (m *characterMap) shortest(s string) (text []byte, ok bool) {
	m.prefixes(s, func(_ int, t []byte) bool {
		text, ok = t, true
		return false
	})
	return text, ok
}

// precompiled is the reading of the map by huggingface/tokenizers: a short grapheme
// as a whole, else character by character, each by the shortest string that fits.
func (m *characterMap) precompiled(p *passage) {
	changes := make([]change, 0, len(p.s))
	modified := false
	replace := func(old string, text []byte) {
		modified = true
		was, is := utf8.RuneCountInString(old), utf8.RuneCount(text)
		from := len(changes)
		for _, r := range string(text) {
			changes = append(changes, change{r: r, by: 0})
		}
		switch {
		case is > was:
			for i := len(changes) - (is - was); i < len(changes); i++ {
				changes[i].by = 1
			}
		case is < was && len(changes) > 0:
			changes[len(changes)-1].by += is - was
		}
		_ = from
	}
	for i := 0; i < len(p.s); {
		end := graphemeEnd(p.s, i)
		if end-i < 6 {
			if text, ok := m.shortest(p.s[i:end]); ok {
				replace(p.s[i:end], text)
				i = end
				continue
			}
		}
		for i < end {
			r, n := utf8.DecodeRuneInString(p.s[i:])
			if text, ok := m.shortest(p.s[i : i+n]); ok {
				replace(p.s[i:i+n], text)
			} else {
				changes = append(changes, change{r: r, by: 0})
			}
			i += n
		}
	}
	if modified {
		p.transform(changes, 0)
	}
}

// graphemeEnd is the end of the grapheme that begins at s[i:], as far as graphemes
// of fewer than six bytes go: a character and the marks that extend it.
// Source: Unicode, UAX 29.
func graphemeEnd(s string, i int) int {
	r, n := utf8.DecodeRuneInString(s[i:])
	i += n
	if r == '\r' && i < len(s) && s[i] == '\n' {
		return i + 1
	}
	if r < ' ' || r == 0x7f || r != 0x200c && r != 0x200d && unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) {
		return i
	}
	for unicode.Is(unicode.Prepended_Concatenation_Mark, r) && i < len(s) {
		if r, n = utf8.DecodeRuneInString(s[i:]); unicode.IsControl(r) {
			return i
		}
		i += n
	}
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r < 0x300 || r != 0x200c && r != 0x200d && r != 0xff9e && r != 0xff9f && !unicode.Is(unicode.M, r) && !(r >= 0x1f3fb && r <= 0x1f3ff) {
			break
		}
		i += n
	}
	return i
}
