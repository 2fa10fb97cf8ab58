package engine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"lian/compute"
	"lian/engine/sample"
	"lian/model"
	"lian/model/adapter"
	"lian/model/nn"
	"lian/random"
	"lian/tokenizer"
)

// world is a model, and what each request to it gets when nothing else is going on.
type world struct {
	name     string
	b        compute.Backend
	m        model.Model
	tok      *tokenizer.Tokenizer
	adapters map[string]model.Adapter
	requests []Request
	alone    [][]int32
}

func worlds(t *testing.T) []*world {
	rope := func(rule string, factor float64) func(*nn.Spec) {
		return func(s *nn.Spec) {
			s.Attention.RoPE.Scaling = compute.RoPEScaling{Rule: rule, Factor: factor, Context: 70, OriginalContext: 70, ShortFactor: []float64{1, 1}, LongFactor: []float64{1, 3}}
		}
	}
	list := []*world{{name: "everything is kept"}, {name: "windows in some layers"}, {name: "windows in all layers"}, {name: "dynamic NTK"}, {name: "LongRoPE"}}
	for i, change := range []func(*nn.Spec){nil,
		func(s *nn.Spec) { s.Vary(func(l int, b *nn.Block) { b.Attention.Window = 45 * (l % 2) }) },
		func(s *nn.Spec) { s.Vary(func(l int, b *nn.Block) { b.Attention.Window = 20 + 30*l }) },
		rope("dynamic", 2), rope("longrope", 2)} {
		w := list[i]
		w.b, w.m, w.tok = tinyOn(t, change)
		w.adapters = map[string]model.Adapter{"one": tinyAdapter(t, w.b, w.m)}
		w.fill(t)
	}
	return list
}

