package step

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"lian/agent"
	"lian/agent/tools"
	"lian/chain"
	"lian/chain/report"
	"lian/chat"
	"lian/data/instruct"
	"lian/engine"
	"lian/engine/grammar"
	"lian/engine/sample"
	"lian/eval"
	"lian/eval/stats"
	"lian/event"
	"lian/store"
)

// Solver answers for an agent with a model of ours.
type Solver struct {
	model     *Opened
	engine    *engine.Engine
	template  *chat.Template
	stop      []int32
	maxTokens int
}

// OpenSolver opens a model that has a chat template, or is given one.
func OpenSolver(path, template string, maxTokens int) (*Solver, error) {
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	m, err := OpenToRun(path, b)
	if err != nil {
		return nil, err
	}
	s := &Solver{model: m, maxTokens: maxTokens}
	if err = m.UseTemplate(template); err == nil {
		s.template, err = m.NeedTemplate()
	}
	if err == nil {
		s.stop, err = m.ChatStopIDs()
	}
	if err == nil {
		s.engine, err = engine.New(b, m.Model, m.Tokenizer, engine.Options{})
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return s, nil
}

// Close ends the engine and closes the model.
func (s *Solver) Close() error {
	s.engine.Close()
	return s.model.Close()
}

// Reply implements agent.Solver, greedily. With constrained set, free text may come
// first; once a call begins, only what fits the tools' schemas can be written.
func (s *Solver) Reply(ctx context.Context, messages []chat.Message, offered []chat.Tool, constrained bool) (chat.Message, error) {
	e, err := chat.Encode(s.engine.Tokenizer, s.template, messages, chat.Options{Tools: offered, AddGenerationPrompt: true})
	if err != nil {
		return chat.Message{}, err
	}
	room := s.engine.Options.Context - len(e.IDs)
	if room < 1 {
		return chat.Message{}, fmt.Errorf("%w: the conversation has %d tokens of %d", engine.ErrContext, len(e.IDs), s.engine.Options.Context)
	}
	r := engine.Request{Prompt: e.IDs, Sample: sample.Params{}, StopIDs: s.stop, MaxTokens: min(s.maxTokens, room)}
	if form := grammar.CallForm(s.template.Dialect().CallForm()); constrained && len(offered) > 0 {
		var list []grammar.Tool
		for _, t := range offered {
			list = append(list, grammar.Tool{Name: t.Name, Parameters: t.Parameters})
		}
		if r.Constraint, err = grammar.ToolCalls(list, form, grammar.Lazy); err != nil {
			return chat.Message{}, err
		}
	}
	stream, err := s.engine.Generate(ctx, r)
	if err != nil {
		return chat.Message{}, err
	}
	result := stream.Result()
	if err := errors.Join(result.Err, ctx.Err()); err != nil {
		return chat.Message{}, err
	}
	if r.Constraint != nil && result.Finish == engine.FinishLength { // a call that was cut is closed, so that it can be answered
		if result.Text, err = r.Constraint.Complete(result.Text); err != nil {
			return chat.Message{}, err
		}
	}
	return s.template.Dialect().Parse(result.Text, chat.ParserOptions{Tools: offered, Prompt: e.Text})
}

// AgentOptions are what measuring an agent takes.
type AgentOptions struct {
	Model     string        `yaml:"model" help:"model that works with the tools"`
	Template  string        `yaml:"template" help:"chat template instead of the model's own: the name of one that comes with Lian, or a file"`
	Data      string        `yaml:"data" help:"folder of cleaned documents to search"`
	Questions string        `yaml:"questions" help:"folder with agent.jsonl: questions with known answers"`
	Limit     int           `yaml:"limit" help:"most questions to ask; 0 asks all" default:"0" range:"0..1000000"`
	MaxTokens int           `yaml:"max_tokens" help:"longest reply in tokens" default:"96" range:"1..100000"`
	Parallel  int           `yaml:"parallel" help:"questions asked at one time" default:"8" range:"1..1000"`
	Run       agent.Options `yaml:"run"`
}

// AgentReport is a model with and without its tools.
type AgentReport struct {
	With       agent.Report   `json:"with_tools"`
	Without    agent.Report   `json:"without_tools"`
	Difference float64        `json:"difference"`
	Interval   stats.Interval `json:"interval"`
	P          float64        `json:"p"`
}

// MeasureAgent asks the same questions with the tools that they were made for, and
// without any.
func MeasureAgent(ctx context.Context, o AgentOptions, events event.Sink) (*AgentReport, error) {
	var questions []agent.Question
	var definitions []chat.Tool
	for q, err := range instruct.ReadQuestions(filepath.Join(o.Questions, instruct.AgentFile)) {
		if err != nil {
			return nil, err
		}
		if o.Limit > 0 && len(questions) == o.Limit {
			break
		}
		questions = append(questions, agent.Question{ID: q.ID, Messages: q.Messages, Answer: q.Answer})
		if len(q.Tools) > 0 {
			definitions = q.Tools
		}
	}
	if len(questions) == 0 {
		return nil, fmt.Errorf("%s: there is no question for an agent in it", filepath.Join(o.Questions, instruct.AgentFile))
	}
	searcher, err := instruct.OpenIndex(o.Data)
	if err != nil {
		return nil, err
	}
	made, err := tools.New(definitions, searcher)
	if err != nil {
		return nil, err
	}
	solver, err := OpenSolver(o.Model, o.Template, o.MaxTokens)
	if err != nil {
		return nil, err
	}
	defer solver.Close()
	r := &AgentReport{}
	o.Run.Events = events
	for i, ask := range []struct {
		tools []agent.Tool
		into  *agent.Report
	}{{made, &r.With}, {nil, &r.Without}} {
		e := agent.Evaluation{Options: o.Run, Parallel: o.Parallel, Progress: func(done, total int) {
			events.Emit(event.KindProgress, event.Progress{Stage: "agent", Done: int64(i*total + done), Total: int64(2 * total), Unit: "questions"})
		}}
		if *ask.into, err = agent.Evaluate(ctx, solver, questions, ask.tools, e); err != nil {
			return nil, err
		}
	}
	r.compare()
	return r, nil
}

// compare pairs the two by question.
func (r *AgentReport) compare() {
	var both, onlyWithout, onlyWith, neither int
	for i, with := range r.With.Outcomes {
		switch without := r.Without.Outcomes[i].Correct; {
		case with.Correct && without:
			both++
		case with.Correct:
			onlyWith++
		case without:
			onlyWithout++
		default:
			neither++
		}
	}
	r.Difference, r.Interval = stats.PairedShare(both, onlyWithout, onlyWith, neither, eval.Confidence)
	r.P = stats.McNemar(onlyWithout, onlyWith)
}

func agentKind() chain.Kind {
	return chain.NewKind("agent", "1", "the model at work with tools", func(ctx context.Context, c *chain.Context, o *AgentOptions) error {
		r, err := MeasureAgent(ctx, *o, c.Events)
		if err != nil {
			return err
		}
		if err := store.WriteJSON(c.Path("agent.json"), r); err != nil {
			return err
		}
		return c.WriteCard(report.Card{Agent: agentCard(r, filepath.Base(o.Model))})
	})
}

func agentCard(r *AgentReport, model string) *report.Agent {
	share := func(a agent.Report) report.Score {
		i := stats.Wilson(a.Correct, a.Questions, eval.Confidence)
		return report.Score{Model: model, Value: a.Rate(), Low: i.Low, High: i.High}
	}
	card := &report.Agent{
		Model: model, Questions: r.With.Questions, With: share(r.With), Without: share(r.Without), Tools: r.With.Tools,
		Calls: r.With.Counts.Calls, Malformed: r.With.Counts.Malformed,
		Pair: &report.Pair{Task: "agent", A: "without", B: "with", Difference: r.Difference, Low: r.Interval.Low, High: r.Interval.High, P: r.P, Significant: r.P < 1-eval.Confidence},
	}
	used := map[string]int{}
	best := -1
	for i, o := range r.With.Outcomes {
		calls := 0
		for _, m := range o.Transcript.Messages {
			for _, call := range m.ToolCalls {
				used[call.Name]++
				calls++
			}
		}
		// the first right one with a search, or any right one with a call, or any with a call
		if calls > 0 && (best < 0 || (o.Correct && !r.With.Outcomes[best].Correct)) {
			best = i
		}
	}
	for _, name := range r.With.Tools {
		card.ByTool = append(card.ByTool, report.ToolUse{Tool: name, Calls: used[name]})
	}
	if best >= 0 {
		o := r.With.Outcomes[best]
		card.Transcript, card.TranscriptOK = turnsOf(o.Transcript.Messages), o.Correct
	}
	return card
}
