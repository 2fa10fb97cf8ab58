package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"lian/compute"
	"lian/compute/autograd"
	"lian/event"
	"lian/model"
	"lian/train/guard"
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
	// Form is how they keep the weights; nil is one file of tensors by name.
	Form Form
	// Settings decide over the bytes of the run: going on needs the same ones. nil is those of the options.
	Settings []Setting
	// Kernels is the level at which the backend computes, kept with every checkpoint.
	Kernels string
	// StopFile is looked at before each step; see stop. Empty is none.
	StopFile string
	// TimeLimit ends the run, saved, before so much time has passed; 0 is none.
	TimeLimit time.Duration
	// Events is told of what happens beside the steps; nil is nobody.
	Events event.Sink
	Hooks

	stream    compute.Stream
	arena     *compute.Arena
	gradients *autograd.Gradients
	optimizer *optim.Optimizer
	at        position
	rateGiven bool
	began     time.Time
	longest   time.Duration // of the steps of this process
	saving    saving
	savedStep int       // of the newest state, begun or on the disk; −1 none
	savedAt   time.Time // when it was begun
	looked    evaluations
	hang      hangWatch
	hangLeast time.Duration // a step that is shorter is never told; 0 is half a minute
	badStop   string        // content of the stop file that was told to be none
}

func (t *Trainer) prepare() error {
	if err := t.Options.Check(); err != nil {
		return err
	}
	t.began, t.savedAt, t.rateGiven = time.Now(), time.Now(), t.Rate != nil
	if t.Rate == nil {
		t.Rate = t.Options.Rate
	}
	t.hang = hangWatch{times: t.Options.HangAfter, least: cmp.Or(t.hangLeast, 30*time.Second), tell: t.tell}
	if t.Folder != "" {
		t.hang.folder = filepath.Dir(t.Folder)
	}
	t.stream = t.Backend.NewStream()
	o := t.Options.Optimizer
	o.BF16 = t.Options.BF16()
	var err error
	if t.optimizer, err = optim.New(t.Backend, t.Weights, o, t.Rate); err != nil {
		return err
	}
	t.gradients = autograd.NewGradients(t.Backend, t.optimizer.Trained().Tensors())
	return nil
}

// tell emits an event.
func (t *Trainer) tell(kind string, payload any) {
	if t.Events != nil {
		t.Events.Emit(kind, payload)
	}
}

// Run trains from the newest checkpoint in Folder, or from the start. When ctx ends, or something else stops it (see stop), it saves a
// checkpoint and returns why; errors.Is knows ctx's error.
func (t *Trainer) Run(ctx context.Context) (err error) {
	if err := t.prepare(); err != nil {
		return err
	}
	if err := t.resume(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.saving.wait()) }() // also where a step fails, what was begun is finished
	first := t.at.Step
	if err := t.evaluate(ctx); err != nil { // if a kill came between saving and looking
		return t.stopped(ctx, err)
	}
	if o := t.Options; o.Guard.Answer == guard.Rollback && t.at.Step == 0 && (o.SaveEvery > 0 || o.SaveMinutes > 0) {
		if err := t.save(); err != nil { // so that there is always something to go back to
			return err
		}
	}
	for t.at.Step < t.Options.Steps {
		if reason, err := t.stop(ctx); err != nil || reason != nil {
			return t.stopped(ctx, errors.Join(err, reason))
		}
		began := time.Now()
		t.hang.begin(t.at.Step + 1)
		p, moved, err := t.step(ctx, t.at.Step)
		t.hang.end(time.Since(began))
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			continue // nothing has moved
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", t.at.Step+1, err)
		}
		if !moved {
			first = min(first, t.at.Step)
			continue
		}
		t.report(p, time.Since(began), first)
		if t.saveDue() {
			if err := t.save(); err != nil {
				return err
			}
		}
		if err := t.evaluate(ctx); err != nil {
			return t.stopped(ctx, err)
		}
	}
	if err := t.saveLast(); err != nil {
		return err
	}
	t.optimizer.Publish(t.stream, t.gradients.Of) // the run is over: what is left is what is to be used
	return t.stream.Err()
}

// published runs f while the model has the weights that are to be evaluated and written, which an average or an optimizer without a schedule
// keeps apart from those that are trained. These wait in the gradients.
func (t *Trainer) published(f func() error) error {
	t.optimizer.Publish(t.stream, t.gradients.Of)
	err := f()
	t.optimizer.Restore(t.stream, t.gradients.Of)
	return errors.Join(err, t.stream.Err())
}

// report hands a step on, with what the clock says of it.
func (t *Trainer) report(p Progress, took time.Duration, first int) {
	t.longest = max(t.longest, took)
	if t.OnStep == nil {
		return
	}
	done := t.at.Step
	p.Took, p.Rate = took, float64(p.Rows)/took.Seconds()
	p.Left = time.Duration(float64(time.Since(t.began)) / float64(done-first) * float64(t.Options.Steps-done))
	t.OnStep(p)
}
