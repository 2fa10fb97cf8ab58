package train

import (
	"context"
	"fmt"
	"time"

	"lian/compute"
	"lian/compute/autograd"
	"lian/dtype"
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
	optimizer *optim.AdamW
	squares   *compute.Tensor // Σ of the gradient's squares
	clip      *compute.Tensor // factor of the gradient
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
	t.gradients = autograd.NewGradients(t.Backend, t.Weights.Tensors())
	t.optimizer = optim.NewAdamW(t.Backend, t.Weights)
	o := t.Options
	t.optimizer.Beta1, t.optimizer.Beta2, t.optimizer.Epsilon, t.optimizer.Decay = o.Beta1, o.Beta2, o.Epsilon, o.Decay
	t.squares, t.clip = compute.NewTensor(t.Backend, dtype.F64, 1), compute.NewTensor(t.Backend, dtype.F32, 1)
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
			if _, err := t.OnEvaluate(ctx, done); err != nil {
				return err
			}
		}
	}
	return t.save()
}
