package draft

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// eachText: texts over few ids repeat themselves; each drafter is told of them as they grow by some ids.
func eachText(each func(text []int32)) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		alphabet := 1 + r.IntN(5)
		text := make([]int32, 120)
		for i := range text {
			text[i] = int32(r.IntN(alphabet)) * 40000
		}
		each(text)
	}
}

// seenBefore is the length of the longest end of a text, at most so long, that it holds at an earlier place too.
func seenBefore(text []int32, most int) int {
	for n := min(most, len(text)-1); n > 0; n-- {
		for end := n; end < len(text); end++ {
			if slices.Equal(text[end-n:end], text[len(text)-n:]) {
				return n
			}
		}
	}
	return 0
}

// follows says whether ids continue some earlier occurrence of the text's last n.
func follows(text []int32, n int, ids []int32) bool {
	for end := n; end < len(text); end++ {
		if slices.Equal(text[end-n:end], text[len(text)-n:]) && slices.Equal(continued(text, end, len(ids)), ids) {
			return true
		}
	}
	return false
}

func TestGuessesContinueTheLongestEndThatWasSeenBefore(t *testing.T) {
	for name, c := range map[string]struct {
		make func() Drafter
		most int
	}{"lookup": {func() Drafter { return &Lookup{} }, lookupLongest}, "suffix": {func() Drafter { return NewSuffix(nil) }, 1000}} {
		eachText(func(text []int32) {
			d := c.make()
			for n := 1; n <= len(text); n += 1 + n%3 {
				g := d.Draft(text[:n], 5)
				want := seenBefore(text[:n], c.most)
				switch {
				case want == 0 && len(g.IDs) > 0:
					t.Fatalf("%s: %v was never seen before and is thought to be followed by %v", name, text[:n], g.IDs)
				case want > 0 && (len(g.IDs) != 5 || g.Class != matchClass(want) || !follows(text[:n], want, g.IDs)):
					t.Fatalf("%s: the last %d of %v were seen before; guess %v, class %d", name, want, text[:n], g.IDs, g.Class)
				}
			}
		})
	}
}

func TestHistoryContinuesEarlierTexts(t *testing.T) {
	h := NewHistory(40)
	h.Add([]int32{1, 2, 3, 4, 5})
	h.Add([]int32{7, 8, 9})
	for _, c := range []struct {
		text, want []int32
		why        string
	}{
		{[]int32{3, 4}, []int32{5}, "the earlier text ends there"},
		{[]int32{6, 7, 8}, []int32{9}, "of its end only"},
		{[]int32{5, 7}, []int32{8, 9}, "a border is no token"},
		{[]int32{30, 40}, nil, "never seen"},
	} {
		if g := NewSuffix(h).Draft(c.text, 4); !slices.Equal(g.IDs, c.want) {
			t.Errorf("%v: guess %v, expected %v: %s", c.text, g.IDs, c.want, c.why)
		}
	}
	s := NewSuffix(h)
	s.Draft([]int32{3}, 4)
	for i := range int32(30) { // more than it keeps: it begins anew under s
		h.Add([]int32{100 + i, 200 + i, 300 + i})
	}
	if g := s.Draft([]int32{3, 4}, 4); len(g.IDs) > 0 {
		t.Errorf("what was forgotten is guessed: %v", g.IDs)
	}
	if g := s.Draft([]int32{3, 4, 129}, 4); !slices.Equal(g.IDs, []int32{229, 329}) {
		t.Errorf("the latest text is not remembered: %v", g.IDs)
	}
}

// TestPaceDraftsWhereItPays: by what steps take and by how often guesses are right.
func TestPaceDraftsWhereItPays(t *testing.T) {
	for _, c := range []struct {
		why       string
		seconds   func(rows int) float64
		right     int // of 8
		least, to int
	}{
		{"rows are nearly free and guesses right", func(rows int) float64 { return 1 + 0.01*float64(rows) }, 8, 8, 8},
		{"rows are nearly free and guesses half right", func(rows int) float64 { return 1 + 0.05*float64(rows) }, 1, 1, 7},
		{"rows cost what steps cost", func(rows int) float64 { return float64(rows) }, 6, 0, 0},
		{"guesses are wrong", func(rows int) float64 { return 1 + 0.2*float64(rows) }, 0, 0, 0},
	} {
		p := &Pace{}
		var k int
		for range 200 {
			k = p.Choose([]Class{MatchOf2}, []int{8}, 8)[0]
			p.Step(1+k, c.seconds(1+k))
			p.Step(1, c.seconds(1))
			p.Checked(MatchOf2, min(c.right, k), k)
		}
		if k < c.least || k > c.to {
			t.Errorf("%s: %d drafts, expected %d to %d", c.why, k, c.least, c.to)
		}
	}
}

// TestPaceTriesAgain: what did not pay is tried once in a while, and taken up when it does.
func TestPaceTriesAgain(t *testing.T) {
	p, right, tried := &Pace{}, 0, 0
	for i := range 1200 {
		if i == 600 {
			right, tried = 4, 0
		}
		k := p.Choose([]Class{MatchOf4}, []int{4}, 4)[0]
		p.Step(1+k, 1+0.2*float64(k))
		p.Checked(MatchOf4, min(right, k), k)
		if i > 100 && k > 0 {
			tried++
		}
		if i == 599 && (tried == 0 || tried > 100) {
			t.Errorf("wrong guesses were computed in %d of 500 steps, expected few and some", tried)
		}
	}
	if tried < 400 {
		t.Errorf("guesses that became right were computed in %d of 600 steps", tried)
	}
}

// TestPaceGivesRowsToTheLikeliestGuesses of several sequences.
func TestPaceGivesRowsToTheLikeliestGuesses(t *testing.T) {
	p := &Pace{}
	for rows := 1; rows <= 16; rows++ {
		p.Step(rows, 1+0.3*float64(rows))
	}
	for range 30 {
		p.Checked(MatchOfMore, 8, 8)
		p.Checked(MatchOf1, 0, 1)
	}
	if got := p.Choose([]Class{MatchOf1, MatchOfMore, MatchOf1}, []int{8, 8, 0}, 8); got[0] != 0 || got[1] < 4 || got[2] != 0 {
		t.Errorf("drafts %v, expected those of the second sequence only", got)
	}
}
