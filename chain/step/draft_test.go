package step

import (
	"context"
	"strings"
	"testing"

	"lian/engine"
	"lian/engine/sample"
	"lian/event"
	"lian/verify/shared"
)

// TestADraftModelGuessesForGenerate: the replies are those without it, and what is no way of drafting is an error that says which are.
func TestADraftModelGuessesForGenerate(t *testing.T) {
	path := speaking(t, shared.Path(t, "testdata", "golden", "train", "models", "llama_untied"))
	say := func(draft string) ([]Generated, error) {
		var out []Generated
		err := Generate(context.Background(), path, []Prompt{{Text: "abab abab", Place: "prompt 1"}}, GenerateOptions{Sample: sample.Params{MaxTokens: 30, Temperature: 0.5, Seed: 4}, N: 1, LogProbs: -1, Drafting: engine.Drafting{Draft: draft, DraftTokens: 4}},
			nil, func(g Generated) error { out = append(out, g); return nil }, event.Discard)
		return out, err
	}
	want, err := say("none")
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{"auto", "lookup", "suffix", path} {
		got, err := say(way)
		if err != nil {
			t.Fatal(err)
		}
		if got[0].Text != want[0].Text || got[0].Finish != want[0].Finish {
			t.Errorf("--draft %s: %q, without %q", way, got[0].Text, want[0].Text)
		}
	}
	if _, err := say("sufix"); err == nil || !strings.Contains(err.Error(), "none, auto, lookup, suffix") {
		t.Errorf("--draft sufix: %v", err)
	}
}
