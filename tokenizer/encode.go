package tokenizer

import (
	"golang.org/x/text/unicode/norm"
)

// Token is one token of a text and the bytes text[Start:End] that it came from. A
// token that holds half a character has an offset inside that character; after
// normalisation the offsets of a character that changed are those of the characters
// it came from.
type Token struct {
	ID         int32
	Start, End int
}

// Encode gives the ids of text. Control tokens in text are plain text; nothing is
// added before or after (see Around).
func (t *Tokenizer) Encode(text string) []int32 {
	e := encoder{t: t, ids: make([]int32, 0, len(text)/3+1)}
	e.text(text, nil)
	return e.ids
}

// EncodeWith gives the tokens of text with their places. A control token written at
// text[start:end] becomes that token only if special(start, end) says so (nil:
// never), and is plain text otherwise. Added tokens that are not control tokens are
// always recognised. The text is tokenised once, as one text.
func (t *Tokenizer) EncodeWith(text string, special func(start, end int) bool) []Token {
	e := encoder{t: t, places: true}
	e.text(text, special)
	return e.tokens
}

// EncodeReference is EncodeWith with the places that the project of the file's kind
// tells: what was composed of several characters comes from the first of them.
func (t *Tokenizer) EncodeReference(text string, special func(start, end int) bool) []Token {
	e := encoder{t: t, places: true, exact: true}
	e.text(text, special)
	return e.tokens
}

// EncodeAll gives the ids of text with every control token recognised: for text
// that comes from a trusted template, and for comparing with other tokenizers.
func (t *Tokenizer) EncodeAll(text string) []int32 {
	e := encoder{t: t, ids: make([]int32, 0, len(text)/3+1)}
	e.text(text, func(int, int) bool { return true })
	return e.ids
}

// encoder collects the tokens of one text.
type encoder struct {
	t      *Tokenizer
	w      *work
	places bool
	exact  bool
	ids    []int32
	tokens []Token
}

// text cuts out added tokens and encodes what is between them.
func (e *encoder) text(text string, allowed allow) {
	t := e.t
	t.prepare()
	e.w = t.pool.take()
	defer t.pool.give(e.w)
	if t.def.LongestFirst && len(t.raw.added) > 0 {
		for _, f := range t.raw.longestFirst(text, allowed) {
			if f.a != nil {
				e.add(f.a.ID, f.start, f.end)
			} else {
				e.segment(text[f.start:f.end], f.start, allowed)
			}
		}
		return
	}
	for i, next := 0, 0; i <= len(text); {
		var a *Added
		var start, end int
		a, start, end, next = t.raw.find(text, next, i, allowed)
		if start > i {
			e.segment(text[i:start], i, allowed)
		}
		if a == nil {
			return
		}
		e.add(a.ID, start, end)
		i = end
	}
}

func (e *encoder) add(id int32, start, end int) {
	if e.places {
		e.tokens = append(e.tokens, Token{id, start, end})
	} else {
		e.ids = append(e.ids, id)
	}
}

// segment encodes text without added tokens of the first kind: normalise, cut out
// those of the second kind, split.
func (e *encoder) segment(text string, base int, allowed allow) {
	t := e.t
	p := passage{s: text, base: base, track: e.places || t.first && base == 0, exact: e.exact}
	if len(t.normal) > 0 && !(t.onlyNFC && norm.NFC.IsNormalString(text)) {
		if t.def.Model != ByteBPE && t.def.Normalize[0].Kind != LlamaSpaces { // llama.cpp takes any bytes
			p.valid()
		}
		for _, n := range t.normal {
			n(&p)
		}
	}
	if len(t.late.added) == 0 {
		e.split(p)
		return
	}
	inner := allowed
	if inner != nil {
		allowed = func(start, end int) bool { return inner(p.place(start, end)) }
	}
	for i, next := 0, 0; i <= len(p.s); {
		var a *Added
		var start, end int
		a, start, end, next = t.late.find(p.s, next, i, allowed)
		if start > i {
			e.split(p.slice(i, start))
		}
		if a == nil {
			return
		}
		from, to := p.place(start, end)
		e.add(a.ID, from, to)
		i = end
	}
}

// split cuts p by the stages and encodes the pieces.
func (e *encoder) split(p passage) {
	t := e.t
	if p.s == "" {
		return
	}
	n := len(t.stages)
	if n == 1 && t.stages[0].scan != nil && !t.stages[0].prefixSpace && !e.places {
		e.scan(p.s, t.stages[0].scan)
		return
	}
	if n > 0 && t.stages[n-1].scan != nil && !t.stages[n-1].prefixSpace && !e.places {
		scan := t.stages[n-1].scan
		splitAll(t.stages[:n-1], p, func(q passage) { e.scan(q.s, scan) })
		return
	}
	splitAll(t.stages, p, e.piece)
}

// scan encodes the pieces that a scanner finds.
func (e *encoder) scan(s string, scan func(s string, i int) int) {
	ids, m, w := e.ids, e.t.model, e.w
	for i := 0; i < len(s); {
		end := scan(s, i)
		ids = m.encode(ids, s[i:end], w)
		i = end
	}
	e.ids = ids
}

// piece encodes one piece.
func (e *encoder) piece(p passage) {
	if !e.places {
		e.ids = e.t.model.encode(e.ids, p.s, e.w)
		return
	}
	e.w.parts = e.t.model.parts(e.w.parts[:0], p.s, e.w)
	for _, x := range e.w.parts {
		start, end := p.place(x.start, x.end)
		e.tokens = append(e.tokens, Token{x.id, start, end})
	}
}
