package chat

import (
	"encoding/json"
	"fmt"
	"slices"

	"lian/chat/jinja"
)

// form is how a conversation is put to a template.
type form struct {
	verbatim      bool // as it was read
	textArguments bool // arguments as JSON text
	emptyTools    bool // missing tools as an empty list, not None
}

// variables turns a conversation into values of a template and remembers what
// each origin number stands for.
type variables struct {
	form
	origins []Origin // of origin number n: origins[n-1]
	numbers map[Origin]jinja.Origin
}

func newVariables(f form) *variables {
	return &variables{form: f, numbers: map[Origin]jinja.Origin{}}
}

// from numbers a field of a message.
func (v *variables) from(message int, field string) jinja.Origin {
	key := Origin{Message: message, Field: field}
	if n, ok := v.numbers[key]; ok {
		return n
	}
	v.origins = append(v.origins, key)
	v.numbers[key] = jinja.Origin(len(v.origins))
	return v.numbers[key]
}

func (v *variables) origin(o jinja.Origin) Origin {
	if o == jinja.Template {
		return Origin{Message: FromTemplate}
	}
	return v.origins[o-1]
}

// names are all variables that a template is given.
func (v *variables) names(messages []Message, o Options) (map[string]jinja.Value, error) {
	names := map[string]jinja.Value{
		"add_generation_prompt": jinja.Bool(o.AddGenerationPrompt),
		"documents":             jinja.None(),
		"tools":                 jinja.None(),
	}
	if o.Tools != nil || v.emptyTools {
		list := []jinja.Value{}
		for _, tool := range o.Tools {
			data := tool.raw
			if data == nil || !v.verbatim {
				var err error
				if data, err = tool.MarshalJSON(); err != nil {
					return nil, err
				}
			}
			value, err := jinja.FromJSON(data, v.from(FromTools, "tools"))
			if err != nil {
				return nil, fmt.Errorf("tool %s: %w", tool.Name, err)
			}
			list = append(list, value)
		}
		names["tools"] = jinja.List(list...).From(v.from(FromTools, "tools"))
	}
	turns := make([]jinja.Value, len(messages))
	for i, m := range messages {
		var err error
		if turns[i], err = v.message(i, m); err != nil {
			return nil, fmt.Errorf("message %d (%s): %w", i, m.Role, err)
		}
	}
	names["messages"] = jinja.List(turns...)
	for name, extra := range o.Extra {
		if name == "messages" || name == "add_generation_prompt" {
			return nil, fmt.Errorf("template variable %q is set by the conversation and cannot be given", name)
		}
		value, err := v.any(extra, v.from(FromVariables, name))
		if err != nil {
			return nil, fmt.Errorf("template variable %q: %w", name, err)
		}
		names[name] = value
	}
	return names, nil
}

func (v *variables) any(value any, from jinja.Origin) (jinja.Value, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return jinja.Value{}, err
	}
	return jinja.FromJSON(data, from)
}

func (v *variables) message(i int, m Message) (jinja.Value, error) {
	text := func(s, field string) jinja.Value { return jinja.String(s).From(v.from(i, field)) }
	var pairs []jinja.Pair
	add := func(name string, value jinja.Value) { pairs = append(pairs, jinja.Pair{Key: name, Value: value}) }
	add("role", text(m.Role, "role"))
	switch {
	case v.verbatim && m.order != nil && !slices.Contains(m.order, "content"):
	case m.Parts != nil && (v.verbatim || !m.textOnly()):
		parts, err := v.any(m.Parts, v.from(i, "content"))
		if err != nil {
			return jinja.Value{}, err
		}
		add("content", parts)
	case m.NoContent && (v.verbatim || len(m.ToolCalls) > 0):
		add("content", jinja.None().From(v.from(i, "content")))
	default:
		add("content", text(m.Content, "content"))
	}
	if thought := m.thought(); thought != "" { // templates know it by several names, and transformers gives it under these
		add("reasoning_content", text(thought, "reasoning_content"))
		if m.Extra["thinking"] == nil {
			add("thinking", text(thought, "reasoning_content"))
		}
	}
	if len(m.ToolCalls) > 0 {
		from := v.from(i, "tool_calls")
		calls := make([]jinja.Value, len(m.ToolCalls))
		for n, call := range m.ToolCalls {
			value, err := v.call(call, from)
			if err != nil {
				return jinja.Value{}, fmt.Errorf("tool call %d (%s): %w", n, call.Name, err)
			}
			calls[n] = value
		}
		add("tool_calls", jinja.List(calls...).From(from))
	}
	if m.ToolCallID != "" {
		add("tool_call_id", text(m.ToolCallID, "tool_call_id"))
	}
	if m.Name != "" {
		add("name", text(m.Name, "name"))
	}
	for _, name := range sortedKeys(m.Extra) {
		value, err := jinja.FromJSON(m.Extra[name], v.from(i, name))
		if err != nil {
			return jinja.Value{}, fmt.Errorf("member %q: %w", name, err)
		}
		add(name, value)
	}
	if v.verbatim && m.order != nil {
		place := func(p jinja.Pair) int {
			switch at := slices.Index(m.order, p.Key); {
			case at >= 0:
				return at
			case p.Key == "thinking":
				return -1
			}
			return len(m.order)
		}
		slices.SortStableFunc(pairs, func(a, b jinja.Pair) int { return place(a) - place(b) })
	}
	return jinja.Dict(pairs...).From(v.from(i, "message")), nil
}

// thought is what was thought before the answer, by any of the names that it is
// passed under.
func (m Message) thought() string {
	for _, name := range []string{"thinking", "reasoning"} {
		var text string
		if m.Reasoning == "" && json.Unmarshal(m.Extra[name], &text) == nil && text != "" {
			return text
		}
	}
	return m.Reasoning
}

func (v *variables) call(call ToolCall, from jinja.Origin) (jinja.Value, error) {
	if v.verbatim && call.raw != nil {
		return jinja.FromJSON(call.raw, from)
	}
	var arguments jinja.Value
	if v.textArguments || v.verbatim && call.asText {
		text, err := call.argumentText()
		if err != nil {
			return jinja.Value{}, err
		}
		arguments = jinja.String(text).From(from)
	} else {
		raw := call.Arguments
		if len(raw) == 0 {
			raw = json.RawMessage("{}")
		}
		var err error
		if arguments, err = jinja.FromJSON(raw, from); err != nil {
			return jinja.Value{}, fmt.Errorf("arguments: %w", err)
		}
	}
	text := func(s string) jinja.Value { return jinja.String(s).From(from) }
	function := jinja.Dict(
		jinja.Pair{Key: "name", Value: text(call.Name)},
		jinja.Pair{Key: "arguments", Value: arguments},
	).From(from)
	pairs := []jinja.Pair{{Key: "type", Value: text("function")}, {Key: "function", Value: function}}
	if call.ID != "" {
		pairs = append(pairs, jinja.Pair{Key: "id", Value: text(call.ID)})
	}
	return jinja.Dict(pairs...).From(from), nil
}
