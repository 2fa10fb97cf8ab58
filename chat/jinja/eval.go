package jinja

import (
	"math/big"
	"strings"
)

func (in *interpreter) eval(e expression, s *scope) Value {
	in.step(1)
	switch e := e.(type) {
	case *literal:
		return e.value
	case *nameNode:
		return s.get(e.name)
	case *listNode:
		return in.newList(in.evalAll(e.items, s))
	case *tupleNode:
		in.spend(valueSize * len(e.items))
		return tuple(in.evalAll(e.items, s)...)
	case *dictNode:
		d := newDict(len(e.keys))
		in.spend(2 * valueSize * len(e.keys))
		for i, key := range e.keys {
			in.setKey(d, in.eval(key, s), in.eval(e.values[i], s))
		}
		return Value{kind: kindDict, ref: d}
	case *attributeNode:
		v := in.eval(e.value, s)
		in.line = e.line
		return in.attribute(v, e.name)
	case *itemNode:
		v, index := in.eval(e.value, s), in.eval(e.index, s)
		in.line = e.line
		return in.item(v, index)
	case *sliceNode:
		return in.slice(e, s)
	case *unaryNode:
		return in.unary(e, s)
	case *binaryNode:
		a, b := in.eval(e.left, s), in.eval(e.right, s)
		in.line = e.line
		return in.binary(e.operator, a, b)
	case *logicNode:
		left := in.eval(e.left, s)
		if left.truth() == e.and {
			return in.eval(e.right, s)
		}
		return left
	case *joinNode:
		w := writer{in: in}
		for _, item := range e.items {
			v := in.eval(item, s)
			in.line = e.line
			w.addText(in.escaped(in.show(v)))
		}
		out := w.value()
		out.markup = in.autoescape
		return out
	case *compareNode:
		left := in.eval(e.first, s)
		for i, op := range e.operators {
			right := in.eval(e.rest[i], s)
			in.line = e.line
			if !in.compare(op, left, right) {
				return Bool(false)
			}
			left = right
		}
		return Bool(true)
	case *conditionalNode:
		if in.eval(e.test, s).truth() {
			return in.eval(e.then, s)
		}
		if e.otherwise == nil {
			return undefined(UndefinedError, "the inline if-expression evaluated to false and no else section was defined.")
		}
		return in.eval(e.otherwise, s)
	case *callExpression:
		f := in.eval(e.value, s)
		a := in.arguments(e.arguments, s)
		in.line = e.line
		return in.call(f, a)
	case *filterExpression:
		return in.filtered(e, Value{}, s)
	case *testNode:
		return in.tested(e, s)
	}
	in.fail(RuntimeError, "unknown expression %T", e)
	return Value{}
}

func (in *interpreter) evalAll(items []expression, s *scope) []Value {
	values := make([]Value, len(items))
	for i, item := range items {
		values[i] = in.eval(item, s)
	}
	return values
}

func (in *interpreter) setKey(d *dict, key, value Value) {
	if !d.set(key, value) {
		in.fail(TypeError, "unhashable type: '%s'", key.typeName())
	}
}

func (in *interpreter) unary(e *unaryNode, s *scope) Value {
	v := in.eval(e.value, s)
	if e.operator == "not" {
		return Bool(!v.truth())
	}
	in.line = e.line
	in.use(v)
	switch {
	case !v.isNumber():
		in.fail(TypeError, "bad operand type for unary %s: '%s'", e.operator, v.typeName())
	case e.operator == "-" && v.kind == kindFloat:
		return Value{kind: kindFloat, tag: v.tag, number: Float(-v.float()).number}
	case e.operator == "-":
		out := bigInt(new(big.Int).Neg(v.big()))
		out.tag = v.tag
		return out
	case v.kind == kindBool:
		return Int(v.int())
	}
	return v
}

// item is v[index].
func (in *interpreter) item(v, index Value) Value {
	in.use(v)
	in.scan(v)
	in.scan(index)
	switch {
	case v.kind == kindDict:
		if found, ok := v.dict().get(index); ok {
			return found
		}
	case (repeats(v) || v.kind == kindRange) && isInt(index):
		i := index.int()
		if v.kind == kindString {
			n := v.runes()
			if i < 0 {
				i += n
			}
			if i >= 0 && i < n {
				start := v.at(i)
				return v.part(start, Value{text: v.text[start:]}.at(1)+start)
			}
			return undefined(UndefinedError, "str object has no element %d", index.int())
		}
		items := in.iterate(v)
		if i < 0 {
			i += len(items)
		}
		if i >= 0 && i < len(items) {
			return items[i]
		}
		return undefined(UndefinedError, "%s object has no element %d", v.typeName(), index.int())
	}
	if index.kind == kindString {
		return in.named(v, index.text, false)
	}
	return undefined(UndefinedError, "'%s' has no element %s", objectName(v), in.show(index).text)
}

