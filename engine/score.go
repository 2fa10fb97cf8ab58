package engine

import (
	"context"
	"fmt"
	"math"

	"lian/compute"
	"lian/dtype"
	"lian/model"
)

var negativeInfinity = math.Inf(-1)

// Scored is how likely a model finds given tokens.
type Scored struct {
	LogProbs []float32 // natural logarithm of each token asked for, in order
	Sum      float64
	Greedy   bool // every token was the most likely one at its place
}

// LogProbs scores ids[i][starts[i]:] of each text after what stands before it. starts must be at least 1: the first token has
// nothing before it.
func (e *Engine) LogProbs(ctx context.Context, ids [][]int32, starts []int) ([]Scored, error) {
	e.computing.Lock()
	defer e.computing.Unlock()
	return Score(ctx, e.backend, e.Model, ids, starts, e.Options.Precision)
}

// scoreRows is the number of tokens in one forward of Score.
const scoreRows = 2048

// Score is LogProbs without an engine.
func Score(ctx context.Context, b compute.Backend, m model.Model, ids [][]int32, starts []int, precision model.Precision) ([]Scored, error) {
	if len(ids) != len(starts) {
		return nil, fmt.Errorf("score: %d texts but %d starts", len(ids), len(starts))
	}
	out := make([]Scored, len(ids))
	s, arena := b.NewStream(), compute.NewArena(b, 1<<20)
	for from := 0; from < len(ids); {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		batch, rows, targets, to := &model.Batch{}, []int32{}, []int32{}, from
		for ; to < len(ids) && (to == from || batch.Rows()+len(ids[to]) <= scoreRows); to++ {
			text, start := ids[to], starts[to]
			if start < 1 || start > len(text) {
				return nil, fmt.Errorf("score: text %d starts at %d of %d tokens, expected 1 or more", to, start, len(text))
			}
			if len(text)-1 > m.Info().Context {
				return nil, fmt.Errorf("%w: text %d has %d tokens > %d", ErrContext, to, len(text), m.Info().Context)
			}
			for p := start; p < len(text); p++ {
				rows = append(rows, int32(batch.Rows()+p-1))
				targets = append(targets, text[p])
			}
			batch.Add(text[:len(text)-1], 0, nil)
		}
		losses, best, err := tokenLosses(s, arena, m, batch, rows, targets, precision)
		if err != nil {
			return nil, err
		}
		at := 0
		for i := from; i < to; i++ {
			r := Scored{Greedy: true}
			for p := starts[i]; p < len(ids[i]); p++ {
				r.LogProbs = append(r.LogProbs, -losses[at])
				r.Sum -= float64(losses[at])
				r.Greedy = r.Greedy && best[at] == targets[at]
				at++
			}
			out[i] = r
		}
		from = to
	}
	return out, nil
}

// tokenLosses is −log p of the targets after chosen rows of a batch, and the most likely ids there.
func tokenLosses(s compute.Stream, arena *compute.Arena, m model.Model, batch *model.Batch, rows, targets []int32, precision model.Precision) ([]float32, []int32, error) {
	losses, best := make([]float32, len(rows)), make([]int32, len(rows))
	if len(rows) == 0 {
		return losses, best, nil
	}
	arena.Reset()
	pass := &model.Pass{Stream: s, Arena: arena, Precision: precision}
	hidden, err := m.Forward(pass, batch)
	if err != nil {
		return nil, nil, err
	}
	chosen := pass.Tensor(len(rows), hidden.Columns())
	model.Launch(pass, compute.Gather{Table: hidden, Index: pass.Ints(rows), Out: chosen})
	bestIDs := arena.Tensor(dtype.I32, len(rows))
	loss, err := model.CrossEntropy(pass, m, chosen, targets, nil, 0, bestIDs)
	if err != nil {
		return nil, nil, err
	}
	if err := s.Read(loss, compute.HostBytes(losses)); err != nil {
		return nil, nil, err
	}
	return losses, best, s.Read(bestIDs, compute.HostBytes(best))
}
