package step

import (
	"context"
	"slices"
	"time"

	"lian/compute"
	"lian/model"
	"lian/random"
)

// modelBench runs a model over a cache of its own in the steps that an engine makes, without sampler, tokenizer and streams: the
// forward, and the logits of the rows that a token would be chosen from.
type modelBench struct {
	m      *Opened
	pass   model.Pass
	batch  model.Batch
	rows   []int32
	logits []float32
	step   int // tokens of a prompt in one forward
	blocks [][]int32
	ids    []int32 // what is read and "written": drawn, as no text is needed
}

// benchBlock is the number of positions in a cache block, as the engine has it.
const benchBlock = 32

func newModelBench(m *Opened, o BenchModelOptions, tests []modelTest) *modelBench {
	r := &modelBench{m: m, step: o.StepTokens}
	blocks := 0
	for _, t := range tests { // one cache serves all tests: each sequence of the largest has its blocks one after the other
		blocks = max(blocks, t.sequences*blocksOf(t.length()))
	}
	info := m.Model.Info()
	r.pass = model.Pass{Stream: m.Backend.NewStream(), Arena: compute.NewArena(m.Backend, 1<<20), Precision: o.Precision,
		Cache: model.NewCache(m.Backend, info, o.KV.For(o.Precision), benchBlock, slices.Repeat([]int{blocks}, len(info.CacheGroups()))...)}
	key := random.New(1, "bench", "ids")
	r.ids = make([]int32, blocks*benchBlock)
	for i := range r.ids {
		r.ids[i] = int32(key.Float64(i) * float64(info.Vocab))
	}
	return r
}

func blocksOf(tokens int) int { return (tokens + benchBlock - 1) / benchBlock }

// prepare gives the sequences of a test their blocks and fills the cache to its depth.
func (r *modelBench) prepare(ctx context.Context, t modelTest) error {
	each := blocksOf(t.length())
	r.blocks = make([][]int32, t.sequences)
	for s := range r.blocks {
		for i := range each {
			r.blocks[s] = append(r.blocks[s], int32(s*each+i))
		}
		if err := r.prompt(ctx, s, 0, t.depth, t.depth); err != nil {
			return err
		}
	}
	return nil
}

// once is one run of a test, and how long it took. What an earlier run left in the cache after the depth is written again.
func (r *modelBench) once(ctx context.Context, t modelTest) (time.Duration, error) {
	begun := time.Now()
	if err := r.prompt(ctx, 0, t.depth, t.depth+t.prompt, t.depth+t.prompt); err != nil {
		return 0, err
	}
	for at := t.depth + t.prompt; at < t.length(); at++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		r.begin()
		for s := range r.blocks {
			r.add(s, at, at+1, t.depth+t.prompt)
			r.rows = append(r.rows, int32(s))
		}
		if err := r.forward(); err != nil {
			return 0, err
		}
	}
	return time.Since(begun), nil
}

// prompt reads tokens [from, to) of a sequence, a step at a time; only the last row of the last step has logits.
func (r *modelBench) prompt(ctx context.Context, sequence, from, to, length int) error {
	for from < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		next := min(from+r.step, to)
		r.begin()
		r.add(sequence, from, next, length)
		if next == to {
			r.rows = append(r.rows, int32(r.batch.Rows()-1))
		}
		if err := r.forward(); err != nil {
			return err
		}
		from = next
	}
	return nil
}

func (r *modelBench) begin() {
	b := &r.batch
	b.IDs, b.Positions, b.QueryStart = b.IDs[:0], b.Positions[:0], b.QueryStart[:0]
	b.KeyLength, b.PromptLength, b.Blocks = b.KeyLength[:0], b.PromptLength[:0], b.Blocks[:0]
	r.rows = r.rows[:0]
}

func (r *modelBench) add(sequence, from, to, prompt int) {
	at := sequence * len(r.blocks[sequence]) * benchBlock
	r.batch.AddPrompt(r.ids[at+from:at+to], from, r.pass.Cache.Alike(r.blocks[sequence]), prompt)
}

func (r *modelBench) forward() error {
	r.pass.Arena.Reset()
	hidden, err := r.m.Model.Forward(&r.pass, &r.batch)
	if err != nil || len(r.rows) == 0 {
		return err
	}
	if n := len(r.rows) * r.m.Model.Spec.Vocab; len(r.logits) != n {
		r.logits = make([]float32, n)
	}
	return r.pass.Stream.Read(model.Logits(&r.pass, r.m.Model, hidden, r.rows), compute.HostBytes(r.logits))
}
