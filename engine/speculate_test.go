package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"lian/compute/ref"
	"lian/engine/draft"
	"lian/engine/grammar"
	"lian/engine/sample"
	"lian/model/nn"
	"lian/tokenizer"
)

// oracle knows replies by their prompts, and errs now and then.
type oracle struct {
	texts [][]int32
	r     *rand.Rand
}

func (o oracle) Draft(text []int32, n int) draft.Guess {
	ids := make([]int32, 0, n)
	for _, known := range o.texts {
		if len(known) >= len(text) && slices.Equal(known[:len(text)], text) {
			ids = append(ids, known[len(text):min(len(known), len(text)+n)]...)
			break
		}
	}
	for len(ids) < n {
		ids = append(ids, o.r.Int32N(256))
	}
	if at := o.r.IntN(n + 3); at < n {
		ids[at] = o.r.Int32N(256)
	}
	return draft.Guess{IDs: ids, Class: draft.MatchOf4}
}

// anything are requests of every kind, for one engine.
func anything(t *testing.T, e *Engine, r *rand.Rand, n int) (out []Request) {
	t.Helper()
	choice, err := grammar.Choice([]string{"链条链条链条", "炼钢", "practice makes practice"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		q := Request{Prompt: make([]int32, 1+r.IntN(50)), MaxTokens: 1 + r.IntN(30), LogProbs: i%2 == 0, Top: i % 3, Adapter: []string{"", "one", "two"}[r.IntN(3)],
			Sample: sample.Params{Temperature: float32(r.IntN(3)) * 0.6, TopP: []float32{0, 0.9}[r.IntN(2)], TopK: r.IntN(2) * 20, Seed: r.Uint64(),
				RepetitionPenalty: []float32{0, 1.3}[r.IntN(2)], FrequencyPenalty: []float32{0, 0.4}[r.IntN(2)]}}
		for j := range q.Prompt {
			q.Prompt[j] = int32('a' + r.IntN(3))
		}
		switch r.IntN(6) {
		case 0:
			q.Sample.DRYMultiplier, q.Sample.DRYBase, q.Sample.DRYAllowedLength = 0.8, 1.75, 2
		case 1:
			q.Sample.Mirostat, q.Sample.MirostatTau, q.Sample.MirostatEta = 2, 4, 0.2
		case 2:
			q.Sample.XTCProbability, q.Sample.XTCThreshold, q.Sample.NoRepeatNGram = 0.5, 0.05, 3
		case 3:
			q.Sample.TypicalP, q.PromptLogProbs = 0.9, true
		}
		switch r.IntN(5) {
		case 0:
			q.Constraint = choice
		case 1:
			q.StopIDs = []int32{r.Int32N(256), r.Int32N(256), 'a'}
			q.Sample.MinTokens = min(q.MaxTokens, r.IntN(6))
		case 2:
			q.StopText = []string{string(rune('a' + r.IntN(26)))}
		}
		out = append(out, q)
	}
	return out
}

// replies asks for everything, all at once or one after the other, and gives tokens and results.
func replies(t *testing.T, e *Engine, requests []Request, together bool) (tokens []string, results []Result) {
	t.Helper()
	streams := make([]*Stream, len(requests))
	for i, q := range requests {
		var err error
		if streams[i], err = e.Generate(context.Background(), q); err != nil {
			t.Fatal(err)
		}
		if !together {
			streams[i].Result()
		}
	}
	for _, s := range streams {
		all := ""
		for tok, ok := s.Next(); ok; tok, ok = s.Next() {
			all += fmt.Sprintf("%+v ", tok)
		}
		r := s.Result()
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		tokens, results = append(tokens, all+r.Finish), append(results, r)
	}
	return tokens, results
}

// TestDraftsChangeNoToken: whatever is guessed, right, wrong or in part, the reply is the one without guesses, bit for bit: ids, text,
// log-probabilities and the reason of its end; greedy and sampled, with penalties, grammars, stops, adapters and little cache. That the
// sampled replies are the same says that their distribution is: they are the same function of the seed.
func TestDraftsChangeNoToken(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 7))
		plain := adapted(t, Options{Drafting: Drafting{Draft: DraftNone}})
		requests := anything(t, plain, r, 12)
		want, whole := replies(t, plain, requests, false)
		var known [][]int32
		for i, q := range requests {
			if whole[i].Drafted > 0 {
				t.Errorf("seed %d, request %d: %d drafts with drafting off", seed, i, whole[i].Drafted)
			}
			known = append(known, append(slices.Clone(q.Prompt), whole[i].IDs...))
		}
		for _, c := range []struct {
			way      string
			together bool
			o        Options
		}{
			{"oracle", false, Options{}}, {"oracle", true, Options{}}, {"oracle", true, Options{StepTokens: 9, CacheTokens: 96}}, {"oracle", true, Options{Sequences: 3, NoPrefix: true}},
			{DraftSuffix, true, Options{}}, {DraftLookup, false, Options{}}, {DraftAuto, false, Options{Drafting: Drafting{DraftHistory: 60}}},
		} {
			c.o.Draft, c.o.DraftTokens = c.way, 1+r.IntN(12)
			if c.way == "oracle" {
				c.o.Draft = DraftAuto
			}
			e := adapted(t, c.o)
			if c.way == "oracle" {
				e.speculation.open = func() draft.Drafter { return oracle{known, rand.New(rand.NewPCG(seed, 9))} }
			}
			e.speculation.choose = func(_ []draft.Class, ids []int, _ int) []int { return ids }
			got, results := replies(t, e, requests, c.together)
			drafted, accepted := 0, 0
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("seed %d, %+v, request %d: the reply is\n%s\nwithout drafts\n%s", seed, c, i, got[i], want[i])
				}
				drafted, accepted = drafted+results[i].Drafted, accepted+results[i].Accepted
			}
			if c.o.CacheTokens == 0 && (drafted == 0 || c.way == "oracle" && accepted < 20) {
				t.Errorf("seed %d, %+v: of %d drafts %d were accepted: nothing is tested", seed, c, drafted, accepted)
			}
			e.Close()
			for g, p := range e.scheduler.blocks.pools {
				if p.available() != len(p.holders) {
					t.Errorf("seed %d, %+v: of %d blocks of group %d only %d are free at the end", seed, c, len(p.holders), g, p.available())
				}
			}
		}
	}
}

