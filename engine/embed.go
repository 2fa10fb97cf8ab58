package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lian/compute"
	"lian/model"
)

// Pooling is how a text's hidden rows become one vector.
type Pooling string

// The poolings. Weighted counts a row by its place, 1 for the first (SGPT, arXiv 2202.08904).
const (
	PoolMean     Pooling = "mean"
	PoolLast     Pooling = "last"
	PoolFirst    Pooling = "cls"
	PoolWeighted Pooling = "weighted"
)

// Embedding says what vector a text becomes. The zero value is the mean of its hidden rows after the last norm.
type Embedding struct {
	Pooling Pooling
	// Dimensions keeps the first so many numbers, for models trained so that they suffice (Matryoshka, arXiv 2205.13147); 0 is all.
	Dimensions int
	// Normalize makes the vector's length 1, after numbers are left out.
	Normalize bool
	Adapter   string // name of the adapter that the rows are computed with; "" is the model as it is
}

// Check says which setting does not fit a model of so wide a stream.
func (o Embedding) Check(hidden int) error {
	if !slices.Contains([]Pooling{"", PoolMean, PoolLast, PoolFirst, PoolWeighted}, o.Pooling) {
		return fmt.Errorf("pooling is %q, expected mean, last, cls or weighted", o.Pooling)
	}
	if o.Dimensions < 0 || o.Dimensions > hidden {
		return fmt.Errorf("dimensions is %d, expected 0 (all) to %d, the model's hidden size", o.Dimensions, hidden)
	}
	return nil
}

// Embed gives a vector for each text. It does not depend on the other texts.
func (e *Engine) Embed(ctx context.Context, texts [][]int32, o Embedding) ([][]float32, error) {
	if err := o.Check(e.Model.Info().Hidden); err != nil {
		return nil, err
	}
	e.mu.Lock()
	adapter, err := e.adapter(o.Adapter)
	e.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var out [][]float32
	err = e.hidden(ctx, texts, adapter, model.Taps{}, func(_ int, rows [][]float32) {
		v := o.pool(rows)
		if o.Dimensions > 0 {
			v = v[:o.Dimensions:o.Dimensions]
		}
		if o.Normalize {
			unit(v)
		}
		out = append(out, v)
	})
	return out, err
}

func (o Embedding) pool(rows [][]float32) []float32 {
	switch o.Pooling {
	case PoolLast:
		return slices.Clone(rows[len(rows)-1])
	case PoolFirst:
		return slices.Clone(rows[0])
	}
	sums, total := make([]float64, len(rows[0])), 0.0
	for i, row := range rows {
		weight := 1.0
		if o.Pooling == PoolWeighted {
			weight = float64(i + 1)
		}
		total += weight
		for j, x := range row {
			sums[j] += weight * float64(x)
		}
	}
	out := make([]float32, len(sums))
	for j, s := range sums {
		out[j] = float32(s / total)
	}
	return out
}

// hidden runs texts without the cache, some together, and gives the hidden rows of each, after the last norm, in order. adapter may be nil.
func (e *Engine) hidden(ctx context.Context, texts [][]int32, adapter model.Adapter, taps model.Taps, give func(text int, rows [][]float32)) error {
	for i, ids := range texts {
		if err := e.checkPrompt(ids, 0); err != nil && !(errors.Is(err, ErrContext) && len(ids) <= e.Options.Context) {
			return fmt.Errorf("text %d: %w", i, err)
		}
	}
	s, arena := e.backend.NewStream(), compute.NewArena(e.backend, 1<<20)
	for from := 0; from < len(texts); {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch, to := &model.Batch{}, from
		for ; to < len(texts) && (to == from || batch.Rows()+len(texts[to]) <= scoreRows); to++ {
			batch.Add(texts[to], 0, nil)
			batch.Adapt(adapter)
		}
		rows, err := e.hiddenOf(batch, &model.Pass{Stream: s, Arena: arena, Precision: e.Options.Precision, KV: e.Options.KV, Taps: taps})
		if err != nil {
			return err
		}
		for ; from < to; from++ {
			n := len(texts[from])
			give(from, rows[:n])
			rows = rows[n:]
		}
	}
	return nil
}

// hiddenOf runs one batch; between batches others get their turn.
func (e *Engine) hiddenOf(batch *model.Batch, pass *model.Pass) ([][]float32, error) {
	e.computing.Lock()
	defer e.computing.Unlock()
	pass.Arena.Reset()
	x, err := e.Model.Forward(pass, batch)
	if err != nil {
		return nil, err
	}
	return hostRows(pass.Stream, x)
}
