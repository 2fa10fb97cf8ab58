package tokenizer

import "unicode/utf8"

// passage is a part of a text on its way to the model, and where its bytes come from.
type passage struct {
	s     string
	base  int    // where the passage begins in the text
	from  []span // by byte of s, the bytes of the text it comes from; nil: s is text[base:]
	track bool   // keep from when s changes
	exact bool   // tell places as the reference does, even where they leave characters out
}

// span is text[start:end].
type span struct{ start, end int }

// place is where bytes i to j of the passage come from.
func (p *passage) place(i, j int) (start, end int) {
	switch {
	case p.from == nil:
		return p.base + i, p.base + j
	case len(p.from) == 0:
		return p.base, p.base
	case i >= j:
		i = min(i, len(p.from)-1)
		return p.from[i].start, p.from[i].start
	}
	return p.from[i].start, p.from[j-1].end
}

// origin is the byte of the text where byte i of the passage comes from; i may be
// the passage's end.
func (p *passage) origin(i int) int {
	switch {
	case p.from == nil:
		return p.base + i
	case i < len(p.from):
		return p.from[i].start
	case len(p.from) > 0:
		return p.from[len(p.from)-1].end
	}
	return p.base
}

// slice is bytes i to j of the passage.
func (p *passage) slice(i, j int) passage {
	q := passage{s: p.s[i:j], base: p.base + i, track: p.track, exact: p.exact}
	if p.from != nil {
		q.from = p.from[i:j]
		q.base, _ = p.place(i, j)
	}
	return q
}

// spans makes from explicit: each byte comes from its whole character.
func (p *passage) spans() []span {
	if p.from != nil {
		return p.from
	}
	p.from = make([]span, 0, len(p.s))
	for i := 0; i < len(p.s); {
		_, n := utf8.DecodeRuneInString(p.s[i:])
		for range n {
			p.from = append(p.from, span{p.base + i, p.base + i + n})
		}
		i += n
	}
	return p.from
}

// change is a character of the new form of a passage. by is 0 when it stands for one
// old character, -n when it stands for one and n more that are gone, 1 when it is
// new. Source: the alignment rules of huggingface/tokenizers, NormalizedString.
type change struct {
	r  rune
	by int
	// wide: it comes from all the characters it stands for, not from the first.
	wide bool
}

// transform gives the passage a new text; removed is the number of characters that
// are gone at its beginning.
func (p *passage) transform(changes []change, removed int) {
	out := make([]byte, 0, len(p.s)+len(p.s)/4)
	if !p.track {
		for _, c := range changes {
			out = utf8.AppendRune(out, c.r)
		}
		p.s = string(out)
		return
	}
	old := p.spans()
	from := make([]span, 0, cap(out))
	at := 0 // byte of the old text
	skip := func() {
		if at < len(p.s) {
			_, n := utf8.DecodeRuneInString(p.s[at:])
			at += n
		}
	}
	for range removed {
		skip()
	}
	for _, c := range changes {
		var where span
		switch {
		case c.by > 0 && at > 0:
			where = old[min(at, len(old))-1]
		case c.by <= 0 && at < len(old):
			where = old[at]
		case len(old) > 0:
			where = span{old[0].start, old[0].start}
		default:
			where = span{p.base, p.base}
		}
		if c.by <= 0 {
			for range 1 - c.by {
				skip()
			}
			if c.wide && !p.exact && at > 0 && at <= len(old) {
				where.end = old[at-1].end
			}
		}
		n := len(out)
		out = utf8.AppendRune(out, c.r)
		for range len(out) - n {
			from = append(from, where)
		}
	}
	p.s, p.from = string(out), from
}

// replace puts content in place of bytes i to j for each match. The new characters
// come from the last one that they replace, as in the reference.
func (p *passage) replace(matches []match, content string) {
	out := make([]byte, 0, len(p.s)+len(content))
	var from []span
	var old []span
	if p.track {
		old = p.spans()
	}
	last := 0
	for _, m := range matches {
		if !m.hit {
			continue
		}
		out = append(append(out, p.s[last:m.start]...), content...)
		if p.track {
			from = append(from, old[last:m.start]...)
			where := span{p.base, p.base}
			if m.end > 0 {
				where = old[m.end-1]
			}
			for range len(content) {
				from = append(from, where)
			}
		}
		last = m.end
	}
	out = append(out, p.s[last:]...)
	if p.track {
		p.from = append(from, old[last:]...)
		if p.from == nil {
			p.from = []span{}
		}
	}
	p.s = string(out)
}

// prepend puts s before a passage that is not empty. The new characters come from
// the first one.
func (p *passage) prepend(s string) {
	if p.s == "" {
		return
	}
	if p.track {
		old := p.spans()
		from := make([]span, 0, len(s)+len(old))
		for range len(s) {
			from = append(from, old[0])
		}
		p.from = append(from, old...)
	}
	p.s = s + p.s
}

// valid replaces what is not UTF-8 by U+FFFD, one for each byte.
func (p *passage) valid() {
	if utf8.ValidString(p.s) {
		return
	}
	changes := make([]change, 0, len(p.s))
	for _, r := range p.s {
		changes = append(changes, change{r: r})
	}
	p.transform(changes, 0)
}
