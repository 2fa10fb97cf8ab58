package step

import (
	"context"
	"errors"
	"fmt"
	"os"

	"lian/event"
	"lian/model/nn"
	"lian/tokenizer"
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
	TextTokens   Amount   `json:"text_tokens"` // of one pass; estimated from the bytes of the files where there are no shards yet
	Epochs       float64  `json:"epochs"`
	Steps        int      `json:"steps"`
	StepTokens   int      `json:"step_tokens"`
	LearningRate float64  `json:"lr"`
	Operations   Quantity `json:"operations"`   // floating-point, of the whole run
	MemoryBytes  ByteSize `json:"memory_bytes"` // of the process at most, while a checkpoint is written

	Memory map[string]ByteSize `json:"memory"` // by kind

	StateBytes      ByteSize `json:"state_bytes"`       // of a checkpoint
	TokensPerSecond float64  `json:"tokens_per_second"` // measured; 0 with a layout
	Seconds         Duration `json:"seconds"`           // of the run: preparing, training, looks at held-out text, saving
	Cost            float64  `json:"cost,omitempty"`
	Choices         []Choice `json:"choices,omitempty"`

	Layout *layout.Report `json:"layout,omitempty"`
}

// PlanPretrain says what pretraining on inputs takes, before any of it is read: from arithmetic and a few measured steps with random ids. vocabulary is that of a
// tokenizer that is not there yet. With layout devices, nothing is measured.
func PlanPretrain(ctx context.Context, inputs []string, vocabulary int, o PretrainOptions, p PlanPretrainOptions, events event.Sink) (PretrainPlanReport, error) {
	var r PretrainPlanReport
	if err := o.Mixture.check(); err != nil {
		return r, err
	}
	text, raw, vocabulary, err := plannedText(inputs, o.Tokenizer, vocabulary, o.Mixture)
	if err != nil {
		return r, err
	}
	b, err := Backend()
	if err != nil {
		return r, err
	}
	if r.Choices, err = o.choose(ctx, b, vocabulary, text, events); err != nil {
		return r, err
	}
	s, err := o.shape(vocabulary)
	if err != nil {
		return r, err
	}
	operations := operationsOf(&s, s.Context)
	r.Shape = fmt.Sprintf("%s: %d layers of width %d, %d heads (%d for keys), feed-forward %d, context %d", s.Family, s.Layers, s.Hidden, s.Attention.Heads, s.Attention.KVHeads, s.FeedForward.Hidden, s.Context)
	r.Parameters, r.Embedding = Amount(s.Count()), Amount(s.Vocab*s.Hidden)
	r.Steps, r.StepTokens, r.LearningRate = o.Train.Steps, o.StepTokens, o.Train.Schedule.LearningRate
	ramp, err := schedule.ParseRamp(o.Mixture.BatchRamp, o.StepTokens)
	if err != nil {
		return r, err
	}
	tokens := ramp.Before(r.Steps)
	r.Tokens, r.TextTokens = Amount(tokens), Amount(text)
	if text > 0 {
		r.Epochs = float64(r.Tokens) / text
	}
	r.Operations = Quantity(operations * float64(r.Tokens))
	memory, err := o.memory(s, text)
	if err != nil {
		return r, err
	}
	r.StateBytes = ByteSize(memory.Weights + memory.Optimizer)
	if p.Layout.Devices > 0 {
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
	if raw > 0 { // comes before training, so that the larger of the two counts
		r.MemoryBytes = max(r.MemoryBytes, ByteSize(preparationBytes+raw*preparationShare))
		r.Memory["preparation"] = ByteSize(preparationBytes + raw*preparationShare)
	}
	for kind, bytes := range memory.Kinds() {
		r.Memory[kind] = ByteSize(bytes)
	}
	took, err := measureShape(ctx, b, &s, o.Train, o.lookRows(s.Context))
	if err != nil {
		return r, err
	}
	seconds := took.micro*float64(tokens)/float64(took.rows) + took.move*float64(r.Steps)
	held := o.Mixture.HeldOutShare * text
	if raw > 0 { // as data run does
		held = text * min(0.25, max(0.05, leastHeldOut*pieceBytes/float64(raw)))
	}
	every := max(1, (r.Steps+o.Looks-1)/o.Looks)
	looked := float64((r.Steps-1)/every)*min(float64(o.HeldOutTokens), held) + min(HeldOutBytes/usualBytesPerToken(vocabulary), held)
	seconds += looked * took.look / float64(took.rows)
	saves := 1.0
	if o.Train.SaveEvery > 0 {
		saves += float64(r.Steps / o.Train.SaveEvery)
	}
	seconds += saves*float64(r.StateBytes)/savingRate + float64(raw)/preparationRate
	r.Seconds = Duration(seconds)
	r.TokensPerSecond = float64(tokens) / (took.micro*float64(tokens)/float64(took.rows) + took.move*float64(r.Steps))
	r.Cost = p.Price * seconds / 3600
	return r, nil
}

// What comes beside training, as it was found here (docs/log.md).
const (
	preparationBytes = 32 << 20 // of memory, and so many for each byte of text that is not tokens yet
	preparationShare = 10
	preparationRate  = 3e6   // bytes of text a second
	savingRate       = 150e6 // bytes of a state a second
	leastHeldOut     = 100   // documents that data run holds out at least, of up to a quarter of the text; otherwise a twentieth
	pieceBytes       = 8000  // of text in a document, where files are large
)

// onPaper is a shape as layouts divide it.
func onPaper(s *nn.Spec) layout.Model {
	a, f := s.Attention, s.FeedForward
	return layout.Model{Layers: s.Layers, Hidden: s.Hidden, Heads: a.Heads, KVHeads: a.KVHeads, HeadSize: a.HeadSize, FeedForward: f.Hidden, Vocab: s.Vocab,
		Tied: s.TiedEmbedding, Experts: f.Experts.Count, ChosenExperts: f.Experts.Chosen}
}

// plannedText is the tokens of inputs and the vocabulary they are of, as far as they can be told without reading them: what token files say, or bytes of files by
// the bytes that a token usually has. raw are the bytes that have to be tokenised. No input has none.
func plannedText(inputs []string, tokenizerPath string, vocabulary int, o MixtureOptions) (tokens float64, raw int64, size int, err error) {
	if tokenizerPath == "" {
		tokenizerPath = besides(inputs)
	}
	var tok *tokenizer.Tokenizer
	if tokenizerPath != "" {
		if tok, err = tokenizer.Load(tokenizerPath); err != nil {
			return 0, 0, 0, err
		}
		vocabulary = tok.VocabSize()
	}
	for _, input := range inputs {
		domains, err := tokenFiles(input)
		if err != nil {
			return 0, 0, 0, err
		}
		if domains == nil {
			bytes, err := planBytes(input)
			if err != nil {
				return 0, 0, 0, err
			}
			raw, tokens = raw+bytes, tokens+float64(bytes)/usualBytesPerToken(vocabulary)
			continue
		}
		counted, err := corpusSize(domains, o, tok)
		if err != nil {
			return 0, 0, 0, err
		}
		tokens += counted
	}
	return tokens, raw, vocabulary, nil
}

// planBytes is the bytes of an input's files.
func planBytes(input string) (int64, error) {
	bytes, err := folderBytes(input)
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("%s: there is no such file or folder", input)
	}
	return bytes, err
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
