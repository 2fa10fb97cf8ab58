package train

import (
	"sync"
	"unicode"
)

// Characters that SentencePiece sets apart.
const (
	blank    = '▁' // U+2581 stands for a space
	rareMark = '▅' // U+2585 stands for a character that is left out of the vocabulary
	boundary = '\x1f'
)

// script numbers: 0 is Common, as for code points without one.
const (
	commonScript = 0
	anyScript    = 255 // agrees with every other
)

// scripts is the script of each code point.
var scripts = sync.OnceValue(func() *[unicode.MaxRune + 1]uint8 {
	table := new([unicode.MaxRune + 1]uint8)
	number := uint8(0)
	han := uint8(0)
	// Han, Hiragana and Katakana are one: words of Japanese mix them.
	for name, ranges := range unicode.Scripts {
		var mine uint8
		switch name {
		case "Common":
			continue
		case "Inherited":
			mine = inheritedScript
		default:
			number++
			mine = number
			if name == "Han" || name == "Hiragana" || name == "Katakana" {
				if han == 0 {
					han = mine
				}
				mine = han
			}
		}
		for _, r := range ranges.R16 {
			for c := uint32(r.Lo); c <= uint32(r.Hi); c += uint32(r.Stride) {
				table[c] = mine
			}
		}
		for _, r := range ranges.R32 {
			for c := r.Lo; c <= r.Hi; c += r.Stride {
				table[c] = mine
			}
		}
	}
	table['ー'] = han // the long vowel sign, Common by Unicode
	return table
})

// inheritedScript is that of marks, which take the script of what they stand on.
const inheritedScript = 254

// shapes tells which texts may be pieces. Source: sentencepiece,
// trainer_interface.cc, IsValidSentencePiece.
type shapes struct {
	longest       int // characters
	byScript      bool
	byNumber      bool
	bySpace       bool
	digitsAlone   bool
	spaceIsSuffix bool
	onlySpace     bool // pieces of nothing but blanks are allowed
	scripts       *[unicode.MaxRune + 1]uint8
}

func newShapes(o *SentencePieceOptions) shapes {
	return shapes{longest: o.MaxPieceLength, byScript: o.SplitByScript, byNumber: o.SplitByNumber, bySpace: o.SplitByWhitespace,
		digitsAlone: o.SplitDigits, spaceIsSuffix: o.WhitespaceAsSuffix, onlySpace: o.WhitespaceOnlyPieces, scripts: scripts()}
}

// isDigit: ASCII and full-width digits.
func isDigit(c rune) bool { return c >= '0' && c <= '9' || c >= '０' && c <= '９' }

// script is that of a character after one of script previous.
func (s *shapes) script(c rune, previous uint8) uint8 {
	k := s.scripts[c]
	if k == inheritedScript {
		k = previous
	}
	if !s.byNumber && isDigit(c) {
		k = anyScript
	}
	return k
}

// valid tells whether a text may be a piece.
func (s *shapes) valid(piece []rune) bool {
	if len(piece) == 0 || len(piece) > s.longest {
		return false
	}
	nothingButBlanks := true
	for _, c := range piece {
		nothingButBlanks = nothingButBlanks && c == blank
	}
	previous := uint8(anyScript)
	for i, c := range piece {
		switch c {
		case rareMark, 0, boundary, ' ':
			return false
		case blank:
			if !s.blankAt(i, len(piece)) && !(s.onlySpace && nothingButBlanks) {
				return false
			}
			continue
		}
		if s.digitsAlone && isDigit(c) && len(piece) > 1 {
			return false
		}
		k := s.script(c, previous)
		if s.byScript && k != anyScript && previous != anyScript && k != previous {
			return false
		}
		previous = k
	}
	return true
}

// blankAt tells whether a blank may be the i-th of n characters.
func (s *shapes) blankAt(i, n int) bool {
	switch {
	case s.spaceIsSuffix && s.bySpace:
		return i == n-1
	case s.spaceIsSuffix:
		return i != 0 || n == 1
	case s.bySpace:
		return i == 0
	}
	return i != n-1 || n == 1
}

// apart tells that no piece holds these two characters side by side, so that words
// can be cut between them.
func (s *shapes) apart(a, b rune) bool {
	if s.digitsAlone && (isDigit(a) || isDigit(b)) {
		return true
	}
	if !s.byScript || a == blank || b == blank {
		return false
	}
	x, y := s.script(a, inheritedScript), s.script(b, inheritedScript)
	return x != y && x < inheritedScript && y < inheritedScript
}

// shape is what must be known of two pieces to tell whether they may be joined.
type shape struct {
	length      int32
	first, last uint8 // scripts; first is what a mark at the beginning must agree with
	blanks      bool  // holds blanks
	only        bool  // holds nothing else
	digit       bool
	rare        bool
	marks       bool    // holds only marks and blanks, whose script is that of what is before
	edge        [2]bool // the first and the last character are blanks
}

func (s *shapes) of(c rune) shape {
	x := shape{length: 1, first: anyScript, last: anyScript, digit: isDigit(c), rare: c == rareMark || c == 0 || c == boundary || c == ' '}
	switch {
	case c == blank:
		x.blanks, x.only, x.marks, x.edge = true, true, true, [2]bool{true, true}
	case s.script(c, inheritedScript) == inheritedScript:
		x.marks = true
	default:
		x.first = s.script(c, anyScript)
		x.last = x.first
	}
	return x
}

// join is the shape of two valid pieces one after the other; ok tells whether it is
// valid.
func (s *shapes) join(a, b shape) (x shape, ok bool) {
	x = shape{length: a.length + b.length, first: a.first, last: b.last, blanks: a.blanks || b.blanks, only: a.only && b.only,
		marks: a.marks && b.marks, edge: [2]bool{a.edge[0], b.edge[1]}}
	if a.marks {
		x.first = b.first
	}
	if b.marks {
		x.last = a.last
	}
	if a.rare || b.rare || int(x.length) > s.longest || s.digitsAlone && (a.digit || b.digit) {
		return x, false
	}
	if s.byScript && a.last != anyScript && b.first != anyScript && a.last != b.first {
		return x, false
	}
	if x.blanks && !(x.only && s.onlySpace) {
		switch {
		case s.spaceIsSuffix && s.bySpace: // one blank, at the end
			ok = !a.blanks && (!b.only || b.length == 1)
		case s.spaceIsSuffix: // not at the beginning
			ok = !a.edge[0]
		case s.bySpace: // one blank, at the beginning
			ok = !b.blanks && (!a.only || a.length == 1)
		default: // not at the end
			ok = !b.edge[1]
		}
		return x, ok
	}
	return x, true
}
