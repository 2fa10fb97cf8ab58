package train

import (
	"context"
	"fmt"
	"math"
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
	// OnStep is told of every step, OnEvaluate of held-out text, at EvalEvery and at the end. Either may be nil.
	OnStep     func(Progress)
	OnEvaluate func(ctx context.Context, step int) error

	stream    compute.Stream
	arena     *compute.Arena
	gradients *autograd.Gradients
	optimizer *optim.AdamW
	squares   *compute.Tensor // Σ of the gradient's squares
	clip      *compute.Tensor // factor of the gradient
	tokens    int64           // labels learnt from so far
}

// Progress is one step as it is reported.
type Progress struct {
	Step         int           `json:"step"` // steps done
	Steps        int           `json:"steps"`
	Loss         float64       `json:"loss"` // mean nats a label by the sequences' weights, before the step
	GradientNorm float64       `json:"gradient_norm"`
	LearningRate float64       `json:"lr"`
	Labels       int           `json:"labels"`            // targets asked in this step
	Tokens       int64         `json:"tokens"`            // targets asked since the start of the run
	Rate         float64       `json:"tokens_per_second"` // rows computed a second in this step
	Left         time.Duration `json:"seconds_left_ns"`   // estimated from the mean of this process's steps
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
	first, err := t.resume()
	if err != nil {
		return err
	}
	start := time.Now()
	for s := first; s < t.Options.Steps; s++ {
		if ctx.Err() != nil {
			if err := t.save(s); err != nil {
				return err
			}
			return ctx.Err()
		}
		at := time.Now()
		p, rows, err := t.step(s)
		if err != nil {
			return fmt.Errorf("step %d: %w", s, err)
		}
		done := s + 1
		if t.OnStep != nil {
			p.Rate = float64(rows) / time.Since(at).Seconds()
			p.Left = time.Duration(float64(time.Since(start)) / float64(done-first) * float64(t.Options.Steps-done))
			t.OnStep(p)
		}
		if e := t.Options.SaveEvery; e > 0 && done%e == 0 && done < t.Options.Steps {
			if err := t.save(done); err != nil {
				return err
			}
		}
		if e := t.Options.EvalEvery; t.OnEvaluate != nil && (done == t.Options.Steps || e > 0 && done%e == 0) {
			if err := t.OnEvaluate(ctx, done); err != nil {
				return err
			}
		}
	}
	return t.save(t.Options.Steps)
}

// step is one optimizer step: forward and backward over the micro-batches, clip, move.
func (t *Trainer) step(s int) (p Progress, rows int, err error) {
	sequences, err := t.Source.Step(s)
	if err != nil {
		return p, 0, err
	}
	labels, total := 0, 0.0
	for _, q := range sequences {
		n := q.Labels()
		labels, total = labels+n, total+float64(n)*float64(q.weight())
	}
	if labels == 0 {
		return p, 0, fmt.Errorf("no target in %d sequences", len(sequences))
	}
	t.gradients.Reset()
	loss := 0.0
	for _, m := range split(sequences, t.Options.MicroTokens) {
		part, err := t.accumulate(m, float32(1/total))
		if err != nil {
			return p, 0, err
		}
		loss += part
		rows += m.batch.Rows()
	}
	loss /= total
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return p, 0, fmt.Errorf("the loss is %v; lower lr (%v) or clip_norm (%v)", loss, t.Options.LearningRate, t.Options.ClipNorm)
	}
	norm, err := t.move(s)
	if err != nil {
		return p, 0, err
	}
	t.tokens += int64(labels)
	return Progress{Step: s + 1, Steps: t.Options.Steps, Loss: loss, GradientNorm: norm, LearningRate: t.Rate(s), Labels: labels, Tokens: t.tokens}, rows, nil
}

// accumulate adds a micro-batch's gradient of scale · Σ weight · loss and returns Σ weight · loss.
func (t *Trainer) accumulate(m micro, scale float32) (float64, error) {
	if len(m.rows) == 0 {
		return 0, nil
	}
	t.arena.Reset()
	tape := autograd.NewTape(t.stream, t.arena, t.gradients)
	pass := &model.Pass{Stream: t.stream, Arena: t.arena, Tape: tape, Adapter: t.Adapter, Precision: model.Exact, BF16: t.Options.BF16}
	hidden, err := t.Model.Forward(pass, m.batch)
	if err != nil {
		return 0, err
	}
	if len(m.rows) < m.batch.Rows() { // the head is a large part of a small model: only rows with a target need it
		chosen := pass.Tensor(len(m.rows), hidden.Columns())
		model.Launch(pass, compute.Gather{Table: hidden, Index: pass.Ints(m.rows), Out: chosen})
		hidden = chosen
	}
	loss, err := model.CrossEntropy(pass, t.Model, hidden, m.targets, m.weights, scale, nil)
	if err != nil {
		return 0, err
	}
	if err := tape.Backward(); err != nil {
		return 0, err
	}
	values, sum := make([]float32, len(m.targets)), 0.0
	if err := t.stream.Read(loss, compute.HostBytes(values)); err != nil {
		return 0, err
	}
	for i, v := range values {
		sum += float64(v) * float64(m.weights[i])
	}
	return sum, nil
}

// move clips the gradient, takes the optimizer's step and returns the gradient's norm.
func (t *Trainer) move(s int) (float64, error) {
	var grads []*compute.Tensor
	for _, w := range t.Weights.All() {
		if t.gradients.Written(w.Tensor) {
			grads = append(grads, t.gradients.Of(w.Tensor))
		}
	}
	t.stream.Launch(&compute.SumSquares{X: grads, Out: t.squares})
	t.stream.Launch(&compute.ClipFactor{SumSquares: t.squares, Out: t.clip, MaxNorm: float32(t.Options.ClipNorm)})
	t.optimizer.Step(t.stream, s+1, t.Rate(s), func(x *compute.Tensor) *compute.Tensor {
		if !t.gradients.Written(x) {
			return nil
		}
		return t.gradients.Of(x)
	}, t.clip)
	squares := make([]float64, 1)
	err := t.stream.Read(t.squares, compute.HostBytes(squares))
	return math.Sqrt(squares[0]), err
}
