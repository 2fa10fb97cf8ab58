package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lian/model"
)

// Branch is a text whose next token its owner chooses, looking at the logits: beam search and the like. It lives in the engine's cache
// beside the requests, shares the blocks of what it was forked from, and holds its blocks until Close: they are never preempted.
// Branches of one engine may be used by several goroutines, one branch by one at a time.
type Branch struct {
	e        *Engine
	ids      []int32
	computed int
	prompt   int
	cached   int
	table    table
	adapter  model.Adapter
	closed   bool
}

// ErrCacheFull is wrapped by the error of a branch for which the cache has no room.
var ErrCacheFull = errors.New("the cache is full")

// OpenBranch begins a branch with a prompt; what the cache knows of it is not computed again.
func (e *Engine) OpenBranch(prompt []int32, adapterName string) (*Branch, error) {
	if err := e.checkPrompt(prompt, 1); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	b := &Branch{e: e, ids: slices.Clone(prompt), prompt: len(prompt)}
	var err error
	if b.adapter, err = e.adapter(adapterName); err != nil {
		return nil, err
	}
	b.cached = e.scheduler.match(e.rootOf(b.adapter, len(prompt)), prompt, &b.table)
	b.computed = b.cached
	return b, nil
}

// IDs are the prompt and what was appended. They must not be changed.
func (b *Branch) IDs() []int32 { return b.ids }

// CachedTokens is how many of the prompt were in the cache.
func (b *Branch) CachedTokens() int { return b.cached }

// Append makes a token the last one.
func (b *Branch) Append(id int32) { b.ids = append(b.ids, id) }

// Fork is a second branch with the same ids. Full blocks are shared; of the last one a copy is made.
func (b *Branch) Fork() (*Branch, error) {
	e := b.e
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || b.closed {
		return nil, ErrClosed
	}
	other := *b
	other.ids = slices.Clone(b.ids)
	var copies [][3]int32
	var ok bool
	if other.table, copies, ok = e.scheduler.blocks.fork(&b.table, b.computed); !ok {
		return nil, fmt.Errorf("%w: no block for a copy of the last %d tokens; raise cache_tokens or ask for fewer branches", ErrCacheFull, b.computed%blockSize)
	}
	for _, c := range copies {
		if err := e.cache.CopyBlock(e.copies, int(c[0]), c[1], c[2]); err != nil {
			e.scheduler.blocks.release(&other.table)
			return nil, err
		}
	}
	return &other, nil
}

// Close gives the blocks back. What was computed stays known as long as there is room.
func (b *Branch) Close() {
	b.e.mu.Lock()
	defer b.e.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.e.scheduler.blocks.release(&b.table)
		b.e.wake.Broadcast()
	}
}

// Logits computes what is missing of branches, all together, and gives the logits after the last token of each. They are those that a
// request of the same ids would have. The slices are the caller's.
func (e *Engine) Logits(ctx context.Context, branches ...*Branch) ([][]float32, error) {
	for i, b := range branches {
		switch {
		case b.e != e || b.closed:
			return nil, fmt.Errorf("branch %d: %w", i, ErrClosed)
		case len(b.ids) > e.Options.Context:
			return nil, fmt.Errorf("branch %d: %w: %d tokens > %d", i, ErrContext, len(b.ids), e.Options.Context)
		case b.computed == len(b.ids):
			return nil, fmt.Errorf("branch %d: nothing was appended since its logits were computed", i)
		}
	}
	out, vocab := make([][]float32, len(branches)), e.Model.Info().Vocab
	order := make([]int, len(branches))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { // rows of one adapter stand together
		return compareKeys(branches[x].adapter, branches[y].adapter)
	})
	for at := 0; at < len(order); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		batch, rows, parts, room := &model.Batch{}, []int32{}, []int{}, e.Options.StepTokens
		for next := at; next < len(order) && room > 0; next++ {
			b := branches[order[next]]
			to := min(len(b.ids), b.computed+room)
			if err := e.reserve(b, to); err != nil {
				return nil, fmt.Errorf("branch %d: %w", order[next], err)
			}
			batch.AddPrompt(b.ids[b.computed:to], b.computed, b.table.blocks, b.prompt)
			batch.Adapt(b.adapter)
			if to == len(b.ids) {
				rows = append(rows, int32(batch.Rows()-1))
			}
			room -= to - b.computed
			parts = append(parts, to)
		}
		logits, err := e.forward(batch, rows, nil)
		if err != nil {
			return nil, err
		}
		e.mu.Lock()
		for i, to := range parts {
			b := branches[order[at+i]]
			b.computed = e.scheduler.keep(&b.table, b.ids, to)
		}
		e.mu.Unlock()
		for i := range rows {
			out[order[at+i]] = slices.Clone(logits[i*vocab : (i+1)*vocab])
		}
		at += len(rows)
	}
	return out, nil
}

// reserve takes the blocks for a branch's next rows.
func (e *Engine) reserve(b *Branch, to int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return ErrClosed
	case !e.scheduler.blocks.grow(&b.table, b.computed, to):
		return fmt.Errorf("%w: no blocks for tokens %d to %d; raise cache_tokens or ask for fewer branches", ErrCacheFull, b.computed, to)
	}
	return nil
}
