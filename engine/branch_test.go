package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"lian/engine/sample"
)

func mostLikely(logits []float32) int32 {
	best := int32(0)
	for id, l := range logits[:257] {
		if l > logits[best] {
			best = int32(id)
		}
	}
	return best
}

// TestABranchGoesOnAsARequestWould: also after others were forked from it in the middle of a block and went elsewhere.
func TestABranchGoesOnAsARequestWould(t *testing.T) {
	e, ctx := start(t, Options{StepTokens: 16}), context.Background()
	prompt := e.Tokenizer.Encode(strings.Repeat("链条", 7)) // 42 bytes
	want := say(t, e, prompt, 20)
	b, err := e.OpenBranch(prompt, "")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.CachedTokens() != 32 {
		t.Errorf("%d tokens of the branch's prompt were cached, expected 32", b.CachedTokens())
	}
	var others []*Branch
	for i := range want.IDs {
		all := append([]*Branch{b}, others...)
		logits, err := e.Logits(ctx, all...)
		if err != nil {
			t.Fatal(err)
		}
		if got := mostLikely(logits[0]); got != want.IDs[i] {
			t.Fatalf("token %d is %d, a request has %d", i, got, want.IDs[i])
		}
		if i%5 == 2 {
			f, err := b.Fork()
			if err != nil {
				t.Fatal(err)
			}
			f.Append(int32('x'))
			others = append(others, f)
			defer f.Close()
		}
		b.Append(want.IDs[i])
		for j, o := range all[1:] {
			o.Append(mostLikely(logits[1+j]))
		}
	}
	for i, o := range others {
		whole := say(t, e, o.IDs()[:len(prompt)+5*i+3], 8)
		if n := min(8, len(o.IDs())-len(prompt)-5*i-3); !slices.Equal(o.IDs()[len(prompt)+5*i+3:][:n], whole.IDs[:n]) {
			t.Errorf("fork %d went on with %v, a request of its ids with %v", i, o.IDs()[len(prompt)+5*i+3:], whole.IDs)
		}
	}
}

func TestBranchesThatDoNotFitAreAnErrorAndLoseNothing(t *testing.T) {
	e, ctx := start(t, Options{CacheTokens: 96}), context.Background()
	b, err := e.OpenBranch(e.Tokenizer.Encode(strings.Repeat("a", 80)), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Logits(ctx, b); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Fork(); !errors.Is(err, ErrCacheFull) {
		t.Errorf("a fork without a free block: %v", err)
	}
	s, err := e.Generate(ctx, Request{Prompt: e.Tokenizer.Encode(strings.Repeat("b", 60)), MaxTokens: 3}) // waits for the branch
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	if r := s.Result(); r.Finish != FinishLength {
		t.Errorf("the request that waited for a branch's blocks: %+v", r)
	}
}

func TestBestOfPutsTheMostLikelyFirst(t *testing.T) {
	e, ctx := start(t, Options{}), context.Background()
	r := Request{Prompt: e.Tokenizer.Encode("abc"), MaxTokens: 6, N: 4, Sample: sample.Params{Temperature: 1, Seed: 5}}
	replies, err := e.BestOf(ctx, r)
	if err != nil || len(replies) != 4 {
		t.Fatal(len(replies), err)
	}
	for i := range replies[1:] {
		if replies[i].LogProb < replies[i+1].LogProb {
			t.Errorf("reply %d has %v, the one after it %v", i, replies[i].LogProb, replies[i+1].LogProb)
		}
	}
	if _, err := e.Generate(ctx, r); err == nil {
		t.Error("Generate took a request of 4 branches for one")
	}
}
