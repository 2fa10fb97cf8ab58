package jinja

import "time"

// interpreter runs one rendering. Errors travel as panics of type failure and
// are recovered in Render; in.line is the statement or operator being run.
type interpreter struct {
	limits        Limits
	steps, memory int
	depth         int
	line          int
	now           func() time.Time
	out           *writer
	autoescape    bool
	top           *scope // of the template itself
}

func (in *interpreter) fail(kind, format string, args ...any) {
	panic(failure{fail(kind, format, args...)})
}

// use raises the error of an undefined value where Python would.
func (in *interpreter) use(v Value) {
	if v.kind == kindUndefined {
		err := *v.ref.(*Error)
		panic(failure{&err})
	}
}

// scope holds the names of one block; a name not in it is looked up outside.
type scope struct {
	names map[string]Value
	outer *scope
}

func (s *scope) inner() *scope { return &scope{map[string]Value{}, s} }

func (s *scope) get(name string) Value {
	for ; s != nil; s = s.outer {
		if v, ok := s.names[name]; ok {
			return v
		}
	}
	return undefined(UndefinedError, "'%s' is undefined", name)
}

// flow says how a body ended.
type flow uint8

const (
	flowOn flow = iota
	flowBreak
	flowContinue
)

func (in *interpreter) deeper() {
	if in.depth++; in.depth > in.limits.Depth {
		in.fail(LimitError, "calls nested deeper than %d", in.limits.Depth)
	}
}

// capture runs f and returns what it printed.
func (in *interpreter) capture(f func()) Value {
	outer := in.out
	in.out = &writer{in: in, generated: outer.generated}
	f()
	captured := in.out.value()
	in.out = outer
	captured.markup = in.autoescape
	return captured
}

func (in *interpreter) print(v Value) {
	if v.kind == kindUndefined {
		if err := v.ref.(*Error); err.Kind == UndefinedError || err.Kind == SecurityError {
			return
		}
	}
	in.out.addText(in.escaped(in.show(v)))
}

func (in *interpreter) escaped(v Value) Value {
	if in.autoescape && !v.markup {
		return in.escape(v)
	}
	return v
}

func (in *interpreter) run(body []node, s *scope) flow {
	for _, n := range body {
		in.step(1)
		if f := in.statement(n, s); f != flowOn {
			return f
		}
	}
	return flowOn
}

func (in *interpreter) statement(n node, s *scope) flow {
	switch n := n.(type) {
	case *textNode:
		in.out.add(n.text, Template.tag())
	case *printNode:
		in.line = n.line
		in.print(in.eval(n.value, s))
	case *ifNode:
		in.line = n.line
		if in.eval(n.test, s).truth() {
			return in.run(n.then, s)
		}
		return in.run(n.elseBody, s)
	case *forNode:
		in.line = n.line
		return in.loop(n, in.eval(n.values, s), s, 0)
	case *setNode:
		in.line = n.line
		in.set(n, s)
	case *macroNode:
		s.names[n.name] = in.macro(n, s)
	case *callNode:
		in.line = n.line
		caller := in.macro(n.caller, s)
		f := in.eval(n.call.value, s)
		a := in.arguments(n.call.arguments, s)
		a.names, a.named = append(a.names, "caller"), append(a.named, caller)
		in.print(in.call(f, a))
	case *filterNode:
		body := in.capture(func() { in.run(n.body, s.inner()) })
		in.print(in.filtered(n.filter, body, s))
	case *generationNode:
		outer := in.out.generated
		in.out.generated = true
		inner := s.inner() // transformers calls it like a macro: names set in it end with it
		inner.names["varargs"], inner.names["kwargs"] = tuple(), Value{kind: kindDict, ref: newDict(0)}
		in.run(n.body, inner)
		in.out.generated = outer
	case *autoescapeNode:
		outer := in.autoescape
		in.autoescape = in.eval(n.on, s).truth()
		f := in.run(n.body, s)
		in.autoescape = outer
		return f
	case *withNode:
		inner := s.inner()
		for i, t := range n.targets {
			in.assign(t, in.eval(n.values[i], s), inner)
		}
		return in.run(n.body, inner)
	case *blockNode:
		if n.scoped {
			return in.run(n.body, s.inner())
		}
		return in.run(n.body, in.top.inner()) // a block sees none of the loops around it
	case *breakNode:
		return flowBreak
	case *continueNode:
		return flowContinue
	case *loaderNode:
		in.line = n.line
		in.fail(TypeError, "no loader for this environment specified: a chat template cannot load others")
	}
	return flowOn
}

func (in *interpreter) set(n *setNode, s *scope) {
	in.checkTarget(n.target, s)
	if n.value != nil {
		in.assign(n.target, in.eval(n.value, s), s)
		return
	}
	body := in.capture(func() { in.run(n.body, s.inner()) })
	if n.filter != nil {
		body = in.filtered(n.filter, body, s)
	}
	in.assign(n.target, body, s)
}

