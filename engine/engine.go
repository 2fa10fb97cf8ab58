package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"lian/compute"
	"lian/engine/grammar"
	"lian/model"
	"lian/tokenizer"
)

// Engine works on many requests at once. It is safe for concurrent use.
type Engine struct {
	Options   Options
	Model     model.Model
	Tokenizer *tokenizer.Tokenizer

	backend    compute.Backend
	stream     compute.Stream
	copies     compute.Stream // of blocks of the cache, under mu; a block that is copied is not being computed
	arena      *compute.Arena
	cache      *model.Cache
	blockBytes []int      // of each cache group
	computing  sync.Mutex // one forward at a time
	room       []float32  // of logits: what the step before had

	mu        sync.Mutex // guards what follows
	wake      *sync.Cond
	scheduler scheduler
	adapters  map[string]model.Adapter
	stats     Stats
	disk      *disk // nil: keys are in memory only
	// vocabularies are those of constraints, by the tokens that stop: made when first asked for
	vocabularies map[string]*grammar.Vocabulary
	speculation  *speculation // of the loop alone
	closed       bool
	done         chan struct{}
}

// ErrClosed is returned for requests to an engine that was closed.
var ErrClosed = errors.New("the engine is closed")

// New starts an engine for a model.
func New(b compute.Backend, m model.Model, tok *tokenizer.Tokenizer, o Options) (*Engine, error) {
	e, err := build(b, m, tok, o)
	if err == nil {
		go e.loop()
	}
	return e, err
}

// build makes an engine that nobody steps yet.
func build(b compute.Backend, m model.Model, tok *tokenizer.Tokenizer, o Options) (*Engine, error) {
	if tok.VocabSize() > m.Info().Vocab {
		return nil, fmt.Errorf("the tokenizer has %d tokens, the model %d: they are not of one kind", tok.VocabSize(), m.Info().Vocab)
	}
	o, err := o.For(m.Info())
	if err != nil {
		return nil, err
	}
	windows, counts := o.cacheBlocks(m.Info().CacheGroups())
	e := &Engine{Options: o, Model: m, Tokenizer: tok, backend: b, stream: b.NewStream(), copies: b.NewStream(), arena: compute.NewArena(b, 1<<20),
		cache: model.NewCache(b, m.Info(), o.KV, blockSize, counts...), vocabularies: map[string]*grammar.Vocabulary{}, done: make(chan struct{})}
	e.blockBytes = model.BlockBytes(m.Info(), o.KV, blockSize)
	e.scheduler = scheduler{blocks: newBlocks(o.StepTokens, windows, counts...), stepTokens: o.StepTokens, most: o.Sequences, noPrefix: o.NoPrefix}
	e.wake = sync.NewCond(&e.mu)
	if e.speculation, err = newSpeculation(o.Drafting); err != nil || o.CacheDir == "" {
		return e, err
	}
	name, err := identity(b, m, o)
	if err != nil {
		return nil, err
	}
	if e.disk, err = openDisk(o.CacheDir, int64(o.CacheDisk)<<20, name, e); err != nil {
		return nil, err
	}
	e.scheduler.blocks.tree.disk = e.disk
	return e, nil
}

// PrepareConstraints makes ready what constraints need of the vocabulary with these tokens that end a reply, which else the first
// request with a constraint waits for: about a tenth of a second for 150,000 tokens.
func (e *Engine) PrepareConstraints(stop []int32) { e.vocabulary(stop) }

// vocabulary is the tokens as constraints see them. It is made while others are worked on.
func (e *Engine) vocabulary(stop []int32) *grammar.Vocabulary {
	key := fmt.Sprint(stop)
	e.mu.Lock()
	known := e.vocabularies[key]
	e.mu.Unlock()
	if known != nil {
		return known
	}
	v := grammar.NewVocabulary(func(id int32) []byte {
		switch {
		case int(id) >= e.Tokenizer.VocabSize():
			return nil
		case e.Tokenizer.IsSpecial(id):
			return grammar.Mark(e.Tokenizer.TokenBytes(id))
		}
		return e.Tokenizer.TokenBytes(id)
	}, e.Model.Info().Vocab, stop)
	e.mu.Lock()
	defer e.mu.Unlock()
	if known := e.vocabularies[key]; known != nil {
		return known
	}
	e.vocabularies[key] = v
	return v
}

