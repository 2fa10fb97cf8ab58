package step

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"runtime"
	"time"

	"lian/compute"
	"lian/compute/cpu"
	"lian/event"
	"lian/machine"
	"lian/model"
	"lian/model/nn"
	"lian/tokenizer"
	"lian/train"
	"lian/train/figure"
	"lian/train/tensorboard"
)

// FigureOptions say what is looked at while a model is trained.
type FigureOptions struct {
	FiguresEvery   int  `yaml:"figures_every" help:"steps between looks at norms by group, update ratios, attention logits and memory; 0 never looks" default:"50" range:"0..100000000"`
	FiguresByLayer bool `yaml:"figures_by_layer" help:"norms and update ratios by layer instead of by group"`
	TensorBoard    bool `yaml:"tensorboard" help:"also write event files for TensorBoard, in the run's folder tensorboard"`
}

// recording is the figures of a training on their way to those who read them.
type recording struct {
	figure.Recorder
	events event.Sink
	files  *tensorboard.Sink // nil: none
}

// recorded is what a training's figures are of.
type recorded struct {
	dir     string               // of the run
	spec    nn.Spec              // of the model
	tokens  *tokenizer.Tokenizer // nil: no bits per byte
	domains []string
}

// record makes the figures of a trainer's steps and emits them. Close it when the training has ended.
func (o FigureOptions) record(ctx context.Context, t *train.Trainer, what recorded, events event.Sink) *recording {
	r := &recording{events: events}
	if o.TensorBoard {
		r.files = tensorboard.New(filepath.Join(what.dir, "tensorboard"))
		r.events = event.Tee(events, r.files)
	}
	peak := cpu.CeilingF32
	if t.Options.BF16() {
		peak = cpu.CeilingBF16
	}
	memory, _ := machine.Memory()
	m := figure.Machine{CPU: machine.Processor(), Workers: runtime.GOMAXPROCS(0), Kernels: cpu.Level(), Memory: memory, PeakType: string(peak), Parameters: what.spec.Count(),
		PeakFLOPS: 1e9 * measurePeak(ctx, t.Backend, peak)}
	r.events.Emit(figure.KindMachine, m)
	operations := figure.NewOperations(what.spec)
	r.Recorder = figure.Recorder{Every: o.FiguresEvery, ByLayer: o.FiguresByLayer, Operations: operations, Repeated: repeated(what.spec, operations, t.Options.Recompute), Frozen: t.Adapter != nil,
		PeakFLOPS: m.PeakFLOPS, Memory: func() map[string]int64 { return t.Memory().Kinds() }, Domains: what.domains, TokenBytes: tokenBytes(what.tokens)}
	r.Attach(t)
	return r
}

// repeated is the share of a forward that the backward computes again: the layers that keep only what enters them, never the head. What selective
// recomputation makes again is not among the operations that are counted.
func repeated(s nn.Spec, o figure.Operations, r model.Recompute) float64 {
	full := 0
	for l := range s.Layers {
		if r.Of(l, s.Layers) == model.RecomputeFull {
			full++
		}
	}
	layers := o.Layers(s.Context)
	return float64(full) / float64(s.Layers) * layers / (layers + o.Head(s.Context))
}

// step tells a step twice: as what it was, and as progress with its figures.
func (r *recording) step(stage string, p train.Progress) {
	s := r.Step(p)
	r.events.Emit(figure.KindStep, s)
	figures := []event.Figure{{Name: "loss", Value: s.Loss}}
	if s.BitsPerByte > 0 {
		figures = append(figures, event.Figure{Name: "bits/byte", Value: s.BitsPerByte})
	}
	figures = append(figures, event.Figure{Name: "tokens/s", Value: math.Round(s.Rate)})
	if s.MFU > 0 {
		figures = append(figures, event.Figure{Name: "MFU", Value: math.Round(1000*s.MFU) / 10, Unit: "%"})
	}
	r.events.Emit(event.KindProgress, event.Progress{Stage: stage, Done: int64(s.Step), Total: int64(s.Steps), Unit: "steps", Figures: figures})
}

// close ends the files and says what could not be looked at.
func (r *recording) close() error {
	err := r.Err()
	if r.files != nil {
		err = errors.Join(err, r.files.Close())
	}
	return err
}

// failed tells of a look at a model in training that did not work: training goes on, unless it is to end.
func failed(ctx context.Context, events event.Sink, step int, what string, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	events.Emit(figure.KindEvalFailed, figure.EvaluationFailed{Step: step, What: what, Error: err.Error()})
	return nil
}

// measurePeak is the best rate of a ceiling in bursts of 20 ms over a quarter of a second, in billions a second: a mean would be lowered by whoever else
// is at work in that moment, and shares of it would exceed one.
func measurePeak(ctx context.Context, b compute.Backend, c cpu.Ceiling) (best float64) {
	meter := cpu.CeilingMeter(b, c)
	for range 12 {
		best = max(best, meter(ctx, 20*time.Millisecond))
	}
	return best
}

// tokenBytes are the bytes of text that each token stands for, 0 of special tokens.
func tokenBytes(t *tokenizer.Tokenizer) []int32 {
	if t == nil {
		return nil
	}
	out := make([]int32, t.VocabSize())
	for id := range out {
		if !t.IsSpecial(int32(id)) {
			out[id] = int32(len(t.TokenBytes(int32(id))))
		}
	}
	return out
}
