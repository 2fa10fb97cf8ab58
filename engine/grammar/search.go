package grammar

import "fmt"

// What may stand before a place of a text, as far as assertions need to know.
type before byte

const (
	theStart before = 1 << iota
	aWord           // a character of \w
	aBreak          // another character
)

// matching is the texts in which an expression matches somewhere, as JSON Schema asks; whole asks that it matches all.
//
// Python counts letters beyond ASCII as characters of words, ECMA-262 does not: read narrowly none stands at a border.
func (a *algebra) matching(e *expression, whole bool, meaning reading) (*language, error) {
	a.breaks = asciiWord.complement()
	if meaning == narrow {
		a.breaks = allWord.complement()
	}
	if whole {
		e = &expression{kind: inOrder, parts: []*expression{{kind: atStart}, e, {kind: atEnd}}}
	}
	first, err := a.then(e, a.anyText, theStart)
	if err != nil || whole {
		return first, err
	}
	if !e.asksBorders() {
		later, err := a.then(e, a.anyText, aWord|aBreak)
		if err != nil {
			return nil, err
		}
		return a.union(first, a.sequence(a.any, a.anyText, later)), nil
	}
	all := []*language{first}
	for _, c := range []struct {
		set  ranges
		kind before
	}{{asciiWord, aWord}, {a.breaks, aBreak}} {
		later, err := a.then(e, a.anyText, c.kind)
		if err != nil {
			return nil, err
		}
		all = append(all, a.sequence(a.anyText, a.one(c.set), later))
	}
	return a.union(all...), nil
}

// then is the texts that begin with a match of e and go on with a text of rest, which reaches to the end of the whole text:
// so assertions about what follows are intersections with it.
func (a *algebra) then(e *expression, rest *language, b before) (*language, error) {
	if !e.asserts() {
		return a.sequence(a.plain(e), rest), nil
	}
	switch e.kind {
	case anyOf:
		var list []*language
		for _, part := range e.parts {
			l, err := a.then(part, rest, b)
			if err != nil {
				return nil, err
			}
			list = append(list, l)
		}
		return a.union(list...), nil
	case inOrder:
		places := make([]before, len(e.parts))
		for i, part := range e.parts {
			places[i] = b
			b = part.after(b)
		}
		for i := len(e.parts) - 1; i >= 0; i-- {
			var err error
			if rest, err = a.then(e.parts[i], rest, places[i]); err != nil {
				return nil, err
			}
		}
		return rest, nil
	case repeated:
		if e.low == 0 && e.high == 1 {
			l, err := a.then(e.parts[0], rest, b)
			if err != nil {
				return nil, err
			}
			return a.union(l, rest), nil
		}
		return nil, fmt.Errorf("an assertion within a repetition is not supported")
	case atStart:
		switch {
		case b == theStart:
			return rest, nil
		case b&theStart == 0:
			return a.none, nil
		}
		return nil, fmt.Errorf("^ after what may be empty is not supported")
	case atEnd:
		return a.intersect(rest, a.empty), nil
	case looking:
		l, err := a.then(e.parts[0], a.anyText, b)
		if err != nil {
			return nil, err
		}
		if e.negative {
			l = a.not(l)
		}
		return a.intersect(l, rest), nil
	case atBorder:
		if b != aWord && b&aWord != 0 {
			return nil, fmt.Errorf(`\b after what may or may not be a letter is not supported`)
		}
		follows := a.sequence(a.one(asciiWord), a.anyText)
		if (b == aWord) != e.negative {
			follows = a.optional(a.sequence(a.one(a.breaks), a.anyText))
		}
		return a.intersect(follows, rest), nil
	}
	return nil, fmt.Errorf("not supported")
}

// plain is the language of an expression without assertions.
func (a *algebra) plain(e *expression) *language {
	switch e.kind {
	case runeOf:
		return a.one(e.set)
	case repeated:
		return a.repeat(a.plain(e.parts[0]), e.low, e.high)
	}
	list := make([]*language, len(e.parts))
	for i, part := range e.parts {
		list[i] = a.plain(part)
	}
	if e.kind == anyOf {
		return a.union(list...)
	}
	return a.sequence(list...)
}

func (e *expression) asserts() bool {
	if e.kind >= atStart {
		return true
	}
	for _, part := range e.parts {
		if part.asserts() {
			return true
		}
	}
	return false
}

func (e *expression) asksBorders() bool {
	if e.kind == atBorder {
		return true
	}
	for _, part := range e.parts {
		if part.asksBorders() {
			return true
		}
	}
	return false
}

// after is what may stand before the place behind the expression.
func (e *expression) after(b before) before {
	switch e.kind {
	case runeOf:
		var out before
		if len(e.set.intersect(asciiWord)) > 0 {
			out |= aWord
		}
		if len(e.set.intersect(asciiWord.complement())) > 0 {
			out |= aBreak
		}
		return out
	case inOrder:
		for _, part := range e.parts {
			b = part.after(b)
		}
		return b
	case anyOf:
		var out before
		for _, part := range e.parts {
			out |= part.after(b)
		}
		return out
	case repeated:
		out := e.parts[0].after(b)
		if e.low == 0 {
			out |= b
		}
		return out
	}
	return b
}
