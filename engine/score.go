package engine

import (
	"cmp"
	"context"
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

func (s *Scored) add(loss float32, best bool) {
	s.LogProbs = append(s.LogProbs, -loss)
	s.Sum -= float64(loss)
	s.Greedy = s.Greedy && best
}

// scoreRows is the number of tokens in one forward of Score.
const scoreRows = 2048

// Numbers are how exactly scores are computed.
type Numbers struct {
	Precision model.Precision
	KV        model.KVType // attention reads keys and values as a cache of this type holds them
	Rows      int          // tokens in one forward, which bounds the memory it takes; 0 is scoreRows
}

// Score is Engine.LogProbs without an engine and its cache.
func Score(ctx context.Context, b compute.Backend, m model.Model, ids [][]int32, starts []int, precision model.Precision) ([]Scored, error) {
	return ScoreAs(ctx, b, m, ids, starts, Numbers{Precision: precision})
}

// ScoreAs is Score with keys and values of a chosen type.
func ScoreAs(ctx context.Context, b compute.Backend, m model.Model, ids [][]int32, starts []int, as Numbers) ([]Scored, error) {
	if err := as.KV.Check(); err != nil {
		return nil, err
	}
	if err := checkTexts(ids, starts, m.Info()); err != nil {
		return nil, err
	}
	out := make([]Scored, len(ids))
	s, arena := b.NewStream(), compute.NewArena(b, 1<<20)
	for from := 0; from < len(ids); {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		batch, rows, targets, to := &model.Batch{}, []int32{}, []int32{}, from
		for ; to < len(ids) && (to == from || batch.Rows()+len(ids[to]) <= cmp.Or(as.Rows, scoreRows)); to++ {
			text := ids[to]
			for p := starts[to]; p < len(text); p++ {
				rows = append(rows, int32(batch.Rows()+p-1))
				targets = append(targets, text[p])
			}
			if starts[to] < len(text) {
				batch.Add(text[:len(text)-1], 0, nil)
			}
		}
		arena.Reset()
		losses, best, err := tokenLosses(&model.Pass{Stream: s, Arena: arena, Precision: as.Precision, KV: as.KV}, m, batch, rows, targets)
		if err != nil {
			return nil, err
		}
		at := 0
		for i := from; i < to; i++ {
			out[i] = Scored{Greedy: true}
			for range ids[i][starts[i]:] {
				out[i].add(losses[at], best[at] == targets[at])
				at++
			}
		}
		from = to
	}
	return out, nil
}

// ScoreWindows scores texts of any length, each from its second token on, in windows.
func ScoreWindows(ctx context.Context, b compute.Backend, m model.Model, ids [][]int32, w Windows, as Numbers) ([]Scored, error) {
	if err := w.Check(m.Info().Context); err != nil {
		return nil, err
	}
	var parts [][]int32
	var starts, owner []int
	for i, text := range ids {
		for _, s := range w.Spans(len(text), m.Info().Context) {
			parts, starts, owner = append(parts, text[s.From:s.To]), append(starts, s.Start-s.From), append(owner, i)
		}
	}
	scored, err := ScoreAs(ctx, b, m, parts, starts, as)
	if err != nil {
		return nil, err
	}
	out := make([]Scored, len(ids))
	for i := range out {
		out[i].Greedy = true
	}
	for i, s := range scored {
		o := &out[owner[i]]
		o.LogProbs, o.Sum, o.Greedy = append(o.LogProbs, s.LogProbs...), o.Sum+s.Sum, o.Greedy && s.Greedy
	}
	return out, nil
}

// tokenLosses is −log p of the targets after chosen rows of a batch, and the most likely ids there.
func tokenLosses(pass *model.Pass, m model.Model, batch *model.Batch, rows, targets []int32) ([]float32, []int32, error) {
	losses, best := make([]float32, len(rows)), make([]int32, len(rows))
	if batch.Rows() == 0 {
		return losses, best, nil
	}
	hidden, err := m.Forward(pass, batch)
	if err != nil || len(rows) == 0 {
		return losses, best, err
	}
	chosen := pass.Tensor(len(rows), hidden.Columns())
	model.Launch(pass, compute.Gather{Table: hidden, Index: pass.Ints(rows), Out: chosen})
	bestIDs := pass.Arena.Tensor(dtype.I32, len(rows))
	loss, err := model.CrossEntropy(pass, m, chosen, targets, nil, 0, bestIDs)
	if err != nil {
		return nil, nil, err
	}
	if err := pass.Stream.Read(loss, compute.HostBytes(losses)); err != nil {
		return nil, nil, err
	}
	return losses, best, pass.Stream.Read(bestIDs, compute.HostBytes(best))
}
