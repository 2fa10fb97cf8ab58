package index

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Terms cuts text into what is searched for: words in lower case, the parts of
// words written in camel case too, and pairs of neighbouring Chinese (Japanese,
// Korean) characters. A single such character is a term where it stands alone.
func Terms(text string) []string {
	var terms []string
	eachTerm(text, false, func(term string) { terms = append(terms, term) })
	return terms
}

// eachTerm calls f with each term. With single, every Chinese character of its
// own is a term too: for titles and queries, so that one character finds titles.
func eachTerm(text string, single bool, f func(string)) {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case ideographic(r):
			start, previous, runes := i, i, 0
			for i < len(text) {
				r, size := utf8.DecodeRuneInString(text[i:])
				if !ideographic(r) {
					break
				}
				if runes > 0 {
					f(text[previous : i+size])
				}
				if single {
					f(text[i : i+size])
				}
				previous = i
				i += size
				runes++
			}
			if runes == 1 && !single {
				f(text[start:i])
			}
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			start := i
			for i < len(text) {
				r, size := utf8.DecodeRuneInString(text[i:])
				if ideographic(r) || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
					break
				}
				i += size
			}
			word(text[start:i], f)
		default:
			i += size
		}
	}
}

func word(w string, f func(string)) {
	f(strings.ToLower(w))
	start, lower := 0, false
	for i, r := range w { // ReadAll gives readall, read and all
		upper := unicode.IsUpper(r)
		if upper && lower {
			f(strings.ToLower(w[start:i]))
			start = i
		}
		lower = unicode.IsLower(r) || unicode.IsDigit(r)
	}
	if start > 0 {
		f(strings.ToLower(w[start:]))
	}
}

func ideographic(r rune) bool {
	return r >= 0x4e00 && r <= 0x9fff || r >= 0x3041 && r <= 0x30ff || r >= 0xac00 && r <= 0xd7af || r > 0x2e80 && unicode.Is(unicode.Han, r)
}
