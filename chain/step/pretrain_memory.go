package step

import (
	"context"
	"math"
	"runtime/debug"

	"lian/compute"
	"lian/compute/dry"
	"lian/engine"
	"lian/model"
	"lian/model/nn"
	"lian/train"
)

// What the process has beside what memory counts.
const (
	runtimeBytes = 24 << 20              // in the collector's memory: tokenizer, layout of the data, figures and events
	ownBytes     = runtimeBytes + 28<<20 // and the program's code and tables
)

// memory is what a pretraining of a shape on so many tokens holds, by kind. What it is told here is what holdMemory keeps it to.
func (o *PretrainOptions) memory(s nn.Spec, tokens float64) (train.Memory, error) {
	rows := o.lookRows(s.Context)
	settings := o.Train
	settings.Steps = max(settings.Steps, 1) // they may be to be chosen
	m, err := trainingMemory(s, settings, rows, s.Context, true)
	if err != nil {
		return m, err
	}
	look, err := scoreBytes(s, rows)
	if err != nil {
		return m, err
	}
	for _, e := range o.engines(s.Context) {
		p, err := engine.PlanFor(s.Info(), engine.Loaded{}, e)
		if err != nil {
			return m, err
		}
		look = max(look, p.Total)
	}
	m.Looks = look + 8*int64(min(o.Mixture.HeldOutShare*tokens, heldOutMost)) // the documents they are chosen from
	width := int64(2)
	if s.Vocab > math.MaxUint16 {
		width = 4
	}
	m.Data = width * int64(tokens)
	return m, nil
}

// lookRows are the rows of a micro-batch, and of a forward that looks at held-out text.
func (o *PretrainOptions) lookRows(context int) int {
	tokens := o.Train.MicroTokens
	if o.StepTokens > 0 { // otherwise it is to be chosen
		tokens = min(tokens, o.StepTokens)
	}
	return max(1, tokens/context) * context
}

// engines are the settings of what answers during a training: prompts, and questions.
func (o *PretrainOptions) engines(context int) (out []engine.Options) {
	if n := len(o.Prompts); n > 0 {
		out = append(out, o.promptEngine(context))
	}
	if o.Tasks.EvalTasks != "" {
		out = append(out, engine.Options{Precision: model.Exact})
	}
	return out
}

func (o *PretrainOptions) promptEngine(context int) engine.Options {
	return engine.Options{Precision: model.Exact, CacheTokens: context * len(o.Prompts)}
}

// scoreBytes is the memory of a forward that scores so many rows.
func scoreBytes(s nn.Spec, rows int) (int64, error) {
	d := dry.New(nil)
	m, err := nn.Shape(d, s)
	if err != nil {
		return 0, err
	}
	before := d.Bytes()
	err = score(context.Background(), d, m, &s, rows)
	return d.Bytes() - before, err
}

// score scores so many rows in one forward.
func score(ctx context.Context, b compute.Backend, m model.Model, s *nn.Spec, rows int) error {
	var ids [][]int32
	var starts []int
	for n := rows; n > 0; n -= s.Context {
		ids, starts = append(ids, make([]int32, min(n, s.Context)+1)), append(starts, 1)
	}
	_, err := engine.ScoreAs(ctx, b, m, ids, starts, engine.Numbers{Precision: model.Exact, Rows: rows + len(ids)})
	return err
}

// collectOften makes the collector look more often while data are prepared and speed is measured: what they leave behind would be the most
// that the process ever holds.
func collectOften() (undo func()) {
	usual := debug.SetGCPercent(25)
	if usual >= 0 && usual < 25 {
		debug.SetGCPercent(usual)
	}
	return func() { debug.SetGCPercent(usual); debug.FreeOSMemory() }
}

// holdMemory keeps the process to what was planned: garbage, as of the copies that were checkpoints, is collected before more is taken.
func holdMemory(m train.Memory) (undo func()) {
	debug.FreeOSMemory()
	usual := debug.SetMemoryLimit(-1)
	debug.SetMemoryLimit(min(usual, m.Total()-m.Data-max(m.Weights, m.Optimizer)+runtimeBytes)) // without what is mapped
	return func() { debug.SetMemoryLimit(usual) }
}
