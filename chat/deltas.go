package chat

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Delta is a piece of a reply as OpenAI's API streams it.
type Delta struct {
	Role      string      `json:"role"`
	Content   *string     `json:"content"`
	Reasoning *string     `json:"reasoning_content"`
	ToolCalls []CallDelta `json:"tool_calls"`
}

// CallDelta is a piece of a call: the first of each index names it, the others
// add to its arguments.
type CallDelta struct {
	Index    int    `json:"index"`
	ID       string `json:"id"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// Deltas puts streamed pieces together. The zero value is ready.
type Deltas struct {
	message Message
	calls   []CallDelta
}

// Add takes one piece.
func (d *Deltas) Add(delta Delta) {
	if delta.Content != nil {
		d.message.Content += *delta.Content
	}
	if delta.Reasoning != nil {
		d.message.Reasoning += *delta.Reasoning
	}
	for _, piece := range delta.ToolCalls {
		i := slices.IndexFunc(d.calls, func(c CallDelta) bool { return c.Index == piece.Index })
		if i < 0 {
			d.calls = append(d.calls, piece)
			continue
		}
		c := &d.calls[i]
		if piece.ID != "" {
			c.ID = piece.ID
		}
		c.Function.Name += piece.Function.Name
		c.Function.Arguments += piece.Function.Arguments
	}
}

// Message is what was said. Calls whose arguments are no JSON object are left
// out and named in a [*MalformedError].
func (d *Deltas) Message() (Message, error) {
	m := d.message
	m.Role = RoleAssistant
	calls := slices.Clone(d.calls)
	slices.SortStableFunc(calls, func(a, b CallDelta) int { return a.Index - b.Index })
	var wrong MalformedError
	for _, c := range calls {
		call := ToolCall{ID: c.ID, Name: c.Function.Name, Arguments: json.RawMessage(c.Function.Arguments)}
		if c.Function.Arguments == "" {
			call.Arguments = json.RawMessage("{}")
		}
		_, err := call.Object()
		if err == nil && call.Name == "" {
			err = fmt.Errorf("call %d has no name", c.Index)
		}
		if err != nil {
			wrong.Calls = append(wrong.Calls, err.Error())
			continue
		}
		m.ToolCalls = append(m.ToolCalls, call)
	}
	if wrong.Calls != nil {
		return m, &wrong
	}
	return m, nil
}
