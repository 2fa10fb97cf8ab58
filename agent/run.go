package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"lian/chat"
	"lian/event"
)

// Solver is the model. Reply gives the assistant's next turn of a conversation.
// With constrained set, a call in it must fit the schemas of tools. Where the
// text has malformed calls, Reply returns the message with what was sound and
// an error that wraps *chat.MalformedError; other errors end the run.
type Solver interface {
	Reply(ctx context.Context, messages []chat.Message, tools []chat.Tool, constrained bool) (chat.Message, error)
}

// Options bound a run.
type Options struct {
	MaxSteps    int           `yaml:"max_steps" default:"8" range:"1..1000" help:"replies a model may give before it is stopped"`
	MaxResult   int           `yaml:"max_result" default:"4000" range:"100..1000000" help:"bytes of a tool's result that the model is shown"`
	Timeout     time.Duration `yaml:"timeout" default:"30s" help:"time one tool call may take"`
	Constrained bool          `yaml:"constrained" default:"true" help:"let the model write only calls that fit the tools' schemas"`
	Events      event.Sink    `yaml:"-"` // nil: nobody listens
}

func (o Options) withDefaults() Options {
	if o.MaxSteps == 0 {
		o.MaxSteps = 8
	}
	if o.MaxResult == 0 {
		o.MaxResult = 4000
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Events == nil {
		o.Events = event.Discard
	}
	return o
}

// Run asks the solver and runs tools until it answers. The transcript is
// whole up to the point where it ended, also beside an error: the error is the
// solver's or the context's, never a tool's.
func Run(ctx context.Context, solver Solver, tools []Tool, messages []chat.Message, o Options) (Transcript, error) {
	o = o.withDefaults()
	t := Transcript{Messages: append([]chat.Message(nil), messages...), Asked: len(messages), Tools: Definitions(tools)}
	box, err := newBox(tools)
	if err != nil {
		return t, err
	}
	r := &run{Transcript: &t, box: box, options: o, seen: map[string]bool{}}
	for t.Counts.Replies < o.MaxSteps {
		if err := r.step(ctx, solver); err != nil {
			r.end(FinishError, err.Error())
			return t, err
		}
		if t.Finish != "" {
			return t, nil
		}
	}
	r.end(FinishSteps, fmt.Sprintf("no answer after %d replies", o.MaxSteps))
	return t, nil
}

type run struct {
	*Transcript
	box     *box
	options Options
	seen    map[string]bool // calls that have their result
}

func (r *run) add(s Step) {
	r.Steps = append(r.Steps, s)
	r.options.Events.Emit("agent."+s.Kind, s)
}

func (r *run) end(finish, reason string) {
	r.Finish, r.Reason = finish, reason
	r.add(Step{Kind: KindEnd, Finish: finish, Reason: reason, Content: r.Answer})
}

// step is one reply and the calls in it.
func (r *run) step(ctx context.Context, solver Solver) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	reply, err := solver.Reply(ctx, r.Messages, r.Tools, r.options.Constrained && len(r.Tools) > 0)
	var malformed *chat.MalformedError
	if err != nil && !errors.As(err, &malformed) {
		return fmt.Errorf("reply %d: %w", r.Counts.Replies+1, err)
	}
	reply.Role = chat.RoleAssistant
	r.Counts.Replies++
	for i := range reply.ToolCalls {
		if reply.ToolCalls[i].ID == "" || r.named(reply.ToolCalls[i].ID) {
			reply.ToolCalls[i].ID = fmt.Sprintf("call_%d_%d", r.Counts.Replies, i+1)
		}
	}
	r.Messages = append(r.Messages, reply)
	r.add(Step{Kind: KindReply, Content: reply.Content, Reasoning: reply.Reasoning, Calls: reply.ToolCalls})
	if malformed != nil {
		for _, wrong := range malformed.Calls {
			r.Counts.Calls++
			r.Counts.Malformed++
			r.result(chat.ToolCall{}, "error: "+wrong, KindMalformed)
		}
	} else if len(reply.ToolCalls) == 0 {
		r.Answer = reply.Content
		r.end(FinishAnswer, "")
		return nil
	}
	for _, call := range reply.ToolCalls {
		if err := r.call(ctx, call); err != nil || r.Finish != "" {
			return err
		}
	}
	return nil
}

// named says whether an earlier call has the id.
func (r *run) named(id string) bool {
	for _, m := range r.Messages {
		for _, c := range m.ToolCalls {
			if c.ID == id {
				return true
			}
		}
	}
	return false
}

// call runs one call and puts its result into the conversation.
func (r *run) call(ctx context.Context, call chat.ToolCall) error {
	r.Counts.Calls++
	key := call.Name + " " + canonical(call.Arguments)
	if r.seen[key] {
		r.Counts.Repeated++
		r.end(FinishRepeated, fmt.Sprintf("%s was called again with the same arguments: %s", call.Name, call.Arguments))
		return nil
	}
	r.seen[key] = true
	limited, cancel := context.WithTimeout(ctx, r.options.Timeout)
	defer cancel()
	result, err := r.box.call(limited, call)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	kind := KindResult
	switch {
	case errors.Is(err, errBadCall):
		kind = KindMalformed
		r.Counts.Malformed++
	case err != nil:
		kind = KindToolError
		r.Counts.ToolErrors++
	}
	if err != nil {
		result = "error: " + err.Error()
	}
	r.result(call, r.shortened(result), kind)
	return nil
}

func (r *run) result(call chat.ToolCall, result, kind string) {
	r.Messages = append(r.Messages, chat.ToolMessage(call, result))
	s := Step{Kind: kind, Content: result}
	if call.Name != "" {
		s.Call = &call
	}
	r.add(s)
}

// shortened cuts a long result at a character and says how much is missing.
func (r *run) shortened(result string) string {
	if len(result) <= r.options.MaxResult {
		return result
	}
	cut := r.options.MaxResult
	for cut > 0 && !utf8.RuneStart(result[cut]) {
		cut--
	}
	return fmt.Sprintf("%s\n[%d more bytes]", result[:cut], len(result)-cut)
}

// canonical is a JSON text with members in order and without blanks, so that
// equal arguments are equal texts.
func canonical(arguments json.RawMessage) string {
	decoder := json.NewDecoder(bytes.NewReader(arguments))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return string(arguments)
	}
	data, err := json.Marshal(value)
	if err != nil {
		return string(arguments)
	}
	return string(data)
}
