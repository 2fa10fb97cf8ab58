package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"lian/chat"
	"lian/data/instruct"
	"lian/engine"
	"lian/engine/grammar"
)

// Options of an evaluation.
type Options struct {
	MaxTokens int `yaml:"max_tokens" help:"longest generated answer in tokens" default:"96" range:"1..100000"`
	Limit     int `yaml:"limit" help:"questions of each task; 0 asks all" default:"0" range:"0..1000000"`
}

// Outcome is one question and what a model made of it.
type Outcome struct {
	Question instruct.Question `json:"question"`
	Reply    string            `json:"reply"`
	Right    bool              `json:"right"`
	// LogProbs are those of the choices, of a choice question.
	LogProbs []float64 `json:"logprobs,omitempty"`
	// Malformed is set for a tool question whose reply is not one well-formed call.
	Malformed bool `json:"malformed,omitempty"`
	// Call is the reply to a tool question, where it is a call and nothing else.
	Call *chat.ToolCall `json:"call,omitempty"`
	// Skipped says why a question could not be asked; it counts as wrong.
	Skipped string `json:"skipped,omitempty"`
}

// Answer asks a model every question. progress is told of each answer.
func Answer(ctx context.Context, m Model, questions []instruct.Question, o Options, progress func(done, total int)) ([]Outcome, error) {
	if o.MaxTokens <= 0 {
		o.MaxTokens = 96
	}
	questions = limit(questions, o.Limit)
	out, done := make([]Outcome, len(questions)), 0
	tick := func() {
		if done++; progress != nil {
			progress(done, len(questions))
		}
	}
	streams := make([]*engine.Stream, len(questions))
	for i, q := range questions {
		out[i].Question = q
		var err error
		switch q.Task {
		case instruct.TaskChoice:
			continue
		case instruct.TaskExact:
			streams[i], err = m.ask(ctx, q.Messages, q.Tools, nil, o.MaxTokens)
		case instruct.TaskTool:
			var g *grammar.Grammar
			if g, err = m.toolGrammar(q.Tools); err == nil {
				streams[i], err = m.ask(ctx, q.Messages, q.Tools, g, o.MaxTokens)
			}
		default:
			err = fmt.Errorf("question %s: task %q, expected %s, %s or %s", q.ID, q.Task, instruct.TaskChoice, instruct.TaskExact, instruct.TaskTool)
		}
		if errors.Is(err, engine.ErrContext) {
			out[i].Skipped = err.Error()
		} else if err != nil {
			return nil, err
		}
	}
	for i, q := range questions {
		if q.Task == instruct.TaskChoice {
			if err := choose(ctx, m, q, &out[i]); err != nil {
				return nil, err
			}
		} else if streams[i] != nil {
			if err := judge(ctx, m, streams[i].Result(), q, &out[i]); err != nil {
				return nil, err
			}
		}
		tick()
	}
	return out, nil
}

// limit keeps the first n questions of each task.
func limit(questions []instruct.Question, n int) []instruct.Question {
	if n <= 0 {
		return questions
	}
	seen := map[string]int{}
	return slices.DeleteFunc(slices.Clone(questions), func(q instruct.Question) bool {
		seen[q.Task]++
		return seen[q.Task] > n
	})
}

// choose answers a choice question by the likelihood of each choice as the whole reply.
func choose(ctx context.Context, m Model, q instruct.Question, out *Outcome) error {
	p, err := m.likelihood(ctx, q.Messages, q.Tools, q.Choices)
	if errors.Is(err, engine.ErrContext) {
		out.Skipped = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	best := 0
	for i := range p {
		if p[i] > p[best] {
			best = i
		}
	}
	out.LogProbs, out.Reply, out.Right = p, q.Choices[best], best == q.AnswerIndex
	return nil
}

// judge reads a generated reply.
func judge(ctx context.Context, m Model, r engine.Result, q instruct.Question, out *Outcome) error {
	if r.Err != nil {
		return r.Err
	}
	out.Reply = r.Text
	if q.Task == instruct.TaskExact {
		out.Right = same(r.Text, q.Answer)
		return nil
	}
	if r.Finish == engine.FinishLength { // a call that was cut is closed, as an agent would do
		g, err := m.toolGrammar(q.Tools)
		if g != nil {
			out.Reply, err = g.Complete(r.Text)
		}
		if err != nil {
			return err
		}
	}
	reply, err := m.Template.Dialect().Parse(out.Reply, chat.ParserOptions{Tools: q.Tools})
	if err != nil || len(reply.ToolCalls) != 1 {
		out.Malformed = true
		return nil
	}
	call := reply.ToolCalls[0]
	if reply.Content == "" {
		out.Call = &call
	}
	out.Right = q.Call != nil && call.Name == q.Call.Name && sameJSON(call.Arguments, q.Call.Arguments)
	return nil
}

// sameJSON compares values, not spelling.
func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return bytes.Equal(p, q)
}

// toolGrammar is the language of one call of one of the tools, in the model's dialect.
func (m Model) toolGrammar(tools []chat.Tool) (*grammar.Grammar, error) {
	list := make([]grammar.Tool, len(tools))
	for i, t := range tools {
		list[i] = grammar.Tool{Name: t.Name, Parameters: t.Parameters}
	}
	return grammar.ToolCalls(list, grammar.CallForm(m.Template.Dialect().CallForm()), grammar.Required|grammar.Single)
}
