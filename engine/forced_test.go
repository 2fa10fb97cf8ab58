package engine

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"lian/engine/grammar"
	"lian/engine/sample"
)

func TestWhatAConstraintForcesNeedsNoStep(t *testing.T) {
	g, err := grammar.CompileSchema([]byte(`{"type":"object","properties":{"temperature":{"type":"boolean"},"名字":{"enum":["链条","链子"]}},"required":["temperature","名字"]}`))
	if err != nil {
		t.Fatal(err)
	}
	var first []int32
	for _, o := range []Options{{Sequences: 1, Drafting: Drafting{Draft: DraftNone}}, {StepTokens: 7, Drafting: Drafting{Draft: DraftLookup}}} {
		e := start(t, o)
		r := Request{Prompt: e.Tokenizer.Encode("你好"), MaxTokens: 70, Constraint: g, StopIDs: []int32{256}, Sample: sample.Params{Temperature: 1, Seed: 5}}
		other := r
		other.Sample.Seed = 6
		a, err := e.Generate(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := e.Generate(context.Background(), other); err != nil || b.Result().Finish != FinishStop {
			t.Fatalf("the other reply: %v", err)
		}
		result := a.Result()
		if !json.Valid([]byte(result.Text)) || result.Finish != FinishStop {
			t.Fatalf("%q ends with %s", result.Text, result.Finish)
		}
		if result.Forced < len(result.IDs)/2 {
			t.Errorf("%d of %d tokens were forced", result.Forced, len(result.IDs))
		}
		if first == nil {
			first = result.IDs
		} else if !slices.Equal(first, result.IDs) {
			t.Errorf("in another batch, with drafts: %v, want %v", result.IDs, first)
		}
		r.LogProbs = true
		c, err := e.Generate(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		if result := c.Result(); result.Forced != 0 || !json.Valid([]byte(result.Text)) {
			t.Errorf("with log-probabilities %d tokens were forced; %q", result.Forced, result.Text)
		}
	}
}

func TestAReplyWithoutRoomIsClosedAndNotCut(t *testing.T) {
	g, err := grammar.CompileSchema([]byte(`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"string"}}},"required":["a","b"]}`))
	if err != nil {
		t.Fatal(err)
	}
	e := start(t, Options{})
	for most := 15; most < 70; most += 3 {
		for seed := range uint64(3) {
			s, err := e.Generate(context.Background(), Request{Prompt: []int32{97}, MaxTokens: most, Constraint: g, StopIDs: []int32{256}, Sample: sample.Params{Temperature: 1, Seed: seed}})
			if err != nil {
				t.Fatal(err)
			}
			r := s.Result()
			if ok, _ := g.Match(r.Text); !ok || len(r.IDs) > most {
				t.Errorf("%d tokens: %q (%d) ends with %s", most, r.Text, len(r.IDs), r.Finish)
			}
		}
	}
	if s, err := e.Generate(context.Background(), Request{Prompt: []int32{97}, MaxTokens: 5, Constraint: g}); err != nil || s.Result().Finish != FinishLength {
		t.Errorf("a reply that cannot be whole: %v", err)
	}
}
