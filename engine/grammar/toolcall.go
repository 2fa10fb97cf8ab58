package grammar

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Tool is a function that may be called: its arguments are an object that satisfies Parameters, a JSON Schema. Without
// parameters it takes none.
type Tool struct {
	Name       string
	Parameters json.RawMessage
}

// Mode says when tools are called.
type Mode int

const (
	// Required is one or more calls and nothing else.
	Required Mode = 0
	// Lazy is free text, in which a call begins with its opening mark; what follows the mark is a call.
	Lazy Mode = 1
	// Single, added to one of the others, allows one call only.
	Single Mode = 2
)

// The marks of a call, as the tool dialect of package chat reads them.
const (
	callOpen  = "<tool_call>"
	callClose = "</tool_call>"
)

// ToolCalls is the language of replies that call tools:
//
//	<tool_call>
//	{"name": NAME, "arguments": ARGUMENTS}
//	</tool_call>
//
// where ARGUMENTS satisfy the parameters of the tool called NAME. Several calls are separated by a line end. In Lazy mode
// free text may come first; the reply ends after the calls.
func ToolCalls(tools []Tool, mode Mode) (*Grammar, error) {
	if len(tools) == 0 {
		return nil, errors.New("tool calls: no tool is given")
	}
	if mode&^(Lazy|Single) != 0 {
		return nil, fmt.Errorf("tool calls: unknown mode %d", mode)
	}
	return build("tool calls", func(b *builder) (int32, error) {
		call, err := callRule(b, tools)
		if err != nil {
			return 0, err
		}
		start := b.state()
		from, end := start, b.state()
		if mode&Lazy != 0 {
			from = b.freeText(start, callOpen, end)
		} else {
			from = b.literal(start, callOpen)
		}
		last := b.invoke(from, call)
		b.join(last, end)
		if mode&Single == 0 {
			b.join(b.literal(last, "\n"+callOpen), from)
		}
		b.end(end)
		return start, nil
	})
}

// callRule reads what follows the opening mark of a call, up to its closing mark.
func callRule(b *builder, tools []Tool) (int32, error) {
	type compiled struct {
		name      string
		arguments int32
	}
	var list []compiled
	seen := map[string]bool{}
	for i, tool := range tools {
		if tool.Name == "" || !utf8.ValidString(tool.Name) || seen[tool.Name] {
			return 0, fmt.Errorf("tool calls: tool %d has the name %q, expected a name of its own", i, tool.Name)
		}
		seen[tool.Name] = true
		parameters := tool.Parameters
		if len(parameters) == 0 || string(parameters) == "null" {
			parameters = json.RawMessage(`{"type":"object","properties":{},"additionalProperties":false}`)
		}
		rule, err := objectSchema(b, parameters)
		if err != nil {
			return 0, fmt.Errorf("tool %q: parameters: %w", tool.Name, err)
		}
		list = append(list, compiled{tool.Name, rule})
	}
	return b.rule(func(from int32) int32 {
		from = b.space(b.literal(b.literal(from, "\n{"), `"name":`))
		to := b.state()
		for _, tool := range list {
			first := b.state()
			b.join(from, first)
			s := b.space(b.literal(first, quote(tool.name)+","))
			s = b.space(b.literal(s, `"arguments":`))
			b.invokeTo(s, tool.arguments, to)
		}
		return b.literal(to, "}\n"+callClose)
	}), nil
}

// objectSchema compiles parameters, which describe an object even where they forget to say so.
func objectSchema(b *builder, schema json.RawMessage) (int32, error) {
	doc, err := parseDocument(schema)
	if err != nil {
		return 0, err
	}
	if root := doc.root; root.kind == '{' {
		switch t := root.members["type"]; {
		case t == nil:
			root.keys = append(root.keys, "type")
			if root.members == nil {
				root.members = map[string]*value{}
			}
			root.members["type"] = textOf("object")
		case t.text != "object":
			return 0, &SchemaError{"#", "type", `the arguments of a call are an object; expected "object"`}
		}
	}
	return newCompiler(b, doc).rule(term{{v: doc.root}})
}

// freeText reads valid UTF-8 without the mark, and ends at end, or at the returned state right after the mark. State i
// has just read the first i bytes of the mark, which is ASCII and begins with a byte that it has nowhere else.
func (b *builder) freeText(start int32, mark string, end int32) int32 {
	states := []int32{start}
	for range len(mark) - 1 {
		states = append(states, b.state())
	}
	after := b.state()
	for i, s := range states {
		b.join(s, end)
		next := after
		if i+1 < len(states) {
			next = states[i+1]
		}
		b.edge(s, mark[i], mark[i], next)
		low := rune(0)
		for _, c := range sortedRunes(map[rune]bool{rune(mark[0]): true, rune(mark[i]): true}) {
			b.runes(s, low, c-1, start)
			low = c + 1
		}
		b.runes(s, low, utf8.MaxRune, start)
		if i > 0 {
			b.edge(s, mark[0], mark[0], states[1])
		}
	}
	return after
}
