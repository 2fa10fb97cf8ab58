package step

import (
	"context"
	"fmt"
	"path/filepath"

	"lian/agent"
	"lian/agent/tools"
	"lian/chat"
	"lian/data"
	"lian/data/instruct"
	"lian/event"
	"lian/index"
)

// TaskOptions are what letting a model work on a task takes.
type TaskOptions struct {
	Docs      string        `yaml:"docs" help:"folder of cleaned documents, or a recipe's run, to search in; empty offers no search"`
	Language  string        `yaml:"language" help:"language in which tools are described to the model, en or zh; empty is that of the texts you read" range:"|en|zh"`
	Template  string        `yaml:"template" help:"chat template instead of the model's own: the name of one that comes with Lian, or a file"`
	MaxTokens int           `yaml:"max_tokens" help:"longest reply in tokens" default:"128" range:"1..100000"`
	Run       agent.Options `yaml:",inline"`
}

// WorkOn lets a model work on one task with tools.
func WorkOn(ctx context.Context, model, task string, o TaskOptions, language string, events event.Sink) (t agent.Transcript, err error) {
	if o.Language != "" {
		language = o.Language
	}
	definitions := instruct.Tools(language)
	searcher := index.New(nil)
	if o.Docs != "" {
		dir := o.Docs
		if !exists(filepath.Join(dir, data.TrainFile)) {
			dir = filepath.Join(dir, "data")
		}
		if !exists(filepath.Join(dir, data.TrainFile)) {
			return t, fmt.Errorf("%s: there is no %s in it, nor in a folder data below it; make one with lian data run, or leave --docs out", o.Docs, data.TrainFile)
		}
		if searcher, err = instruct.OpenIndex(dir); err != nil {
			return t, err
		}
	} else {
		definitions = without(definitions, "search")
	}
	offered, err := tools.New(definitions, searcher)
	if err != nil {
		return t, err
	}
	solver, err := OpenSolver(model, o.Template, o.MaxTokens)
	if err != nil {
		return t, err
	}
	defer solver.Close()
	o.Run.Events = events
	return agent.Run(ctx, solver, offered, []chat.Message{chat.UserMessage(task)}, o.Run)
}

func without(definitions []chat.Tool, name string) (kept []chat.Tool) {
	for _, d := range definitions {
		if d.Name != name {
			kept = append(kept, d)
		}
	}
	return kept
}
