package servetest

import (
	"context"
	"slices"
	"strings"

	"lian/engine"
	"lian/serve"
)

// EncodeText implements serve.Embedder.
func (f *Fake) EncodeText(text string) []int32 { return f.Encode(text) }

// Pooling implements serve.Embedder.
func (f *Fake) Pooling() engine.Pooling { return engine.PoolLast }

// Embed gives the number of a text's tokens, its first token, and how it was asked for.
func (f *Fake) Embed(_ context.Context, texts [][]int32, o engine.Embedding) (vectors [][]float32, err error) {
	if err := o.Check(4); err != nil {
		return nil, err
	}
	for _, ids := range texts {
		v := []float32{float32(len(ids)), float32(ids[0]), 0, 0}
		if o.Normalize {
			v[2] = 1
		}
		if o.Pooling == engine.PoolLast {
			v[3] = 1
		}
		if o.Dimensions > 0 {
			v = v[:o.Dimensions]
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}

// Rerank counts in how many words a document has the query.
func (f *Fake) Rerank(_ context.Context, r *serve.Ranking) (list []engine.Ranked, err error) {
	if r.Method == "" {
		r.Method = serve.RankByJudgement
	}
	for i, text := range r.Documents {
		r.Tokens += len(text)
		list = append(list, engine.Ranked{Index: i, Score: float64(strings.Count(text, r.Query))})
	}
	slices.SortStableFunc(list, func(a, b engine.Ranked) int { return int(b.Score - a.Score) })
	return list, nil
}
