package train

import (
	"context"
	"fmt"
	"time"

	"lian/compute"
	"lian/compute/autograd"
	"lian/model"
	"lian/train/optim"
)

// Trainer is a run in progress.
type Trainer struct {
	Options Options
	Backend compute.Backend
	Model   model.Model
	Adapter model.Adapter     // nil trains the model's own weights
	Weights *model.Parameters // what moves: the model's or the adapter's parameters
	Source  Source
	// Rate is the learning rate of a step (from 0); nil takes the options' schedule.
	Rate func(step int) float64
	// Folder keeps checkpoints; empty keeps none.
	Folder string
	Hooks

	stream    compute.Stream
	arena     *compute.Arena
	gradients *autograd.Gradients
	optimizer *optim.Optimizer
	at        position
}

func (t *Trainer) prepare() error {
	if err := t.Options.Check(); err != nil {
		return err
	}
	if t.Rate == nil {
		t.Rate = t.Options.Rate
	}
	t.stream, t.arena = t.Backend.NewStream(), compute.NewArena(t.Backend, 64<<20)
	o := t.Options.Optimizer
	o.BF16 = t.Options.BF16
	var err error
	if t.optimizer, err = optim.New(t.Backend, t.Weights, o, t.Rate); err != nil {
		return err
	}
	t.gradients = autograd.NewGradients(t.Backend, t.optimizer.Trained().Tensors())
	return nil
}

// Run trains from the newest checkpoint in Folder, or from the start. When ctx ends it saves a checkpoint and returns ctx's error.
func (t *Trainer) Run(ctx context.Context) error {
	if err := t.prepare(); err != nil {
		return err
	}
	if err := t.resume(); err != nil {
		return err
	}
	first, start := t.at.Step, time.Now()
	for t.at.Step < t.Options.Steps {
		if ctx.Err() != nil {
			if err := t.save(); err != nil {
				return err
			}
			return ctx.Err()
		}
		began := time.Now()
		p, err := t.step(t.at.Step)
		if err != nil {
			return fmt.Errorf("step %d: %w", t.at.Step, err)
		}
		done := t.at.Step
		if t.OnStep != nil {
			p.Took = time.Since(began)
			p.Rate = float64(p.Rows) / p.Took.Seconds()
			p.Left = time.Duration(float64(time.Since(start)) / float64(done-first) * float64(t.Options.Steps-done))
			t.OnStep(p)
		}
		if e := t.Options.SaveEvery; e > 0 && done%e == 0 && done < t.Options.Steps {
			if err := t.save(); err != nil {
				return err
			}
		}
		if e := t.Options.EvalEvery; t.OnEvaluate != nil && (done == t.Options.Steps || e > 0 && done%e == 0) {
			if err := t.published(func() error { _, err := t.OnEvaluate(ctx, done); return err }); err != nil {
				return err
			}
		}
	}
	if err := t.save(); err != nil {
		return err
	}
	t.optimizer.Publish(t.stream, t.gradients.Of) // the run is over: what is left is what is to be used
	return t.stream.Err()
}

// published runs f while the model has the weights that are to be evaluated and written, which an average or an optimizer without a schedule
// keeps apart from those that are trained. These wait in the gradients.
func (t *Trainer) published(f func() error) error {
	t.optimizer.Publish(t.stream, t.gradients.Of)
	if err := f(); err != nil {
		return err
	}
	t.optimizer.Restore(t.stream, t.gradients.Of)
	return t.stream.Err()
}
