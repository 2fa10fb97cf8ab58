package rule

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is a text as the rules look at it: cut once into words, lines and
// paragraphs, which every rule then shares.
type Text struct {
	Text       string
	Runes      int
	Words      []Word
	Lines      []string // between runs of \n; a line of blanks is one, so are the ends of a text that begins or ends with \n
	Paragraphs []string // between blank lines
}

// Word is a run of letters, marks and digits, a single Han character, or any
// other single character that is not blank.
type Word struct {
	Start, End int // bytes
	Runes      int
	Hash       uint64 // FNV-1a of the bytes
	Letter     bool   // has a letter
	Symbol     bool   // is punctuation only
}

// Look cuts a text for the rules.
func Look(text string) *Text {
	t := &Text{Text: text, Runes: utf8.RuneCountInString(text), Words: Words(text)}
	for rest := text; ; {
		line, after, more := strings.Cut(rest, "\n")
		t.Lines = append(t.Lines, line)
		if !more {
			break
		}
		rest = strings.TrimLeft(after, "\n")
	}
	t.Paragraphs = paragraphs(strings.TrimSpace(text))
	return t
}

func paragraphs(text string) []string {
	var out []string
	for {
		i := strings.Index(text, "\n\n")
		if i < 0 {
			return append(out, text)
		}
		out = append(out, text[:i])
		text = strings.TrimLeft(text[i:], "\n")
	}
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// Words cuts a text into words. Han is counted by character: Chinese has no
// blanks, and counting what stands between blanks would reject all of it.
// The same as \p{Han}|[\p{L}\p{M}\p{N}--\p{Han}]+(?:['’][\p{L}\p{M}\p{N}--\p{Han}]+)*|\S
func Words(text string) []Word {
	words := make([]Word, 0, len(text)/5+1)
	for i := 0; i < len(text); {
		r, size := decode(text[i:])
		switch class(r) {
		case blank:
			i += size
			continue
		case han:
			words = append(words, Word{Start: i, End: i + size, Runes: 1, Letter: unicode.IsLetter(r)})
			i += size
		case letter, digit:
			start, runes, hasLetter := i, 0, false
			for i < len(text) {
				r, size := decode(text[i:])
				c := class(r)
				if c == letter || c == digit {
					runes++
					hasLetter = hasLetter || unicode.IsLetter(r)
					i += size
					continue
				}
				if r == '\'' || r == '’' { // don't, l’eau: one word
					next, _ := decode(text[i+size:])
					if c := class(next); c == letter || c == digit {
						runes++
						i += size
						continue
					}
				}
				break
			}
			words = append(words, Word{Start: start, End: i, Runes: runes, Letter: hasLetter})
		default:
			words = append(words, Word{Start: i, End: i + size, Runes: 1, Symbol: punctuation(r)})
			i += size
		}
		w := &words[len(words)-1]
		h := uint64(fnvOffset)
		for _, b := range []byte(text[w.Start:w.End]) {
			h = (h ^ uint64(b)) * fnvPrime
		}
		w.Hash = h
	}
	return words
}

func decode(s string) (rune, int) {
	if s == "" {
		return ' ', 0
	}
	if s[0] < utf8.RuneSelf {
		return rune(s[0]), 1
	}
	return utf8.DecodeRuneInString(s)
}

type charClass uint8

const (
	other charClass = iota
	blank
	han
	letter
	digit
)

func class(r rune) charClass {
	if r < utf8.RuneSelf {
		switch {
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			return letter
		case r >= '0' && r <= '9':
			return digit
		case r == ' ' || r >= 9 && r <= 13 || r >= 0x1c && r <= 0x1f:
			return blank
		}
		return other
	}
	switch {
	case r >= 0x4e00 && r <= 0x9fff || unicode.Is(unicode.Han, r):
		return han
	case unicode.IsLetter(r) || unicode.IsMark(r):
		return letter
	case unicode.IsNumber(r):
		return digit
	case unicode.IsSpace(r):
		return blank
	}
	return other
}

// punctuation as the Gopher rules of datatrove list it: it does not make a word.
func punctuation(r rune) bool {
	if r < 32 || r >= 127 && r < 160 {
		return r != '\n'
	}
	return strings.ContainsRune("।॥؟۔։$!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：＄～«〉,><》)?）。…@_.\"}►»", r)
}