func tinyAdapter(t *testing.T, b compute.Backend, m model.Model) model.Adapter {
	t.Helper()
	var bindings []model.Binding
	for _, p := range m.Parameters().All() {
		bindings = append(bindings, model.Binding{Parameter: p.Name, Shape: p.Tensor.Shape, Hub: model.View{Name: p.Name}, Adaptable: len(p.Tensor.Shape) == 2 && p.Name != "embedding"})
	}
	l, err := adapter.New(b, m, bindings, adapter.Config{Rank: 2, Alpha: 4}, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := b.NewStream()
	for j, p := range l.Parameters().All() {
		values := make([]float32, p.Tensor.Elements())
		for k := range values {
			values[k] = float32((j*7+k*11)%13)/13 - 0.5
		}
		s.Write(p.Tensor, compute.HostBytes(values))
	}
	if err := l.Beside(s, m); err != nil {
		t.Fatal(err)
	}
	return l
}

// fill makes requests that share beginnings of several lengths, and asks each of them alone.
func (w *world) fill(t *testing.T) {
	key := random.New(1, "requests")
	for i := range 48 {
		k := key.With(i)
		var prompt []int32
		for part := range 1 + k.Int(0, 4) { // of three texts for each part, so that many begin alike
			text := random.New(2, "text", part, k.Int(1+part, 3))
			for j := range 1 + text.Int(0, 34) {
				prompt = append(prompt, int32(text.Int(1+j, 256)))
			}
		}
		r := Request{Prompt: prompt, MaxTokens: 1 + k.Int(10, 14), Sample: sample.Params{Temperature: float32(k.Int(11, 2)), Seed: uint64(i)}}
		if k.Int(12, 4) == 0 {
			r.Adapter = "one"
		}
		e := w.engine(t, Options{NoPrefix: true})
		s, err := e.Generate(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		for plan := e.next(); len(plan) > 0; plan = e.next() {
			if err := e.step(plan); err != nil {
				t.Fatal(err)
			}
		}
		w.requests, w.alone = append(w.requests, r), append(w.alone, s.Result().IDs)
	}
}

func (w *world) engine(t *testing.T, o Options) *Engine {
	t.Helper()
	e, err := build(w.b, w.m, w.tok, o)
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range w.adapters {
		if err := e.AddAdapter(name, a); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// TestRandomSchedules: arrivals in any order and number, cancels, deadlines, priorities, common beginnings, adapters, drafts good and
// bad, caches that are too small for all, steps of any size. Every reply is that of its request alone, or what of it there was when
// it was cancelled; afterwards no block is held but by the tree, and none was lost. LIAN_LONG=1 runs 10000.
func TestRandomSchedules(t *testing.T) {
	n := 400
	if os.Getenv("LIAN_LONG") != "" {
		n = 10000
	}
	list, begun := worlds(t), time.Now()
	var total Stats
	for i := range n {
		w := list[i%len(list)]
		if err := w.schedule(t, random.New(7, "schedule", i), &total); err != nil {
			t.Fatalf("schedule %d (%s): %v", i, w.name, err)
		}
	}
	t.Logf("%d schedules in %v: %+v", n, time.Since(begun).Round(time.Millisecond), total)
	if total.Preemptions == 0 || total.Hits == 0 || total.Evicted == 0 || total.DraftsAccepted == 0 {
		t.Errorf("the schedules were too easy: %+v", total)
	}
}

// asked is a request on its way.
type asked struct {
	number    int
	stream    *Stream
	cancelled bool
	expires   bool
}

func (w *world) schedule(t *testing.T, k random.Key, total *Stats) error {
	draws := 0
	draw := func(n int) int { draws++; return k.Int(draws, n) }
	o := Options{StepTokens: []int{1, 3, 16, 64, 512}[draw(5)], Sequences: 1 + draw(8), CacheTokens: 160 + 32*draw(8), NoPrefix: draw(8) == 0}
	e := w.engine(t, o)
	var all []*asked
	arrivals := 1 + draw(9)
	for step := 0; arrivals > 0 || len(e.scheduler.running)+len(e.scheduler.waiting) > 0; step++ {
		if step > 5000 {
			return fmt.Errorf("no end after %d steps: %d running, %d waiting", step, len(e.scheduler.running), len(e.scheduler.waiting))
		}
		for arrivals > 0 && (draw(3) == 0 || len(e.scheduler.running) == 0 && draw(2) == 0) {
			arrivals--
			a := &asked{number: draw(len(w.requests)), expires: draw(25) == 0}
			r := w.requests[a.number]
			r.Priority = draw(3) * draw(2)
			if a.expires {
				r.Deadline = time.Unix(1, 0)
			}
			var err error
			if a.stream, err = e.Generate(context.Background(), r); err != nil {
				return err
			}
			all = append(all, a)
		}
		if len(all) > 0 && draw(30) == 0 {
			a := all[draw(len(all))]
			a.stream.Cancel()
			a.cancelled = true
		}
		for _, q := range e.scheduler.running {
			if q.missing() == 1 && draw(3) == 0 {
				q.drafts = w.drafts(q, draw)
			}
		}
		plan := e.next()
		rows := 0
		for _, p := range plan {
			rows += p.rows()
		}
		if rows > o.StepTokens {
			return fmt.Errorf("step %d has %d rows of %d", step, rows, o.StepTokens)
		}
		if len(plan) > 0 {
			if err := e.step(plan); err != nil {
				return err
			}
		}
		if err := e.scheduler.blocks.check(); err != nil {
			return fmt.Errorf("after step %d: %w", step, err)
		}
	}
	for i, a := range all {
		r, want := a.stream.Result(), w.alone[a.number]
		switch {
		case a.expires && r.Finish == FinishDeadline, a.cancelled && r.Finish == FinishCancelled:
			want = want[:min(len(r.IDs), len(want))]
		case r.Err != nil:
			return fmt.Errorf("request %d ended with %w", i, r.Err)
		}
		if !slices.Equal(r.IDs, want) {
			return fmt.Errorf("request %d (number %d, %+v) has the reply %v, alone %v", i, a.number, o, r.IDs, want)
		}
	}
	stats := e.Stats()
	total.add(stats)
	for g, p := range stats.Blocks {
		if p.Used > 0 {
			return fmt.Errorf("%d blocks of group %d are still used", p.Used, g)
		}
	}
	for g := range e.scheduler.blocks.pools { // and the tree gives all of them back
		for e.scheduler.blocks.tree.evict(g) {
		}
	}
	for g, p := range e.Stats().Blocks {
		if p.Free != p.Total {
			return fmt.Errorf("%d blocks of group %d are lost", p.Total-p.Free, g)
		}
	}
	if n := e.Stats().Nodes; n != 0 {
		return fmt.Errorf("the emptied tree has %d nodes", n)
	}
	return nil
}

// drafts are some tokens of what the request says alone, some of them made wrong.
func (w *world) drafts(q *sequence, draw func(int) int) []int32 {
	for i, r := range w.requests {
		if !slices.Equal(r.Prompt, q.request.Prompt) || r.Sample.Seed != q.request.Sample.Seed {
			continue
		}
		rest := w.alone[i][len(q.reply()):]
		drafts := slices.Clone(rest[:min(1+draw(6), len(rest))])
		if len(drafts) > 0 && draw(2) == 0 {
			drafts[draw(len(drafts))] = int32(draw(256))
		}
		return drafts
	}
	return nil
}

// check counts the holders of every block anew.
func (b *blocks) check() error {
	for g, p := range b.pools {
		spare, seen := 0, make([]bool, len(p.holders))
		for _, block := range p.free {
			if seen[block] || p.holders[block] != 0 || p.inTree[block] {
				return fmt.Errorf("block %d of group %d is free with %d holders, or twice", block, g, p.holders[block])
			}
			seen[block] = true
		}
		for block, holders := range p.holders {
			if holders == 0 && !seen[block] {
				return fmt.Errorf("block %d of group %d has no holder and is not free", block, g)
			}
			if holders == 1 && p.inTree[block] {
				spare++
			}
		}
		if spare != p.spare {
			return fmt.Errorf("group %d counts %d spare blocks, there are %d", g, p.spare, spare)
		}
	}
	return nil
}

func (s *Stats) add(o Stats) {
	s.Steps, s.Rows, s.Tokens, s.Preemptions = s.Steps+o.Steps, s.Rows+o.Rows, s.Tokens+o.Tokens, s.Preemptions+o.Preemptions
	s.Hits, s.HitTokens, s.Misses, s.Evicted = s.Hits+o.Hits, s.HitTokens+o.HitTokens, s.Misses+o.Misses, s.Evicted+o.Evicted
	s.Drafts, s.DraftsAccepted = s.Drafts+o.Drafts, s.DraftsAccepted+o.DraftsAccepted
}
