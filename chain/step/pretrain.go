package step

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"lian/engine"
	"lian/engine/sample"
	"lian/event"
	"lian/machine"
	"lian/store"
	"lian/tokenizer"
	"lian/train"
	"lian/train/alert"
	"lian/train/figure"
)

// PretrainOptions are what lian pretrain takes.
type PretrainOptions struct {
	Shards        string         `yaml:"shards" help:"folder with train.shard and heldout.shard" resume:"free"`
	Tokenizer     string         `yaml:"tokenizer" help:"tokenizer.json or a folder that has one" resume:"free"`
	From          FromOptions    `yaml:",inline"`
	Model         ModelOptions   `yaml:"model"`
	Dial          DialOptions    `yaml:",inline"`
	Train         train.Options  `yaml:"train"`
	StepTokens    int            `yaml:"step_tokens" help:"tokens in one optimizer step; 0 chooses" default:"0" range:"0..100000000"`
	HeldOutTokens int            `yaml:"held_out_tokens" help:"held-out tokens looked at during training; the end looks at a megabyte" default:"16384" range:"0..100000000" resume:"free"`
	Looks         int            `yaml:"looks" help:"how often held-out text is looked at and the prompts are answered" default:"10" range:"1..1000" resume:"free"`
	Prompts       []string       `yaml:"prompts" help:"texts to go on with at each look, to see the model learn" resume:"free"`
	TimeLimit     time.Duration  `yaml:"time_limit" help:"saves and stops before so much time has passed, as 90m or 8h; 0 is none" default:"0s" resume:"free"`
	Alert         alert.Options  `yaml:"alert" resume:"free"`
	PromptTokens  int            `yaml:"prompt_tokens" help:"tokens of each answer" default:"32" range:"1..1000" resume:"free"`
	Mixture       MixtureOptions `yaml:",inline"`
	Figures       FigureOptions  `yaml:",inline" resume:"free"`
	Tasks         AskedOptions   `yaml:",inline" resume:"free"`
}

// PretrainReport is what came of it.
type PretrainReport struct {
	Model       string  `json:"model"` // folder
	Parameters  int     `json:"parameters"`
	Steps       int     `json:"steps"`
	Tokens      int64   `json:"tokens"`
	Epochs      float64 `json:"epochs"`
	BitsPerByte float64 `json:"bits_per_byte"` // held out, at the end
}

