package figure

import (
	"fmt"
	"math"

	"lian/compute"
	"lian/machine"
	"lian/model"
	"lian/train"
)

// Recorder makes the figures of a run's steps. Attach it to a trainer, and give each Progress to Step.
type Recorder struct {
	Every   int  // steps between details; 0: none
	ByLayer bool // groups are layers

	Operations Operations
	Frozen     bool     // the model's own weights get no gradient (adapters)
	PeakFLOPS  float64  // measured; 0: no shares are told
	Domains    []string // names by number; nil: there is one
	TokenBytes []int32  // that each token id stands for, 0 of special tokens; nil: no bits per byte
	// Memory says what memory is held by kind, in bytes; nil: only what the system says of the process.
	Memory func() map[string]int64
	// Repeated is the share of the forward that the backward computes again; HFU counts it.
	Repeated float64

	source *watched
	rates  Rates
	detail *Detail
	before sample
	logits logits
	seen   int // step whose first micro-batch has been looked at
	err    error
}

// Attach lets the recorder see a trainer's batches, gradients and weights.
func (r *Recorder) Attach(t *train.Trainer) {
	r.source = &watched{Source: t.Source, bytesOf: r.TokenBytes, texts: map[int]text{}}
	r.seen = -1
	t.Source = r.source
	t.Observers = append(t.Observers, r)
	t.Taps = r.taps
}

// due says whether the step after so many is looked at: the first, and every so many.
func (r *Recorder) due(before int) bool {
	return r.Every > 0 && (before == 0 || (before+1)%r.Every == 0)
}

// taps look at the first micro-batch of a step that is looked at.
func (r *Recorder) taps(before int, s compute.Stream) (t model.Taps) {
	if !r.due(before) || r.seen == before {
		return t
	}
	r.seen, r.detail = before, &Detail{}
	t.Attention = func(layer int, o *compute.Attention) {
		if o.LogSumExp == nil || o.Blocks != nil || layer != len(r.detail.AttentionLogits) { // recomputation comes by again
			return
		}
		most, err := r.logits.largest(s, o)
		if r.keep(err); err == nil && !math.IsInf(most, 0) && !math.IsNaN(most) {
			r.detail.AttentionLogits = append(r.detail.AttentionLogits, most)
		}
	}
	return t
}

// Before implements train.Observer.
func (r *Recorder) Before(v train.View) error {
	if !r.due(v.Step) {
		return nil
	}
	if r.detail == nil || r.seen != v.Step {
		r.detail = &Detail{}
	}
	var err error
	if r.detail.GradientNorms, err = gradientNorms(v, r.ByLayer); err != nil {
		return fmt.Errorf("gradient norms: %w", err)
	}
	r.before, err = takeSample(v)
	return err
}

// After implements train.Observer.
func (r *Recorder) After(v train.View, _ *train.Progress) error {
	if !r.due(v.Step) {
		return nil
	}
	after, err := takeSample(v)
	if err != nil {
		return err
	}
	r.detail.UpdateRatios = updateRatios(r.before, after, r.ByLayer)
	r.before, r.logits = sample{}, logits{}
	return nil
}

// Step is a step with all its figures.
func (r *Recorder) Step(p train.Progress) Step {
	t := r.source.take(p.Batch)
	s := Step{Step: p.Step, Steps: p.Steps, Loss: p.Loss, GradientNorm: p.GradientNorm, LearningRate: p.LearningRate, Labels: p.Labels, Tokens: p.Tokens,
		Skipped: p.Batch - p.Step + 1, Seconds: p.Took.Seconds(), Waited: p.Waited.Seconds()}
	r.text(&s, p, t)
	s.Rate, s.Mean, s.Moving = r.rates.Add(p.Rows, p.Took)
	s.Left = p.Left
	if p.Took > 0 {
		s.Compute = 1 - s.Waited/s.Seconds
		model := r.Operations.Step(t.lengths, t.labels, !r.Frozen)
		s.FLOPS = model / s.Seconds
		if r.PeakFLOPS > 0 {
			s.MFU = s.FLOPS / r.PeakFLOPS
			if r.Repeated > 0 {
				passes := 3.0 // a forward, and a backward of twice its cost
				if r.Frozen {
					passes = 2
				}
				s.HFU = s.MFU * (1 + r.Repeated/passes)
			}
		}
	}
	if r.due(p.Step-1) && r.detail != nil {
		s.Detail = r.detail
		s.Detail.Memory = r.memory()
		finite(s.Detail.GradientNorms)
		finite(s.Detail.UpdateRatios)
		r.detail = nil
	}
	return s
}

// text fills in the losses by domain and the bits per byte.
func (r *Recorder) text(s *Step, p train.Progress, t text) {
	all := 0
	for _, n := range t.bytes {
		all += n
	}
	s.BitsPerByte = bits(p.Loss*float64(p.Labels), all)
	for _, d := range p.Domains {
		x := Domain{Name: fmt.Sprint(d.Domain), Loss: d.Loss, Labels: d.Labels}
		if d.Domain < len(r.Domains) {
			x.Name = r.Domains[d.Domain]
		}
		if d.Domain < len(t.bytes) {
			x.BitsPerByte = bits(d.Loss*float64(d.Labels), t.bytes[d.Domain])
		}
		s.Domains = append(s.Domains, x)
	}
}

func (r *Recorder) memory() map[string]int64 {
	m := map[string]int64{}
	if r.Memory != nil {
		m = r.Memory()
	}
	if x := machine.Resident(); x.Now > 0 {
		m["resident"], m["peak"] = x.Now, x.Peak
	}
	return m
}

// Err is the first error of looking at attention; training does not stop for it.
func (r *Recorder) Err() error { return r.err }

func (r *Recorder) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

// finite leaves out what JSON has no word for; the step's own norm says it.
func finite(values map[string]float64) {
	for name, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			delete(values, name)
		}
	}
}
