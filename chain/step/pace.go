package step

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"lian/compute"
	"lian/compute/cpu"
	"lian/engine"
	"lian/event"
	"lian/model"
	"lian/model/nn"
	"lian/train"
	"lian/train/pack"
)

// pace is what the parts of a training take on this machine, in seconds, each measured as a run does it.
type pace struct {
	rows    int     // of a micro-batch
	first   float64 // what the first step takes longer than others: it brings memory
	micro   float64 // forward and backward of a micro-batch
	move    float64 // what comes once a step: its data, clipping, the optimizer, figures
	detail  float64 // what a step takes longer whose figures are made in detail
	look    float64 // a held-out token
	answer  float64 // a token of the answers to all prompts
	save    float64 // a byte of a state: written, synced, read back
	workers int
	spent   float64 // by measuring
}

// step is the seconds of a usual step of so many tokens.
func (t pace) step(tokens float64) float64 { return t.micro*tokens/float64(t.rows) + t.move }

// How long is measured: so long at least, in a run of many minutes a share of it, and not longer than so much where steps are long.
const (
	leastMeasure  = 3 * time.Second
	mostMeasure   = 10 * time.Second
	measureShare  = 0.002
	enoughMeasure = 20 * time.Second
	startSeconds  = 0.4 // a program, its tables and a look at what the machine can do
)

// measurePace times what a training of a shape will do: steps of a trainer with its optimizer, its figures and its limit of memory, on random ids in documents of
// the text's length; then a look at held-out text and prompts. The middle one of the times counts: a run does not have the luck of the best one.
func (o *PretrainOptions) measurePace(ctx context.Context, b compute.Backend, s *nn.Spec, text textFacts, rows int, folder string) (p pace, err error) {
	began := time.Now()
	p = pace{rows: rows, workers: cpu.Workers(b)}
	if p.save, err = measureSaving(ctx, b, folder); err != nil {
		return p, err
	}
	memory, err := o.memory(*s, text.tokens)
	if err != nil {
		return p, err
	}
	defer holdMemory(memory)()
	m, err := nn.Initialise(b, *s, 1, 0.02)
	if err != nil {
		return p, err
	}
	if err := o.measureSteps(ctx, b, m, text, &p); err != nil {
		return p, err
	}
	if err := o.measureLooks(ctx, b, m, text, &p); err != nil {
		return p, err
	}
	p.spent = time.Since(began).Seconds()
	return p, nil
}

// detailEvery is how often measured steps are looked at in detail.
const detailEvery = 4

// measureSteps times steps of one micro-batch and, every other one, of two.
func (o *PretrainOptions) measureSteps(ctx context.Context, b compute.Backend, m *nn.Decoder, text textFacts, p *pace) error {
	least := min(mostMeasure, max(leastMeasure, time.Duration(measureShare*o.Dial.Minutes*float64(time.Minute))))
	length := 0
	if o.Mixture.Documents != "joined" {
		length = int(text.length)
	}
	ahead := pack.NewAhead(alternating{noise{p.rows, m.Spec.Context, m.Spec.Vocab, length}})
	defer ahead.Close()
	settings, figures := o.Train, o.Figures
	settings.Steps, settings.EvalEvery, settings.Schedule.LearningRate, settings.MicroTokens = 1_000_000, 0, 1e-5, p.rows
	figures.TensorBoard = false
	if figures.FiguresEvery > 0 {
		figures.FiguresEvery = detailEvery
	}
	measuring, enough := context.WithCancel(ctx)
	defer enough()
	t := &train.Trainer{Options: settings, Backend: b, Model: m, Weights: m.Parameters(), Source: ahead}
	rec := figures.record(ctx, t, recorded{spec: m.Spec}, event.Discard)
	var one, two, detailed []float64
	first := 0.0
	began := time.Now()
	last := began
	t.OnStep = func(step train.Progress) {
		rec.step("pretrain", step)
		now := time.Now()
		took, passed := now.Sub(last).Seconds(), now.Sub(began)
		last = now
		switch n := step.Step; {
		case n == 1:
			first = took
		case n%detailEvery == 0 && figures.FiguresEvery > 0: // of two micro-batches
			detailed = append(detailed, took)
		case n%2 == 1:
			one = append(one, took)
		default:
			two = append(two, took)
		}
		switch n := step.Step; {
		case n >= 3 && passed > enoughMeasure, n >= 12 && n%detailEvery == 0 && (passed > least || o.Train.Steps > 0 && n >= o.Train.Steps): // as long as the run itself is enough
			enough()
		}
	}
	if err := t.Run(measuring); ctx.Err() != nil || !errors.Is(err, context.Canceled) {
		return cmp.Or(ctx.Err(), err)
	}
	a, c := median(one), median(two)
	p.micro = max(c-a, a/10)
	p.move = max(a-p.micro, 0)
	p.first = max(first-a, 0)
	if len(detailed) > 0 {
		p.detail = max(median(detailed)-c, 0)
	}
	return rec.close()
}

// measureLooks times a look at held-out text of documents of the text's length, in as many forwards as it will take, and a token of the answers to the prompts.
func (o *PretrainOptions) measureLooks(ctx context.Context, b compute.Backend, m *nn.Decoder, text textFacts, p *pace) error {
	length := int(text.length)
	if length <= 0 {
		length = m.Spec.Context
	}
	look := func(tokens int) (float64, error) {
		var texts []heldText
		for ; tokens > 0; tokens -= length {
			t := heldText{}
			t.IDs, t.Bytes = make([]int32, min(length, tokens)), 1
			for i := range t.IDs {
				t.IDs[i] = int32((i*7919 + tokens) % m.Spec.Vocab)
			}
			texts = append(texts, t)
		}
		began := time.Now()
		_, _, err := measure(ctx, b, m, texts, 0, p.rows)
		return time.Since(began).Seconds(), err
	}
	const short, long = 0.3, 6.0 // seconds
	all := max(p.rows, int(min(text.heldOut, max(float64(o.HeldOutTokens), 4*float64(p.rows)))))
	took, err := look(min(all, p.rows)) // how long it may take; the first one brings memory
	tokens := min(all, p.rows)
	if most := int(long / max(took, 1e-9) * float64(tokens)); err == nil && most > tokens {
		tokens = min(all, most)
		var list []float64
		for began := time.Now(); err == nil && (len(list) == 0 || time.Since(began).Seconds() < short); {
			took, err = look(tokens)
			list = append(list, took)
		}
		took = median(list)
	}
	if err != nil {
		return err
	}
	p.look = took / float64(tokens)
	if len(o.Prompts) == 0 {
		return nil
	}
	var ids [][]int32
	var starts []int
	for range o.Prompts {
		ids, starts = append(ids, []int32{0, 0}), append(starts, 1)
	}
	var list []float64
	for range 5 {
		began := time.Now()
		if _, err := engine.ScoreAs(ctx, b, m, ids, starts, engine.Numbers{Precision: model.Exact}); err != nil {
			return err
		}
		list = append(list, time.Since(began).Seconds())
	}
	p.answer = median(list)
	return nil
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return (list[len(list)/2] + list[(len(list)-1)/2]) / 2
}
