package tokenizer

import (
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// letterCase is what the patterns of GPT-4o's kind tell apart within words: characters
// that may stand in the upper part of a word, in its lower part, or in both.
type letterCase = uint8

const (
	upperPart letterCase = 1 << iota // \p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}
	lowerPart                        // \p{Ll}\p{Lm}\p{Lo}\p{M}
)

// caseTable holds the letter case of every code point, in two stages like classTable.
type caseTable struct {
	block  [(unicode.MaxRune + 1) / 256]uint8
	blocks [][256]letterCase
}

func (t *caseTable) of(r rune) letterCase { return t.blocks[t.block[r>>8]][r&255] }

var caseTables, plainCaseTables atomic.Pointer[caseTable]

// cases is the table of the pattern as published; plain is llama.cpp's reading, where
// letters beyond ASCII are of both cases and marks are none.
func cases(plain bool) *caseTable {
	kept := &caseTables
	if plain {
		kept = &plainCaseTables
	}
	if t := kept.Load(); t != nil {
		return t
	}
	t := &caseTable{}
	known := map[[256]letterCase]uint8{}
	for i := range t.block {
		var b [256]letterCase
		for k := range b {
			switch r := rune(i<<8 | k); {
			case plain:
				if unicode.IsLetter(r) {
					b[k] = upperPart | lowerPart
				}
			case unicode.In(r, unicode.Lu, unicode.Lt):
				b[k] = upperPart
			case unicode.Is(unicode.Ll, r):
				b[k] = lowerPart
			case unicode.In(r, unicode.Lm, unicode.Lo, unicode.M):
				b[k] = upperPart | lowerPart
			}
		}
		k, ok := known[b]
		if !ok {
			k = uint8(len(t.blocks))
			known[b] = k
			t.blocks = append(t.blocks, b)
		}
		t.block[i] = k
	}
	kept.Store(t)
	return t
}

// partOf is the letter case and the length of the character at s[i:].
func (t *caseTable) partOf(s string, i int) (letterCase, int) {
	if b := s[i]; b < utf8.RuneSelf {
		switch {
		case b >= 'a' && b <= 'z':
			return lowerPart, 1
		case b >= 'A' && b <= 'Z':
			return upperPart, 1
		}
		return 0, 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	if r == utf8.RuneError {
		return 0, n
	}
	return t.of(r), n
}

// word matches [upper]*[lower]+ or else [upper]+[lower]* at s[i:]; ok is false when
// neither does. first tells which of the two counts.
func (t *caseTable) word(s string, i int, first bool) (end int, ok bool) {
	j, last := i, -1 // last: where the last character begins that may be lower too
	for j < len(s) {
		c, n := t.partOf(s, j)
		if c&upperPart == 0 {
			break
		}
		if c&lowerPart != 0 {
			last = j
		}
		j += n
	}
	lower := j
	for lower < len(s) {
		c, n := t.partOf(s, lower)
		if c&lowerPart == 0 {
			break
		}
		lower += n
	}
	switch {
	case first && lower > j:
		return lower, true
	case first && last >= 0:
		// The upper part gives back its end: the last character that may be lower.
		_, n := t.partOf(s, last)
		return last + n, true
	case first:
		return i, false
	}
	return lower, j > i
}

// scanO200K is the pattern of o200k_base with numbers of at most the given count of
// digits; contractions stay with their word if they are asked for.
func scanO200K(s string, i, digits int, contractions, plain bool) int {
	t := cases(plain)
	c, n := at(s, i)
	// One leading character that is no letter, number or line break.
	lead := 0
	if c != letter && c != number && s[i] != '\r' && s[i] != '\n' {
		lead = n
	}
	for _, first := range [2]bool{true, false} {
		for _, skip := range [2]int{lead, 0} {
			if i+skip < len(s) {
				if end, ok := t.word(s, i+skip, first); ok {
					if contractions && end < len(s) && s[end] == '\'' {
						end1 := end + 1
						if k := contraction(s[end1:], true); k > 0 {
							end = end1 + k
						}
					}
					return end
				}
			}
			if lead == 0 {
				break
			}
		}
	}
	if c == number {
		i += n
		for range digits - 1 {
			if i == len(s) {
				break
			}
			c, n := at(s, i)
			if c != number {
				break
			}
			i += n
		}
		return i
	}
	next, m := other, 0
	if i+n < len(s) {
		next, m = at(s, i+n)
	}
	if c == other || s[i] == ' ' && m > 0 && next == other {
		end := run(s, i+n, other)
		for end < len(s) && (s[end] == '\r' || s[end] == '\n' || s[end] == '/') {
			end++
		}
		return end
	}
	return blanks(s, i)
}

// blanks is `\s*[\r\n]+|\s+(?!\S)|\s+`.
func blanks(s string, i int) int {
	for end := run(s, i, space); end > i; end-- {
		if s[end-1] == '\r' || s[end-1] == '\n' {
			return end
		}
	}
	return spaces(s, i)
}

// scanTail takes white space that ends the text as one piece (`\s++$` before the line
// breaks), and leaves the rest to another scanner.
func scanTail(s string, i int, scan func(s string, i int) int) int {
	if c, _ := at(s, i); c == space && run(s, i, space) == len(s) {
		return len(s)
	}
	return scan(s, i)
}
