package train

import (
	"context"
	"math"
	"os"
	"slices"
	"testing"

	"lian/tokenizer"
	"lian/verify/shared"
)

// TestExpectedNumbersAreThoseOfAllWays writes a word in every way and weighs each by
// its probability.
func TestExpectedNumbersAreThoseOfAllWays(t *testing.T) {
	pieces := []scored{{text: "a", score: -1}, {text: "b", score: -2}, {text: "ab", score: -1.5}, {text: "ba", score: -2.5}, {text: "aba", score: -3}, {text: "中", score: -4}}
	u := &unigram{pieces: pieces}
	u.plant()
	word := []rune("ab中abax")
	want, all := map[int32]float64{}, 0.0
	best := math.Inf(-1)
	var walk func(at int, way []int32, score float64)
	walk = func(at int, way []int32, score float64) {
		if at == len(word) {
			p := math.Exp(score)
			all += p
			best = max(best, score)
			for _, id := range way {
				want[id] += p
			}
			return
		}
		for id, p := range pieces {
			n := len([]rune(p.text))
			if at+n <= len(word) && string(word[at:at+n]) == p.text {
				walk(at+n, append(way[:len(way):len(way)], int32(id)), score+float64(p.score))
			}
		}
		if word[at] == 'x' {
			walk(at+1, append(way[:len(way):len(way)], -1), score+float64(u.unknown))
		}
	}
	walk(0, nil, 0)
	l := &lattice{u: u}
	l.set([]byte(string(word)), -1)
	got := map[int32]float64{}
	l.expect(func(piece int32, n float64) { got[piece] += n })
	for id, n := range want {
		if math.Abs(got[id]-n/all) > 1e-5 {
			t.Errorf("piece %d is expected %.6f times, want %.6f", id, got[id], n/all)
		}
	}
	if _, score := l.viterbi(); math.Abs(float64(score)-best) > 1e-4 {
		t.Errorf("the best way has %v, want %v", score, best)
	}
}

// TestCutWordsGiveThePiecesOfWholeOnes: cutting, for large texts, changes rounding only.
func TestCutWordsGiveThePiecesOfWholeOnes(t *testing.T) {
	text, err := os.ReadFile(shared.Path(t, "testdata", "golden", "data", "inputs", "train_corpora", "mix.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer func(n int64) { wholeBytes = n }(wholeBytes)
	var results [][]scored
	for _, limit := range []int64{wholeBytes, 0} {
		wholeBytes = limit
		o := DefaultSentencePiece(tokenizer.Unigram, 1500)
		o.CharacterCoverage = 0.98
		got, err := TrainSentencePiece(context.Background(), slices.Values([]string{string(text)}), o)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, got.pieces)
	}
	common := 0
	for _, p := range results[0] {
		if slices.ContainsFunc(results[1], func(q scored) bool { return p.text == q.text }) {
			common++
		}
	}
	if len(results[0]) != len(results[1]) || float64(common) < 0.98*float64(len(results[0])) {
		t.Errorf("%d and %d pieces, %d in common", len(results[0]), len(results[1]), common)
	}
}
