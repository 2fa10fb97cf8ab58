package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"lian/compute"
	"lian/compute/ref"
	"lian/engine/grammar"
	"lian/engine/sample"
	"lian/model"
	"lian/model/nn"
	"lian/tokenizer"
)

// tiny is a random model over bytes.
func tiny(t *testing.T, b compute.Backend, context int) (model.Model, *tokenizer.Tokenizer) {
	t.Helper()
	tok, err := tokenizer.New(tokenizer.Definition{Tokens: append(tokenizer.Alphabet(), "<|end|>"), Added: []tokenizer.Added{{ID: 256, Text: "<|end|>", Special: true}}})
	if err != nil {
		t.Fatal(err)
	}
	s := nn.Spec{Family: "llama", Vocab: 257, Hidden: 16, Layers: 2, Context: context, Norm: nn.Norm{Epsilon: 1e-5}, TiedEmbedding: true, Block: nn.Block{
		Attention:   nn.Attention{Heads: 4, KVHeads: 2, HeadSize: 4, RoPE: nn.RoPE{Theta: 10000, Rotary: 4}},
		FeedForward: nn.FeedForward{Hidden: 24}}}
	m, err := nn.Initialise(b, s, 3, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	return m, tok
}

func start(t *testing.T, o Options) *Engine {
	t.Helper()
	b := ref.New()
	m, tok := tiny(t, b, 96)
	e, err := New(b, m, tok, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// requests differ in length, sampling and constraint.
func requests(t *testing.T, tok *tokenizer.Tokenizer) []Request {
	t.Helper()
	choice, err := grammar.Choice([]string{"链条", "炼钢", "practice"})
	if err != nil {
		t.Fatal(err)
	}
	var out []Request
	for i, text := range []string{"a", "hello there, how long is this prompt?", "你好，世界", strings.Repeat("ab", 20), "x", "yz"} {
		r := Request{Prompt: tok.Encode(text), MaxTokens: 5 + 6*i, Sample: sample.Params{Temperature: float32(i % 2), Seed: uint64(i)}}
		if i == 4 {
			r.Constraint = choice
		}
		out = append(out, r)
	}
	return out
}

func run(t *testing.T, e *Engine, together bool) (replies [][]int32, texts []string) {
	t.Helper()
	var streams []*Stream
	for _, r := range requests(t, e.Tokenizer) {
		s, err := e.Generate(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		if !together {
			s.Result()
		}
		streams = append(streams, s)
	}
	for _, s := range streams {
		var text strings.Builder
		for {
			tok, ok := s.Next()
			if !ok {
				break
			}
			text.WriteString(tok.Text)
		}
		r := s.Result()
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if text.String() != r.Text {
			t.Errorf("streamed %q, result has %q", text.String(), r.Text)
		}
		replies, texts = append(replies, r.IDs), append(texts, r.Text)
	}
	return replies, texts
}

// TestRepliesDependOnTheRequestAlone: alone or together, in chunks, with a cache so small that sequences are put back.
func TestRepliesDependOnTheRequestAlone(t *testing.T) {
	want, texts := run(t, start(t, Options{}), false)
	if !slices.Contains([]string{"链条", "炼钢", "practice"}, texts[4]) {
		t.Errorf("the constrained reply is %q", texts[4])
	}
	for name, o := range map[string]Options{
		"together":           {},
		"chunks of 3 tokens": {StepTokens: 3},
		"a cache of one":     {CacheTokens: 96},
		"two at a time":      {Sequences: 2, StepTokens: 7},
	} {
		got, _ := run(t, start(t, o), true)
		for i := range want {
			if !slices.Equal(got[i], want[i]) {
				t.Errorf("%s: reply %d is %v, alone it is %v", name, i, got[i], want[i])
			}
		}
	}
}

func TestGreedyRepliesAgreeWithScores(t *testing.T) {
	e := start(t, Options{})
	prompt := e.Tokenizer.Encode("链 chain")
	s, err := e.Generate(context.Background(), Request{Prompt: prompt, MaxTokens: 8, LogProbs: true, Top: 2})
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for {
		tok, ok := s.Next()
		if !ok {
			break
		}
		if tok.ID < 0 {
			continue
		}
		if len(tok.Top) != 2 || tok.Top[0].ID != tok.ID {
			t.Errorf("token %d, most likely %v", tok.ID, tok.Top)
		}
		sum += float64(tok.LogProb)
	}
	all := append(slices.Clone(prompt), s.Result().IDs...)
	scored, err := e.LogProbs(context.Background(), [][]int32{all}, []int{len(prompt)})
	if err != nil {
		t.Fatal(err)
	}
	if !scored[0].Greedy || scored[0].Sum-sum > 1e-4 || sum-scored[0].Sum > 1e-4 {
		t.Errorf("scored %+v, generated with %v", scored[0], sum)
	}
}

func TestStopTextsAreFoundAcrossTokens(t *testing.T) {
	e := start(t, Options{})
	prompt := e.Tokenizer.Encode("q")
	first, err := e.Generate(context.Background(), Request{Prompt: prompt, MaxTokens: 12})
	if err != nil {
		t.Fatal(err)
	}
	text := first.Result().Text
	if len(text) < 8 {
		t.Fatalf("the model says only %q", text)
	}
	stop := text[3:6]
	s, err := e.Generate(context.Background(), Request{Prompt: prompt, MaxTokens: 12, StopText: []string{stop}})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Result(); r.Text != text[:strings.Index(text, stop)] || r.Finish != FinishStop {
		t.Errorf("with stop %q the reply to %q is %q, finish %s", stop, text, r.Text, r.Finish)
	}
}

func TestWhatCannotFitIsRefused(t *testing.T) {
	e := start(t, Options{})
	if _, err := e.Generate(context.Background(), Request{Prompt: make([]int32, 96), MaxTokens: 1}); !errors.Is(err, ErrContext) {
		t.Errorf("97 tokens in a context of 96: %v", err)
	}
	if _, err := e.Generate(context.Background(), Request{Prompt: []int32{999}}); err == nil {
		t.Error("an id outside the vocabulary was accepted")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s, err := e.Generate(ctx, Request{Prompt: []int32{1}, MaxTokens: 90})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Result(); r.Finish != FinishCancelled {
		t.Errorf("a cancelled request finished with %q", r.Finish)
	}
}
