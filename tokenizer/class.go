package tokenizer

import (
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// class of a character, as far as split patterns care.
type class = uint8

const (
	other  class = iota // [^\s\p{L}\p{N}], also every byte that is not UTF-8
	letter              // \p{L}
	number              // \p{N}
	space               // \s: the White_Space property
)

// classTable holds the class of every code point in two stages: most blocks of 256
// are alike, so that it stays in the cache.
type classTable struct {
	block  [(unicode.MaxRune + 1) / 256]uint8
	blocks [][256]class
}

func (t *classTable) of(r rune) class { return t.blocks[t.block[r>>8]][r&255] }

var classes atomic.Pointer[classTable]

// table gives the classes, made when they are first needed.
func table() *classTable {
	if t := classes.Load(); t != nil {
		return t
	}
	return makeTable()
}

func makeTable() *classTable {
	t := &classTable{}
	known := map[[256]class]uint8{}
	flat := make([]class, unicode.MaxRune+1)
	fill := func(ranges *unicode.RangeTable, c class) {
		for _, r := range ranges.R16 {
			for x := rune(r.Lo); x <= rune(r.Hi); x += rune(r.Stride) {
				flat[x] = c
			}
		}
		for _, r := range ranges.R32 {
			for x := rune(r.Lo); x <= rune(r.Hi); x += rune(r.Stride) {
				flat[x] = c
			}
		}
	}
	fill(unicode.L, letter)
	fill(unicode.N, number)
	fill(unicode.White_Space, space)
	for i := range t.block {
		b := [256]class(flat[i*256:])
		k, ok := known[b]
		if !ok {
			k = uint8(len(t.blocks))
			known[b] = k
			t.blocks = append(t.blocks, b)
		}
		t.block[i] = k
	}
	classes.Store(t)
	return t
}

var asciiClass = func() (table [utf8.RuneSelf]class) {
	for i := range table {
		switch r := rune(i); {
		case unicode.IsLetter(r):
			table[i] = letter
		case unicode.IsNumber(r):
			table[i] = number
		case unicode.IsSpace(r):
			table[i] = space
		}
	}
	return table
}()

// at is the class and the length in bytes of the character at s[i:], i < len(s). A
// byte that is not part of a UTF-8 character is a character of its own.
func at(s string, i int) (class, int) {
	if b := s[i]; b < utf8.RuneSelf {
		return asciiClass[b], 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	if r == utf8.RuneError {
		return other, n // U+FFFD itself is of class other too
	}
	return table().of(r), n
}

// run is the end of the longest run of class c in s from i on.
func run(s string, i int, c class) int {
	for i < len(s) {
		if b := s[i]; b < utf8.RuneSelf {
			if asciiClass[b] != c {
				break
			}
			i++
			continue
		}
		k, n := at(s, i)
		if k != c {
			break
		}
		i += n
	}
	return i
}
