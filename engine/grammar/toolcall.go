package grammar

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Tool is a function that may be called: its arguments are an object that satisfies Parameters, a JSON Schema. Without
// parameters it takes none.
type Tool struct {
	Name       string
	Parameters json.RawMessage
}

// CallForm is how a family of models writes calls, as package chat declares it (chat.Dialect.CallForm is the same struct).
type CallForm struct {
	Name    string            // of the dialect, for errors
	Open    string            // what begins a call; "" only where a reply begins with it
	Body    string            // what follows, with {object}, {objects}, {name}, {arguments} or {pairs} in it
	Close   string            // what ends a call
	Object  map[string]string // the members of {object}: what it calls "name" and "arguments"
	Pair    string            // one argument of {pairs}, with {key} and {value}
	Between string            // between calls
	Group   []string          // around all calls; none or two
	Stop    []string          // texts that end the reply instead of being read
	Line    bool              // Open counts only where a line begins
}

// Mode says when tools are called.
type Mode int

const (
	// Required is one or more calls and nothing else.
	Required Mode = 0
	// Lazy is free text, in which a call begins with its opening mark; what follows the mark is a call. In a form without a mark a call
	// begins where the reply does, with what no other text begins with: {"name" for a JSON object, a tool's name and what follows it.
	Lazy Mode = 1
	// Single, added to one of the others, allows one call only.
	Single Mode = 2
)

// ToolCalls is the language of replies that call tools in a form, with arguments that satisfy the parameters of the tool named. In
// Lazy mode free text may come first; the reply ends after the calls. The marks of a form may be written as text or as
// the control tokens of that text, see [Mark].
func ToolCalls(tools []Tool, form CallForm, mode Mode) (*Grammar, error) {
	if len(tools) == 0 {
		return nil, errors.New("tool calls: no tool is given")
	}
	if mode&^(Lazy|Single) != 0 {
		return nil, fmt.Errorf("tool calls: unknown mode %d", mode)
	}
	return build("tool calls", func(b *builder) (int32, error) {
		w := &callWriter{b: b, form: form}
		if err := w.compile(tools); err != nil {
			return 0, err
		}
		return w.reply(mode)
	})
}

// callWriter builds the calls of a form.
type callWriter struct {
	b     *builder
	form  CallForm
	tools []callTool
}

type callTool struct {
	name      string
	arguments int32 // the rule of a JSON object; for {pairs} of the pairs
}

func (w *callWriter) compile(tools []Tool) error {
	seen := map[string]bool{}
	for i, tool := range tools {
		if tool.Name == "" || !utf8.ValidString(tool.Name) || seen[tool.Name] {
			return fmt.Errorf("tool calls: tool %d has the name %q, expected a name of its own", i, tool.Name)
		}
		seen[tool.Name] = true
		parameters := tool.Parameters
		if len(parameters) == 0 || string(parameters) == "null" {
			parameters = json.RawMessage(`{"type":"object","properties":{},"additionalProperties":false}`)
		}
		c, root, err := objectSchema(w.b, parameters)
		if err == nil {
			var rule int32
			if strings.Contains(w.form.Body, "{pairs}") {
				rule, err = w.pairs(c, root)
			} else {
				rule, err = c.rule(root)
			}
			w.tools = append(w.tools, callTool{tool.Name, rule})
		}
		if err != nil {
			return fmt.Errorf("tool %q: parameters: %w", tool.Name, err)
		}
	}
	return nil
}

// objectSchema reads parameters, which describe an object even where they forget to say so.
func objectSchema(b *builder, schema json.RawMessage) (*compiler, term, error) {
	doc, err := parseDocument(schema)
	if err != nil {
		return nil, nil, err
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
			return nil, nil, &SchemaError{"#", "type", `the arguments of a call are an object; expected "object"`}
		}
	}
	return newCompiler(b, doc), term{{v: doc.root}}, nil
}

