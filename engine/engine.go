package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lian/compute"
	"lian/engine/grammar"
	"lian/engine/sample"
	"lian/model"
	"lian/tokenizer"
)

// Engine works on many requests at once. It is safe for concurrent use.
type Engine struct {
	Options   Options
	Model     model.Model
	Tokenizer *tokenizer.Tokenizer

	backend   compute.Backend
	stream    compute.Stream
	arena     *compute.Arena
	cache     *model.Cache
	computing sync.Mutex // one forward at a time

	mu        sync.Mutex // guards what follows
	wake      *sync.Cond
	scheduler scheduler
	adapters  map[string]model.Adapter
	// vocabularies are those of constraints, by the tokens that stop: made when first asked for
	vocabularies map[string]*grammar.Vocabulary
	closed       bool
	done         chan struct{}
}

// ErrClosed is returned for requests to an engine that was closed.
var ErrClosed = errors.New("the engine is closed")

// New starts an engine for a model.
func New(b compute.Backend, m model.Model, tok *tokenizer.Tokenizer, o Options) (*Engine, error) {
	if tok.VocabSize() > m.Info().Vocab {
		return nil, fmt.Errorf("the tokenizer has %d tokens, the model %d: they are not of one kind", tok.VocabSize(), m.Info().Vocab)
	}
	o = o.withDefaults(m.Info())
	n := need(max(o.CacheTokens, o.Context))
	e := &Engine{Options: o, Model: m, Tokenizer: tok, backend: b, stream: b.NewStream(), arena: compute.NewArena(b, 1<<20),
		cache: model.NewCache(b, m.Info(), o.Precision, n, blockSize), vocabularies: map[string]*grammar.Vocabulary{}, done: make(chan struct{})}
	e.scheduler = scheduler{blocks: newBlocks(n), stepTokens: o.StepTokens, most: o.Sequences}
	e.wake = sync.NewCond(&e.mu)
	go e.loop()
	return e, nil
}

// vocabulary is the tokens as constraints see them.
func (e *Engine) vocabulary(stop []int32) *grammar.Vocabulary {
	key := fmt.Sprint(stop)
	if v := e.vocabularies[key]; v != nil {
		return v
	}
	v := grammar.NewVocabulary(func(id int32) []byte {
		if int(id) >= e.Tokenizer.VocabSize() || e.Tokenizer.IsSpecial(id) {
			return nil
		}
		return e.Tokenizer.TokenBytes(id)
	}, e.Model.Info().Vocab, stop)
	e.vocabularies[key] = v
	return v
}

// Generate starts a request. The stream ends early when ctx does.
func (e *Engine) Generate(ctx context.Context, r Request) (_ *Stream, err error) {
	if err := r.Sample.Validate(); err != nil {
		return nil, err
	}
	if len(r.Prompt) == 0 {
		return nil, errors.New("the prompt has no token")
	}
	for i, id := range r.Prompt {
		if id < 0 || int(id) >= e.Model.Info().Vocab {
			return nil, fmt.Errorf("prompt: id %d at %d is outside the vocabulary of %d", id, i, e.Model.Info().Vocab)
		}
	}
	if len(r.Prompt)+max(r.MaxTokens, 1) > e.Options.Context {
		return nil, fmt.Errorf("%w: %d tokens of prompt + %d asked > %d", ErrContext, len(r.Prompt), max(r.MaxTokens, 1), e.Options.Context)
	}
	ctx, cancel := context.WithCancel(ctx)
	q := &sequence{request: r, ctx: ctx, stream: newStream(), arrived: time.Now(), ids: append([]int32(nil), r.Prompt...),
		sampler: sample.New(r.Sample), decoder: e.Tokenizer.NewStream()}
	q.sampler.Prompt(r.Prompt)
	q.stream.cancel = cancel
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		cancel()
		return nil, ErrClosed
	}
	if q.adapter, err = e.adapter(r.Adapter); err != nil {
		cancel()
		return nil, err
	}
	if r.Constraint != nil {
		q.matcher = grammar.NewMatcher(r.Constraint, e.vocabulary(r.StopIDs))
	}
	e.scheduler.waiting = append(e.scheduler.waiting, q)
	context.AfterFunc(ctx, e.wake.Broadcast)
	e.wake.Broadcast()
	return q.stream, nil
}

