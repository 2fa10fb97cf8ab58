package step

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"lian/compute"
	"lian/config"
	"lian/event"
	"lian/model/nn"
	"lian/train"
	"lian/train/figure"
)

// timeBudget is what can be computed in a time.
type timeBudget struct {
	seconds    float64
	ratio      float64 // tokens for each parameter outside the embedding
	most       float64 // tokens, however much time there is
	vocabulary int
	context    int
	dtype      string
}

// size is the largest model that can read enough text for its size at a speed.
func (t timeBudget) size(gflops float64) Size {
	best := shapes[0]
	for _, s := range shapes {
		s.Context = t.context
		tokens := min(gflops*1e9*t.seconds/s.operations(t.vocabulary), t.most)
		if tokens >= t.ratio*float64(s.inner()) {
			best = s
		}
	}
	return best
}

// measured times a few training steps of a middle size, chooses a size by that, and times the chosen one, because small matrices are computed less well than
// large ones. If the choice does not hold then, a smaller one is timed.
func (t timeBudget) measured(ctx context.Context, b compute.Backend, events event.Sink) (size Size, gflops float64, err error) {
	size = shapes[6]
	for i := range 4 {
		events.Emit(event.KindProgress, event.Progress{Stage: "measure", Done: int64(i), Unit: "sizes"})
		if gflops, err = measureTraining(ctx, b, size, t.vocabulary, t.context, t.dtype); err != nil {
			return size, 0, err
		}
		again := t.size(gflops)
		if i > 0 && again.inner() >= size.inner() {
			return size, gflops, nil
		}
		size = again
	}
	return size, gflops, nil
}

// stepTime is what a training step takes: so long for each micro-batch, and so long for what comes once; and what a look takes.
type stepTime struct {
	rows  int     // of a micro-batch
	micro float64 // seconds
	move  float64 // seconds: clipping and the optimizer
	look  float64 // seconds to foretell a micro-batch's rows
}

// step is the seconds of a step of so many tokens.
func (t stepTime) step(tokens int) float64 { return t.micro*float64(tokens)/float64(t.rows) + t.move }

// rate is tokens a second in steps of so many tokens.
func (t stepTime) rate(tokens int) float64 { return float64(tokens) / t.step(tokens) }

// measureShape times steps of one and of two micro-batches of so many rows of a shape with random weights, whatever it may be, for about three seconds and at
// least twice. The middle one of the times counts: a run does not have the luck of the best one.
func measureShape(ctx context.Context, b compute.Backend, s *nn.Spec, o train.Options, rows int) (stepTime, error) {
	m, err := nn.Initialise(b, *s, 1, 0.02)
	if err != nil {
		return stepTime{}, err
	}
	length := s.Context
	o.Steps, o.EvalEvery, o.Schedule.LearningRate, o.MicroTokens = 1_000_000, 0, 1e-5, rows
	var one, two []float64
	measuring, enough := context.WithCancel(ctx)
	defer enough()
	t := &train.Trainer{Options: o, Backend: b, Model: m, Weights: m.Parameters(), Source: alternating{rows, length, s.Vocab}}
	began := time.Now()
	t.OnStep = func(p train.Progress) {
		switch took := p.Took.Seconds(); {
		case p.Step <= 2: // the first ones bring memory
		case p.Step%2 == 1:
			one = append(one, took)
		default:
			two = append(two, took)
		}
		if p.Step >= 6 && p.Step%2 == 0 && time.Since(began) > 3*time.Second {
			enough()
		}
	}
	if err := t.Run(measuring); ctx.Err() != nil || !errors.Is(err, context.Canceled) {
		return stepTime{}, cmp.Or(ctx.Err(), err)
	}
	var looks []float64
	for range 3 {
		began := time.Now()
		if err := score(ctx, b, m, s, rows); err != nil {
			return stepTime{}, err
		}
		looks = append(looks, time.Since(began).Seconds())
	}
	a, c := median(one), median(two)
	micro := max(c-a, a/10)
	return stepTime{rows, micro, max(a-micro, 0), median(looks)}, nil
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return (list[len(list)/2] + list[(len(list)-1)/2]) / 2
}

// alternating is noise of one micro-batch in odd steps and of two in even ones.
type alternating struct{ rows, length, vocab int }

func (a alternating) Step(step int) ([]train.Sequence, error) {
	return noise{a.rows * (1 + step%2), a.length, a.vocab}.Step(step)
}

// operationsOf is the operations to learn from one token of sequences of a length.
func operationsOf(s *nn.Spec, length int) float64 {
	return figure.NewOperations(*s).Step([]int{length}, length, true) / float64(length)
}

// measureTraining runs a few real training steps and returns billions of
// operations a second.
func measureTraining(ctx context.Context, b compute.Backend, size Size, vocab, length int, kind string) (float64, error) {
	size.Context, size.Theta, size.Deviation = length, 10000, 0.02
	m, err := nn.Initialise(b, size.Spec(vocab), 1, size.Deviation)
	if err != nil {
		return 0, err
	}
	const tokens, warm, steps = 2048, 1, 4
	var o train.Options
	if err := config.Defaults(&o); err != nil {
		return 0, err
	}
	o.Steps, o.Schedule.LearningRate, o.Optimizer.Rule, o.MicroTokens, o.DType = warm+steps, 1e-3, newModelRule, tokens, kind
	var clock time.Time
	t := &train.Trainer{
		Options: o, Backend: b, Model: m, Weights: m.Parameters(), Source: noise{tokens, length, vocab},
	}
	seconds := math.Inf(1)
	t.OnStep = func(p train.Progress) {
		if p.Step > warm { // the best step: others work on this machine too
			seconds = math.Min(seconds, time.Since(clock).Seconds())
		}
		clock = time.Now()
	}
	if err := t.Run(ctx); err != nil {
		return 0, err
	}
	return size.operations(vocab) * tokens / seconds / 1e9, nil
}

// noise is text for measuring speed only.
type noise struct{ tokens, length, vocab int }

func (n noise) Step(step int) (out []train.Sequence, err error) {
	state := uint64(step) + 1
	for at := 0; at < n.tokens; at += n.length {
		s := train.Sequence{IDs: make([]int32, n.length), Targets: make([]int32, n.length)}
		for i := range s.IDs {
			state = state*6364136223846793005 + 1442695040888963407
			s.IDs[i], s.Targets[i] = int32(state>>33)%int32(n.vocab), int32(state>>13&0x7fffffff)%int32(n.vocab)
		}
		out = append(out, s)
	}
	return out, nil
}
