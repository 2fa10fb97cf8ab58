package chat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"lian/chat/jinja"
)

// Render writes what an assistant says as a model of the dialect would write it:
// thought, answer and calls, without the marks of the turn. What [Dialect.Parse]
// would not read back as it was, such as a mark within the answer, is an error.
func (d *Dialect) Render(m Message, tools []Tool) (string, error) {
	text, err := d.render(m)
	if err != nil {
		return "", fmt.Errorf("dialect %s: %w", d.Name, err)
	}
	again, err := d.Parse(text, ParserOptions{Tools: tools})
	if err == nil {
		err = differs(m, again)
	}
	if err != nil {
		return "", fmt.Errorf("dialect %s: this would not be read back: %w", d.Name, err)
	}
	return text, nil
}

func (d *Dialect) render(m Message) (string, error) {
	var b strings.Builder
	if m.Reasoning != "" {
		p := d.partOf(partReasoning, false)
		if p == nil {
			return "", fmt.Errorf("it has no place for a thought")
		}
		b.WriteString(p.write(map[string]string{"text": m.Reasoning}, 0))
		if m.Content != "" || len(m.ToolCalls) > 0 {
			b.WriteString(d.After)
		}
	}
	if m.Content != "" {
		if p := d.partOf(partContent, len(m.ToolCalls) > 0); p != nil {
			b.WriteString(p.write(map[string]string{"text": m.Content}, 0))
		} else {
			b.WriteString(m.Content)
		}
		if len(m.ToolCalls) > 0 {
			b.WriteString(d.Before)
		}
	}
	if len(m.ToolCalls) == 0 {
		return b.String(), nil
	}
	calls, err := d.renderCalls(m.ToolCalls)
	if err != nil {
		return "", err
	}
	if d.Group != nil {
		calls = d.Group[0] + calls + d.Group[1]
	}
	return b.String() + calls, nil
}

// partOf is the part of a kind that is written first, or beside calls.
func (d *Dialect) partOf(kind string, besideCalls bool) *part {
	var found *part
	for i := range d.Parts {
		p := &d.Parts[i]
		if p.Kind != kind {
			continue
		}
		if besideCalls && p.Beside == partCall {
			return p
		}
		if found == nil && p.Beside == "" {
			found = p
		}
	}
	return found
}

// write fills form i and puts the marks around it.
func (p *part) write(fields map[string]string, i int) string {
	text := p.Open + p.forms[i].fill(fields)
	if len(p.Close) > 0 {
		text += p.Close[0]
	}
	return text
}

func (d *Dialect) renderCalls(calls []ToolCall) (string, error) {
	var out, objects []string
	var list *part
	for _, call := range calls {
		hole := ""
		switch code := call.code(); {
		case code && d.writes("code"):
			hole = "code"
		case slices.Contains(d.Builtin, call.Name):
			hole = "builtin"
		}
		p, i := d.formWith(hole)
		fields, err := d.fields(call)
		if err != nil {
			return "", err
		}
		if p.forms[i].has("objects") {
			list = p
			objects = append(objects, fields["object"])
			continue
		}
		out = append(out, p.write(fields, i))
	}
	if list != nil {
		_, i := d.formWith("")
		out = append([]string{list.write(map[string]string{"objects": "[" + strings.Join(objects, ", ") + "]"}, i)}, out...)
	}
	return strings.Join(out, d.Between), nil
}

// code says whether the call runs a program and does nothing else.
func (c ToolCall) code() bool {
	arguments, err := c.Object()
	return err == nil && c.Name == CodeTool && len(arguments) == 1 && first(arguments["code"]) == '"'
}

func (d *Dialect) writes(hole string) bool {
	p, i := d.formWith(hole)
	return p.forms[i].has(hole)
}

// formWith is the first form with the hole; "" is for calls of any tool.
func (d *Dialect) formWith(hole string) (*part, int) {
	var otherwise *part
	at := 0
	for k := range d.Parts {
		p := &d.Parts[k]
		for i, f := range p.forms {
			special := f.has("code") || f.has("builtin")
			switch {
			case p.Kind != partCall:
			case hole != "" && f.has(hole), hole == "" && !special:
				return p, i
			case otherwise == nil && !special:
				otherwise, at = p, i
			}
		}
	}
	return otherwise, at
}

