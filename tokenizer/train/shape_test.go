package train

import (
	"math/rand/v2"
	"testing"

	"lian/tokenizer"
)

// TestJoinedShapesTellWhatThePlainRuleTells joins valid pieces and compares with the
// rule that looks at every character.
func TestJoinedShapesTellWhatThePlainRuleTells(t *testing.T) {
	letters := []rune("aBяあカ中ー1２,▁▁\u0301\u3099'é%")
	r := rand.New(rand.NewPCG(3, 4))
	some := func() []rune {
		out := make([]rune, 1+r.IntN(4))
		for i := range out {
			out[i] = letters[r.IntN(len(letters))]
		}
		return out
	}
	valid := 0
	for flags := range 1 << 6 {
		o := DefaultSentencePiece(tokenizer.ScoreBPE, 100)
		o.SplitByScript, o.SplitByNumber, o.SplitByWhitespace = flags&1 == 0, flags&2 == 0, flags&4 == 0
		o.SplitDigits, o.WhitespaceAsSuffix, o.WhitespaceOnlyPieces = flags&8 != 0, flags&16 != 0, flags&32 != 0
		o.MaxPieceLength = 6
		s := newShapes(&o)
		shapeOf := func(piece []rune) (shape, bool) {
			x := s.of(piece[0])
			for i, c := range piece[1:] {
				if !s.valid(piece[:i+1]) {
					return x, false // not made by joining from the left
				}
				x, _ = s.join(x, s.of(c))
			}
			return x, s.valid(piece)
		}
		for range 3000 {
			a, b := some(), some()
			x, ok := shapeOf(a)
			y, ok2 := shapeOf(b)
			if !ok || !ok2 {
				continue
			}
			both := append(append([]rune(nil), a...), b...)
			_, got := s.join(x, y)
			if want := s.valid(both); got != want {
				t.Fatalf("flags %b: %q + %q: joined %v, plain %v", flags, string(a), string(b), got, want)
			}
			if got {
				valid++
				if s.apart(a[len(a)-1], b[0]) {
					t.Fatalf("flags %b: %q + %q is a piece, but words are cut within", flags, string(a), string(b))
				}
			}
		}
	}
	if valid < 1000 {
		t.Errorf("only %d pairs were valid", valid)
	}
}
