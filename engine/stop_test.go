package engine

import (
	"context"
	"math"
	"strings"
	"testing"

	"lian/compute/ref"
	"lian/engine/sample"
)

// shown feeds pieces of text to a sequence and gives what it shows.
func shown(t *testing.T, stops []string, pieces []string) (string, bool) {
	t.Helper()
	_, tok := tiny(t, ref.New(), 96)
	q := &sequence{request: Request{StopText: stops}, decoder: tok.NewStream(), stream: newStream(0)}
	for _, p := range pieces {
		if _, stopped := q.show(p); stopped {
			return q.text.String(), true
		}
	}
	q.end(FinishLength, nil)
	return q.text.String(), false
}

// TestStopTextsEndTheReplyWhereverTokensAreCut: every way to cut a text in two or three.
func TestStopTextsEndTheReplyWhereverTokensAreCut(t *testing.T) {
	for _, c := range []struct {
		why, text string
		stops     []string
		want      string
		stopped   bool
	}{
		{"plain", "hello END there", []string{"END"}, "hello ", true},
		{"Chinese", "一段链条，然后停止。", []string{"然后"}, "一段链条，", true},
		{"emoji of four bytes", "fine 👍🏽 yes", []string{"👍🏽"}, "fine ", true},
		{"one stop begins another", "a abcd", []string{"abc", "abcd"}, "a ", true},
		{"overlapping stops: the one that is complete first in the text", "xaabbx", []string{"abb", "aab"}, "x", true},
		{"a beginning that comes to nothing", "aab aac", []string{"aad"}, "aab aac", false},
		{"a beginning within a beginning", "aaab", []string{"aab"}, "a", true},
		{"held at the end", "done EN", []string{"END"}, "done EN", false},
		{"nothing before", "ENDxx", []string{"END"}, "", true},
		{"empty stops do nothing", "abc", []string{""}, "abc", false},
	} {
		for i := range len(c.text) + 1 {
			for j := i; j <= len(c.text); j++ {
				got, stopped := shown(t, c.stops, []string{c.text[:i], c.text[i:j], c.text[j:]})
				if got != c.want || stopped != c.stopped {
					t.Fatalf("%s: %q cut at %d and %d with stops %q shows %q, stopped %v; expected %q, %v", c.why, c.text, i, j, c.stops, got, stopped, c.want, c.stopped)
				}
			}
		}
	}
}

// TestBytesOfACharacterAreShownTogether even if each is a token of its own, and a stop is found among them.
func TestBytesOfACharacterAreShownTogether(t *testing.T) {
	_, tok := tiny(t, ref.New(), 96)
	q := &sequence{request: Request{StopText: []string{"条"}}, decoder: tok.NewStream(), stream: newStream(0)}
	var pieces []string
	for _, id := range tok.Encode("👍链条x") {
		piece, stopped := q.show(q.decoder.Push(id))
		if piece != "" {
			pieces = append(pieces, piece)
		}
		if stopped {
			break
		}
	}
	if got := strings.Join(pieces, "|"); got != "👍|链" {
		t.Errorf("shown %q, expected 👍|链", got)
	}
}

func TestAReplyIsAsLongAsAsked(t *testing.T) {
	e := start(t, Options{})
	prompt := e.Tokenizer.Encode("q")
	r := Request{Prompt: prompt, MaxTokens: 12}
	free := result(t, e, r)
	r.StopIDs = []int32{free.IDs[2]}
	if got := result(t, e, r); got.Finish != FinishStop || len(got.IDs) > 2 {
		t.Fatalf("with a stop at token 3 the reply is %v, %s", got.IDs, got.Finish)
	}
	r.Sample.MinTokens = 6
	got := result(t, e, r)
	if len(got.IDs) < 6 {
		t.Errorf("at least 6 tokens were asked for, the reply is %v", got.IDs)
	}
	for i, id := range got.IDs {
		if id == free.IDs[2] && i < 6 {
			t.Errorf("the token that stops was chosen as token %d", i)
		}
	}
	r.Sample.MinTokens = 13
	if _, err := e.Generate(context.Background(), r); err == nil || !strings.Contains(err.Error(), "min_tokens is 13") {
		t.Errorf("at least 13 of at most 12: %v", err)
	}
}

func TestBadWordsDoNotAppear(t *testing.T) {
	e := start(t, Options{})
	r := Request{Prompt: e.Tokenizer.Encode("word"), MaxTokens: 30, Sample: sample.Params{Temperature: 1, Seed: 4}}
	free := result(t, e, r)
	if len(free.Text) < 6 {
		t.Fatalf("the model says only %q", free.Text)
	}
	words := []string{string([]byte(free.Text)[0]), free.Text[2:4]}
	for _, w := range words {
		if strings.ContainsRune(w, '�') {
			t.Skip("no text in the reply")
		}
	}
	r.Sample.BadWords = words
	if got := result(t, e, r); strings.Contains(got.Text, words[0]) || strings.Contains(got.Text, words[1]) {
		t.Errorf("the reply %q has one of %q", got.Text, words)
	}
}

// TestPromptsHaveLogProbs: those of the plain forward, and of the tokens a greedy reply chose.
func TestPromptsHaveLogProbs(t *testing.T) {
	e := start(t, Options{Precision: "exact"})
	prompt := e.Tokenizer.Encode("链 chain, and more than thirty-two tokens of it to have chunks")
	got := result(t, e, Request{Prompt: prompt, MaxTokens: 1, PromptLogProbs: true, Top: 3}).Prompt
	if len(got) != len(prompt) || !math.IsNaN(float64(got[0].LogProb)) {
		t.Fatalf("%d tokens for %d, the first %v", len(got), len(prompt), got[0])
	}
	rows := rowsOf(t, e.backend, e.Model, prompt)
	for i := 1; i < len(prompt); i++ {
		want := plainLogSoftmax(rows[i-1])
		rank := 0
		for _, p := range want {
			if p > want[prompt[i]] {
				rank++
			}
		}
		if got[i].ID != prompt[i] || math.Abs(float64(got[i].LogProb)-want[prompt[i]]) > 1e-5 || got[i].Rank != rank || len(got[i].Top) != 3 {
			t.Errorf("token %d is %+v, expected %v and rank %d", i, got[i], want[prompt[i]], rank)
		}
	}
}

func result(t *testing.T, e *Engine, r Request) Result {
	t.Helper()
	s, err := e.Generate(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	out := s.Result()
	if out.Err != nil {
		t.Fatal(out.Err)
	}
	return out
}
