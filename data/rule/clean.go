package rule

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Clean makes text uniform without changing what it says: NFC, \n line ends,
// no control, zero-width or byte-order characters, no blanks at line ends, at
// most two empty lines in a row become one, invalid UTF-8 becomes U+FFFD.
// Cleaning cleaned text changes nothing.
func Clean(text string) string {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029' || r == '\f' || r == '\v':
			return '\n'
		case r == '\u200b' || r == '\ufeff' || r == '\u2060' || r == '\u00ad' || unicode.IsControl(r):
			return -1
		case r == '\u00a0':
			return ' '
		}
		return r
	}, strings.ReplaceAll(text, "\r\n", "\n"))
	if !norm.NFC.IsNormalString(text) {
		text = norm.NFC.String(text)
	}
	var b strings.Builder
	b.Grow(len(text))
	empty := 0
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, " \t\u3000")
		if line == "" {
			empty++
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\n\n"[:min(empty, 1)+1])
		}
		b.WriteString(line)
		empty = 0
	}
	return b.String()
}
