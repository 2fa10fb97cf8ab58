package engine

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestSharedBeginningsScoreAsTheirTexts: alone, together, in small steps, with what earlier calls left in the cache, and without.
func TestSharedBeginningsScoreAsTheirTexts(t *testing.T) {
	plain := start(t, Options{NoPrefix: true})
	context0 := plain.Tokenizer.Encode("A question of more than thirty-two tokens, so that a block of it is shared: what is 链?")
	var ids [][]int32
	var starts []int
	for _, choice := range []string{" a chain", " 链条", " x", "", " a chain, and it is longer than all"} {
		ids = append(ids, append(slices.Clone(context0), plain.Tokenizer.Encode(choice)...)[:min(95, len(context0)+len(choice))])
		starts = append(starts, min(len(context0), len(ids[len(ids)-1])))
	}
	ids, starts = append(ids, plain.Tokenizer.Encode("another"), plain.Tokenizer.Encode("z"), []int32{4, 5}), append(starts, 1, 1, 2)
	want, err := Score(context.Background(), plain.backend, plain.Model, ids, starts, plain.Options.Precision)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{"shared": {}, "steps of 7": {StepTokens: 7}, "nothing kept": {NoPrefix: true}, "a cache of one": {CacheTokens: 96}} {
		e := start(t, o)
		for range 2 {
			got, err := e.LogProbs(context.Background(), ids, starts)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if !slices.Equal(got[i].LogProbs, want[i].LogProbs) || got[i].Greedy != want[i].Greedy || got[i].Sum != want[i].Sum {
					t.Errorf("%s: text %d scores %v, alone %v", name, i, got[i], want[i])
				}
			}
		}
		if running, waiting := e.Load(); running+waiting != 0 {
			t.Errorf("%s: something is left running", name)
		}
	}
}

func TestLongTextsAreScoredInWindows(t *testing.T) {
	e := start(t, Options{Precision: "exact"})
	long := e.Tokenizer.Encode(strings.Repeat("链条 and chains. ", 12))
	if _, err := e.LogProbs(context.Background(), [][]int32{long}, []int{1}); err == nil || !strings.Contains(err.Error(), "ScoreWindows") {
		t.Errorf("a text longer than the context: %v", err)
	}
	w := Windows{Window: 40, Stride: 10}
	got, err := ScoreWindows(context.Background(), e.backend, e.Model, [][]int32{long, long[:1]}, w, Numbers{Precision: "exact"})
	if err != nil || len(got[0].LogProbs) != len(long)-1 || len(got[1].LogProbs) != 0 {
		t.Fatalf("%d of %d tokens were scored, %v", len(got[0].LogProbs), len(long)-1, err)
	}
	at := 0
	for _, s := range w.Spans(len(long), 96) {
		rows := rowsOf(t, e.backend, e.Model, long[s.From:s.To-1])
		for p := s.Start; p < s.To; p++ {
			if want := plainLogSoftmax(rows[p-1-s.From])[long[p]]; math.Abs(want-float64(got[0].LogProbs[at])) > 1e-5 {
				t.Errorf("token %d has %v, expected %v", p, got[0].LogProbs[at], want)
			}
			at++
		}
	}
}
