package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalizer changes a passage before it is split.
type normalizer func(p *passage)

// compileNormalizations prepares the steps, or says which cannot be used.
func compileNormalizations(steps []Normalization, d *Definition) ([]normalizer, error) {
	var out []normalizer
	for i := range steps {
		n, err := steps[i].compile(d)
		if err != nil {
			return nil, fmt.Errorf("normalizer: step %d: %w", i+1, err)
		}
		out = append(out, n)
	}
	return out, nil
}

func (s *Normalization) compile(d *Definition) (normalizer, error) {
	switch s.Kind {
	case NFC:
		return func(p *passage) { p.normalForm(norm.NFC) }, nil
	case NFD:
		return func(p *passage) { p.normalForm(norm.NFD) }, nil
	case NFKC:
		return func(p *passage) { p.normalForm(norm.NFKC) }, nil
	case NFKD:
		return func(p *passage) { p.normalForm(norm.NFKD) }, nil
	case Lowercase:
		return lowercase, nil
	case StripAccents:
		return func(p *passage) { p.filter(func(r rune) bool { return !isMark(r) }) }, nil
	case StripSpaces:
		return func(p *passage) { p.strip(s.Left, s.Right) }, nil
	case Prepend:
		return func(p *passage) { p.prepend(s.Content) }, nil
	case Nmt:
		return nmt, nil
	case ByteLevelText:
		return byteLevelText, nil
	case Bert:
		return s.bert, nil
	case Replace:
		find := byText(s.Pattern)
		if !s.Literal {
			re, err := compilePattern(s.Pattern)
			if err != nil {
				return nil, err
			}
			find = byRegexp(re)
		}
		return func(p *passage) {
			if s.Literal && !p.track {
				if s.Pattern != "" {
					p.s = strings.ReplaceAll(p.s, s.Pattern, s.Content)
				}
				return
			}
			if p.s != "" {
				p.replace(find(nil, p.s), s.Content)
			}
		}, nil
	case Precompiled:
		m, err := newCharacterMap(s.Map)
		if err != nil {
			return nil, err
		}
		return m.precompiled, nil
	case SentencePieceText, LlamaUnigramText:
		n, err := newSentenceNormalizer(s, d)
		if err != nil {
			return nil, err
		}
		if s.Kind == LlamaUnigramText {
			return n.llama, nil
		}
		return n.normalize, nil
	case LlamaSpaces:
		return s.llamaSpaces, nil
	case LlamaBert:
		return s.llamaBert, nil
	}
	return nil, fmt.Errorf("%q is not implemented", s.Kind)
}

// normalForm writes a passage in a Unicode normal form.
func (p *passage) normalForm(form norm.Form) {
	if form.IsNormalString(p.s) {
		return
	}
	if !p.track {
		p.s = form.String(p.s)
		return
	}
	compose := form == norm.NFC || form == norm.NFKC
	apart := norm.NFD
	if form == norm.NFKC || form == norm.NFKD {
		apart = norm.NFKD
	}
	changes := make([]change, 0, len(p.s))
	for at := 0; at < len(p.s); {
		next := at + max(1, form.NextBoundaryInString(p.s[at:], true))
		if part := p.s[at:next]; form.IsNormalString(part) {
			for _, r := range part {
				changes = append(changes, change{r: r})
			}
		} else {
			changes = append(changes, normalPart(part, apart, compose)...)
		}
		at = next
	}
	p.transform(changes, 0)
}

// normalPart takes characters apart, puts their marks in order and composes what
// composes, keeping which old characters each stands for.
func normalPart(part string, apart norm.Form, compose bool) []change {
	var out []change
	class := func(c change) uint8 { return apart.PropertiesString(string(c.r)).CCC() }
	for _, r := range part {
		for i, q := range apart.String(string(r)) {
			out = append(out, change{r: q, by: min(i, 1)})
			for k := len(out) - 1; k > 0 && class(out[k]) > 0 && class(out[k-1]) > class(out[k]); k-- {
				out[k-1], out[k] = out[k], out[k-1]
			}
		}
	}
	if !compose {
		return out
	}
	kept := out[:0]
	starter, last := -1, uint8(0)
	for _, c := range out {
		k := class(c)
		if starter >= 0 && (k > last || len(kept)-1 == starter) {
			both := norm.NFC.String(string(kept[starter].r) + string(c.r))
			if r, n := utf8.DecodeRuneInString(both); n == len(both) {
				kept[starter].r, kept[starter].wide = r, true
				if c.by <= 0 { // an old character less
					kept[starter].by += c.by - 1
				}
				continue
			}
		}
		if k == 0 {
			starter = len(kept)
		}
		last = k
		kept = append(kept, c)
	}
	for i := range kept {
		if kept[i].by == 0 {
			kept[i].wide = false
		}
	}
	return kept
}