// ErrContext is wrapped by the error for a request that is longer than the context.
var ErrContext = errors.New("context full")

// Close ends every request and the engine.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.wake.Broadcast()
	<-e.done
}

// Load is the number of requests being worked on and waiting.
func (e *Engine) Load() (running, waiting int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.scheduler.running), len(e.scheduler.waiting)
}

func (e *Engine) loop() {
	defer close(e.done)
	for {
		e.mu.Lock()
		e.dropCancelled()
		for !e.closed && len(e.scheduler.running)+len(e.scheduler.waiting) == 0 {
			e.wake.Wait()
			e.dropCancelled()
		}
		if e.closed {
			e.endAll(FinishCancelled, ErrClosed)
			e.mu.Unlock()
			return
		}
		plan := e.scheduler.next()
		e.mu.Unlock()
		if err := e.step(plan); err != nil {
			e.mu.Lock()
			e.endAll(FinishError, err)
			e.closed = true
			e.mu.Unlock()
		}
	}
}

func (e *Engine) dropCancelled() {
	for _, q := range append(append([]*sequence(nil), e.scheduler.running...), e.scheduler.waiting...) {
		if q.ctx.Err() != nil {
			e.end(q, FinishCancelled, q.ctx.Err())
		}
	}
}

func (e *Engine) endAll(why string, err error) {
	for _, q := range append(append([]*sequence(nil), e.scheduler.running...), e.scheduler.waiting...) {
		e.end(q, why, err)
	}
}

func (e *Engine) end(q *sequence, why string, err error) {
	e.scheduler.remove(q)
	q.end(why, err)
	q.stream.cancel()
}

// step computes a plan and takes a token for each sequence that has all its ids in the cache.
func (e *Engine) step(plan []work) error {
	batch, rows := &model.Batch{}, []int32{}
	var ready []*sequence
	byAdapter(plan)
	for _, w := range plan {
		batch.AddPrompt(w.sequence.ids[w.from:w.to], w.from, w.sequence.blocks, len(w.sequence.request.Prompt))
		batch.Adapt(w.sequence.adapter)
		if w.to == len(w.sequence.ids) {
			rows = append(rows, int32(batch.Rows()-1))
			ready = append(ready, w.sequence)
		}
	}
	logits, err := e.forward(batch, rows)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range plan {
		w.sequence.computed = w.to
	}
	vocab := e.Model.Info().Vocab
	mask := make([]uint64, (vocab+63)/64)
	for i, q := range ready {
		row := logits[i*vocab : (i+1)*vocab]
		for id := e.Tokenizer.VocabSize(); id < vocab; id++ { // rows without a token are never chosen
			row[id] = float32(negativeInfinity)
		}
		t, stop := q.choose(row, mask)
		if stop == "" {
			stop = q.take(t, e.Options.Context)
		}
		if stop != "" {
			e.end(q, stop, nil)
		}
	}
	return nil
}

// forward runs a batch over the cache and returns the logits of chosen rows.
func (e *Engine) forward(batch *model.Batch, rows []int32) ([]float32, error) {
	e.computing.Lock()
	defer e.computing.Unlock()
	e.arena.Reset()
	pass := &model.Pass{Stream: e.stream, Arena: e.arena, Cache: e.cache, Precision: e.Options.Precision}
	hidden, err := e.Model.Forward(pass, batch)
	if err != nil {
		return nil, err
	}
	logits := make([]float32, len(rows)*e.Model.Info().Vocab)
	if len(rows) == 0 {
		return logits, e.stream.Err()
	}
	return logits, e.stream.Read(model.Logits(pass, e.Model, hidden, rows), compute.HostBytes(logits))
}
