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

// Judgement is how a model is asked whether a document answers a question.
type Judgement struct {
	Yes, No  int32          // tokens of the answers
	Adapter  string         // name of the adapter that judges; "" is the model as it is
	Progress func(done int) // hears of how many prompts were judged; may be nil
}

// Rerank orders documents by how much more likely a model says yes than no after each prompt, which holds the question and one
// document: a score of 0 to 1, p(yes) / (p(yes) + p(no)). This is how causal rerankers such as Qwen3-Reranker are read. What the
// prompts have in common at their beginnings is computed once; as many are computed together as the cache has room for.
func (e *Engine) Rerank(ctx context.Context, prompts [][]int32, j Judgement) ([]Ranked, error) {
	vocab := int32(e.Model.Info().Vocab)
	if j.Yes < 0 || j.No < 0 || j.Yes >= vocab || j.No >= vocab || j.Yes == j.No {
		return nil, errors.New("rerank: yes and no must be two tokens of the vocabulary")
	}
	out := make([]Ranked, len(prompts))
	for from := 0; from < len(prompts); {
		to, tokens := from+1, len(prompts[from])
		for from > 0 && to < min(from+e.Options.Sequences, len(prompts)) && tokens+len(prompts[to]) <= e.Options.CacheTokens/2 { // the first alone, so that the others find its blocks
			tokens += len(prompts[to])
			to++
		}
		rows, err := e.after(ctx, prompts[from:to], j.Adapter)
		if err != nil {
			return nil, err
		}
		for i, row := range rows {
			out[from+i] = Ranked{from + i, 1 / (1 + math.Exp(float64(row[j.No])-float64(row[j.Yes])))}
		}
		if from = to; j.Progress != nil {
			j.Progress(from)
		}
	}
	return ranked(out), nil
}

// after are the logits of what comes after each prompt.
func (e *Engine) after(ctx context.Context, prompts [][]int32, adapter string) ([][]float32, error) {
	branches := make([]*Branch, len(prompts))
	for i, p := range prompts {
		b, err := e.OpenBranch(p, adapter)
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
