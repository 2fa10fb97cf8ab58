package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"lian/compute"
	"lian/engine/sample"
	"lian/model"
)

// ContrastiveSearch says how a reply is made that neither repeats itself nor leaves the subject: of the K most likely tokens the one
// with the largest (1 − Alpha)·p − Alpha·(largest cosine of its hidden row and those of all tokens before). Source: Su et al.,
// arXiv 2202.06417.
type ContrastiveSearch struct {
	K         int
	Alpha     float64
	MaxTokens int
	StopIDs   []int32 // tokens that end the reply and are not part of it
	Adapter   string
	Told      func(tokens int) // hears of the length that the reply has; may be nil
}

// ContrastiveSearch continues a prompt. Hidden rows are those after the last norm.
func (e *Engine) ContrastiveSearch(ctx context.Context, prompt []int32, s ContrastiveSearch) (Beam, error) {
	var err error
	switch {
	case s.K < 1 || s.K > e.Options.StepTokens:
		err = fmt.Errorf("top k is %d, expected 1 to %d", s.K, e.Options.StepTokens)
	case !(s.Alpha >= 0 && s.Alpha <= 1):
		err = fmt.Errorf("alpha is %v, expected 0 to 1", s.Alpha)
	case s.MaxTokens < 1:
		err = fmt.Errorf("%d tokens are asked for, expected 1 or more", s.MaxTokens)
	}
	if err = errors.Join(err, e.checkPrompt(prompt, s.MaxTokens)); err != nil {
		return Beam{}, err
	}
	branch, err := e.OpenBranch(prompt, s.Adapter)
	if err != nil {
		return Beam{}, err
	}
	defer func() { branch.Close() }()
	past, err := e.unitRows(prompt, branch.adapter)
	if err != nil {
		return Beam{}, err
	}
	rows, err := e.Logits(ctx, branch)
	if err != nil {
		return Beam{}, err
	}
	row, reply := rows[0], Beam{Finish: FinishLength}
	var look sample.LogProbs
	for range s.MaxTokens {
		_, _, top := look.Of(row[:e.Tokenizer.VocabSize()], 0, s.K, nil)
		next, hidden, logits, err := e.extensions(ctx, branch, top)
		if err != nil {
			return Beam{}, err
		}
		best, score := 0, math.Inf(-1)
		for i, t := range top {
			unit(hidden[i])
			likeness := -1.0
			for _, h := range past {
				likeness = max(likeness, dot(h, hidden[i]))
			}
			if x := (1-s.Alpha)*math.Exp(float64(t.LogProb)) - s.Alpha*likeness; x > score {
				best, score = i, x
			}
		}
		for i, b := range next {
			if i != best {
				b.Close()
			}
		}
		branch.Close()
		branch, row = next[best], logits[best]
		past = append(past, hidden[best])
		if slices.Contains(s.StopIDs, top[best].ID) {
			reply.Finish = FinishStop
			break
		}
		reply.IDs = append(reply.IDs, top[best].ID)
		reply.Score += float64(top[best].LogProb)
		if s.Told != nil {
			s.Told(len(reply.IDs))
		}
	}
	return reply, nil
}

// unitRows are a text's hidden rows, each of length 1.
func (e *Engine) unitRows(ids []int32, adapter model.Adapter) ([][]float32, error) {
	e.computing.Lock()
	defer e.computing.Unlock()
	f := newForetelling(e.backend, Compared{e.Model, e.Options.Precision, e.Options.KV})
	f.adapter = adapter
	if err := f.read(append(slices.Clone(ids), 0), Span{0, 1, len(ids) + 1}); err != nil {
		return nil, err
	}
	rows, err := hostRows(f.stream, f.hidden)
	for _, r := range rows {
		unit(r)
	}
	return rows, err
}

// extensions are a branch with each of some tokens after it, all computed in one batch: their hidden rows and their logits.
func (e *Engine) extensions(ctx context.Context, branch *Branch, tokens []TopToken) (next []*Branch, hidden, logits [][]float32, err error) {
	if err = ctx.Err(); err != nil {
		return nil, nil, nil, err
	}
	defer func() {
		if err != nil {
			for _, b := range next {
				b.Close()
			}
		}
	}()
	batch, rows := &model.Batch{}, make([]int32, len(tokens))
	for i, t := range tokens {
		b, err := branch.Fork()
		if err != nil {
			return next, nil, nil, err
		}
		next = append(next, b)
		b.Append(t.ID)
		if err := e.reserve(b, len(b.ids)); err != nil {
			return next, nil, nil, err
		}
		batch.AddPrompt(b.ids[b.computed:], b.computed, b.table.blocks, b.prompt)
		batch.Adapt(b.adapter)
		rows[i] = int32(i)
	}
	if hidden, logits, err = e.look(batch, rows); err != nil {
		return next, nil, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, b := range next {
		b.computed = e.scheduler.keep(&b.table, b.ids, len(b.ids))
	}
	return next, hidden, logits, nil
}

// look runs a batch over the cache for hidden rows, and for the logits of chosen ones.
func (e *Engine) look(batch *model.Batch, rows []int32) (hidden, logits [][]float32, err error) {
	e.computing.Lock()
	defer e.computing.Unlock()
	e.arena.Reset()
	pass := &model.Pass{Stream: e.stream, Arena: e.arena, Cache: e.cache, Precision: e.Options.Precision}
	x, err := e.Model.Forward(pass, batch)
	if err != nil {
		return nil, nil, err
	}
	if hidden, err = hostRows(e.stream, x); err != nil {
		return nil, nil, err
	}
	logits, err = hostRows(e.stream, model.Logits(pass, e.Model, x, rows))
	return hidden, logits, err
}

// hostRows brings a float32 matrix here.
func hostRows(s compute.Stream, x *compute.Tensor) ([][]float32, error) {
	all, n := make([]float32, x.Elements()), x.Columns()
	rows := make([][]float32, x.Rows())
	for i := range rows {
		rows[i] = all[i*n : (i+1)*n]
	}
	return rows, s.Read(x, compute.HostBytes(all))
}

// unit makes a row's length 1, if it has one.
func unit(x []float32) {
	if n := math.Sqrt(dot(x, x)); n > 0 {
		for i := range x {
			x[i] = float32(float64(x[i]) / n)
		}
	}
}

func dot(a, b []float32) (sum float64) {
	for i, x := range a {
		sum += float64(x) * float64(b[i])
	}
	return sum
}