// TestASmallerModelGuesses: one that thinks alike is right, with the same tokens and with others, and the reply stays what it is.
func TestASmallerModelGuesses(t *testing.T) {
	b := ref.New()
	m, tok := tiny(t, b, 96)
	coarse := wordy(t)
	other, err := nn.Initialise(b, nn.Spec{Family: "llama", Vocab: coarse.VocabSize(), Hidden: 16, Layers: 1, Context: 96, Norm: nn.Norm{Epsilon: 1e-5}, TiedEmbedding: true, Block: nn.Block{
		Attention:   nn.Attention{Heads: 2, KVHeads: 2, HeadSize: 8, Window: 12, RoPE: nn.RoPE{Theta: 10000, Rotary: 8}},
		FeedForward: nn.FeedForward{Hidden: 24}}}, 4, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	requests := []Request{}
	for i, text := range []string{"abc", "the cat the cat", "一二三", "q", "x y", "more than the model has places for"} {
		requests = append(requests, Request{Prompt: tok.Encode(text), MaxTokens: 25, Sample: sample.Params{Temperature: float32(i%2) * 0.8, Seed: uint64(i)}})
	}
	plain := start(t, Options{Drafting: Drafting{Draft: DraftNone}})
	want, _ := replies(t, plain, requests, false)
	for name, with := range map[string]func(e *Engine) error{
		"itself":       func(e *Engine) error { return e.DraftWith(m, tok, nil) },
		"other tokens": func(e *Engine) error { return e.DraftWith(other, coarse, nil) },
	} {
		for _, together := range []bool{false, true} {
			e := start(t, Options{Drafting: Drafting{Draft: "a model"}})
			if err := with(e); err != nil {
				t.Fatal(err)
			}
			e.speculation.open = func() draft.Drafter { return &draft.Lookup{} }
			e.speculation.choose = func(_ []draft.Class, ids []int, _ int) []int { return ids }
			e.speculation.worth = func(_, most int) int { return most }
			got, results := replies(t, e, requests, together)
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%s, together %v, request %d: the reply is\n%s\nwithout drafts\n%s", name, together, i, got[i], want[i])
				}
				if name == "itself" && !together && results[i].Accepted < 15 {
					t.Errorf("%s, request %d: %d of %d drafts were accepted, expected nearly all of 24 tokens", name, i, results[i].Accepted, results[i].Drafted)
				}
			}
		}
	}
}

// wordy is a tokenizer of bytes and some words.
func wordy(t *testing.T) *tokenizer.Tokenizer {
	t.Helper()
	d := tokenizer.Definition{Tokens: tokenizer.Alphabet()}
	for _, merge := range [][2]string{{"c", "a"}, {"ca", "t"}, {"t", "h"}, {"th", "e"}, {"a", "b"}, {"x", "y"}} {
		d.Merges, d.Tokens = append(d.Merges, merge), append(d.Tokens, merge[0]+merge[1])
	}
	tok, err := tokenizer.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestDraftingIsRefusedInWords where it cannot be.
func TestDraftingIsRefusedInWords(t *testing.T) {
	b := ref.New()
	m, tok := tiny(t, b, 96)
	if _, err := New(b, m, tok, Options{Drafting: Drafting{DraftTokens: 64}}); err == nil {
		t.Error("64 drafts were accepted")
	}
}
