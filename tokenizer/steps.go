package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// compile prepares one step.
func (s *Step) compile(bytes bool) (stage, error) {
	g := stage{behavior: s.Behavior, prefixSpace: s.PrefixSpace}
	switch s.Kind {
	case Split:
		return g, s.pattern(&g)
	case ByteLevelStep:
		if s.Pattern == "" {
			return g, nil
		}
		return g, s.pattern(&g)
	case Digits:
		g.scan = scanNumbers
		if s.Individual {
			g.scan = scanDigits
		}
	case Metaspace:
		g.change = s.metaspace()
		if !s.Whole {
			g.find, g.behavior = byText(s.Literal), MergedWithNext
		}
	case Whitespace:
		g.find, g.behavior = inverted(byWords), Removed
	case WhitespaceSplit:
		g.find, g.behavior = byRune(unicode.IsSpace), Removed
	case BertStep:
		g.find, g.behavior = bertWords, Removed
	case Punctuation:
		g.find = byRune(isPunctuation)
	case Delimiter:
		g.find, g.behavior = byText(s.Literal), Removed
	case UnicodeScripts:
		g.find = scriptMatches
	case FixedLength:
		if s.Length <= 0 {
			return g, fmt.Errorf("FixedLength of %d characters; expected at least 1", s.Length)
		}
		g.ends = func(dst []int, s1 string) []int { return everyN(dst, s1, s.Length) }
	default:
		return g, fmt.Errorf("%q is not implemented", s.Kind)
	}
	return g, nil
}

// pattern compiles Pattern or Literal.
func (s *Step) pattern(g *stage) error {
	if s.Literal != "" {
		g.find = byText(s.Literal)
	} else if scan := scanners[s.Pattern]; scan != nil && (s.Behavior == "" || s.Behavior == Isolated || covers[s.Pattern] && s.Behavior == Removed && s.Invert) {
		// To remove what does not match is the same as to isolate what does when the
		// pattern matches everything.
		g.scan = scan
		return nil
	} else {
		re, err := compilePattern(s.Pattern)
		if err != nil {
			return err
		}
		g.find = byRegexp(re)
	}
	if s.Invert {
		g.find = inverted(g.find)
	}
	return nil
}

// compilePattern compiles an expression as tokenizers write them (Oniguruma's
// syntax) for regexp2: possessive quantifiers become atomic groups.
func compilePattern(pattern string) (*regexp2.Regexp, error) {
	re, err := regexp2.Compile(possessive(pattern), regexp2.Unicode)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	return re, nil
}

// possessive writes X++, X*+ and X?+ as (?>X+), (?>X*) and (?>X?), and X{n}+, which for
// Oniguruma is not possessive, as (?:X{n})+.
func possessive(pattern string) string {
	if !strings.Contains(pattern, "++") && !strings.Contains(pattern, "*+") && !strings.Contains(pattern, "?+") && !strings.Contains(pattern, "}+") && !strings.Contains(pattern, `\h`) {
		return pattern
	}
	var out strings.Builder
	var open []int // where groups begin in out
	atom := 0      // where the last atom begins in out
	for i := 0; i < len(pattern); {
		switch c := pattern[i]; c {
		case '\\':
			atom = out.Len()
			n := min(2, len(pattern)-i)
			if n == 2 && (pattern[i+1] == 'p' || pattern[i+1] == 'P' || pattern[i+1] == 'x') && i+2 < len(pattern) && pattern[i+2] == '{' {
				if end := strings.IndexByte(pattern[i:], '}'); end > 0 {
					n = end + 1
				}
			}
			if n == 2 && pattern[i+1] == 'h' { // Oniguruma: a hexadecimal digit
				out.WriteString("[0-9A-Fa-f]")
			} else {
				out.WriteString(pattern[i : i+n])
			}
			i += n
		case '[':
			atom = out.Len()
			end := classEnd(pattern, i)
			out.WriteString(pattern[i:end])
			i = end
		case '(':
			open = append(open, out.Len())
			out.WriteByte(c)
			i++
		case ')':
			if len(open) > 0 {
				atom = open[len(open)-1]
				open = open[:len(open)-1]
			}
			out.WriteByte(c)
			i++
		case '+', '*', '?':
			if i+1 < len(pattern) && pattern[i+1] == '+' && out.Len() > atom && (i == 0 || pattern[i-1] != '(') {
				text := out.String()
				out.Reset()
				out.WriteString(text[:atom] + "(?>" + text[atom:] + string(c) + ")")
				i += 2
				continue
			}
			out.WriteByte(c)
			i++
		case '{':
			end := strings.IndexByte(pattern[i:], '}')
			if end < 0 {
				end = 0
			}
			out.WriteString(pattern[i : i+end+1])
			i += end + 1
			if end > 1 && i < len(pattern) && pattern[i] == '+' && pattern[i-end] >= '0' && pattern[i-end] <= '9' {
				text := out.String()
				out.Reset()
				out.WriteString(text[:atom] + "(?:" + text[atom:] + ")+")
				i++
			}
		default:
			atom = out.Len()
			_, n := utf8.DecodeRuneInString(pattern[i:])
			out.WriteString(pattern[i : i+n])
			i += n
		}
	}
	return out.String()
}

