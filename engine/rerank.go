package engine

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
)

// Ranked is a document's place for a question.
type Ranked struct {
	Index int // of the document, as given
	Score float64
}

// Rerank orders documents by how much more likely a model says yes than no after each prompt, which holds the question and one
// document: a score of 0 to 1, p(yes) / (p(yes) + p(no)). This is how causal rerankers such as Qwen3-Reranker are read. What the
// prompts have in common at their beginnings is computed once.
func (e *Engine) Rerank(ctx context.Context, prompts [][]int32, yes, no int32) ([]Ranked, error) {
	vocab := int32(e.Model.Info().Vocab)
	if yes < 0 || no < 0 || yes >= vocab || no >= vocab || yes == no {
		return nil, errors.New("rerank: yes and no must be two tokens of the vocabulary")
	}
	out := make([]Ranked, len(prompts))
	for from := 0; from < len(prompts); {
		to := min(from+e.Options.Sequences, len(prompts))
		if from == 0 {
			to = 1 // alone, so that the others find its blocks
		}
		rows, err := e.after(ctx, prompts[from:to])
		if err != nil {
			return nil, err
		}
		for i, row := range rows {
			out[from+i] = Ranked{from + i, 1 / (1 + math.Exp(float64(row[no])-float64(row[yes])))}
		}
		from = to
	}
	return ranked(out), nil
}

// after are the logits of what comes after each prompt.
func (e *Engine) after(ctx context.Context, prompts [][]int32) ([][]float32, error) {
	branches := make([]*Branch, len(prompts))
	for i, p := range prompts {
		b, err := e.OpenBranch(p, "")
		if err != nil {
			return nil, err
		}
		defer b.Close()
		branches[i] = b
	}
	return e.Logits(ctx, branches...)
}

// RerankByEmbedding orders documents by the cosine of their vectors and the question's.
func (e *Engine) RerankByEmbedding(ctx context.Context, question []int32, documents [][]int32, o Embedding) ([]Ranked, error) {
	o.Normalize = true
	vectors, err := e.Embed(ctx, append([][]int32{question}, documents...), o)
	if err != nil {
		return nil, err
	}
	out := make([]Ranked, len(documents))
	for i, v := range vectors[1:] {
		out[i] = Ranked{i, dot(vectors[0], v)}
	}
	return ranked(out), nil
}

// ranked puts the best first, equals as they were given.
func ranked(list []Ranked) []Ranked {
	slices.SortStableFunc(list, func(a, b Ranked) int { return cmp.Compare(b.Score, a.Score) })
	return list
}
