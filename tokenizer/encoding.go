package tokenizer

// Encoding is one text or two as a model takes them: the tokens of a template.
type Encoding struct {
	// Tokens have places in the text that Texts names: 1 or 2, 0 for tokens that come
	// from no text (their places are 0).
	Tokens []Token
	Texts  []int
	// Types are the segments (token_type_ids), Mask is 1, and 0 for padding.
	Types, Mask []int32
	// Overflowing is what did not fit, in pieces of the same form.
	Overflowing []Encoding
}

// IDs are the ids of the tokens.
func (e *Encoding) IDs() []int32 {
	ids := make([]int32, len(e.Tokens))
	for i, x := range e.Tokens {
		ids[i] = x.ID
	}
	return ids
}

// Assemble puts the tokens of one text or two into a template (see Template), cut so
// that all of it is no longer than cut asks; nil cuts nothing.
func (t *Tokenizer) Assemble(template []Part, cut *Truncation, texts ...[]Token) (Encoding, error) {
	windows := make([][][]Token, len(texts))
	for i, tokens := range texts {
		windows[i] = [][]Token{tokens}
	}
	if cut != nil {
		var err error
		if windows, err = cut.windows(texts, idsOf(template)); err != nil {
			return Encoding{}, err
		}
	}
	var all Encoding
	for _, p := range template {
		all = all.join(p.encodings(windows))
	}
	return all, nil
}

// encodings is a part as an encoding: of a text the window that fits, the others
// overflowing.
func (p *Part) encodings(windows [][][]Token) Encoding {
	if p.Text == 0 {
		tokens := make([]Token, len(p.IDs))
		for i, id := range p.IDs {
			tokens[i].ID = id
		}
		return uniform(tokens, 0, p.Type)
	}
	var e Encoding
	for i, tokens := range windows[p.Text-1] {
		if i == 0 {
			e = uniform(tokens, p.Text, p.Type)
		} else {
			e.Overflowing = append(e.Overflowing, uniform(tokens, p.Text, p.Spill))
		}
	}
	return e
}

// uniform is an encoding of tokens of one text and segment.
func uniform(tokens []Token, text int, kind int32) Encoding {
	e := Encoding{Tokens: tokens, Texts: make([]int, len(tokens)), Types: make([]int32, len(tokens)), Mask: make([]int32, len(tokens))}
	for i := range tokens {
		e.Texts[i], e.Types[i], e.Mask[i] = text, kind, 1
	}
	return e
}

// join puts b after a, and each overflowing piece of one with all of the other, in the
// order of the reference (encoding.rs, merge_with).
func (a Encoding) join(b Encoding) Encoding {
	out := a.before(b)
	for _, left := range a.Overflowing {
		out.Overflowing = append(out.Overflowing, left.join(b).flat()...)
	}
	for _, right := range b.Overflowing {
		out.Overflowing = append(out.Overflowing, a.before(right))
	}
	return out
}

// flat is an encoding and after it what overflows from it.
func (a Encoding) flat() []Encoding {
	over := a.Overflowing
	a.Overflowing = nil
	return append([]Encoding{a}, over...)
}

// before is b after a, without what overflows.
func (a Encoding) before(b Encoding) Encoding {
	return Encoding{Tokens: chained(a.Tokens, b.Tokens), Texts: chained(a.Texts, b.Texts), Types: chained(a.Types, b.Types), Mask: chained(a.Mask, b.Mask)}
}

// chained is a new list of a and b, never nil.
func chained[T any](a, b []T) []T {
	return append(append(make([]T, 0, len(a)+len(b)), a...), b...)
}
