package tokenizer

import (
	"sync"
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

// classes holds the class of every code point: one load instead of a binary search
// through range tables for each character.
var classes = sync.OnceValue(func() *[unicode.MaxRune + 1]class {
	table := new([unicode.MaxRune + 1]class)
	fill := func(ranges *unicode.RangeTable, c class) {
		for _, r := range ranges.R16 {
			for x := rune(r.Lo); x <= rune(r.Hi); x += rune(r.Stride) {
				table[x] = c
			}
		}
		for _, r := range ranges.R32 {
			for x := rune(r.Lo); x <= rune(r.Hi); x += rune(r.Stride) {
				table[x] = c
			}
		}
	}
	fill(unicode.L, letter)
	fill(unicode.N, number)
	fill(unicode.White_Space, space)
	return table
})

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
	return classes()[r], n
}

// run is the end of the longest run of class c in s from i on.
func run(s string, i int, c class) int {
	for i < len(s) {
		k, n := at(s, i)
		if k != c {
			break
		}
		i += n
	}
	return i
}
