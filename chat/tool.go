package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// ToolCall is one use of a tool that a model asks for.
type ToolCall struct {
	ID   string
	Name string
	// Arguments is a JSON object. A call whose arguments were given as a string
	// (as OpenAI's API does) has the object that the string holds; if it holds
	// none, Arguments is that JSON string and [ToolCall.Object] says what is
	// wrong.
	Arguments json.RawMessage

	asText bool            // the arguments came as a string; some templates want it back so
	raw    json.RawMessage // as it was read
}

// Object returns the arguments as a JSON object, or an error that a model can
// read and act on.
func (c ToolCall) Object() (map[string]json.RawMessage, error) {
	var object map[string]json.RawMessage
	if len(c.Arguments) == 0 {
		return map[string]json.RawMessage{}, nil
	}
	if err := json.Unmarshal(c.Arguments, &object); err != nil || object == nil {
		return nil, fmt.Errorf("arguments of %s are not a JSON object: %s", c.Name, abridge(c.Arguments))
	}
	return object, nil
}

// MarshalJSON writes {"id","type":"function","function":{"name","arguments"}}
// with the arguments as a string, as OpenAI's API has it.
func (c ToolCall) MarshalJSON() ([]byte, error) {
	var function objectWriter
	function.put("name", c.Name)
	text, err := c.argumentText()
	if err != nil {
		return nil, err
	}
	function.put("arguments", text)
	inner, err := function.bytes()
	if err != nil {
		return nil, err
	}
	var o objectWriter
	if c.ID != "" {
		o.put("id", c.ID)
	}
	o.put("type", "function")
	o.put("function", json.RawMessage(inner))
	return o.bytes()
}

func (c ToolCall) argumentText() (string, error) {
	switch first(c.Arguments) {
	case 0:
		return "{}", nil
	case '"':
		var text string
		err := json.Unmarshal(c.Arguments, &text)
		return text, err
	}
	return string(c.Arguments), nil
}

// UnmarshalJSON reads the OpenAI form, or the bare {"name","arguments"}.
// Arguments may be an object or a string.
func (c *ToolCall) UnmarshalJSON(data []byte) error {
	type function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	}
	var wire struct {
		ID       string    `json:"id"`
		Function *function `json:"function"`
		function
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return fmt.Errorf("expected an object with function, or with name and arguments, found %s", abridge(data))
	}
	if wire.Function == nil {
		wire.Function = &wire.function
	}
	if wire.Function.Name == "" {
		return fmt.Errorf("function: name is missing in %s", abridge(data))
	}
	*c = ToolCall{ID: wire.ID, Name: wire.Function.Name, Arguments: bytes.Clone(wire.Function.Arguments), raw: bytes.Clone(data)}
	if first(c.Arguments) == '"' {
		var text string
		if err := json.Unmarshal(c.Arguments, &text); err != nil {
			return fmt.Errorf("arguments: %w", err)
		}
		c.asText = true
		if json.Valid([]byte(text)) && first([]byte(text)) == '{' {
			c.Arguments = json.RawMessage(text)
		}
	}
	return nil
}

// Tool is something a model may call: its name, what it does, and the JSON
// schema of its arguments. Its JSON form is OpenAI's
// {"type":"function","function":{…}}; further members of the function are
// kept in Extra, in their order, and shown to the model.
type Tool struct {
	Name        string
	Description string
	Parameters  json.RawMessage // a JSON schema of type object
	Extra       json.RawMessage // a JSON object of further members, such as "return" and "strict"

	raw json.RawMessage // as it was read
}

// MarshalJSON writes {"type":"function","function":{"name","description","parameters",…}}.
func (t Tool) MarshalJSON() ([]byte, error) {
	var function objectWriter
	function.put("name", t.Name)
	function.put("description", t.Description)
	if len(t.Parameters) > 0 {
		function.put("parameters", t.Parameters)
	}
	if len(t.Extra) > 0 {
		members, err := orderedMembers(t.Extra)
		if err != nil {
			return nil, fmt.Errorf("tool %s: extra members: %w", t.Name, err)
		}
		for _, m := range members {
			function.put(m.key, m.value)
		}
	}
	inner, err := function.bytes()
	if err != nil {
		return nil, err
	}
	var o objectWriter
	o.put("type", "function")
	o.put("function", json.RawMessage(inner))
	return o.bytes()
}

// UnmarshalJSON reads the OpenAI form, or the function alone.
func (t *Tool) UnmarshalJSON(data []byte) error {
	members, err := orderedMembers(data)
	if err != nil {
		return fmt.Errorf("expected an object with function, or with name, description and parameters, found %s", abridge(data))
	}
	for _, m := range members {
		if m.key == "function" {
			if members, err = orderedMembers(m.value); err != nil {
				return fmt.Errorf("function: expected an object, found %s", abridge(m.value))
			}
			break
		}
	}
	*t = Tool{raw: bytes.Clone(data)}
	var extra objectWriter
	for _, m := range members {
		switch m.key {
		case "name":
			t.Name, err = textMember(m.value)
		case "description":
			t.Description, err = textMember(m.value)
		case "parameters":
			t.Parameters = bytes.Clone(m.value)
		default:
			extra.put(m.key, m.value)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.key, err)
		}
	}
	if t.Name == "" {
		return fmt.Errorf("name is missing in %s", abridge(data))
	}
	if extra.count > 0 {
		t.Extra, err = extra.bytes()
	}
	return err
}
