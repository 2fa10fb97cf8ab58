package step

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lian/compute/cpu"
	"lian/event"
	"lian/machine"
	"lian/model"
	"lian/model/checkpoint"
)

// BenchModelOptions are the settings of lian bench model.
type BenchModelOptions struct {
	Tests      []string        `yaml:"tests" help:"what to measure: pp512 reads a prompt, tg128 writes, pp512+tg128 does both, batch8 and batch8x64 write 8 sequences at once; each @DEPTH after so many cached tokens" default:"pp512,tg128"`
	Threads    []int           `yaml:"threads" help:"numbers of threads to measure with, one after the other; 0 is one for each processor" default:"0"`
	Runs       int             `yaml:"runs" help:"runs of each measurement" default:"3" range:"1..1000"`
	StepTokens int             `yaml:"step_tokens" help:"most tokens computed in one step; prompts are cut into chunks of it" default:"512" range:"1..1000000"`
	KV         model.KVType    `yaml:"kv" help:"how keys and values are kept; auto is bf16 for fast and f32 for exact" default:"auto" range:"auto|f32|bf16|int8|int4"`
	Precision  model.Precision `yaml:"precision" help:"fast rounds activations to int8 where weights are quantised; exact never does" default:"fast" range:"exact|fast"`
}

// BenchModel measures the tokens a second that a model reads and writes, as llama-bench and llama-batched-bench do: ids are drawn, no
// token is chosen. A file without a tokenizer will do. Each run comes after a look at what the machine can do at that moment.
func BenchModel(ctx context.Context, path string, o BenchModelOptions, show func(Benched) error, sink event.Sink) error {
	var tests []modelTest
	for _, name := range o.Tests {
		t, err := parseModelTest(name)
		if err != nil {
			return err
		}
		tests = append(tests, t)
	}
	if len(tests) == 0 || len(o.Threads) == 0 {
		return errors.New("nothing to measure: --tests and --threads name at least one each")
	}
	if err := checkThreads(o.Threads); err != nil {
		return err
	}
	if err := cpu.LevelError(); err != nil {
		return err
	}
	done, total := int64(0), int64(len(o.Threads)*len(tests)*(o.Runs+1))
	ran := func() {
		done++
		sink.Emit(event.KindProgress, event.Progress{Stage: "bench", Done: done, Total: total, Unit: "runs"})
	}
	for _, threads := range o.Threads {
		if err := benchModelWith(ctx, path, threads, o, tests, show, ran); err != nil {
			return err
		}
	}
	return nil
}

// checkThreads refuses numbers of threads that are none.
func checkThreads(threads []int) error {
	for _, n := range threads {
		if n < 0 || n > 1024 {
			return fmt.Errorf("--threads %d: expected 0 (one for each processor) to 1024", n)
		}
	}
	return nil
}

func benchModelWith(ctx context.Context, path string, threads int, o BenchModelOptions, tests []modelTest, show func(Benched) error, ran func()) error {
	m, err := openWeights(path, cpu.New(threads), checkpoint.Options{}, true)
	if err != nil {
		return err
	}
	defer m.Close()
	for _, t := range tests {
		if most := m.Model.Spec.Context; t.length() > most {
			return fmt.Errorf("--tests %s: %d tokens are more than the context of %s, %d", t.name, t.length(), m.Name, most)
		}
	}
	work, memory := workOf(m), &watch{}
	common := []Setting{{"model", m.Name}, {"type", work.typeName()}, {"bits_per_weight", rounded(8*float64(work.weights)/float64(work.parameters), 2)},
		{"parameters", work.parameters}, {"weight_bytes", work.weights}, {"threads", cpu.Workers(m.Backend)}, {"kernels", cpu.Level()},
		{"precision", string(o.Precision)}, {"kv", string(o.KV.For(o.Precision))}}
	r, shop := newModelBench(m, o, tests), newWorkshop(m.Backend)
	for _, t := range tests {
		if err := r.prepare(ctx, t); err != nil {
			return err
		}
		first := t // a prompt's first run is slower by what it brings into memory, a token's by little more than itself
		first.reply = min(t.reply, 4)
		if _, err := r.once(ctx, first); err != nil {
			return err
		}
		ran()
		limit := cpu.CeilingRead
		if t.reply == 0 {
			limit = work.ceiling(o.Precision)
		}
		var ceiling meter
		memory.except(func() { ceiling = shop.ceiling(limit) })
		var values, limits []float64
		for range o.Runs {
			limits = append(limits, ceiling(ctx, 60*time.Millisecond))
			took, err := r.once(ctx, t)
			if err != nil {
				return err
			}
			values = append(values, float64(t.tokens())/took.Seconds())
			ran()
		}
		line := summed("model", t.name, "tok/s", values, common...)
		slices.Sort(limits)
		line.Settings = append(line.Settings, work.figures(t, o, line.Value, limits[len(limits)/2], limit)...)
		line.Settings = append(line.Settings, Setting{"peak_rss_bytes", memory.peak()}, Setting{"own_rss_bytes", memory.own()})
		if err := show(line); err != nil {
			return err
		}
	}
	return nil
}

// figures are what a speed comes to in bytes or operations a second, and its share of what the machine did at the same time.
func (w modelWork) figures(t modelTest, o BenchModelOptions, speed, limit float64, of cpu.Ceiling) (s []Setting) {
	var rate float64
	if t.reply == 0 {
		rate = speed / float64(t.tokens()) * w.operations(t.prompt, t.depth) / 1e9
		s = append(s, Setting{"gflops", rounded(rate, 1)})
	} else if t.prompt == 0 {
		weights, kv := w.read(o.KV.For(o.Precision), t.sequences, float64(t.depth)+float64(t.reply+1)/2)
		rate = speed / float64(t.sequences) * (weights + kv) / 1e9
		s = append(s, Setting{"bytes_per_step", int64(weights + kv)}, Setting{"kv_bytes_per_step", int64(kv)}, Setting{"gb_per_second", rounded(rate, 2)})
	}
	if rate > 0 && limit > 0 {
		s = append(s, Setting{"share", rounded(rate/limit, 3)}, Setting{"of", ceilingName(of)}, Setting{"ceiling", rounded(limit, 1)})
	}
	return s
}

// watch is the memory of this process without what measuring takes.
type watch struct{ before, taken int64 }

// except makes something that is no part of what is measured.
func (w *watch) except(f func()) {
	from := machine.Resident()
	w.before = max(w.before, from.Peak-w.taken)
	f()
	w.taken += max(machine.Resident().Own-from.Own, 0)
}

// peak is the most that was resident, the mapped weights included.
func (w *watch) peak() int64 { return max(w.before, machine.Resident().Peak-w.taken) }

// own is what is resident now beside the mapped weights.
func (w *watch) own() int64 { return max(machine.Resident().Own-w.taken, 0) }