// reply reads the whole reply.
func (w *callWriter) reply(mode Mode) (int32, error) {
	b, f := w.b, w.form
	first := f.Open
	if len(f.Group) == 2 {
		first = f.Group[0]
	}
	start := b.state()
	from, end := start, b.state()
	switch {
	case mode&Lazy != 0 && first == "":
		if err := w.freeStart(start, end); err != nil {
			return 0, err
		}
		from = b.state()
		b.join(start, from)
	case mode&Lazy != 0:
		if err := w.freeText(start, first, end, &from); err != nil {
			return 0, err
		}
	default:
		from = b.marked(start, first)
	}
	if len(f.Group) == 2 {
		from = b.marked(from, f.Open)
	}
	call := b.rule(func(from int32) int32 { return w.call(from, mode) })
	last := b.invoke(from, call)
	if f.Close == "" || slices.Contains(f.Stop, f.Close) && len(f.Group) == 0 {
		b.join(last, end) // the mark that would close it ends the reply
	}
	closed := last
	if f.Close != "" {
		closed = b.marked(last, f.Close)
	}
	if mode&Single == 0 && !strings.Contains(f.Body, "{objects}") {
		between := f.Between
		if f.Line && !strings.HasSuffix(between, "\n") {
			between += "\n"
		}
		b.join(b.marked(b.marked(closed, between), f.Open), from)
	}
	if len(f.Group) == 2 {
		if slices.Contains(f.Stop, f.Group[1]) {
			b.join(closed, end)
		}
		closed = b.marked(closed, f.Group[1])
	}
	b.join(closed, end)
	b.end(end)
	return start, nil
}

// call reads what stands between the marks of a call.
func (w *callWriter) call(from int32, mode Mode) int32 {
	b := w.b
	before, hole, rest := cutHole(w.form.Body)
	from = b.marked(from, before)
	switch hole {
	case "object":
		return b.marked(b.invoke(from, w.object()), rest)
	case "objects":
		high := -1
		if mode&Single != 0 {
			high = 1
		}
		return b.marked(b.list(from, w.object(), 1, high), rest)
	}
	between, second, after := cutHole(rest) // {name} and {arguments} or {pairs}
	to := b.state()
	for _, tool := range w.tools {
		first := b.state()
		b.join(from, first)
		s := b.marked(b.literal(first, tool.name), between)
		if second != "" {
			s = b.marked(b.invoke(s, tool.arguments), after)
		}
		b.join(s, to)
	}
	return to
}

// object is the rule of a call as a JSON object.
func (w *callWriter) object() int32 {
	b := w.b
	return b.named("call object", func(from int32) int32 {
		from = b.space(b.literal(b.literal(from, "{"), w.key("name")+":"))
		to := b.state()
		for _, tool := range w.tools {
			first := b.state()
			b.join(from, first)
			s := b.space(b.literal(first, quote(tool.name)+","))
			b.invokeTo(b.space(b.literal(s, w.key("arguments")+":")), tool.arguments, to)
		}
		return b.literal(to, "}")
	})
}

// key is what the form calls a member of a call's object, quoted.
func (w *callWriter) key(usual string) string {
	if own := w.form.Object[usual]; own != "" {
		return quote(own)
	}
	return quote(usual)
}

// cutHole cuts a form at its first hole.
func cutHole(form string) (before, hole, rest string) {
	before, rest, found := strings.Cut(form, "{")
	if !found {
		return form, "", ""
	}
	hole, rest, _ = strings.Cut(rest, "}")
	return before, hole, rest
}

