package step

import (
	"context"
	"errors"
	"time"

	"lian/compute"
	"lian/compute/cpu"
	"lian/config"
	"lian/event"
	"lian/model"
	"lian/model/nn"
	"lian/train"
)

// BenchTrainOptions are the settings of lian bench train.
type BenchTrainOptions struct {
	Shape     string          `yaml:"shape" help:"shape of the model: 15m as llama2.c's stories, 135m as SmolLM2" default:"15m" range:"15m|135m"`
	DType     string          `yaml:"dtype" help:"what products are computed in: f32, or bf16 with float32 sums and weights" default:"f32" range:"f32|bf16"`
	Sequence  int             `yaml:"sequence" help:"tokens of a sequence; 0 is 256 for 15m and 512 for 135m" default:"0" range:"0..1048576"`
	Batch     int             `yaml:"batch" help:"sequences in a step, computed at one time; 0 is 8 for 15m and 1 for 135m" default:"0" range:"0..1000000"`
	Threads   int             `yaml:"threads" help:"threads; more than one are measured in turns with one; 0 is one for each processor" default:"0" range:"0..1024"`
	Recompute model.Recompute `yaml:"recompute" help:"what the backward pass makes again to save memory, with the same bytes: none, selective (norms and gates), full, or a share of the layers such as 0.5" default:"selective"`
	Runs      int             `yaml:"runs" help:"runs of each measurement" default:"5" range:"1..1000"`
}

// BenchTrain measures whole training steps of a Trainer: forward, backward, clipping, AdamW. Ids are drawn. Each run comes after a look
// at what the processor can do at that moment, with so many threads and, in turns, with one.
func BenchTrain(ctx context.Context, o BenchTrainOptions, show func(Benched) error, sink event.Sink) error {
	if err := cpu.LevelError(); err != nil {
		return err
	}
	shape, err := trainShapeOf(o.Shape)
	if err != nil {
		return err
	}
	if o.Sequence > 0 {
		shape.Sequence = o.Sequence
	}
	if o.Batch > 0 {
		shape.Batch = o.Batch
	}
	b := cpu.New(o.Threads)
	m, err := nn.Initialise(b, shape.spec(), 1, 0.02)
	if err != nil {
		return err
	}
	tokens := shape.Sequence * shape.Batch
	r := &trainBench{trainShape: shape, o: o, backend: b, sink: sink}
	r.threads = []int{cpu.Workers(b)}
	if r.threads[0] > 1 {
		r.threads = append(r.threads, 1)
	}
	r.ceiling, r.limit = cpu.CeilingF32, cpu.CeilingMeter(b, cpu.CeilingF32)
	if o.DType == train.DTypeBF16 {
		if r.ceiling, r.limit = cpu.CeilingBF16, cpu.CeilingMeter(b, cpu.CeilingBF16); !cpu.MultipliesBF16() {
			return errors.New("--dtype bf16: this processor, at this level of kernels, does not multiply bfloat16; lian doctor shows what it has")
		}
	}
	t := &train.Trainer{
		Options: benchTrainOptions(1+o.Runs*len(r.threads), tokens, o),
		Backend: b, Model: m, Weights: m.Parameters(), Source: noise{tokens, shape.Sequence, shape.Vocabulary, 0},
	}
	t.OnStep = func(p train.Progress) { r.step(ctx, p) }
	r.before(ctx)
	if err := t.Run(ctx); err != nil {
		return err
	}
	r.held = t.Memory()
	if r.planned, err = trainingMemory(m.Spec, t.Options, tokens, shape.Sequence, false); err != nil {
		return err
	}
	return r.report(m.Spec.Count(), show)
}

// benchTrainOptions are those of peers: AdamW as PyTorch has it, at one rate, with clipping.
func benchTrainOptions(steps, tokens int, b BenchTrainOptions) train.Options {
	var o train.Options
	if err := config.Defaults(&o); err != nil {
		panic(err) // a wrong tag
	}
	o.Steps, o.Schedule.LearningRate, o.Schedule.FinalRate, o.Optimizer.Beta2, o.Optimizer.Decay, o.MicroTokens, o.DType, o.Recompute = steps, 1e-4, 1, 0.999, 0.1, tokens, b.DType, b.Recompute
	return o
}

// trainBench is a measurement in progress. The trainer takes step after step; between two of them the number of threads changes.
type trainBench struct {
	trainShape
	o       BenchTrainOptions
	backend compute.Backend
	sink    event.Sink
	ceiling cpu.Ceiling
	limit   meter
	threads []int // of the steps of one run
	turn    int   // the step at hand, in threads; the first step of all is before the first run

	from           time.Time
	speeds, limits [2][]float64 // by turn
	took, waited   time.Duration
	loss           float64
	held, planned  train.Memory
}

// before looks at the machine and starts the clock of the next step.
func (r *trainBench) before(ctx context.Context) {
	cpu.Limit(r.backend, r.threads[r.turn])
	limit := r.limit(ctx, 60*time.Millisecond)
	r.limits[r.turn] = append(r.limits[r.turn], limit)
	r.from = time.Now()
}

// step is told of every step.
func (r *trainBench) step(ctx context.Context, p train.Progress) {
	took := time.Since(r.from)
	r.sink.Emit(event.KindProgress, event.Progress{Stage: "bench", Done: int64(p.Step), Total: int64(p.Steps), Unit: "runs"})
	if p.Step > 1 { // the first brings memory
		r.speeds[r.turn] = append(r.speeds[r.turn], float64(r.Sequence*r.Batch)/took.Seconds())
		r.took, r.waited = r.took+took, r.waited+p.Waited
		r.turn = (r.turn + 1) % len(r.threads)
	} else {
		r.limits[0], r.loss = nil, p.Loss
	}
	if p.Step < p.Steps {
		r.before(ctx)
	}
}
