package chat

import (
	"strings"
)

// EventKind says what a piece of a reply is.
type EventKind string

// Kinds of [ReplyEvent].
const (
	ReplyContent    EventKind = "content"    // Text is more of the answer
	ReplyReasoning  EventKind = "reasoning"  // Text is more of what was thought before it
	ReplyCall       EventKind = "call"       // Call is complete
	ReplyMalformed  EventKind = "malformed"  // Text stands where a call should, and is none; Err says why
	ReplyIncomplete EventKind = "incomplete" // the reply ends within a call; Text is what there is of it
)

// ReplyEvent is a piece of a model's reply.
type ReplyEvent struct {
	Kind EventKind
	Text string
	Call ToolCall
	Err  error
}

// ParserOptions are what a reply is read with.
type ParserOptions struct {
	// Tools tell texts from numbers where a dialect writes both bare.
	Tools []Tool
	// Prompt is the end of the prompt: a reply goes on from a thought, say, that
	// the template has opened.
	Prompt string
	// TextOnly is for replies of a model that was offered no tool: what looks
	// like a call is text.
	TextOnly bool
}

// Parse reads a whole reply as the message of an assistant. Where calls are
// malformed or cut off the error is a [*MalformedError], and the message has
// what was sound.
func (d *Dialect) Parse(text string, o ParserOptions) (Message, error) {
	m := Message{Role: RoleAssistant}
	var content, reasoning strings.Builder
	var wrong MalformedError
	p := d.NewParser(o, func(e ReplyEvent) {
		switch e.Kind {
		case ReplyContent:
			content.WriteString(e.Text)
		case ReplyReasoning:
			reasoning.WriteString(e.Text)
		case ReplyCall:
			m.ToolCalls = append(m.ToolCalls, e.Call)
		default:
			wrong.Calls = append(wrong.Calls, e.Err.Error())
		}
	})
	p.Push(text)
	p.Flush()
	m.Content, m.Reasoning = content.String(), reasoning.String()
	if wrong.Calls != nil {
		return m, &wrong
	}
	return m, nil
}

// MalformedError lists the malformed calls of one reply.
type MalformedError struct{ Calls []string }

func (e *MalformedError) Error() string { return strings.Join(e.Calls, "; ") }