// pairs is the rule of arguments written one by one: texts as they are, other values as JSON.
func (w *callWriter) pairs(c *compiler, root term) (int32, error) {
	demands, err := c.expand("object", root)
	if err != nil {
		return 0, err
	}
	if len(demands) != 1 || demands[0].listed || len(demands[0].object.names) > 0 {
		return 0, fmt.Errorf("arguments that depend on each other cannot be written in the dialect %s", w.form.Name)
	}
	o := &objectWalk{c: c, d: demands[0], values: map[string]term{}, groups: c.memberGroups(demands[0])}
	possible, err := o.declare()
	if err != nil {
		return 0, err
	}
	if !possible {
		return 0, errNothing
	}
	start := c.b.state()
	at := start
	beforeKey, _, rest := cutHole(w.form.Pair)
	afterKey, _, after := cutHole(rest)
	for _, name := range o.names {
		value, err := w.bareValue(c, o.values[name], after)
		if err != nil {
			return 0, err
		}
		next := c.b.state()
		s := c.b.marked(c.b.marked(at, beforeKey+name), afterKey)
		c.b.join(c.b.marked(c.b.invoke(s, value), after), next)
		if !slices.Contains(o.d.object.required, name) {
			c.b.join(at, next)
		}
		at = next
	}
	c.b.end(at)
	return start, nil
}

// bareValue is the rule of an argument that stands by itself before a mark.
func (w *callWriter) bareValue(c *compiler, t term, mark string) (int32, error) {
	demands, plain, err := c.demands(t)
	if err != nil {
		return 0, err
	}
	isText := func(d *demand) bool { return d.kind == "string" }
	if len(plain) > 0 || slices.ContainsFunc(demands, func(d *demand) bool { return !isText(d) }) {
		return c.rule(append(slices.Clip(t), literal{c.made(c.doc.root, "no text", func() *value {
			return schemaOf("type", listOf(textOf("number"), textOf("array"), textOf("object"), textOf("boolean"), textOf("null")))
		}), false}))
	}
	a := c.b.algebra
	trimmed := strings.TrimSpace(mark)
	all := a.none
	for _, d := range demands {
		if d.listed {
			kept, err := c.kept(t, d)
			if err != nil {
				return 0, err
			}
			for _, x := range kept {
				all = a.union(all, a.text(x.text))
			}
			continue
		}
		l, _, err := c.stringLanguage(d)
		if err != nil {
			return 0, err
		}
		all = a.union(all, l)
	}
	all = a.intersect(all, a.not(a.sequence(a.anyText, a.text(trimmed), a.anyText)))
	table, err := a.automaton(all)
	if err != nil {
		return 0, err
	}
	return c.b.rule(func(from int32) int32 { return c.b.regular(from, table, false) }), nil
}

// freeText reads text in which the mark does not occur and ends at end, or goes on right after the mark, at after.
func (w *callWriter) freeText(start int32, mark string, end int32, after *int32) error {
	b, a := w.b, w.b.algebra
	at := a.anyText // what may stand before the mark
	if w.form.Line {
		at = a.optional(a.sequence(a.anyText, a.text("\n")))
	}
	until := a.sequence(at, a.text(mark))
	once := a.intersect(until, a.not(a.sequence(until, a.any, a.anyText)))
	free, err := a.automaton(a.not(a.sequence(until, a.anyText)))
	if err != nil {
		return err
	}
	begun, err := a.automaton(once)
	if err != nil {
		return err
	}
	*after = b.state()
	text := b.regular(start, free, false)
	b.join(text, end)
	b.join(b.regular(start, begun, false), *after)
	if first := strings.IndexAny(mark, "<["); first == 0 { // the same as control tokens
		b.join(b.marks(text, mark), *after)
	}
	return nil
}

// freeStart reads text that does not begin as a call does, and ends at end.
func (w *callWriter) freeStart(start, end int32) error {
	before, hole, rest := cutHole(w.form.Body)
	var begins []string
	switch hole {
	case "object":
		begins = []string{before + "{" + w.key("name")}
	case "objects":
		begins = []string{before + "[{" + w.key("name")}
	default:
		between, _, _ := cutHole(rest)
		for _, tool := range w.tools {
			begins = append(begins, before+tool.name+between)
		}
	}
	a := w.b.algebra
	free, err := a.automaton(a.not(a.sequence(a.list(begins), a.anyText)))
	if err != nil {
		return err
	}
	w.b.join(w.b.regular(start, free, false), end)
	return nil
}
