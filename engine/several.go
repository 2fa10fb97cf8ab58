package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"lian/engine/sample"
)

// GenerateAll starts the N branches of a request. The prompt is computed once and its blocks are shared. The i-th reply is that of a
// request of its own with the seed sample.Derive(seed, i).
func (e *Engine) GenerateAll(ctx context.Context, r Request) ([]*Stream, error) {
	var streams []*Stream
	seed, n := r.Sample.Seed, max(r.N, 1)
	r.N = 0
	for i := range n {
		r.Sample.Seed = sample.Derive(seed, i)
		s, err := e.Generate(ctx, r)
		if err != nil {
			for _, begun := range streams {
				begun.Cancel()
			}
			return nil, err
		}
		streams = append(streams, s)
		r.PromptLogProbs = false // one is enough
	}
	return streams, nil
}

// Scoring is a reply and what its tokens' log-probabilities are on the average.
type Scoring struct {
	Result
	LogProb float64
}

// BestOf gives the N replies to a request, the one whose tokens are most likely on the average first; equals in the order of their
// branches.
func (e *Engine) BestOf(ctx context.Context, r Request) ([]Scoring, error) {
	r.LogProbs = true
	streams, err := e.GenerateAll(ctx, r)
	if err != nil {
		return nil, err
	}
	replies := make([]Scoring, len(streams))
	for i, s := range streams {
		sum, tokens := 0.0, 0
		for t, ok := s.Next(); ok; t, ok = s.Next() {
			if t.ID >= 0 {
				sum, tokens = sum+float64(t.LogProb), tokens+1
			}
		}
		replies[i] = Scoring{s.Result(), sum / float64(max(tokens, 1))}
		err = errors.Join(err, replies[i].Err)
	}
	slices.SortStableFunc(replies, func(a, b Scoring) int { return cmp.Compare(b.LogProb, a.LogProb) })
	return replies, err
}