// Generate starts a request. The stream ends early when ctx does.
func (e *Engine) Generate(ctx context.Context, r Request) (_ *Stream, err error) {
	if err := r.Sample.Validate(); err != nil {
		return nil, err
	}
	if r.N > 1 {
		return nil, fmt.Errorf("%d branches of a request; GenerateAll starts them", r.N)
	}
	if err := e.checkPrompt(r.Prompt, r.MaxTokens); err != nil {
		return nil, err
	}
	if least := r.Sample.MinTokens; r.MaxTokens > 0 && least > r.MaxTokens {
		return nil, fmt.Errorf("min_tokens is %d, expected at most max_tokens, which is %d", least, r.MaxTokens)
	}
	var prompt []PromptToken
	if r.PromptLogProbs {
		e.mu.Lock()
		adapter, err := e.adapter(r.Adapter)
		e.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if prompt, err = e.promptLogProbs(ctx, r.Prompt, r.Top, adapter); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	if !r.Deadline.IsZero() {
		var ended context.CancelFunc
		ctx, ended = context.WithDeadlineCause(ctx, r.Deadline, errDeadline)
		context.AfterFunc(ctx, ended)
	}
	q := &sequence{request: r, prompt: prompt, ctx: ctx, stream: newStream(len(r.Prompt)), arrived: time.Now(), ids: append([]int32(nil), r.Prompt...),
		sampler: e.sampler(&r), decoder: e.Tokenizer.NewStream()}
	q.stream.cancel = cancel
	if r.Constraint != nil {
		q.matcher = grammar.NewMatcher(r.Constraint, e.vocabulary(r.StopIDs))
	}
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
	q.root = e.rootOf(q.adapter, len(r.Prompt))
	e.scheduler.add(q)
	context.AfterFunc(ctx, e.wakeUp)
	e.wake.Broadcast()
	return q.stream, nil
}

// checkPrompt says what is wrong with a prompt after which so many tokens are asked for.
func (e *Engine) checkPrompt(prompt []int32, most int) error {
	if len(prompt) == 0 {
		return errors.New("the prompt has no token")
	}
	for i, id := range prompt {
		if id < 0 || int(id) >= e.Model.Info().Vocab {
			return fmt.Errorf("prompt: id %d at %d is outside the vocabulary of %d", id, i, e.Model.Info().Vocab)
		}
	}
	if len(prompt)+max(most, 1) > e.Options.Context {
		return fmt.Errorf("%w: %d tokens of prompt + %d asked > %d", ErrContext, len(prompt), max(most, 1), e.Options.Context)
	}
	return nil
}

// errDeadline is why a request's context ends at its Deadline.
var errDeadline = errors.New("the request's deadline has passed")

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

func (e *Engine) loop() {
	defer close(e.done)
	defer e.speculation.close()
	for {
		e.guess()
		e.mu.Lock()
		plan := e.next()
		for !e.closed && len(plan) == 0 { // nothing to do, or the blocks are with those who branch
			e.wake.Wait()
			plan = e.next()
		}
		if e.closed {
			e.endAll(FinishCancelled, ErrClosed)
			if e.disk != nil {
				e.disk.close(e.scheduler.blocks.tree)
			}
			e.mu.Unlock()
			return
		}
		e.mu.Unlock()
		if err := e.step(plan); err != nil {
			e.mu.Lock()
			e.endAll(FinishError, err)
			e.closed = true
			e.mu.Unlock()
		}
	}
}

// wakeUp lets the loop look again.
func (e *Engine) wakeUp() {
	e.mu.Lock() // else the loop may be about to wait, and miss it
	defer e.mu.Unlock()
	e.wake.Broadcast()
}

// next plans a step, after what has come to its end was dropped.
func (e *Engine) next() []work {
	e.dropCancelled()
	return e.scheduler.next()
}

func (e *Engine) dropCancelled() {
	for _, q := range append(append([]*sequence(nil), e.scheduler.running...), e.scheduler.waiting...) {
		switch {
		case errors.Is(context.Cause(q.ctx), errDeadline):
			e.end(q, FinishDeadline, nil)
		case q.ctx.Err() != nil:
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
	e.speculation.end(q)
	q.stream.cancel()
}

// step computes a plan, and takes tokens for the sequences that have all their ids in the cache then: one, and one more for each
// draft that is what was chosen without it.
func (e *Engine) step(plan []work) error {
	batch, rows := &model.Batch{}, []int32{}
	byAdapter(plan)
	measured := e.speculation.measure(plan)
	for _, w := range plan {
		q := w.sequence
		ids := q.ids[w.from:w.to]
		if len(w.drafts) > 0 {
			ids = append(slices.Clone(ids), w.drafts...)
		}
		batch.AddPrompt(ids, w.from, q.table.blocks, len(q.request.Prompt))
		batch.Adapt(q.adapter)
		for i := w.asks(); i > 0; i-- {
			rows = append(rows, int32(batch.Rows()-i))
		}
	}
	logits, err := e.forward(batch, rows, e.room)
	if err != nil {
		return err
	}
	e.room = logits
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Steps++
	vocab := e.Model.Info().Vocab
	mask := make([]uint64, (vocab+63)/64)
	taken := e.chooseTogether(plan, logits)
	for number, w := range plan {
		asks, computed, stop := w.asks(), w.to, ""
		asked := logits[:asks*vocab]
		logits = logits[len(asked):]
		for i := 0; i < asks && stop == ""; i++ {
			row := asked[i*vocab : (i+1)*vocab]
			var t Token
			if early := &taken[number]; early.is {
				t, stop = early.token, early.stop
			} else {
				e.mute(row)
				t, stop = w.sequence.choose(row, mask)
			}
			if stop == "" && e.closes(w.sequence) {
				stop = FinishLength
			}
			if stop == "" {
				stop = w.sequence.take(t, e.Options.Context)
				e.stats.Tokens++
			}
			forced := 0
			if stop == "" {
				forced, stop = e.force(w.sequence)
				e.stats.Tokens += forced
			}
			if i == len(w.drafts) || t.ID != w.drafts[i] {
				break
			}
			if stop == "" { // the draft's keys are those of the token
				computed++
			}
			if forced > 0 { // the drafts behind may go on otherwise
				break
			}
		}
		if len(w.drafts) > 0 {
			e.speculation.checked(w, computed-w.to, stop != "")
		}
		w.sequence.drafts = nil
		e.stats.Rows += w.rows()
		e.stats.Drafts += len(w.drafts)
		e.stats.DraftsAccepted += computed - w.to
		e.scheduler.done(w.sequence, computed)
		w.sequence.stream.computed.Store(int64(min(computed, len(w.sequence.request.Prompt))))
		if stop != "" {
			e.end(w.sequence, stop, nil)
		}
	}
	measured()
	return nil
}

// forward runs a batch over the cache and returns the logits of chosen rows, in room if they fit.
func (e *Engine) forward(batch *model.Batch, rows []int32, room []float32) ([]float32, error) {
	e.computing.Lock()
	defer e.computing.Unlock()
	e.arena.Reset()
	pass := &model.Pass{Stream: e.stream, Arena: e.arena, Cache: e.cache, Precision: e.Options.Precision}
	hidden, err := e.Model.Forward(pass, batch)
	if err != nil {
		return nil, err
	}
	logits := slices.Grow(room[:0], len(rows)*e.Model.Info().Vocab)[:len(rows)*e.Model.Info().Vocab]
	if len(rows) == 0 {
		return logits, e.stream.Err()
	}
	return logits, e.stream.Read(model.Logits(pass, e.Model, hidden, rows), compute.HostBytes(logits))
}
