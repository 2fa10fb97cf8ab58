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

	order []string // members in the order in which they were read
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
	members, err := orderedMembers(data)
	if err != nil {
		return fmt.Errorf("expected an object with role and content, found %s", abridge(data))
	}
	*m = Message{NoContent: true}
	for _, member := range members {
		raw := member.value
		switch member.key {
		case "role":
			m.Role, err = textMember(raw)
		case "content":
			m.NoContent = false
			err = m.setContent(raw)
		case "reasoning_content":
			m.Reasoning, err = textMember(raw)
		case "tool_calls":
			err = m.setCalls(raw)
		case "tool_call_id":
			m.ToolCallID, err = textMember(raw)
		case "name":
			m.Name, err = textMember(raw)
		case "loss":
			if json.Unmarshal(raw, &m.Loss) != nil {
				err = fmt.Errorf("expected true or false, found %s", abridge(raw))
			}
		default:
			if m.Extra == nil {
				m.Extra = map[string]json.RawMessage{}
			}
			m.Extra[member.key] = bytes.Clone(raw)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", member.key, err)
		}
		if !slices.Contains(m.order, member.key) {
			m.order = append(m.order, member.key)
		}
	}
	if m.Role == "" {
		return fmt.Errorf("role is missing; expected system, user, assistant or tool")
	}
	return nil
}

// ParseMessages reads a list of messages; errors name the message and the member.
func ParseMessages(data []byte) ([]Message, error) { return parseList[Message]("messages", data) }

// ParseTools reads a list of tools; errors name the tool and the member.
func ParseTools(data []byte) ([]Tool, error) { return parseList[Tool]("tools", data) }

func parseList[T any](what string, data []byte) ([]T, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return nil, fmt.Errorf("%s: expected a list, found %s", what, abridge(data))
	}
	if items == nil {
		return nil, nil
	}
	list := make([]T, len(items))
	for i, item := range items {
		if err := json.Unmarshal(item, &list[i]); err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", what, i, err)
		}
	}
	return list, nil
}

// textMember reads a text; null is an empty one.
func textMember(raw json.RawMessage) (text string, err error) {
	if c := first(raw); c != '"' && c != 'n' || json.Unmarshal(raw, &text) != nil {
		return "", fmt.Errorf("expected a text, found %s", abridge(raw))
	}
	return text, nil
}

func (m *Message) setCalls(raw json.RawMessage) error {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("expected a list of calls, found %s", abridge(raw))
	}
	if list != nil {
		m.ToolCalls = make([]ToolCall, len(list))
	}
	for i, item := range list {
		if err := json.Unmarshal(item, &m.ToolCalls[i]); err != nil {
			return fmt.Errorf("call %d: %w", i, err)
		}
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
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
		for i, item := range list {
			var part Part
			if err := json.Unmarshal(item, &part); err != nil {
				return fmt.Errorf("part %d: %w", i, err)
			}
			m.Parts = append(m.Parts, part)
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
	if json.Unmarshal(raw, &m.Content) != nil {
		return fmt.Errorf("expected a text, null or a list of parts, found %s", abridge(raw))
	}
	return nil
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
		return fmt.Errorf("expected an object with type and text, found %s", abridge(data))
	}
	*p = Part{Type: known.Type, Text: known.Text, Raw: bytes.Clone(data)}
	return nil
}
