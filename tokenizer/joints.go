package tokenizer

import (
	"math/bits"
	"unicode/utf8"
)

// joints tells between which two characters no token can lie: where no token of the
// vocabulary has the two side by side, merging on the left and on the right never
// meet. Cutting there gives the same tokens, from short pieces that repeat and that
// the cache knows. It is exact in one direction: where it says "joined" there may
// be no token.
type joints struct {
	ascii   [128][2]uint64  // pairs of ASCII characters
	partial [1 << 10]uint64 // pairs of bytes of tokens that hold a piece of a character
	pairs   []uint64        // other pairs by hash
	shift   uint8
}

// newJoints looks at every token.
func newJoints(size int, token func(id int32) string) *joints {
	var far [][2]rune
	j := &joints{}
	for id := range size {
		s := token(int32(id))
		for k := 1; k < len(s); k++ {
			if !utf8.RuneStart(s[k]) {
				continue
			}
			a, b := s[k-1], s[k]
			if a < utf8.RuneSelf && b < utf8.RuneSelf {
				j.ascii[a][b>>6] |= 1 << (b & 63)
				continue
			}
			left, n := utf8.DecodeLastRuneInString(s[:k])
			right, m := utf8.DecodeRuneInString(s[k:])
			if left == utf8.RuneError && n == 1 || right == utf8.RuneError && m == 1 {
				at := uint(a)<<8 | uint(b)
				j.partial[at>>6] |= 1 << (at & 63)
				continue
			}
			far = append(far, [2]rune{left, right})
		}
	}
	logarithm := max(10, bits.Len(uint(len(far)*12)))
	j.shift = uint8(64 - logarithm)
	j.pairs = make([]uint64, 1<<logarithm>>6)
	for _, p := range far {
		h := pairHash(p[0], p[1]) >> j.shift
		j.pairs[h>>6] |= 1 << (h & 63)
	}
	return j
}

func pairHash(a, b rune) uint64 {
	return (uint64(uint32(a))<<32 | uint64(uint32(b))) * 0x9e3779b97f4a7c15
}

// cut is the end of the chunk of s that begins at i < len(s): the first place where
// nothing joins the characters on both sides.
func (j *joints) cut(s string, i int) int {
	last := rune(-1) // the character before, -1 for a byte that is none
	for i < len(s) {
		b := s[i]
		if b < utf8.RuneSelf {
			if last >= 0 && !j.joined(last, rune(b), s, i) {
				return i
			}
			last = rune(b)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if n == 1 {
			r = -1
		}
		if last >= 0 && r >= 0 && !j.joined(last, r, s, i) {
			return i
		}
		last = r
		i += n
	}
	return i
}

// joined tells whether a token may hold a and b side by side, b being at s[i:].
func (j *joints) joined(a, b rune, s string, i int) bool {
	if a < utf8.RuneSelf && b < utf8.RuneSelf {
		return j.ascii[a][b>>6]>>(b&63)&1 != 0
	}
	h := pairHash(a, b) >> j.shift
	if j.pairs[h>>6]>>(h&63)&1 != 0 {
		return true
	}
	at := uint(s[i-1])<<8 | uint(s[i])
	return j.partial[at>>6]>>(at&63)&1 != 0
}
