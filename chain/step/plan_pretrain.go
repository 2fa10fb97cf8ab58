package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"lian/event"
	"lian/model/nn"
	"lian/tokenizer"
	"lian/train"
	"lian/train/layout"
)

// PlanPretrainOptions are what is only asked for with --plan.
type PlanPretrainOptions struct {
	Price  float64       `yaml:"price" help:"what an hour of this machine costs, for --plan" default:"0" range:"0..1000000"`
	Layout layout.Layout `yaml:"layout"`
}

// PretrainPlanReport says what a pretraining takes before it starts.
type PretrainPlanReport struct {
	Shape        string  `json:"shape"`
	Parameters   int     `json:"parameters"`
	Embedding    int     `json:"embedding"` // of them, rows of the vocabulary
	Tokens       int64   `json:"tokens"`
	TextTokens   int64   `json:"text_tokens"` // of one pass; estimated from the bytes of the files where there are no shards yet
	Epochs       float64 `json:"epochs"`
	Steps        int     `json:"steps"`
	StepTokens   int     `json:"step_tokens"`
	LearningRate float64 `json:"lr"`
	Operations   float64 `json:"operations"`   // floating-point, of the whole run
	MemoryBytes  int64   `json:"memory_bytes"` // of the process at most, while a checkpoint is written

	Memory train.Memory `json:"memory"` // by kind

	StateBytes      int64    `json:"state_bytes"`       // of a checkpoint
	TokensPerSecond float64  `json:"tokens_per_second"` // measured; 0 with a layout
	Seconds         float64  `json:"seconds"`           // of training, looks at held-out text and saving included
	Cost            float64  `json:"cost,omitempty"`
	Choices         []Choice `json:"choices,omitempty"`

	Layout *layout.Report `json:"layout,omitempty"`
}

// PlanPretrain says what pretraining on inputs takes, before any of it is read: from arithmetic and a few measured steps with random ids. vocabulary is that of a
// tokenizer that is not there yet. With layout devices, nothing is measured.
func PlanPretrain(ctx context.Context, inputs []string, vocabulary int, o PretrainOptions, p PlanPretrainOptions, events event.Sink) (PretrainPlanReport, error) {
	var r PretrainPlanReport
	text, vocabulary, err := plannedText(inputs, o.Tokenizer, vocabulary, o.Mixture)
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
	r.Parameters, r.Embedding = s.Count(), s.Vocab*s.Hidden
	r.Steps, r.StepTokens, r.LearningRate = o.Train.Steps, o.StepTokens, o.Train.Schedule.LearningRate
	r.Tokens, r.TextTokens = int64(r.Steps)*int64(r.StepTokens), int64(text)
	if text > 0 {
		r.Epochs = float64(r.Tokens) / text
	}
	r.Operations = operations * float64(r.Tokens)
	r.StateBytes = 3 * 4 * int64(r.Parameters)
	if p.Layout.Devices > 0 {
		l := p.Layout
		if l.Sequence == 0 {
			l.Sequence = s.Context
		}
		report, err := layout.Plan(onPaper(&s), l)
		r.Layout = &report
		return r, err
	}
	took, err := measureShape(ctx, b, &s, o.Train)
	if err != nil {
		return r, err
	}
	if r.Memory, err = trainingMemory(s, o.Train, min(took.rows, max(1, o.StepTokens/s.Context)*s.Context), s.Context, true); err != nil {
		return r, err
	}
	r.MemoryBytes = r.Memory.Total() + program
	looked := float64(o.Looks)*float64(o.HeldOutTokens) + HeldOutBytes/4 // a look costs a forward, a third of learning
	perToken := took.micro / float64(took.rows)
	r.Seconds = float64(r.Steps)*took.step(r.StepTokens) + looked*perToken/3
	r.TokensPerSecond = took.rate(r.StepTokens)
	r.Cost = p.Price * r.Seconds / 3600
	return r, nil
}

// onPaper is a shape as layouts divide it.
func onPaper(s *nn.Spec) layout.Model {
	a, f := s.Attention, s.FeedForward
	return layout.Model{Layers: s.Layers, Hidden: s.Hidden, Heads: a.Heads, KVHeads: a.KVHeads, HeadSize: a.HeadSize, FeedForward: f.Hidden, Vocab: s.Vocab,
		Tied: s.TiedEmbedding, Experts: f.Experts.Count, ChosenExperts: f.Experts.Chosen}
}

// plannedText is the tokens of inputs and the vocabulary they are of, as far as they can be told without reading them: what token files say, or bytes of files by
// the bytes that a token usually has. No input has none.
func plannedText(inputs []string, tokenizerPath string, vocabulary int, o MixtureOptions) (tokens float64, size int, err error) {
	if tokenizerPath == "" {
		tokenizerPath = besides(inputs)
	}
	var tok *tokenizer.Tokenizer
	if tokenizerPath != "" {
		if tok, err = tokenizer.Load(tokenizerPath); err != nil {
			return 0, 0, err
		}
		vocabulary = tok.VocabSize()
	}
	for _, input := range inputs {
		domains, err := tokenFiles(input)
		if err != nil {
			return 0, 0, err
		}
		counted := 0.0
		if domains == nil {
			counted, err = plannedFiles(input, vocabulary)
		} else {
			counted, err = corpusSize(domains, o, tok)
		}
		if err != nil {
			return 0, 0, err
		}
		tokens += counted
	}
	return tokens, vocabulary, nil
}

// plannedFiles is the tokens that the bytes of files usually are.
func plannedFiles(input string, vocabulary int) (float64, error) {
	bytes := int64(0)
	err := filepath.WalkDir(input, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("%s: there is no such file or folder", input)
	}
	return float64(bytes) / usualBytesPerToken(vocabulary), err
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