// classEnd is the end of the character class at pattern[i:].
func classEnd(pattern string, i int) int {
	for j := i + 1; j < len(pattern); j++ {
		switch pattern[j] {
		case '\\':
			j++
		case ']':
			if j > i+1 {
				return j + 1
			}
		}
	}
	return len(pattern)
}

// metaspace writes blanks as the replacement and puts one before the pieces that the
// scheme names.
func (s *Step) metaspace() func(*passage) {
	return func(p *passage) {
		if strings.IndexByte(p.s, ' ') >= 0 {
			if p.track {
				p.replace(byText(" ")(nil, p.s), s.Literal)
			} else {
				p.s = strings.ReplaceAll(p.s, " ", s.Literal)
			}
		}
		first, _ := p.place(0, 0)
		if (s.Prepend == "always" || s.Prepend == "first" && first == 0) && !strings.HasPrefix(p.s, s.Literal) {
			p.prepend(s.Literal)
		}
	}
}

// byWords finds \w+|[^\w\s]+.
func byWords(dst []match, s string) []match {
	kind := func(r rune) int {
		switch {
		case isWordRune(r):
			return 0
		case unicode.IsSpace(r):
			return 1
		}
		return 2
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		k, j := kind(r), i+n
		for j < len(s) {
			r, n := utf8.DecodeRuneInString(s[j:])
			if kind(r) != k {
				break
			}
			j += n
		}
		dst = append(dst, match{i, j, k != 1})
		i = j
	}
	return dst
}

// bertWords finds white space, and makes pieces of single punctuation marks.
func bertWords(dst []match, s string) []match {
	last := 0
	for i, r := range s {
		space := unicode.IsSpace(r)
		if !space && !isPunctuation(r) {
			continue
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if i > last {
			dst = append(dst, match{last, i, false})
		}
		dst = append(dst, match{i, i + n, space})
		last = i + n
	}
	if last < len(s) {
		dst = append(dst, match{last, len(s), false})
	}
	return dst
}

// isPunctuation is what BERT isolates: ASCII signs and Unicode punctuation.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return r > ' ' && r < 0x7f && !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
	}
	return older("punctuation", r, unicode.IsPunct(r))
}

func everyN(dst []int, s string, n int) []int {
	count := 0
	for i := range s {
		if i > 0 && count%n == 0 {
			dst = append(dst, i)
		}
		count++
	}
	return append(dst, len(s))
}

// byteLevelText writes a passage in the byte-level alphabet.
func byteLevelText(p *passage) {
	out := make([]byte, 0, 2*len(p.s))
	var from, old []span
	if p.track {
		old = p.spans()
	}
	for i := range len(p.s) {
		n := len(out)
		out = utf8.AppendRune(out, byteRune[p.s[i]])
		if p.track {
			for range len(out) - n {
				from = append(from, old[i])
			}
		}
	}
	p.s = string(out)
	if p.track {
		p.from = from
	}
}
