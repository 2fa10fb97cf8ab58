package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"lian/compute/cpu"
	"lian/model/checkpoint"
	"lian/tokenizer"
	"lian/verify/shared"
)

// numbered is a tokenizer of n tokens whose texts do not matter.
func numbered(t *testing.T, n int) *tokenizer.Tokenizer {
	t.Helper()
	tokens := tokenizer.Alphabet()
	for len(tokens) < n {
		tokens = append(tokens, strings.Repeat("a", len(tokens)))
	}
	tok, err := tokenizer.New(tokenizer.Definition{Tokens: tokens[:n]})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// golden is an engine over a tiny model of the golden files.
func golden(t *testing.T, name string, o Options) *Engine {
	t.Helper()
	b := cpu.New(2)
	c, err := checkpoint.Open(shared.Path(t, "testdata", "golden", "infer", "hf", name), b, checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	e, err := New(b, c.Model, numbered(t, c.Model.Info().Vocab), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// TestBeamsAreThoseOfTransformers: sequences and scores, for several penalties and rules of stopping.
func TestBeamsAreThoseOfTransformers(t *testing.T) {
	file, err := os.Open("testdata/beams.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	engines, lines := map[string]*Engine{}, bufio.NewScanner(file)
	lines.Scan() // origin
	for number := 2; lines.Scan(); number++ {
		var c struct {
			Model     string    `json:"model"`
			Prompt    []int32   `json:"prompt"`
			Beams     int       `json:"beams"`
			Penalty   float64   `json:"length_penalty"`
			Early     string    `json:"early_stopping"`
			Stop      []int32   `json:"stop"`
			MaxTokens int       `json:"max_tokens"`
			IDs       [][]int32 `json:"ids"`
			Scores    []float64 `json:"scores"`
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if engines[c.Model] == nil {
			engines[c.Model] = golden(t, c.Model, Options{Precision: "exact"})
		}
		e := engines[c.Model]
		s := BeamSearch{Beams: c.Beams, Return: c.Beams, MaxTokens: c.MaxTokens, StopIDs: c.Stop, LengthPenalty: c.Penalty, EarlyStopping: EarlyStopping(c.Early)}
		got, err := e.BeamSearch(context.Background(), c.Prompt, s)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.IDs {
			if len(c.Scores) > 0 && c.Scores[i] < -1e8 { // a place that no reply has taken
				continue
			}
			if last := want[len(want)-1]; slices.Contains(c.Stop, last) {
				want = want[:len(want)-1]
			}
			switch {
			case i >= len(got):
				t.Errorf("line %d: %d replies, expected %d", number, len(got), len(c.IDs))
			case !slices.Equal(got[i].IDs, want):
				t.Errorf("line %d: reply %d is %v (%.6f), expected %v %v", number, i, got[i].IDs, got[i].Score, want, c.Scores)
			case len(c.Scores) > 0 && math.Abs(got[i].Score-c.Scores[i]) > 1e-4*max(1, math.Abs(c.Scores[i])):
				t.Errorf("line %d: reply %d scores %.6f, expected %.6f", number, i, got[i].Score, c.Scores[i])
			}
		}
	}
}

func TestOneBeamIsGreedy(t *testing.T) {
	e := start(t, Options{})
	prompt := e.Tokenizer.Encode("链条")
	want := result(t, e, Request{Prompt: prompt, MaxTokens: 20})
	got, err := e.BeamSearch(context.Background(), prompt, BeamSearch{Beams: 1, MaxTokens: 20, LengthPenalty: 1})
	if err != nil || !slices.Equal(got[0].IDs, want.IDs) {
		t.Errorf("one beam finds %v, greedy %v, %v", got, want.IDs, err)
	}
	for _, s := range []BeamSearch{{}, {Beams: 2, Return: 3, MaxTokens: 1}, {Beams: 1}, {Beams: 1, MaxTokens: 1, EarlyStopping: "soon"}, {Beams: 1, MaxTokens: 1000}} {
		if _, err := e.BeamSearch(context.Background(), prompt, s); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
}

// TestContrastiveSearchIsTheFormula, each candidate's hidden row made anew without a cache.
func TestContrastiveSearchIsTheFormula(t *testing.T) {
	e := golden(t, "llama", Options{Precision: "exact"})
	ids := []int32{1, 159, 255, 77, 15}
	s := ContrastiveSearch{K: 5, Alpha: 0.6, MaxTokens: 12}
	got, err := e.ContrastiveSearch(context.Background(), ids, s)
	if err != nil {
		t.Fatal(err)
	}
	text := slices.Clone(ids)
	for at, chosen := range got.IDs {
		p := plainLogSoftmax(rowsOf(t, e.backend, e.Model, text)[len(text)-1])
		order := make([]int, len(p))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int {
			if p[a] > p[b] {
				return -1
			}
			return 1
		})
		best, score, second := 0, math.Inf(-1), math.Inf(-1)
		for _, id := range order[:s.K] {
			rows := hiddenOf(t, e, append(slices.Clone(text), int32(id)))
			likeness, last := -1.0, rows[len(rows)-1]
			for _, r := range rows[:len(rows)-1] {
				likeness = max(likeness, dot(r, last)/math.Sqrt(dot(r, r)*dot(last, last)))
			}
			if x := 0.4*math.Exp(p[id]) - 0.6*likeness; x > score {
				best, score, second = id, x, score
			} else {
				second = max(second, x)
			}
		}
		if int(chosen) != best && score-second > 1e-6 {
			t.Fatalf("token %d is %d, the formula chooses %d (%v)", at, chosen, best, score)
		}
		text = append(text, chosen)
	}
	if len(got.IDs) != s.MaxTokens {
		t.Errorf("%d tokens", len(got.IDs))
	}
}

func hiddenOf(t *testing.T, e *Engine, ids []int32) (out [][]float32) {
	t.Helper()
	rows, err := e.unitRows(ids, nil)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestSearchesGiveTheirBlocksBack also when the cache is full.
func TestSearchesGiveTheirBlocksBack(t *testing.T) {
	e := start(t, Options{CacheTokens: 96})
	prompt := e.Tokenizer.Encode(strings.Repeat("ab", 20))
	if _, err := e.BeamSearch(context.Background(), prompt, BeamSearch{Beams: 8, MaxTokens: 30, LengthPenalty: 1}); err == nil || !strings.Contains(err.Error(), "cache") {
		t.Errorf("eight beams in a cache of three blocks: %v", err)
	}
	want := result(t, start(t, Options{}), Request{Prompt: prompt, MaxTokens: 50})
	if got := result(t, e, Request{Prompt: prompt, MaxTokens: 50}); !slices.Equal(got.IDs, want.IDs) {
		t.Errorf("after the search the reply is %v, before %v", got.IDs, want.IDs)
	}
}
