package charmap

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// rules are texts and what each becomes. The longest that fits at a place is applied
// there.
type rules map[string]string

// newRules makes the rules of a normaliser. Source: sentencepiece, builder.cc.
func newRules(name string) rules {
	r := compositions()
	if strings.HasPrefix(name, "nmt_") {
		r.translation()
	}
	r.shrink()
	if strings.HasSuffix(name, "_cf") {
		r.foldCase()
		r.shrink()
	}
	return r
}

// compositions are the rules of NFKC: every character that it changes, and every
// sequence of characters whose decomposition is that of one character.
func compositions() rules {
	r := rules{}
	simple := map[rune][]rune{}        // by decomposition of one character: what has it
	sequences := map[string]struct{}{} // decompositions of several
	for c := rune(1); c <= unicode.MaxRune; c++ {
		if c >= 0xd800 && c < 0xe000 || c >= 0xfdd0 && c <= 0xfdef || c&0xfffe == 0xfffe {
			continue // no characters
		}
		text := string(c)
		composed, decomposed := text, text
		if !norm.NFKC.IsNormalString(text) {
			composed = norm.NFKC.String(text)
		}
		if !norm.NFKD.IsNormalString(text) {
			decomposed = norm.NFKD.String(text)
		}
		if composed != text {
			r[text] = composed
		}
		if d := []rune(decomposed); len(d) == 1 {
			simple[d[0]] = append(simple[d[0]], c)
		} else {
			sequences[decomposed] = struct{}{}
		}
	}
	for decomposed := range sequences {
		composed := norm.NFKC.String(decomposed)
		if composed == decomposed {
			continue
		}
		all := []string{""}
		for _, c := range decomposed {
			var longer []string
			for _, start := range all {
				for _, x := range simple[c] {
					longer = append(longer, start+string(x))
				}
			}
			all = longer
		}
		for _, text := range all {
			if text != composed {
				r[text] = composed
			}
		}
	}
	return r
}

// translation adds what SentencePiece does for machine translation: other spaces and
// marks become spaces, control characters go, the full-width tilde stays.
func (r rules) translation() {
	for _, c := range "\t\n\f\r\u061c\u1680\u200b\u200c\u200e\u200f\u2028\u2029\u2581\ufeff\ufffd" {
		r[string(c)] = " "
	}
	for c := rune(1); c < ' '; c++ {
		if _, space := r[string(c)]; !space {
			r[string(c)] = ""
		}
	}
	for _, c := range "\u007f\u008f\u009f" {
		r[string(c)] = ""
	}
	delete(r, "～")
}

// foldCase folds the case of what comes out, and of characters that have no rule.
func (r rules) foldCase() {
	for text, becomes := range r {
		r[text] = strings.Map(fold, becomes)
	}
	for c := rune(1); c <= unicode.MaxRune; c++ {
		if folded := fold(c); folded != c {
			if _, has := r[string(c)]; !has {
				r[string(c)] = string(folded)
			}
		}
	}
}

// fold is simple case folding: of the characters that differ in case only, the one
// that Unicode's CaseFolding.txt names.
func fold(c rune) rune {
	if c < 128 {
		return unicode.ToLower(c)
	}
	if c >= 0x13a0 && c <= 0x13f5 {
		return c // Cherokee folds to capitals
	}
	if c >= 0xab70 && c <= 0xabbf {
		return c - 0xab70 + 0x13a0
	}
	if c >= 0x13f8 && c <= 0x13fd {
		return c - 8
	}
	if c == 'İ' || c == 'ı' {
		return c // folded in Turkish only
	}
	return unicode.ToLower(unicode.ToUpper(c))
}

// shrink removes rules that give nothing which the others do not give.
func (r rules) shrink() {
	longest := 0
	byLength := map[int][]string{}
	for text := range r {
		n := len([]rune(text))
		byLength[n] = append(byLength[n], text)
		longest = max(longest, n)
	}
	for n := 2; n <= longest; n++ {
		for _, text := range byLength[n] {
			becomes := r[text]
			delete(r, text)
			if r.apply(text, n-1) != becomes {
				r[text] = becomes
			}
		}
	}
}

// apply rules a text with rules of at most longest characters.
func (r rules) apply(text string, longest int) string {
	var out strings.Builder
	chars := []rune(text)
	for i := 0; i < len(chars); {
		n := min(longest, len(chars)-i)
		for ; n > 0; n-- {
			if becomes, ok := r[string(chars[i:i+n])]; ok {
				out.WriteString(becomes)
				i += n
				break
			}
		}
		if n == 0 {
			out.WriteRune(chars[i])
			i++
		}
	}
	return out.String()
}
