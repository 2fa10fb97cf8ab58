package grammar

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// quote is a JSON string with the fewest escapes: quotation mark, backslash and control characters only.
func quote(text string) string {
	out := []byte{'"'}
	for _, r := range text {
		out = append(out, escape(r)...)
	}
	return string(append(out, '"'))
}

// escape is how a code point stands in a JSON string.
func escape(r rune) string {
	switch r {
	case '"':
		return `\"`
	case '\\':
		return `\\`
	case '\b':
		return `\b`
	case '\f':
		return `\f`
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	if r < 0x20 {
		return fmt.Sprintf(`\u%04x`, r)
	}
	return string(r)
}

// character is the rule of one code point in a JSON string, in any spelling that JSON allows. Surrogates come in pairs.
func (b *builder) character() int32 {
	return b.named("character", func(from int32) int32 {
		to := b.state()
		b.plain(from, to)
		escaped := b.literal(from, `\`)
		for _, c := range []byte(`"\/bfnrt`) {
			b.edge(escaped, c, c, to)
		}
		code := b.literal(escaped, "u")
		hex := func(from int32, ranges string, n int) int32 { // ranges: pairs of first and last byte, then n free digits
			next := b.state()
			for i := 0; i < len(ranges); i += 2 {
				b.edge(from, ranges[i], ranges[i+1], next)
			}
			for range n {
				from, next = next, b.state()
				for _, r := range []string{"09", "af", "AF"} {
					b.edge(from, r[0], r[1], next)
				}
			}
			return next
		}
		b.join(hex(code, "09acACefEF", 3), to)
		d := hex(code, "ddDD", 0)
		b.join(hex(d, "07", 2), to)
		leading := hex(d, "89abAB", 2)
		trailing := hex(b.literal(leading, `\u`), "ddDD", 0)
		b.join(hex(trailing, "cfCF", 2), to)
		return to
	})
}

// plain adds the code points that stand for themselves in a JSON string.
func (b *builder) plain(from, to int32) {
	b.runes(from, 0x20, '"'-1, to)
	b.runes(from, '"'+1, '\\'-1, to)
	b.runes(from, '\\'+1, utf8.MaxRune, to)
}

// text reads a JSON string of low … high code points; high < 0 is no limit.
func (b *builder) text(from int32, low, high int) int32 {
	const unlimited = 1 << 30
	character := b.character()
	s := b.literal(from, `"`)
	note := func(read int) {
		if high < 0 {
			b.runs[s] = unlimited
		} else {
			b.runs[s] = int32(high - read)
		}
	}
	note(0)
	for i := range low {
		s = b.invoke(s, character)
		note(i + 1)
	}
	if high < 0 {
		loop := b.state()
		b.join(s, loop)
		s = loop
		note(0)
		b.invokeTo(loop, character, loop)
		return b.literal(loop, `"`)
	}
	to := b.state()
	b.join(s, to)
	for i := low; i < high; i++ {
		s = b.invoke(s, character)
		note(i + 1)
		b.join(s, to)
	}
	return b.literal(to, `"`)
}

// keyOtherThan reads a JSON string without escapes that is none of the names.
func (b *builder) keyOtherThan(from int32, names []string) int32 {
	type branch struct {
		children map[rune]*branch
		name     bool
	}
	root := &branch{}
	for _, name := range names {
		at := root
		for _, r := range name {
			if at.children == nil {
				at.children = map[rune]*branch{}
			}
			if at.children[r] == nil {
				at.children[r] = &branch{}
			}
			at = at.children[r]
		}
		at.name = true
	}
	to, free := b.state(), b.state()
	b.plain(free, free)
	b.edge(free, '"', '"', to)
	var walk func(at *branch, s int32)
	walk = func(at *branch, s int32) {
		if !at.name {
			b.edge(s, '"', '"', to)
		}
		low := rune(0x20)
		for _, r := range sortedRunes(at.children, '"', '\\') {
			b.runes(s, low, r-1, free)
			low = r + 1
			if child := at.children[r]; child != nil && r >= 0x20 && r != '"' && r != '\\' {
				next := b.state()
				b.runes(s, r, r, next)
				walk(child, next)
			}
		}
		b.runes(s, low, utf8.MaxRune, free)
	}
	walk(root, b.literal(from, `"`))
	return to
}

// sortedRunes is the keys of m and the further ones in rising order, control characters left out.
func sortedRunes[V any](m map[rune]V, further ...rune) []rune {
	list := further
	for r := range m {
		if r >= 0x20 && !slices.Contains(further, r) {
			list = append(list, r)
		}
	}
	slices.Sort(list)
	return list
}