// checkTarget refuses to set an attribute of what is no namespace, before the
// value is worked out.
func (in *interpreter) checkTarget(t target, s *scope) {
	for _, inner := range t.list {
		in.checkTarget(inner, s)
	}
	if t.attribute != "" && s.get(t.name).kind != kindNamespace {
		in.fail(RuntimeError, "cannot assign attribute on non-namespace object")
	}
}

func (in *interpreter) assign(t target, v Value, s *scope) {
	switch {
	case t.list != nil:
		items := in.iterate(v)
		if len(items) != len(t.list) {
			in.fail(ValueError, "cannot unpack %d values into %d names", len(items), len(t.list))
		}
		for i, inner := range t.list {
			in.assign(inner, items[i], s)
		}
	case t.attribute != "":
		namespace := s.get(t.name)
		if namespace.kind != kindNamespace {
			in.checkTarget(t, s)
		}
		in.namespaceName(t.attribute)
		namespace.dict().set(String(t.attribute), v)
	default:
		s.names[t.name] = v
	}
}

func (in *interpreter) namespaceName(name string) {
	if name[0] == '_' {
		in.fail(SecurityError, "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '%s'. Please rename the attribute.", name)
	}
}

// loopState is what a template sees as loop.
type loopState struct {
	node    *forNode
	scope   *scope
	items   []Value
	index   int
	depth   int
	changed []Value
	asked   bool // changed has been called
}

func (in *interpreter) loop(n *forNode, values Value, s *scope, depth int) flow {
	items := in.iterate(values)
	if n.condition != nil {
		var kept []Value
		for _, item := range items {
			inner := s.inner()
			in.assign(n.target, item, inner)
			if in.eval(n.condition, inner).truth() {
				kept = append(kept, item)
			}
		}
		items = kept
	}
	// Jinja2 runs the other body where no round came to its end: also after a
	// break in the first, or when all were continued.
	ended := false
	state := &loopState{node: n, scope: s, items: items, depth: depth}
	for i, item := range items {
		in.step(1)
		state.index = i
		inner := s.inner()
		inner.names["loop"] = Value{kind: kindLoop, ref: state}
		in.assign(n.target, item, inner)
		f := in.run(n.body, inner)
		if f == flowBreak {
			break
		}
		ended = ended || f == flowOn
	}
	if ended {
		return flowOn
	}
	return in.run(n.elseBody, s.inner())
}

// macroValue is a macro with the names around its definition.
type macroValue struct {
	node  *macroNode
	scope *scope
}

func (in *interpreter) macro(n *macroNode, s *scope) Value {
	return Value{kind: kindMacro, ref: &macroValue{n, s}}
}

func (in *interpreter) callMacro(m *macroValue, a callArguments) Value {
	in.deeper()
	defer func() { in.depth-- }()
	n := m.node
	inner := m.scope.inner()
	for i, p := range n.parameters {
		if i < len(a.positional) {
			inner.names[p.name] = a.positional[i]
		}
	}
	extra := newDict(0)
	for i, name := range a.names {
		switch {
		case name == "caller" && n.caller:
			inner.names["caller"] = a.named[i]
		case n.has(name):
			if _, given := inner.names[name]; given {
				in.fail(TypeError, "macro '%s' got multiple values for argument '%s'", n.name, name)
			}
			inner.names[name] = a.named[i]
		case n.kwargs:
			extra.set(a.key(name), a.named[i])
		default:
			in.fail(TypeError, "macro '%s' takes no keyword argument '%s'", n.name, name)
		}
	}
	if rest := len(a.positional) - len(n.parameters); rest > 0 && !n.varargs {
		in.fail(TypeError, "macro '%s' takes not more than %d argument(s)", n.name, len(n.parameters))
	}
	if n.varargs {
		inner.names["varargs"] = tuple(a.positional[min(len(n.parameters), len(a.positional)):]...)
	}
	if n.kwargs {
		inner.names["kwargs"] = Value{kind: kindDict, ref: extra}
	}
	if _, given := inner.names["caller"]; n.caller && !given {
		inner.names["caller"] = undefined(UndefinedError, "No caller defined")
	}
	for _, p := range n.parameters {
		if _, given := inner.names[p.name]; given {
			continue
		}
		inner.names[p.name] = undefined(UndefinedError, "parameter '%s' was not provided", p.name)
		if p.value != nil {
			inner.names[p.name] = in.eval(p.value, inner)
		}
	}
	return in.capture(func() { in.run(n.body, inner) })
}

func (n *macroNode) has(name string) bool {
	for _, p := range n.parameters {
		if p.name == name {
			return true
		}
	}
	return false
}