// fields are what a call puts in the holes of forms.
func (d *Dialect) fields(call ToolCall) (map[string]string, error) {
	arguments := call.Arguments
	if len(arguments) == 0 {
		arguments = json.RawMessage("{}")
	}
	if _, err := call.Object(); err != nil {
		return nil, err
	}
	written, err := pythonJSON(arguments)
	if err != nil {
		return nil, err
	}
	fields := map[string]string{"name": call.Name, "id": call.ID, "arguments": written}
	name, err := pythonJSON(quoteJSON(call.Name))
	if err != nil {
		return nil, err
	}
	fields["object"] = fmt.Sprintf(`{"%s": %s, "%s": %s`, d.Object["name"], name, d.Object["arguments"], written)
	if key := d.Object["id"]; key != "" && call.ID != "" {
		fields["object"] += fmt.Sprintf(`, "%s": %s`, key, quoteJSON(call.ID))
	}
	fields["object"] += "}"
	members, err := orderedMembers(arguments)
	if err != nil {
		return nil, err
	}
	var builtin []string
	for _, m := range members {
		var text string
		value, err := pythonJSON(m.value)
		if err != nil {
			return nil, err
		}
		builtin = append(builtin, m.key+"="+value)
		if first(m.value) == '"' {
			if err := json.Unmarshal(m.value, &text); err != nil {
				return nil, err
			}
			value = text
		}
		if m.key == "code" {
			fields["code"] = value
		}
		fields["pairs"] += d.pair.fill(map[string]string{"key": m.key, "value": value})
	}
	fields["builtin"] = call.Name + ".call(" + strings.Join(builtin, ", ") + ")"
	return fields, nil
}

func quoteJSON(s string) json.RawMessage {
	data, _ := json.Marshal(s) // a text cannot fail
	return data
}

// pythonJSON is JSON as Python writes it, which models were trained on.
func pythonJSON(raw json.RawMessage) (string, error) {
	value, err := jinja.FromJSON(raw, jinja.Template)
	if err != nil {
		return "", err
	}
	return jinja.ToJSON(value)
}

// differs says how a message that was read differs from the one written.
func differs(wrote, read Message) error {
	for _, c := range []struct{ what, wrote, read string }{{"the answer", wrote.Content, read.Content}, {"the thought", wrote.Reasoning, read.Reasoning}} {
		if strings.TrimSpace(c.wrote) != strings.TrimSpace(c.read) {
			return fmt.Errorf("%s would be %q", c.what, c.read)
		}
	}
	if len(wrote.ToolCalls) != len(read.ToolCalls) {
		return fmt.Errorf("there would be %d calls, not %d", len(read.ToolCalls), len(wrote.ToolCalls))
	}
	for i, call := range wrote.ToolCalls {
		again := read.ToolCalls[i]
		if call.Name != again.Name {
			return fmt.Errorf("the tool would be %q, not %q", again.Name, call.Name)
		}
		a, err := sortedJSON(call.Arguments)
		if err != nil {
			return err
		}
		if b, err := sortedJSON(again.Arguments); err != nil || a != b {
			return fmt.Errorf("the arguments of %s would be %s, not %s", call.Name, b, a)
		}
	}
	return nil
}

// sortedJSON is equal for equal JSON values.
func sortedJSON(raw json.RawMessage) (string, error) {
	if len(raw) == 0 {
		return "{}", nil
	}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	data, err := json.Marshal(plainNumbers(value))
	return string(data), err
}

// plainNumbers writes numbers as Python reads them, so that 1e2 is 100.0.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			v[key] = plainNumbers(item)
		}
	case []any:
		for i, item := range v {
			v[i] = plainNumbers(item)
		}
	case json.Number:
		if text, err := pythonJSON(json.RawMessage(v)); err == nil {
			return json.RawMessage(text)
		}
	}
	return v
}
