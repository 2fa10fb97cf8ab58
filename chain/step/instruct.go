package step

import (
	"context"
	"path/filepath"
	"sort"

	"lian/chain"
	"lian/chain/report"
	"lian/chat"
	"lian/data/instruct"
	"lian/event"
)

// InstructOptions are what making instruction pairs takes.
type InstructOptions struct {
	Data             string `yaml:"data" help:"folder of cleaned documents"`
	instruct.Options `yaml:",inline"`
}

// Instruct makes conversations and questions from cleaned documents into dir.
func Instruct(ctx context.Context, dir string, o InstructOptions, events event.Sink) (*instruct.Report, error) {
	options := o.Options
	options.Output = dir
	events.Emit(event.KindProgress, event.Progress{Stage: "questions", Unit: "documents"})
	return instruct.Make(ctx, o.Data, options)
}

func instructKind() chain.Kind {
	return chain.NewKind("instruct", "1", "documents to conversations and questions", func(ctx context.Context, c *chain.Context, o *InstructOptions) error {
		r, err := Instruct(ctx, c.Dir, *o, c.Events)
		if err != nil {
			return err
		}
		prompts, err := instruct.ReadPrompts(c.Dir)
		if err != nil {
			return err
		}
		card := &report.Instruct{Train: r.Train, HeldOut: r.HeldOut}
		tasks := map[string]int{}
		var bytes, turns int
		for e, err := range instruct.ReadExamples(filepath.Join(c.Dir, instruct.TrainFile)) {
			if err != nil {
				return err
			}
			tasks[e.Task]++
			if card.Example == nil {
				card.Example = turnsOf(e.Messages)
			}
			for _, m := range e.Messages {
				bytes += len(m.Content)
				turns++
				for _, call := range m.ToolCalls {
					bytes += len(call.Name) + len(call.Arguments)
				}
			}
			for _, tool := range e.Tools {
				bytes += len(tool.Description) + len(tool.Parameters)
			}
		}
		for task, n := range tasks {
			card.Tasks = append(card.Tasks, report.TaskCount{Task: task, Pairs: n})
		}
		sort.Slice(card.Tasks, func(i, j int) bool { return card.Tasks[i].Pairs > card.Tasks[j].Pairs })
		// the plan needs to know how long conversations are, before there is a tokenizer
		for key, value := range map[string]any{"probes": prompts.Probes, "examples": r.Train, "bytes": bytes, "turns": turns} {
			if err := c.SetValue(key, value); err != nil {
				return err
			}
		}
		return c.WriteCard(report.Card{Instruct: card})
	})
}

// turnsOf is a conversation as the report shows it.
func turnsOf(messages []chat.Message) (turns []report.Turn) {
	for _, m := range messages {
		if m.Content != "" {
			turns = append(turns, report.Turn{Role: m.Role, Name: m.Name, Text: m.Content})
		}
		for _, call := range m.ToolCalls {
			turns = append(turns, report.Turn{Role: "call", Name: call.Name, Text: string(call.Arguments)})
		}
	}
	return turns
}
