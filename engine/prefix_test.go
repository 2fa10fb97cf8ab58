package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// say gives the reply to a text.
func say(t *testing.T, e *Engine, prompt []int32, most int) Result {
	t.Helper()
	s, err := e.Generate(context.Background(), Request{Prompt: prompt, MaxTokens: most})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Result()
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	return r
}

func TestTheNextTurnComputesOnlyWhatIsNew(t *testing.T) {
	e, cold := start(t, Options{CacheTokens: 4 * 96}), start(t, Options{NoPrefix: true})
	prompt := e.Tokenizer.Encode("问：链是什么？ " + strings.Repeat("a", 20)) // 20 + 20 bytes
	first := say(t, e, prompt, 25)
	if first.CachedTokens != 0 || first.Miss != MissCold {
		t.Errorf("the first turn had %d tokens cached, miss %q", first.CachedTokens, first.Miss)
	}
	turn := append(slices.Clone(prompt), first.IDs...)
	turn = append(turn, e.Tokenizer.Encode(" and?")...)
	second := say(t, e, turn, 12)
	if want := (len(prompt) + len(first.IDs) - 1) / blockSize * blockSize; second.CachedTokens != want || second.Miss != "" {
		t.Errorf("of the second turn's %d tokens %d were cached (miss %q), expected %d: prompt and reply in whole blocks", len(turn), second.CachedTokens, second.Miss, want)
	}
	if plain := say(t, cold, turn, 12); !slices.Equal(plain.IDs, second.IDs) || plain.CachedTokens != 0 {
		t.Errorf("with a cache the reply is %v, without %v (%d cached)", second.IDs, plain.IDs, plain.CachedTokens)
	}
	other := slices.Clone(turn)
	other[40]++
	if r := say(t, e, other, 1); r.CachedTokens != 32 || r.Miss != MissDiffers {
		t.Errorf("a text that differs at token 40 had %d tokens cached, miss %q", r.CachedTokens, r.Miss)
	}
}

func TestOneTokenIsComputedEvenIfAllAreKnown(t *testing.T) {
	e := start(t, Options{})
	prompt := e.Tokenizer.Encode(strings.Repeat("0123456789abcdef", 4))
	first := say(t, e, prompt, 5)
	if again := say(t, e, prompt, 5); !slices.Equal(again.IDs, first.IDs) || again.CachedTokens != 32 {
		t.Errorf("64 tokens again: %v after %v, %d cached", again.IDs, first.IDs, again.CachedTokens)
	}
}

// TestRequestsThatComeTogetherShareTheirPrompt: the second waits for what the first is computing.
func TestRequestsThatComeTogetherShareTheirPrompt(t *testing.T) {
	b, m, tok := tinyOn(t, nil)
	e, err := build(b, m, tok, Options{})
	if err != nil {
		t.Fatal(err)
	}
	prompt := tok.Encode(strings.Repeat("0123456789abcdef", 4))
	var streams []*Stream
	for range 3 {
		s, err := e.Generate(context.Background(), Request{Prompt: prompt, MaxTokens: 3})
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
	}
	rows := 0
	for plan := e.next(); len(plan) > 0; plan = e.next() {
		for _, w := range plan {
			rows += w.rows()
		}
		if err := e.step(plan); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range streams {
		if r := s.Result(); i > 0 && r.CachedTokens != 32 {
			t.Errorf("request %d had %d tokens cached", i, r.CachedTokens)
		}
	}
	if want := 64 + 2 + 2*(32+2); rows != want {
		t.Errorf("%d rows were computed, expected %d", rows, want)
	}
}