// Pretrain trains a new model on shards into dir/model, with checkpoints in dir/state.
func Pretrain(ctx context.Context, dir string, o PretrainOptions, events event.Sink) (r PretrainReport, err error) {
	events, end, err := withAlerts(o.Alert, dir, events)
	if err != nil {
		return r, err
	}
	defer func() { end(err) }()
	tok, err := tokenizer.Load(o.Tokenizer)
	if err != nil {
		return r, err
	}
	separator, err := o.separator(tok)
	if err != nil {
		return r, err
	}
	b, err := Backend()
	if err != nil {
		return r, err
	}
	text, err := openCorpus(ctx, o.Shards, o.Mixture, tok, separator, events)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, text.close()) }()
	if err := o.chooseOnce(ctx, dir, b, text.facts(tok.VocabSize(), o.Dial.spent), events); err != nil {
		return r, err
	}
	start, err := o.begin(b, tok, events)
	if err != nil {
		return r, err
	}
	m := start.model
	if err := text.layOut(m.Spec.Context, o.StepTokens, o.Train.Steps, o.Train.Seed); err != nil {
		return r, err
	}
	machineBytes, _ := machine.Memory()
	if err := o.fits(m.Spec, float64(text.tokens), machineBytes); err != nil {
		return r, err
	}
	memory, err := o.memory(m.Spec, float64(text.tokens))
	if err != nil {
		return r, err
	}
	defer holdMemory(memory)()
	events.Emit(KindData, text.source.Statistics())
	o.Train.EvalEvery = lookEvery(o.Train.Steps, o.Looks)
	l := look{options: o, context: m.Spec.Context, tok: tok, separator: separator, events: events}
	if err := l.check(); err != nil {
		return r, err
	}
	if err := store.WriteJSON(filepath.Join(dir, trainingFile), training{o, m.Spec.Context}); err != nil {
		return r, err
	}
	asked, err := o.Tasks.open(tok, start.template, []int32{separator})
	if err != nil {
		return r, err
	}
	t := &train.Trainer{Options: o.Train, Backend: b, Model: m, Weights: m.Parameters(), Source: text.ahead, Events: events, TimeLimit: o.TimeLimit}
	t.Describe = describes(tok, text.source)
	keepStates(t, dir, modelForm{b, start.family, m.Spec, start.config, tok, start.template, separator, false}, append(train.Settings(o), dataSettings(text, tok)...))
	var tokens int64
	rec := o.Figures.record(ctx, t, recorded{dir: dir, spec: m.Spec, tokens: tok, domains: text.source.Domains()}, events)
	l.events, events = rec.events, rec.events
	t.OnStep = func(p train.Progress) {
		tokens = p.Tokens
		rec.step("pretrain", p)
	}
	said := func(ctx context.Context, step int) error { // what the model says: to prompts, and to questions
		return errors.Join(failed(ctx, events, step, "prompts", l.prompts(ctx, t, step)), failed(ctx, events, step, "tasks", asked.ask(ctx, b, m, step, tokens, events)))
	}
	evaluate := func(ctx context.Context, step int, looked []heldText) (float64, error) {
		if len(looked) == 0 { // nothing is held out: --held-out-share 0
			return math.NaN(), said(ctx, step)
		}
		p, parts, err := measure(ctx, b, m, looked, separator, o.lookRows(m.Spec.Context))
		if err != nil {
			return 0, err
		}
		r.BitsPerByte = p.BitsPerByte()
		events.Emit(figure.KindHeldOut, figure.HeldOut{Step: step, Tokens: tokens, BitsPerByte: r.BitsPerByte, Documents: p.Documents, Final: step == o.Train.Steps, Domains: parts})
		return r.BitsPerByte, said(ctx, step)
	}
	t.OnEvaluate = func(ctx context.Context, step int) (float64, error) {
		if step == o.Train.Steps {
			return math.NaN(), nil // below, where a run that was killed after its last step comes by as well
		}
		looked, err := text.look(tok, o.HeldOutTokens)
		if err != nil {
			return math.NaN(), err
		}
		score, err := evaluate(ctx, step, looked)
		if err != nil {
			return math.NaN(), failed(ctx, events, step, "heldout", err)
		}
		return score, nil
	}
	defer func() { err = errors.Join(err, rec.close()) }()
	if err := t.Run(ctx); err != nil {
		return r, err
	}
	tokens = text.source.Tokens(o.Train.Steps)
	looked, err := text.final(tok, HeldOutBytes)
	if err != nil {
		return r, err
	}
	if _, err := evaluate(ctx, o.Train.Steps, looked); err != nil {
		return r, err
	}
	r.Model, r.Parameters, r.Steps, r.Tokens = filepath.Join(dir, "model"), m.Parameters().Count(), o.Train.Steps, tokens
	r.Epochs = text.source.Epochs(o.Train.Steps)
	if err := saveModel(r.Model, b.NewStream(), start.family, m, start.config, tok, start.template, separator, false); err != nil {
		return r, err
	}
	return r, store.WriteJSON(filepath.Join(dir, "pretrain.json"), r)
}

// look answers the fixed prompts.
type look struct {
	options   PretrainOptions
	context   int
	tok       *tokenizer.Tokenizer
	separator int32
	events    event.Sink
}

func (l look) ids(prompt string) []int32 {
	return append([]int32{l.separator}, l.tok.Encode(prompt)...)
}

// check says before hours of training that a prompt leaves no room for an answer.
func (l look) check() error {
	for i, p := range l.options.Prompts {
		if n := len(l.ids(p)); n >= l.context {
			return fmt.Errorf("prompts[%d] has %d tokens, the model's context only %d; shorten it or raise model.context", i, n, l.context)
		}
	}
	return nil
}

func (l look) prompts(ctx context.Context, t *train.Trainer, step int) error {
	o := l.options
	if len(o.Prompts) == 0 {
		return nil
	}
	e, err := engine.New(t.Backend, t.Model, l.tok, o.promptEngine(l.context))
	if err != nil {
		return err
	}
	defer e.Close()
	streams := make([]*engine.Stream, len(o.Prompts))
	for i, p := range o.Prompts {
		ids := l.ids(p)
		streams[i], err = e.Generate(ctx, engine.Request{Prompt: ids, MaxTokens: min(o.PromptTokens, l.context-len(ids)), StopIDs: []int32{l.separator},
			Sample: sample.Params{Temperature: 0.7, TopK: 40, Seed: o.Train.Seed}})
		if err != nil {
			return err
		}
	}
	answers := make([]string, len(streams))
	for i, s := range streams {
		r := s.Result()
		if r.Err != nil {
			return r.Err
		}
		answers[i] = r.Text
	}
	l.events.Emit(figure.KindPrompts, figure.Prompts{Step: step, Progress: float64(step) / float64(o.Train.Steps), Prompts: o.Prompts, Answers: answers})
	return nil
}
