package step

import (
	"context"
	"fmt"

	"lian/event"
	"lian/model/nn"
	"lian/train/layout"
	"lian/train/schedule"
)

// PlanPretrainOptions are what is only asked for with --plan.
type PlanPretrainOptions struct {
	Price  float64       `yaml:"price" help:"what an hour of this machine costs, for --plan" default:"0" range:"0..1000000"`
	Layout layout.Layout `yaml:"layout"`
}

// PretrainPlanReport says what a pretraining takes before it starts.
type PretrainPlanReport struct {
	Shape        string   `json:"shape"`
	Parameters   Amount   `json:"parameters"`
	Embedding    Amount   `json:"embedding"` // of them, rows of the vocabulary
	Tokens       Amount   `json:"tokens"`
	TextTokens   Amount   `json:"text_tokens"` // of one pass; estimated from a sample of the files where there are no tokens yet
	Epochs       float64  `json:"epochs"`
	Steps        int      `json:"steps"`
	StepTokens   int      `json:"step_tokens"`
	LearningRate float64  `json:"lr"`
	Operations   Quantity `json:"operations"`   // floating-point, of the whole run
	MemoryBytes  ByteSize `json:"memory_bytes"` // of the process at most, while a checkpoint is written

	Memory map[string]ByteSize `json:"memory"` // by kind

	StateBytes      ByteSize `json:"state_bytes"`       // of a checkpoint
	TokensPerSecond float64  `json:"tokens_per_second"` // measured; 0 with a layout
	Seconds         Duration `json:"seconds"`           // of the run
	Cost            float64  `json:"cost,omitempty"`

	Time    []TimePart `json:"time,omitempty"` // what the seconds go to
	Choices []Choice   `json:"choices,omitempty"`

	Layout *layout.Report `json:"layout,omitempty"`
}

// PlanPretrain says what pretraining on inputs in a folder takes before it starts: from arithmetic, from a few measured steps with random ids, and from preparing
// a sample of what is text yet. vocabulary is that of a tokenizer that is not there yet. With layout devices, no steps are measured.
func PlanPretrain(ctx context.Context, inputs []string, vocabulary int, folder string, o PretrainOptions, p PlanPretrainOptions, events event.Sink) (PretrainPlanReport, error) {
	var r PretrainPlanReport
	if err := o.Mixture.check(); err != nil {
		return r, err
	}
	text, err := planText(ctx, inputs, o.Tokenizer, vocabulary, o.Mixture, events)
	if err != nil {
		return r, err
	}
	vocabulary = text.vocabulary
	b, err := Backend()
	if err != nil {
		return r, err
	}
	timed := p.Layout.Devices == 0
	t, choices, err := o.choose(ctx, b, text, folder, timed, events)
	if err != nil {
		return r, err
	}
	r.Choices = choices
	s, err := o.shape(vocabulary)
	if err != nil {
		return r, err
	}
	r.Shape = fmt.Sprintf("%s: %d layers of width %d, %d heads (%d for keys), feed-forward %d, context %d", s.Family, s.Layers, s.Hidden, s.Attention.Heads, s.Attention.KVHeads, s.FeedForward.Hidden, s.Context)
	r.Parameters, r.Embedding = Amount(s.Count()), Amount(s.Vocab*s.Hidden)
	r.Steps, r.StepTokens, r.LearningRate = o.Train.Steps, o.StepTokens, o.Train.Schedule.LearningRate
	ramp, err := schedule.ParseRamp(o.Mixture.BatchRamp, o.StepTokens)
	if err != nil {
		return r, err
	}
	r.Tokens, r.TextTokens = Amount(ramp.Before(r.Steps)), Amount(text.tokens)
	if text.tokens > 0 {
		r.Epochs = float64(r.Tokens) / text.tokens
	}
	r.Operations = Quantity(operationsOf(&s, s.Context) * float64(r.Tokens))
	memory, err := o.memory(s, text.tokens)
	if err != nil {
		return r, err
	}
	r.StateBytes = ByteSize(memory.Weights + memory.Optimizer)
	if !timed {
		l := p.Layout
		if l.Sequence == 0 {
			l.Sequence = s.Context
		}
		report, err := layout.Plan(onPaper(&s), l)
		r.Layout = &report
		return r, err
	}
	r.Memory = map[string]ByteSize{"program": ownBytes}
	r.MemoryBytes = ByteSize(memory.Total() + ownBytes)
	if preparing := ByteSize(text.preparing.memory); preparing > 0 { // comes before training, so that the larger of the two counts
		r.MemoryBytes = max(r.MemoryBytes, preparing)
		r.Memory["preparation"] = preparing
	}
	for kind, bytes := range memory.Kinds() {
		r.Memory[kind] = ByteSize(bytes)
	}
	seconds := t.total(r.Steps)
	r.Seconds, r.Time = Duration(seconds), t.parts(r.Steps)
	r.TokensPerSecond = float64(r.Tokens) / t.training(r.Steps)
	r.Cost = p.Price * seconds / 3600
	return r, nil
}

// onPaper is a shape as layouts divide it.
func onPaper(s *nn.Spec) layout.Model {
	a, f := s.Attention, s.FeedForward
	return layout.Model{Layers: s.Layers, Hidden: s.Hidden, Heads: a.Heads, KVHeads: a.KVHeads, HeadSize: a.HeadSize, FeedForward: f.Hidden, Vocab: s.Vocab,
		Tied: s.TiedEmbedding, Experts: f.Experts.Count, ChosenExperts: f.Experts.Chosen}
}

// usualBytesPerToken is what a byte-level BPE of a size makes of prose, English and Chinese together.
func usualBytesPerToken(vocabulary int) float64 {
	switch {
	case vocabulary < 1000:
		return 1.8
	case vocabulary < 3000:
		return 2.6
	case vocabulary < 10000:
		return 3.3
	case vocabulary < 40000:
		return 4
	}
	return 4.4
}
