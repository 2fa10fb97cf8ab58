package step

import (
	"context"
	"math"
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

// usualSpeed is what two cores compute, in GFLOP/s, before anything is measured: the first size to time should be near the one that is chosen, or measuring takes
// more memory than the run.
const usualSpeed = 100

// measured times a few training steps of the size that would do at the usual speed, chooses a size by that, and times the chosen one, because small matrices are
// computed less well than large ones. If the choice does not hold then, a smaller one is timed.
func (t timeBudget) measured(ctx context.Context, b compute.Backend, events event.Sink) (size Size, gflops float64, err error) {
	defer collectOften()()
	size = t.size(usualSpeed)
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
		Options: o, Backend: b, Model: m, Weights: m.Parameters(), Source: noise{tokens, length, vocab, 0},
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
