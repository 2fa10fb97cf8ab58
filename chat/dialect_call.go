package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// errNoCall says of a JSON object that it is not meant as a call.
var errNoCall = errors.New("the object has no name and arguments")

// builtinCall is a call as Llama 3.1 writes those of its built-in tools.
var builtinCall = regexp.MustCompile(`(?s)^([A-Za-z_]\w*)\.call\((.*)\)$`)

// calls makes calls of what stood in the holes of a form. A bare one, without
// marks, must have arguments, or else it is any JSON object.
func (d *Dialect) calls(fields map[string]string, tools []Tool, bare bool) ([]ToolCall, error) {
	if text, ok := fields["objects"]; ok {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, fmt.Errorf("tool calls are no list: %w", err)
		}
		var calls []ToolCall
		for _, raw := range list {
			call, err := d.objectCall(string(raw), bare)
			if err != nil {
				return nil, err
			}
			calls = append(calls, call)
		}
		return calls, nil
	}
	call := ToolCall{ID: fields["id"], Name: fields["name"], Arguments: json.RawMessage("{}")}
	var err error
	if text, ok := fields["object"]; ok {
		call, err = d.objectCall(text, bare)
	} else if text, ok := fields["arguments"]; ok {
		call.Arguments = json.RawMessage(text)
		err = call.settle()
	} else if text, ok := fields["code"]; ok {
		call.Name = CodeTool
		call.Arguments, err = object("code", text)
	} else if text, ok := fields["builtin"]; ok {
		call, err = parseBuiltin(text)
	} else if text, ok := fields["pairs"]; ok {
		call.Arguments, err = parsePairs(text, parameterTypes(tools, call.Name))
	}
	if err != nil {
		return nil, fmt.Errorf("tool call: %w", err)
	}
	return []ToolCall{call}, nil
}

// objectCall reads {"name": …, "arguments": {…}} and nothing else; the dialect
// may have other names for these.
func (d *Dialect) objectCall(text string, bare bool) (ToolCall, error) {
	members, err := orderedMembers([]byte(text))
	if err != nil || !json.Valid([]byte(text)) {
		return ToolCall{}, fmt.Errorf("tool call is not a JSON object: %s", abridge([]byte(text)))
	}
	var call ToolCall
	has := func(key string) bool {
		return slices.ContainsFunc(members, func(m member) bool { return m.key == key })
	}
	if bare && !(has("name") && (has("arguments") || has("parameters"))) {
		return ToolCall{}, errNoCall
	}
	for _, m := range members {
		for usual, own := range d.Object {
			if m.key == own && own != "parameters" {
				m.key = usual
			}
		}
		switch m.key {
		case "name":
			err = json.Unmarshal(m.value, &call.Name)
		case "arguments", "parameters":
			call.Arguments = m.value
		case "id":
			err = json.Unmarshal(m.value, &call.ID)
		case "type":
			if string(m.value) != `"function"` {
				err = fmt.Errorf(`member "type" is %s, expected "function"`, abridge(m.value))
			}
		default:
			err = fmt.Errorf(`unknown member %q; expected "name" and "arguments"`, m.key)
		}
		if err != nil {
			return ToolCall{}, fmt.Errorf("tool call: %w", err)
		}
	}
	switch {
	case call.Name == "":
		return ToolCall{}, fmt.Errorf(`tool call has no "name": %s`, abridge([]byte(text)))
	case call.Arguments == nil:
		call.Arguments = json.RawMessage("{}")
	}
	if err := call.settle(); err != nil {
		return ToolCall{}, fmt.Errorf("tool call: %w", err)
	}
	return call, nil
}

// settle takes arguments out of the string that some models put them in, and
// says what is wrong with them.
func (c *ToolCall) settle() error {
	if first(c.Arguments) == '"' {
		var text string
		if json.Unmarshal(c.Arguments, &text) == nil && json.Valid([]byte(text)) {
			c.Arguments = json.RawMessage(text)
		}
	}
	_, err := c.Object()
	return err
}

func object(key string, value any) (json.RawMessage, error) {
	var o objectWriter
	o.put(key, value)
	return o.bytes()
}

// parseBuiltin reads name.call(key="value", …).
func parseBuiltin(text string) (ToolCall, error) {
	m := builtinCall.FindStringSubmatch(text)
	call := ToolCall{Name: m[1]}
	var o objectWriter
	for rest := strings.TrimSpace(m[2]); rest != ""; {
		key, after, found := strings.Cut(rest, "=")
		if key = strings.TrimSpace(key); !found || !validName(key) {
			return call, fmt.Errorf("arguments of %s: expected key=value at %s", call.Name, abridge([]byte(rest)))
		}
		decoder := json.NewDecoder(strings.NewReader(after))
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return call, fmt.Errorf("argument %s of %s: expected a JSON value at %s", key, call.Name, abridge([]byte(after)))
		}
		o.put(key, value)
		rest = strings.TrimSpace(after[decoder.InputOffset():])
		if rest != "" {
			if rest, found = strings.CutPrefix(rest, ","); !found {
				return call, fmt.Errorf("arguments of %s: expected a comma at %s", call.Name, abridge([]byte(rest)))
			}
			rest = strings.TrimSpace(rest)
		}
	}
	var err error
	call.Arguments, err = o.bytes()
	return call, err
}

// parsePairs makes an object of keys and values. A value is a text where the
// tool's schema says so or where it is no other JSON value.
func parsePairs(text string, types map[string]string) (json.RawMessage, error) {
	var o objectWriter
	if text == "" {
		return o.bytes()
	}
	seen := map[string]bool{}
	list := strings.Split(text, "\x00")
	for i := 0; i+1 < len(list); i += 2 {
		key, value := list[i], list[i+1]
		if seen[key] {
			return nil, fmt.Errorf("argument %q is given twice", key)
		}
		seen[key] = true
		raw := bytes.TrimSpace([]byte(value))
		if types[key] != "string" && json.Valid(raw) && (first(raw) != '"' || types[key] != "") {
			o.put(key, json.RawMessage(raw))
		} else {
			o.put(key, value)
		}
	}
	return o.bytes()
}

// parameterTypes are the types that the schema of the tool gives its parameters,
// where it gives one.
func parameterTypes(tools []Tool, name string) map[string]string {
	types := map[string]string{}
	for _, tool := range tools {
		if tool.Name != name {
			continue
		}
		var schema struct {
			Properties map[string]struct {
				Type any   `json:"type"`
				Enum []any `json:"enum"`
			} `json:"properties"`
		}
		if json.Unmarshal(tool.Parameters, &schema) != nil {
			return types
		}
		for key, property := range schema.Properties {
			switch t := property.Type.(type) {
			case string:
				types[key] = t
			case nil:
				if len(property.Enum) > 0 {
					if _, ok := property.Enum[0].(string); ok {
						types[key] = "string"
					}
				}
			}
		}
	}
	return types
}