func objectName(v Value) string {
	if v.kind == kindNone {
		return "None"
	}
	return v.typeName() + " object"
}

// attribute is v.name: Python's attributes first, then items.
func (in *interpreter) attribute(v Value, name string) Value { return in.named(v, name, true) }

func (in *interpreter) named(v Value, name string, items bool) Value {
	in.use(v)
	if strings.HasPrefix(name, "__") {
		return undefined(SecurityError, "access to attribute '%s' of '%s' object is unsafe.", name, v.typeName())
	}
	if found, ok := in.member(v, name); ok {
		return found
	}
	if v.kind == kindDict && items {
		if found, ok := v.dict().named(name); ok {
			return found
		}
	}
	return undefined(UndefinedError, "'%s' has no attribute '%s'", objectName(v), name)
}

func (in *interpreter) slice(e *sliceNode, s *scope) Value {
	v := in.eval(e.value, s)
	bound := func(e expression) (int, bool) {
		if e == nil {
			return 0, false
		}
		b := in.eval(e, s)
		if b.kind == kindNone {
			return 0, false
		}
		if !isInt(b) {
			in.use(b)
			in.fail(TypeError, "slice indices must be integers or None, not %s", b.typeName())
		}
		return b.int(), true
	}
	start, hasStart := bound(e.start)
	end, hasEnd := bound(e.end)
	step, hasStep := bound(e.step)
	in.line = e.line
	if !hasStep {
		step = 1
	}
	in.use(v)
	in.scan(v)
	var length int
	switch v.kind {
	case kindString:
		length = v.runes()
	case kindList, kindTuple:
		length = len(v.items())
	case kindRange:
		v = Value{kind: kindList, tag: v.tag, ref: &list{in.iterate(v)}}
		length = len(v.items())
	case kindDict:
		in.fail(TypeError, "unhashable type: 'slice'")
	default:
		in.fail(TypeError, "'%s' object is not subscriptable", v.typeName())
	}
	if step == 0 {
		in.fail(ValueError, "slice step cannot be zero")
	}
	lowest, highest := 0, length
	if step < 0 {
		lowest, highest = -1, length-1
	}
	clamp := func(i int, given bool, otherwise int) int {
		if !given {
			return otherwise
		}
		if i < 0 {
			i += length
		}
		return min(max(i, lowest), highest)
	}
	if step > 0 {
		start, end = clamp(start, hasStart, lowest), clamp(end, hasEnd, highest)
	} else {
		start, end = clamp(start, hasStart, highest), clamp(end, hasEnd, lowest)
	}
	if v.kind == kindString && step == 1 {
		from := v.at(start)
		return v.part(from, max(from, v.at(max(start, end))))
	}
	items := in.iterate(v)
	var picked []Value
	if step > length+1 {
		step = length + 1
	} else if step < -length-1 {
		step = -length - 1
	}
	for i := start; step > 0 && i < end || step < 0 && i > end; i += step {
		picked = append(picked, items[i])
	}
	if v.kind == kindString {
		return in.join(picked...)
	}
	in.spend(valueSize * len(picked))
	return Value{kind: v.kind, tag: v.tag, ref: &list{picked}}
}

// callArguments are the values that a call passes.
type callArguments struct {
	positional []Value
	names      []string
	named      []Value
	keys       map[string]Value // names that came from a dictionary, with their origins
}

// rest are the arguments without the first.
func (a callArguments) rest() callArguments {
	a.positional = a.positional[1:]
	return a
}

// key is the name of an argument as a text.
func (a callArguments) key(name string) Value {
	if key, ok := a.keys[name]; ok {
		return key
	}
	return String(name)
}

