package tokenizer

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Token is one token of a text and the bytes text[Start:End] that it came from. A
// token that holds half a character has an offset inside that character; under NFC
// the offsets of a character that changed are those of the characters it came from.
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

// EncodeAll gives the ids of text with every control token recognised: for text
// that comes from a trusted template, and for comparing with other tokenizers.
func (t *Tokenizer) EncodeAll(text string) []int32 {
	e := encoder{t: t}
	e.text(text, func(int, int) bool { return true })
	return e.ids
}

// encoder collects the tokens of one text.
type encoder struct {
	t      *Tokenizer
	places bool
	ids    []int32
	tokens []Token
	place  func(i int) int // from a place in the current segment to one in the text; nil: base + i
	base   int

	short []int32 // scratch for ids of one piece
}

// text cuts out added tokens and encodes what is between them.
func (e *encoder) text(text string, allowed func(start, end int) bool) {
	for i := 0; i <= len(text); {
		a, start, end := e.t.raw.find(text, i, allowed)
		if a != nil {
			start, end = a.strip(text, i, start, end)
		}
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

// strip widens a token by the white space that it swallows.
func (a *Added) strip(text string, from, start, end int) (int, int) {
	for a.StripLeft && start > from {
		r, n := utf8.DecodeLastRuneInString(text[from:start])
		if !unicode.IsSpace(r) {
			break
		}
		start -= n
	}
	for a.StripRight && end < len(text) {
		r, n := utf8.DecodeRuneInString(text[end:])
		if !unicode.IsSpace(r) {
			break
		}
		end += n
	}
	return start, end
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
func (e *encoder) segment(text string, base int, allowed func(start, end int) bool) {
	e.base, e.place = base, nil
	if e.t.def.NFC && !norm.NFC.IsNormalString(text) {
		text, e.place = compose(text, base)
	}
	if len(e.t.late.added) == 0 {
		e.split(text, 0, 0)
		return
	}
	if inner := allowed; inner != nil {
		allowed = func(start, end int) bool { return inner(e.at(start), e.at(end)) }
	}
	for i := 0; i <= len(text); {
		a, start, end := e.t.late.find(text, i, allowed)
		if a != nil {
			start, end = a.strip(text, i, start, end)
		}
		if start > i {
			e.split(text[i:start], i, 0)
		}
		if a == nil {
			return
		}
		e.add(a.ID, e.at(start), e.at(end))
		i = end
	}
}

// at is the place in the text of byte i of the current segment.
func (e *encoder) at(i int) int {
	if e.place != nil {
		return e.place(i)
	}
	return e.base + i
}

// compose is text in normal form C and a map from its bytes to those of the
// original: exact where nothing changed, the borders of the changed part elsewhere.
func compose(text string, base int) (string, func(int) int) {
	var it norm.Iter
	it.InitString(norm.NFC, text)
	out := make([]byte, 0, len(text))
	places := make([]int, 0, len(text)+1)
	for at := 0; !it.Done(); {
		part := it.Next()
		next := it.Pos()
		same := string(part) == text[at:next]
		for k := range part {
			if same {
				places = append(places, base+at+k)
			} else {
				places = append(places, base+at)
			}
		}
		out = append(out, part...)
		at = next
	}
	places = append(places, base+len(text))
	return string(out), func(i int) int { return places[i] }
}

// split cuts text by the stages from depth on and encodes the pieces; text begins at
// byte start of the segment.
func (e *encoder) split(text string, start, depth int) {
	stages := e.t.stages
	if depth == len(stages) {
		e.piece(text, start, 0)
		return
	}
	g := &stages[depth]
	if depth == len(stages)-1 && g.scan != nil && !g.prefixSpace {
		for i := 0; i < len(text); {
			end := g.scan(text, i)
			e.piece(text[i:end], start+i, 0)
			i = end
		}
		return
	}
	added := 0
	if g.prefixSpace && text != "" && text[0] != ' ' {
		text, added = " "+text, 1
	}
	i := 0
	for _, end := range g.ends(nil, text) {
		if added > 0 && i == 0 {
			// The space is not in the text: the first piece is one byte longer than its place.
			e.piece(text[i:end], start, 1) // New refuses steps after this one
		} else {
			e.split(text[i:end], start+i-added, depth+1)
		}
		i = end
	}
}

// piece encodes one piece, which begins at byte start of the segment; its first
// added bytes are not in the segment.
func (e *encoder) piece(piece string, start, added int) {
	t := e.t
	if len(t.missing) > 0 && !t.complete(piece) {
		e.incomplete(piece, start, added)
		return
	}
	if !e.places {
		e.ids = t.encodePiece(e.ids, piece)
		return
	}
	e.short = t.encodePiece(e.short[:0], piece)
	from := 0
	for _, id := range e.short {
		to := from + len(t.bytes[id])
		e.tokens = append(e.tokens, Token{id, e.at(start + max(from-added, 0)), e.at(start + max(to-added, 0))})
		from = to
	}
}

// complete tells whether every byte of a piece has a token.
func (t *Tokenizer) complete(piece string) bool {
	for i := range len(piece) {
		if t.single[piece[i]] < 0 {
			return false
		}
	}
	return true
}

// incomplete encodes a piece with a vocabulary that lacks some bytes: they are left
// out and their neighbours become neighbours of each other, as in the reference.
func (e *encoder) incomplete(piece string, start, added int) {
	kept := make([]byte, 0, len(piece))
	places := make([]int, 0, len(piece))
	for i := range len(piece) {
		if e.t.single[piece[i]] >= 0 {
			kept = append(kept, piece[i])
			places = append(places, i)
		}
	}
	if len(kept) == 0 {
		return
	}
	e.short = e.t.encodePiece(e.short[:0], string(kept))
	from := 0
	for _, id := range e.short {
		to := from + len(e.t.bytes[id])
		e.add(id, e.at(start+max(places[from]-added, 0)), e.at(start+max(places[to-1]+1-added, 0)))
		from = to
	}
}

// encodePiece appends the ids of a piece of which every byte has a token.
func (t *Tokenizer) encodePiece(dst []int32, piece string) []int32 {
	if len(piece) == 1 {
		return append(dst, t.single[piece[0]])
	}
	if t.def.IgnoreMerges {
		if id, ok := t.ids[piece]; ok {
			return append(dst, id)
		}
	}
	if len(piece) > cacheBytes {
		return t.merge(dst, piece)
	}
	slot := t.cache.slot(piece)
	if c := slot.Load(); c != nil && c.piece == piece {
		return append(dst, c.ids...)
	}
	from := len(dst)
	dst = t.merge(dst, piece)
	// Copies: a cached piece must not keep a whole document alive.
	slot.Store(&cached{strings.Clone(piece), slices.Clone(dst[from:])})
	return dst
}
