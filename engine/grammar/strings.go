package grammar

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

//go:embed formats.json
var formatData []byte

// formats maps the names of "format" to patterns of strings that have it; an empty one asks for nothing.
var formats = func() map[string]string {
	var table map[string]string
	if err := json.Unmarshal(formatData, &table); err != nil {
		panic(fmt.Sprintf("formats.json: %v", err)) // a test compiles them all
	}
	return table
}()

// maxGenerated bounds the characters of generated strings, and the items of arrays, that have a larger limit.
const maxGenerated = 1 << 14

// stringValue reads strings in quotation marks.
func (c *compiler) stringValue(d *demand, from int32) (int32, error) {
	if len(d.text.patterns)+len(d.text.excluded) == 0 && d.text.share == nil {
		if d.text.low > maxStates/2 {
			return 0, c.doc.fail(d.origin[0].v, "minLength", "%d is too large; at most %d can be kept while generating", d.text.low, maxStates/2)
		}
		high := d.text.high
		if high > maxGenerated {
			high = max(maxGenerated, d.text.low)
		}
		return c.b.text(from, d.text.low, high), nil
	}
	from = c.b.literal(from, `"`)
	if len(d.text.patterns) > 0 && d.text.share == nil {
		s, err := c.patternValue(d, from)
		if err != nil {
			return 0, err
		}
		return c.b.literal(s, `"`), nil
	}
	l, keyword, err := c.stringLanguage(d)
	if err != nil {
		return 0, err
	}
	s, err := c.readLanguage(d, l, true, from, keyword)
	if err != nil {
		return 0, err
	}
	return c.b.literal(s, `"`), nil
}

// patternValue reads the contents of strings with patterns. Their lengths are counted beside the table of the pattern.
func (c *compiler) patternValue(d *demand, from int32) (int32, error) {
	bare := *d
	bare.text.low, bare.text.high = 0, -1
	l, keyword, err := c.stringLanguage(&bare)
	if err != nil {
		return 0, err
	}
	if d.text.low == 0 && d.text.high < 0 {
		return c.readLanguage(d, l, true, from, keyword)
	}
	name := fmt.Sprint("language ", l.id, " of ", d.text.low, " to ", d.text.high)
	if rule, ok := c.b.shared[name]; ok {
		return c.b.invoke(from, rule), nil
	}
	t, err := c.b.algebra.automaton(l)
	if err != nil {
		return 0, c.doc.fail(d.origin[0].v, keyword, "%v", err)
	}
	if d.text.low > maxAutomaton {
		return 0, c.doc.fail(d.origin[0].v, "minLength", "beside a pattern at most %d can be kept", maxAutomaton)
	}
	t = t.ofLength(d.text.low, d.text.high)
	return c.b.invoke(from, c.b.named(name, func(from int32) int32 { return c.b.regular(from, t, true) })), nil
}

// stringLanguage is the contents of the strings of a demand; keyword is what an error about it names.
func (c *compiler) stringLanguage(d *demand) (l *language, keyword string, err error) {
	a := c.b.algebra
	keyword = "not"
	parts := []*language{a.anyText}
	if d.text.low > 0 || d.text.high >= 0 {
		keyword = "maxLength"
		if max(d.text.low, d.text.high) > maxAutomaton {
			return nil, "", c.doc.fail(d.origin[0].v, keyword, "beside a pattern at most %d can be kept", maxAutomaton)
		}
		parts = append(parts, a.repeat(a.any, d.text.low, d.text.high))
	}
	for _, p := range d.text.patterns {
		l, err := a.pattern(p, map[bool]reading{false: narrow, true: wide}[p.not])
		if err != nil {
			return nil, "", c.doc.fail(p.v, p.keyword, "%v", err)
		}
		keyword = p.keyword
		parts = append(parts, l)
	}
	if len(d.text.excluded) > 0 {
		parts = append(parts, a.not(a.list(d.text.excluded)))
	}
	if s := d.text.share; s != nil {
		l, err := a.shared(a.intersect(parts...), *s)
		if err != nil {
			return nil, "", c.doc.fail(d.origin[0].v, "uniqueItems", "%v", err)
		}
		return l, keyword, nil
	}
	return a.intersect(parts...), keyword, nil
}

// pattern is the texts that a pattern or format allows or, negated, does not.
func (a *algebra) pattern(p patternDemand, meaning reading) (*language, error) {
	text := p.text
	if p.keyword == "format" {
		known, ok := formats[text]
		if !ok {
			names := make([]string, 0, len(formats))
			for name := range formats {
				names = append(names, name)
			}
			slices.Sort(names)
			return nil, fmt.Errorf("%q is not supported; remove it, or use one of %s", text, strings.Join(names, ", "))
		}
		text = known
	}
	e, err := parsePattern(text, meaning)
	if err != nil {
		return nil, err
	}
	var l *language
	err = a.bounded(func() (err error) {
		if l, err = a.matching(e, false, meaning); err == nil && p.not {
			l = a.not(l)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return l, nil
}

// Regexp is the language of the texts that the whole of a regular expression matches. Its syntax is ECMA-262's, with
// RE2's (?i), (?s), (?P<name>…), \A and \z beside it.
func Regexp(text string) (*Grammar, error) {
	return build("regular expression", func(b *builder) (int32, error) {
		p := &patternParser{text: text, inline: true, meaning: exact}
		e, err := p.whole()
		if err != nil {
			return 0, fmt.Errorf("regular expression: %w", err)
		}
		l, err := b.algebra.matching(e, true, exact)
		if err != nil {
			return 0, fmt.Errorf("regular expression: %w", err)
		}
		t, err := b.algebra.automaton(l)
		if err != nil {
			return 0, fmt.Errorf("regular expression: %w", err)
		}
		return b.rule(func(from int32) int32 { return b.regular(from, t, false) }), nil
	})
}

// codePoint is the rule of any one code point.
func (b *builder) codePoint(quoted bool) int32 {
	if quoted {
		return b.character()
	}
	return b.named("code point", func(from int32) int32 {
		to := b.state()
		b.runes(from, 0, utf8.MaxRune, to)
		return to
	})
}

// spelled adds a range of code points; quoted ones with the fewest escapes.
func (b *builder) spelled(from int32, low, high rune, quoted bool, to int32) {
	if !quoted {
		b.runes(from, low, high, to)
		return
	}
	for r := low; r <= min(high, 0x1F); r++ {
		b.join(b.literal(from, escape(r)), to)
	}
	for _, r := range []rune{'"', '\\'} {
		if low <= r && r <= high {
			b.join(b.literal(from, escape(r)), to)
		}
	}
	for _, piece := range [][2]rune{{0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, utf8.MaxRune}} {
		b.runes(from, max(low, piece[0]), min(high, piece[1]), to)
	}
}
