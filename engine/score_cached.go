package engine

import (
	"context"
	"errors"
	"fmt"

	"lian/model"
)

// LogProbs scores ids[i][starts[i]:] of each text after what stands before it. starts must be at least 1: the first token has
// nothing before it. What texts have in common at their beginnings is computed once, whole blocks of it: many choices after one
// question, many questions after the same examples, also in later calls. The numbers are those of Score.
func (e *Engine) LogProbs(ctx context.Context, ids [][]int32, starts []int) ([]Scored, error) {
	if err := checkTexts(ids, starts, e.Model.Info()); err != nil {
		return nil, err
	}
	out := make([]Scored, len(ids))
	for from := 0; from < len(ids); {
		to := from + 1
		if out[from].Greedy = true; starts[from] == len(ids[from]) { // nothing is asked
			from = to
			continue
		}
		for to < len(ids) && starts[to] < len(ids[to]) && to-from < e.Options.Sequences && commonBeginning(ids[from][:starts[from]], ids[to][:starts[to]]) >= blockSize {
			to++
		}
		// The first alone, so that the others find its blocks.
		err := e.scoreCached(ctx, ids[from:from+1], starts[from:], out[from:])
		if err == nil && to > from+1 {
			err = e.scoreCached(ctx, ids[from+1:to], starts[from+1:], out[from+1:])
		}
		if errors.Is(err, ErrCacheFull) { // requests hold the blocks: without them, then
			e.computing.Lock()
			var scored []Scored
			scored, err = ScoreAs(ctx, e.backend, e.Model, ids[from:to], starts[from:to], Numbers{Precision: e.Options.Precision, KV: e.Options.KV})
			e.computing.Unlock()
			copy(out[from:], scored)
		}
		if err != nil {
			return nil, err
		}
		from = to
	}
	return out, nil
}

func commonBeginning(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// scoreCached scores texts over the cache, all together, in steps of at most StepTokens.
func (e *Engine) scoreCached(ctx context.Context, ids [][]int32, starts []int, out []Scored) error {
	branches := make([]*Branch, len(ids))
	defer func() {
		for _, b := range branches {
			if b != nil {
				b.Close()
			}
		}
	}()
	e.mu.Lock()
	for i, text := range ids {
		b := &Branch{e: e, ids: text[:len(text)-1], prompt: len(text) - 1}
		b.cached = e.scheduler.match(e.rootOf(nil, b.prompt), text[:starts[i]], &b.table)
		b.computed = b.cached
		branches[i], out[i] = b, Scored{Greedy: true}
	}
	closed := e.closed
	e.mu.Unlock()
	if closed {
		return ErrClosed
	}
	for at := 0; at < len(branches); {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch, rows, targets, room, next := &model.Batch{}, []int32{}, []int32{}, e.Options.StepTokens, at
		var parts []int
		for ; next < len(branches) && room > 0; next++ {
			b := branches[next]
			to := min(len(b.ids), b.computed+room)
			if err := e.reserve(b, to); err != nil {
				return err
			}
			for p := max(b.computed, starts[next]-1); p < to; p++ {
				rows = append(rows, int32(batch.Rows()+p-b.computed))
				targets = append(targets, ids[next][p+1])
			}
			batch.AddPrompt(b.ids[b.computed:to], b.computed, b.table.blocks, b.prompt)
			room -= to - b.computed
			parts = append(parts, to)
		}
		losses, best, err := e.losses(batch, rows, targets)
		if err != nil {
			return err
		}
		row := 0
		e.mu.Lock()
		for i, to := range parts {
			b := branches[at]
			for p := max(b.computed, starts[at]-1); p < to; p++ {
				out[at].add(losses[row], best[row] == targets[row])
				row++
			}
			b.computed = e.scheduler.keep(&b.table, b.ids, to)
			if to == len(b.ids) {
				at++
			} else if i != len(parts)-1 {
				panic("engine: a text is cut that is not the last of its step")
			}
		}
		e.mu.Unlock()
	}
	return nil
}

// losses is −log p of the targets after chosen rows of a batch over the cache, and the most likely ids there.
func (e *Engine) losses(batch *model.Batch, rows, targets []int32) ([]float32, []int32, error) {
	e.computing.Lock()
	defer e.computing.Unlock()
	e.arena.Reset()
	return tokenLosses(&model.Pass{Stream: e.stream, Arena: e.arena, Cache: e.cache, Precision: e.Options.Precision}, e.Model, batch, rows, targets)
}

func checkTexts(ids [][]int32, starts []int, i model.Info) error {
	if len(ids) != len(starts) {
		return fmt.Errorf("score: %d texts but %d starts", len(ids), len(starts))
	}
	for t, text := range ids {
		if starts[t] < 1 || starts[t] > len(text) {
			return fmt.Errorf("score: text %d starts at %d of %d tokens, expected 1 or more", t, starts[t], len(text))
		}
		if len(text)-1 > i.Context {
			return fmt.Errorf("%w: text %d has %d tokens > %d; ScoreWindows scores any length", ErrContext, t, len(text), i.Context)
		}
	}
	return nil
}
