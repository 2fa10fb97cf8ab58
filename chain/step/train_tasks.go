package step

import (
	"context"

	"lian/chat"
	"lian/compute"
	"lian/data/instruct"
	"lian/engine"
	"lian/eval"
	"lian/event"
	"lian/model"
	"lian/tokenizer"
	"lian/train/figure"
)

// AskedOptions say which questions a model is asked while it is trained.
type AskedOptions struct {
	EvalTasks string `yaml:"eval_tasks" help:"questions.jsonl, or a folder that has one, asked at each look at held-out text"`
	EvalLimit int    `yaml:"eval_limit" help:"questions of each task that are asked while training; 0 asks all" default:"100" range:"0..1000000"`
}

// askedTasks asks a model in training questions. The zero value asks none.
type askedTasks struct {
	questions []instruct.Question
	options   eval.Options
	tok       *tokenizer.Tokenizer
	template  *chat.Template
	stop      []int32
}

// open reads the questions, so that a wrong file is told before hours of training.
func (o AskedOptions) open(tok *tokenizer.Tokenizer, template *chat.Template, stop []int32) (askedTasks, error) {
	t := askedTasks{options: eval.Options{MaxTokens: 96, Limit: o.EvalLimit}, tok: tok, template: template, stop: stop}
	if o.EvalTasks == "" {
		return t, nil
	}
	var err error
	t.questions, err = readQuestions(o.EvalTasks)
	return t, err
}

// ask scores the model as it is now.
func (t askedTasks) ask(ctx context.Context, b compute.Backend, m model.Model, step int, tokens int64, events event.Sink) error {
	if len(t.questions) == 0 {
		return nil
	}
	e, err := engine.New(b, m, t.tok, engine.Options{Precision: model.Exact})
	if err != nil {
		return err
	}
	defer e.Close()
	outcomes, err := eval.Answer(ctx, eval.Model{Name: "training", Engine: e, Template: t.template, Stop: t.stop}, t.questions, t.options, func(int, int) {})
	if err != nil {
		return err
	}
	r := figure.Tasks{Step: step, Tokens: tokens}
	for _, s := range eval.Scores("training", outcomes) {
		r.Scores = append(r.Scores, figure.TaskScore{Name: s.Task, Value: s.Value, Low: s.Interval.Low, High: s.Interval.High, Count: s.Questions})
	}
	events.Emit(figure.KindTasks, r)
	return nil
}