func (in *interpreter) arguments(a arguments, s *scope) callArguments {
	out := callArguments{positional: in.evalAll(a.positional, s), names: append([]string(nil), a.names...), named: in.evalAll(a.named, s)}
	if a.star != nil {
		out.positional = append(out.positional, in.iterate(in.eval(a.star, s))...)
	}
	if a.doubleStar != nil {
		more := in.eval(a.doubleStar, s)
		in.use(more)
		if more.kind != kindDict {
			in.fail(TypeError, "argument after ** must be a mapping, not %s", more.typeName())
		}
		for i, key := range more.dict().keys {
			if key.kind != kindString {
				in.fail(TypeError, "keywords must be strings")
			}
			out.names, out.named = append(out.names, key.text), append(out.named, more.dict().values[i])
			if out.keys == nil {
				out.keys = map[string]Value{}
			}
			out.keys[key.text] = key
		}
	}
	return out
}

func (in *interpreter) call(f Value, a callArguments) Value {
	in.use(f)
	switch f.kind {
	case kindFunction:
		return f.ref.(*function).call(in, a)
	case kindMacro:
		return in.callMacro(f.ref.(*macroValue), a)
	case kindLoop:
		state := f.ref.(*loopState)
		if !state.node.recursive || len(a.positional) != 1 {
			in.fail(TypeError, "The loop must have the 'recursive' marker to be called recursively.")
		}
		in.deeper()
		defer func() { in.depth-- }()
		return in.capture(func() { in.loop(state.node, a.positional[0], state.scope, state.depth+1) })
	case kindObject:
		if call := f.ref.(*object).call; call != nil {
			return call(in, a)
		}
	}
	in.fail(TypeError, "'%s' object is not callable", f.typeName())
	return Value{}
}

// builtin is a filter, test, method or function: it is given its value (for a
// function none) and the arguments by position, missing ones as zero Values.
type builtin struct {
	parameters string // names, separated by blanks; those that must be given have a * before them
	run        func(in *interpreter, v Value, a []Value) Value
	// raw is set instead of run where arguments are passed on to another.
	raw func(in *interpreter, v Value, a callArguments) Value
}

// apply binds the arguments and runs b.
func (in *interpreter) apply(name string, b builtin, v Value, a callArguments) Value {
	in.scan(v)
	for _, given := range a.positional {
		in.scan(given)
	}
	if b.raw != nil {
		return b.raw(in, v, a)
	}
	parameters := strings.Fields(b.parameters)
	if len(a.positional) > len(parameters) {
		in.fail(TypeError, "%s takes at most %d argument(s), %d given", name, len(parameters), len(a.positional))
	}
	required := 0
	for i, parameter := range parameters {
		if parameters[i] = strings.TrimPrefix(parameter, "*"); parameters[i] != parameter {
			required = i + 1
		}
	}
	bound := make([]Value, len(parameters))
	copy(bound, a.positional)
named:
	for i, given := range a.names {
		for j, parameter := range parameters {
			if parameter == given {
				bound[j] = a.named[i]
				continue named
			}
		}
		in.fail(TypeError, "%s got an unexpected keyword argument '%s'", name, given)
	}
	for i, v := range bound[:required] {
		if v.kind == kindMissing {
			in.fail(TypeError, "%s() missing required argument '%s'", name, parameters[i])
		}
	}
	return b.run(in, v, bound)
}

func (in *interpreter) filtered(e *filterExpression, body Value, s *scope) Value {
	v := body
	switch inner := e.value.(type) {
	case nil:
	case *filterExpression: // {% filter a|b %}: the innermost takes the body
		v = in.filtered(inner, body, s)
	default:
		v = in.eval(inner, s)
	}
	a := in.arguments(e.arguments, s)
	in.line = e.line
	return in.filter(e.name, v, a)
}

func (in *interpreter) filter(name string, v Value, a callArguments) Value {
	b, ok := filters[name]
	if !ok {
		in.fail(AssertionError, "No filter named '%s'.", name)
	}
	return in.apply(name, b, v, a)
}

func (in *interpreter) tested(e *testNode, s *scope) Value {
	v := in.eval(e.value, s)
	a := in.arguments(e.arguments, s)
	in.line = e.line
	return Bool(in.test(e.name, v, a) != e.negated)
}

func (in *interpreter) test(name string, v Value, a callArguments) bool {
	b, ok := tests[name]
	if !ok {
		in.fail(AssertionError, "No test named '%s'.", name)
	}
	return in.apply(name, b, v, a).truth()
}
