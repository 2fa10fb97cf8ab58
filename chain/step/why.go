package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"

	"lian/event"
	"lian/store"
	"lian/tokenizer"
	"lian/train"
	"lian/train/figure"
)

// trainingFile keeps what a pretraining's batches are a function of, so that any of them can be looked at later.
const trainingFile = "training.json"

// training is its content.
type training struct {
	Options PretrainOptions `json:"options"` // resolved
	Context int             `json:"context"`
}

// Why is what a step of a run learnt from, or was to learn from.
type Why struct {
	Step      int             `json:"step"`
	Refused   bool            `json:"refused"` // the guard passed the batch over, or told of it
	Sequences []train.Refused `json:"sequences"`
}

// WhyStep shows the sequences of a step of the run in a folder: those that the guard refused as they were kept, others from the data again.
func WhyStep(ctx context.Context, dir, step string) (w Why, err error) {
	if w.Step, err = strconv.Atoi(step); err != nil || w.Step < 1 {
		return w, fmt.Errorf("step is %q, expected a number from 1 on", step)
	}
	w.Sequences, err = train.ReadRefused(filepath.Join(dir, train.BatchesFolder, step+".jsonl"))
	if w.Refused = err == nil; w.Refused || !errors.Is(err, fs.ErrNotExist) {
		return w, err
	}
	made, tok, text, err := openTraining(ctx, dir, event.Discard)
	if err != nil {
		return w, fmt.Errorf("the guard refused nothing at step %d, and what the run read is not known: %w", w.Step, err)
	}
	defer func() { err = errors.Join(err, text.close()) }()
	o := made.Options
	s, err := stepEvent(dir, w.Step)
	if err != nil {
		return w, err
	}
	if err := text.layOut(made.Context, o.StepTokens, o.Train.Steps, o.Train.Seed); err != nil {
		return w, err
	}
	batch := w.Step - 1 + s.Skipped
	sequences, err := text.source.Step(batch)
	if err != nil {
		return w, err
	}
	describe := describes(tok, text.source)
	for _, q := range sequences {
		w.Sequences = append(w.Sequences, train.Refused{Step: w.Step, Batch: batch, Domain: q.Origin.Domain, Document: q.Origin.Document, First: q.Origin.First,
			Tokens: len(q.IDs), Labels: q.Labels(), Description: describe(q)})
	}
	return w, nil
}

// openTraining opens what a pretraining in a folder reads, as it was opened then.
func openTraining(ctx context.Context, dir string, events event.Sink) (made training, tok *tokenizer.Tokenizer, text *corpus, err error) {
	if err = store.ReadJSON(filepath.Join(dir, trainingFile), &made); err != nil {
		return made, nil, nil, err
	}
	o := made.Options
	if tok, err = tokenizer.Load(o.Tokenizer); err != nil {
		return made, nil, nil, err
	}
	separator, err := o.separator(tok)
	if err != nil {
		return made, nil, nil, err
	}
	text, err = openCorpus(ctx, o.Shards, o.Mixture, tok, separator, events)
	return made, tok, text, err
}

// stepEvent is the last event of a step; a run that went back has taken some steps twice.
func stepEvent(dir string, step int) (s figure.Step, err error) {
	events, err := event.Read(filepath.Join(dir, store.EventsFile))
	if err != nil {
		return s, err
	}
	last := 0
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Kind != figure.KindStep {
			continue
		}
		if err := events[i].Decode(&s); err != nil {
			return s, err
		}
		if s.Step == step {
			return s, nil
		}
		last = max(last, s.Step)
	}
	return s, fmt.Errorf("%s: step %d was not taken; the last one is %d", dir, step, last)
}
