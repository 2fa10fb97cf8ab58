package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

var simpleEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b",
	'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// unescape decodes Python's backslash escapes; an unknown one stays as it is.
// A pair of surrogates becomes its character, a lone one U+FFFD, since Go text
// is UTF-8.
func unescape(s string) (string, *Error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	high := rune(0) // a high surrogate waiting for its partner
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			high = 0
			out = append(out, s[i])
			i++
			continue
		}
		c := s[i+1] // quoted() made sure that there is one
		if text, ok := simpleEscapes[c]; ok {
			out = append(out, text...)
			i += 2
			high = 0
			continue
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		switch {
		case digits > 0:
			if i+2+digits > len(s) {
				return "", fail(SyntaxError, "truncated \\%c escape in a text", c)
			}
			code, err := strconv.ParseUint(s[i+2:i+2+digits], 16, 32)
			if err != nil || code > utf8.MaxRune {
				return "", fail(SyntaxError, "bad \\%c escape in a text: %q", c, s[i:i+2+digits])
			}
			i += 2 + digits
			r := rune(code)
			if high != 0 && r >= 0xDC00 && r < 0xE000 {
				out = out[:len(out)-len("\uFFFD")]
				out = utf8.AppendRune(out, (high-0xD800)<<10+(r-0xDC00)+0x10000)
				high = 0
				continue
			}
			high = 0
			if r >= 0xD800 && r < 0xDC00 {
				high = r
			}
			out = utf8.AppendRune(out, r) // surrogates become U+FFFD
		case c >= '0' && c <= '7':
			n := 1
			for n < 3 && i+1+n < len(s) && s[i+1+n] >= '0' && s[i+1+n] <= '7' {
				n++
			}
			code, _ := strconv.ParseUint(s[i+1:i+1+n], 8, 32)
			out = utf8.AppendRune(out, rune(code))
			i += 1 + n
			high = 0
		default:
			out = append(out, '\\')
			i++
			high = 0
		}
	}
	return string(out), nil
}