// filter keeps the characters that keep tells.
func (p *passage) filter(keep func(r rune) bool) {
	if strings.IndexFunc(p.s, func(r rune) bool { return !keep(r) }) < 0 {
		return
	}
	changes := make([]change, 0, len(p.s))
	removed := 0
	for _, r := range p.s {
		switch {
		case keep(r):
			changes = append(changes, change{r: r, by: 0})
		case len(changes) == 0:
			removed++
		default:
			changes[len(changes)-1].by--
		}
	}
	p.transform(changes, removed)
}

// each puts f(r) in place of every character.
func (p *passage) each(f func(r rune) rune) {
	same := true
	for _, r := range p.s {
		if f(r) != r {
			same = false
			break
		}
	}
	if same {
		return
	}
	changes := make([]change, 0, len(p.s))
	for _, r := range p.s {
		changes = append(changes, change{r: f(r), by: 0})
	}
	p.transform(changes, 0)
}

// strip takes white space away at the ends.
func (p *passage) strip(left, right bool) {
	start, end := 0, len(p.s)
	if left {
		start = end - len(strings.TrimLeftFunc(p.s, unicode.IsSpace))
	}
	if right {
		end = max(start, len(strings.TrimRightFunc(p.s, unicode.IsSpace)))
	}
	if start == 0 && end == len(p.s) {
		return
	}
	if p.from == nil && !p.track { // slice knows where it begins
		base := p.base
		*p = p.slice(start, end)
		p.base = base
		return
	}
	p.spans()
	p.s, p.from = p.s[start:end], p.from[start:end]
}

func lowercase(p *passage) {
	i := 0
	for i < len(p.s) && p.s[i] < utf8.RuneSelf && (p.s[i] < 'A' || p.s[i] > 'Z') {
		i++
	}
	if i == len(p.s) {
		return
	}
	changes := make([]change, 0, len(p.s))
	for _, r := range p.s {
		if r == 'İ' {
			changes = append(changes, change{r: 'i', by: 0}, change{r: 0x307, by: 1})
			continue
		}
		changes = append(changes, change{r: unicode.ToLower(r), by: 0})
	}
	p.transform(changes, 0)
}

// nmt removes control characters and makes blanks of other white space.
// Source: sentencepiece, builder.cc; the list of huggingface/tokenizers.
func nmt(p *passage) {
	p.filter(func(r rune) bool {
		return !(r >= 1 && r <= 8 || r == 0x0b || r >= 0x0e && r <= 0x1f || r == 0x7f || r == 0x8f || r == 0x9f)
	})
	p.each(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200b && r <= 0x200f,
			r == 0x2028, r == 0x2029, r == 0x2581, r == 0xfeff, r == 0xfffd:
			return ' '
		}
		return r
	})
}

// bert is BERT's normaliser.
func (s *Normalization) bert(p *passage) {
	if s.CleanText {
		p.filter(func(r rune) bool { return r != 0 && r != utf8.RuneError && !isControl(r) })
		p.each(func(r rune) rune {
			if unicode.IsSpace(r) {
				return ' '
			}
			return r
		})
	}
	if s.ChineseCharacters && strings.IndexFunc(p.s, isChinese) >= 0 {
		changes := make([]change, 0, 2*len(p.s))
		for _, r := range p.s {
			if isChinese(r) {
				changes = append(changes, change{r: ' ', by: 0}, change{r: r, by: 1}, change{r: ' ', by: 1})
			} else {
				changes = append(changes, change{r: r, by: 0})
			}
		}
		p.transform(changes, 0)
	}
	if s.StripAccents {
		p.normalForm(norm.NFD)
		p.filter(func(r rune) bool { return !isNonspacing(r) })
	}
	if s.Lowercase {
		lowercase(p)
	}
}

// isControl: categories Cc, Cf, Co, Cs and those not assigned, but not tab and line breaks.
func isControl(r rune) bool {
	if r < utf8.RuneSelf {
		return (r < ' ' || r == 0x7f) && r != '\t' && r != '\n' && r != '\r'
	}
	return older("control", r, unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co))
}

func isChinese(r rune) bool {
	return r >= 0x4e00 && r <= 0x9fff || r >= 0x3400 && r <= 0x4dbf || r >= 0x20000 && r <= 0x2a6df ||
		r >= 0x2a700 && r <= 0x2b73f || r >= 0x2b740 && r <= 0x2b81f || r >= 0x2b920 && r <= 0x2ceaf ||
		r >= 0xf900 && r <= 0xfaff || r >= 0x2f800 && r <= 0x2fa1f
}
