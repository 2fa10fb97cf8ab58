package engine

import (
	"context"
	"math"
	"slices"
	"testing"

	"lian/model"
)

// TestEmbeddingsAreTheirFormulas and depend on no other text.
func TestEmbeddingsAreTheirFormulas(t *testing.T) {
	e := golden(t, "llama", Options{Precision: "exact"})
	texts := [][]int32{{1, 159, 255, 77, 15}, {9}, {3, 1, 4, 1, 5, 9, 2, 6}}
	rows := map[int][][]float32{}
	if err := e.hidden(context.Background(), texts, nil, model.Taps{}, func(i int, r [][]float32) { rows[i] = r }); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Embedding{{}, {Pooling: PoolLast}, {Pooling: PoolFirst}, {Pooling: PoolWeighted}, {Pooling: PoolMean, Dimensions: 7, Normalize: true}} {
		got, err := e.Embed(context.Background(), texts, o)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			alone, err := e.Embed(context.Background(), [][]int32{text}, o)
			if err != nil || !slices.Equal(alone[0], got[i]) {
				t.Errorf("%+v: text %d is another vector alone, %v", o, i, err)
			}
			width := len(rows[i][0])
			if o.Dimensions > 0 {
				width = o.Dimensions
			}
			want, weight := make([]float64, width), 0.0
			for r, row := range rows[i] {
				w := 1.0
				switch {
				case o.Pooling == PoolWeighted:
					w = float64(r + 1)
				case o.Pooling == PoolLast && r < len(rows[i])-1, o.Pooling == PoolFirst && r > 0:
					w = 0
				}
				weight += w
				for j := range want {
					want[j] += w * float64(row[j])
				}
			}
			norm := weight
			if o.Normalize {
				norm = 0
				for _, x := range want {
					norm += x * x
				}
				norm = math.Sqrt(norm)
			}
			for j, x := range want {
				if d := math.Abs(float64(got[i][j]) - x/norm); d > 1e-5 {
					t.Fatalf("%+v: text %d has %v at %d, expected %v", o, i, got[i][j], j, x/norm)
				}
			}
			if len(got[i]) != width {
				t.Errorf("%+v: %d numbers, expected %d", o, len(got[i]), width)
			}
		}
	}
	for _, o := range []Embedding{{Pooling: "max"}, {Dimensions: 1000}} {
		if _, err := e.Embed(context.Background(), texts, o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	if _, err := e.Embed(context.Background(), [][]int32{{}}, Embedding{}); err == nil {
		t.Error("a text without a token was embedded")
	}
}

func TestRerankingIsByYesOverNo(t *testing.T) {
	e := golden(t, "llama", Options{Precision: "exact", Sequences: 2})
	var prompts [][]int32
	for i := range 5 {
		p := make([]int32, 40+i)
		for j := range p {
			p[j] = int32((j*7 + 3) % 290)
		}
		p[len(p)-1] = int32(i * 31)
		prompts = append(prompts, p)
	}
	got, err := e.Rerank(context.Background(), prompts, Judgement{Yes: 11, No: 12})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range got {
		rows := rowsOf(t, e.backend, e.Model, prompts[r.Index])
		p := plainLogSoftmax(rows[len(rows)-1])
		if want := math.Exp(p[11]) / (math.Exp(p[11]) + math.Exp(p[12])); math.Abs(r.Score-want) > 1e-5 {
			t.Errorf("document %d scores %v, expected %v", r.Index, r.Score, want)
		}
		if i > 0 && r.Score > got[i-1].Score {
			t.Errorf("place %d has more than the one before: %v", i, got)
		}
	}
	if _, err := e.Rerank(context.Background(), prompts, Judgement{Yes: 3, No: 3}); err == nil {
		t.Error("one token for yes and no was accepted")
	}
	near, err := e.RerankByEmbedding(context.Background(), prompts[3], prompts, Embedding{})
	if err != nil || near[0].Index != 3 || math.Abs(near[0].Score-1) > 1e-5 {
		t.Errorf("nearest to a text is %v, %v", near, err)
	}
}
