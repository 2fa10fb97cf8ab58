package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Roles of a message. Templates may know others.
const (
	RoleSystem    = "system"
	RoleUser      = "user"
	RoleAssistant = "assistant"
	RoleTool      = "tool"
)

// Message is one turn of a conversation. Its JSON form is that of OpenAI's
// chat API; unknown members are kept in Extra and given to the template.
type Message struct {
	Role    string
	Content string // text; of several parts, their texts joined by newlines
	// Parts is the content where it was given as a list. Content then holds the
	// text in it.
	Parts []Part
	// NoContent is true where the content was null, which some templates tell
	// from an empty one.
	NoContent  bool
	Reasoning  string     // member "reasoning_content": what was thought before the answer
	ToolCalls  []ToolCall // what an assistant asks to be run
	ToolCallID string     // in a tool's turn: the call that this answers
	Name       string     // in a tool's turn: the tool; elsewhere the speaker
	// Loss says whether the turn is learnt from in training; nil is yes for
	// the assistant. No other role is ever learnt from. Member "loss".
	Loss *bool
	// Extra holds members that this type does not know, verbatim.
	Extra map[string]json.RawMessage
}

// Part is one piece of a content list: text, or something this package passes
// on to the template as it came.
type Part struct {
	Type string          // "text", "image_url", …
	Text string          // the text of a part of type "text"
	Raw  json.RawMessage // the whole part; nil for text parts made in Go
}

// SystemMessage is a system turn.
func SystemMessage(content string) Message { return Message{Role: RoleSystem, Content: content} }

// UserMessage is a user's turn.
func UserMessage(content string) Message { return Message{Role: RoleUser, Content: content} }

// AssistantMessage is an assistant's turn without tool calls.
func AssistantMessage(content string) Message {
	return Message{Role: RoleAssistant, Content: content}
}

// ToolMessage is the result of a call, as the model is to read it.
func ToolMessage(call ToolCall, result string) Message {
	return Message{Role: RoleTool, Content: result, ToolCallID: call.ID, Name: call.Name}
}

// MarshalJSON writes the OpenAI form; empty members are left out, content never.
func (m Message) MarshalJSON() ([]byte, error) {
	var o objectWriter
	o.put("role", m.Role)
	switch {
	case m.Parts != nil:
		o.put("content", m.Parts)
	case m.NoContent:
		o.put("content", nil)
	default:
		o.put("content", m.Content)
	}
	if m.Reasoning != "" {
		o.put("reasoning_content", m.Reasoning)
	}
	if len(m.ToolCalls) > 0 {
		o.put("tool_calls", m.ToolCalls)
	}
	if m.ToolCallID != "" {
		o.put("tool_call_id", m.ToolCallID)
	}
	if m.Name != "" {
		o.put("name", m.Name)
	}
	if m.Loss != nil {
		o.put("loss", *m.Loss)
	}
	for _, key := range sortedKeys(m.Extra) {
		o.put(key, m.Extra[key])
	}
	return o.bytes()
}

// UnmarshalJSON reads the OpenAI form. A member of the wrong type is an error
// that names it.
func (m *Message) UnmarshalJSON(data []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return fmt.Errorf("message: expected an object: %w", err)
	}
	*m = Message{}
	for key, raw := range members {
		var err error
		switch key {
		case "role":
			err = json.Unmarshal(raw, &m.Role)
		case "content":
			err = m.setContent(raw)
		case "reasoning_content":
			err = json.Unmarshal(raw, &m.Reasoning)
		case "tool_calls":
			err = json.Unmarshal(raw, &m.ToolCalls)
		case "tool_call_id":
			err = json.Unmarshal(raw, &m.ToolCallID)
		case "name":
			err = json.Unmarshal(raw, &m.Name)
		case "loss":
			err = json.Unmarshal(raw, &m.Loss)
		default:
			if m.Extra == nil {
				m.Extra = map[string]json.RawMessage{}
			}
			m.Extra[key] = bytes.Clone(raw)
		}
		if err != nil {
			return fmt.Errorf("message: member %q: %w", key, err)
		}
	}
	if m.Role == "" {
		return fmt.Errorf(`message: member "role" is missing; expected system, user, assistant or tool`)
	}
	if _, given := members["content"]; !given {
		m.NoContent = true
	}
	return nil
}

func (m *Message) setContent(raw json.RawMessage) error {
	switch first(raw) {
	case 'n':
		m.NoContent = true
		return nil
	case '[':
		m.Parts = []Part{}
		if err := json.Unmarshal(raw, &m.Parts); err != nil {
			return err
		}
		var texts []string
		for _, part := range m.Parts {
			if part.Type == "text" {
				texts = append(texts, part.Text)
			}
		}
		m.Content = strings.Join(texts, "\n")
		return nil
	}
	return json.Unmarshal(raw, &m.Content)
}

// textOnly says whether the content can be given to a template as one string.
func (m Message) textOnly() bool {
	return !slices.ContainsFunc(m.Parts, func(p Part) bool { return p.Type != "text" })
}

// MarshalJSON writes the part as it came, or as a text part.
func (p Part) MarshalJSON() ([]byte, error) {
	if p.Raw != nil {
		return p.Raw, nil
	}
	var o objectWriter
	o.put("type", p.Type)
	o.put("text", p.Text)
	return o.bytes()
}

// UnmarshalJSON reads a part and keeps it whole.
func (p *Part) UnmarshalJSON(data []byte) error {
	var known struct{ Type, Text string }
	if err := json.Unmarshal(data, &known); err != nil {
		return fmt.Errorf("content part: %w", err)
	}
	*p = Part{Type: known.Type, Text: known.Text, Raw: bytes.Clone(data)}
	return nil
}
