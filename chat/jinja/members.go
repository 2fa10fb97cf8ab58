package jinja

import (
	"slices"
	"strings"
)

// function is a bound method or a global function.
type function struct {
	name string
	call func(in *interpreter, a callArguments) Value
}

// object is something with members of its own: cycler, joiner, self.
type object struct {
	name    string
	members map[string]func(in *interpreter, a callArguments) Value
	call    func(in *interpreter, a callArguments) Value
}

func method(name string, b builtin, self Value) Value {
	return Value{kind: kindFunction, ref: &function{name, func(in *interpreter, a callArguments) Value {
		return in.apply(name, b, self, a)
	}}}
}

// changing are methods that would change a list or dictionary; Jinja2's
// immutable sandbox refuses them, and so does this one.
var changing = map[kind][]string{
	kindList: {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"},
	kindDict: {"clear", "pop", "popitem", "setdefault", "update"},
}

// member is an attribute of v that is no item.
func (in *interpreter) member(v Value, name string) (Value, bool) {
	if slices.Contains(changing[v.kind], name) {
		return undefined(SecurityError, "access to attribute '%s' of '%s' object is unsafe.", name, v.typeName()), true
	}
	var methods map[string]builtin
	switch v.kind {
	case kindString:
		methods = textMethods
	case kindList, kindTuple:
		if methods = listMethods; v.kind == kindTuple && name == "copy" {
			return Value{}, false
		}
	case kindDict:
		methods = dictMethods
	case kindNamespace:
		return v.dict().named(name)
	case kindLoop:
		return in.loopMember(v.ref.(*loopState), name)
	case kindMacro:
		return macroMember(v.ref.(*macroValue).node, name)
	case kindObject:
		if m, ok := v.ref.(*object).members[name]; ok {
			return Value{kind: kindFunction, ref: &function{name, m}}, true
		}
	}
	if b, ok := methods[name]; ok {
		return method(name, b, v), true
	}
	return Value{}, false
}

func macroMember(n *macroNode, name string) (Value, bool) {
	switch name {
	case "name":
		return String(n.name), true
	case "arguments":
		var names []Value
		for _, p := range n.parameters {
			names = append(names, String(p.name))
		}
		return tuple(names...), true
	case "caller":
		return Bool(n.caller), true
	case "catch_kwargs":
		return Bool(n.kwargs), true
	case "catch_varargs":
		return Bool(n.varargs), true
	}
	return Value{}, false
}

func (in *interpreter) loopMember(l *loopState, name string) (Value, bool) {
	switch name {
	case "index":
		return Int(l.index + 1), true
	case "index0":
		return Int(l.index), true
	case "revindex":
		return Int(len(l.items) - l.index), true
	case "revindex0":
		return Int(len(l.items) - l.index - 1), true
	case "first":
		return Bool(l.index == 0), true
	case "last":
		return Bool(l.index == len(l.items)-1), true
	case "length":
		return Int(len(l.items)), true
	case "depth":
		return Int(l.depth + 1), true
	case "depth0":
		return Int(l.depth), true
	case "previtem":
		if l.index == 0 {
			return undefined(UndefinedError, "there is no previous item"), true
		}
		return l.items[l.index-1], true
	case "nextitem":
		if l.index+1 >= len(l.items) {
			return undefined(UndefinedError, "there is no next item"), true
		}
		return l.items[l.index+1], true
	case "cycle":
		return Value{kind: kindFunction, ref: &function{name, func(in *interpreter, a callArguments) Value {
			if len(a.positional) == 0 {
				in.fail(TypeError, "no items for cycling given")
			}
			return a.positional[l.index%len(a.positional)]
		}}}, true
	case "changed":
		return Value{kind: kindFunction, ref: &function{name, func(in *interpreter, a callArguments) Value {
			same := l.asked && slices.EqualFunc(l.changed, a.positional, func(x, y Value) bool { return in.equal(x, y, 0) })
			l.asked, l.changed = true, a.positional
			return Bool(!same)
		}}}, true
	}
	return Value{}, false
}

var listMethods, dictMethods map[string]builtin

func fillMembers() {
	listMethods = map[string]builtin{
		"index": {"*value start stop", func(in *interpreter, v Value, a []Value) Value {
			start, end := in.bounds(a[1], a[2], len(v.items()))
			for i := start; i < end; i++ {
				if in.equal(v.items()[i], a[0], 0) {
					return Int(i)
				}
			}
			in.fail(ValueError, "%s is not in list", in.show(a[0]).text)
			return Value{}
		}, nil},
		"count": {"*value", func(in *interpreter, v Value, a []Value) Value {
			n := 0
			for _, item := range v.items() {
				if in.equal(item, a[0], 0) {
					n++
				}
			}
			return Int(n)
		}, nil},
		"copy": {"", func(in *interpreter, v Value, a []Value) Value { return v }, nil},
	}
	dictMethods = map[string]builtin{
		"get": {"*key default", func(in *interpreter, v Value, a []Value) Value {
			if _, ok := hashKey(a[0], 0); !ok {
				in.use(a[0])
				in.fail(TypeError, "unhashable type: '%s'", a[0].typeName())
			}
			if found, ok := v.dict().get(a[0]); ok {
				return found
			}
			if a[1].kind == kindMissing {
				return None()
			}
			return a[1]
		}, nil},
		"keys":     {"", func(in *interpreter, v Value, a []Value) Value { return view("dict_keys", v, v.dict().keys) }, nil},
		"values":   {"", func(in *interpreter, v Value, a []Value) Value { return view("dict_values", v, v.dict().values) }, nil},
		"items":    {"", func(in *interpreter, v Value, a []Value) Value { return view("dict_items", v, in.pairs(v)) }, nil},
		"copy":     {"", func(in *interpreter, v Value, a []Value) Value { return v }, nil},
		"fromkeys": {raw: func(in *interpreter, v Value, a callArguments) Value { return fromKeys(in, a) }},
	}
}

// bounds are the start and the end of a search, as Python clamps them.
func (in *interpreter) bounds(start, end Value, length int) (int, int) {
	bound := func(given Value, otherwise int) int {
		i := in.intOr(given, otherwise)
		if i < 0 {
			i = max(i+length, 0)
		}
		return min(i, length)
	}
	if s := in.intOr(start, 0); s > length {
		return s, length // nothing is found, not even an empty text
	}
	return bound(start, 0), bound(end, length)
}

func view(name string, of Value, items []Value) Value {
	return Value{kind: kindView, text: name, tag: of.tag, ref: &list{items}}
}

// pairs are the (key, value) tuples of a dictionary.
func (in *interpreter) pairs(v Value) []Value {
	d := v.dict()
	in.spend(4 * valueSize * len(d.keys))
	pairs := make([]Value, len(d.keys))
	for i, key := range d.keys {
		pairs[i] = tuple(key, d.values[i])
		pairs[i].tag = v.tag
	}
	return pairs
}

// isSpace is Python's str.isspace for one character.
func isSpace(r rune) bool {
	switch {
	case r >= '\t' && r <= '\r', r >= 0x1c && r <= 0x20, r == 0x85, r == 0xa0, r == 0x1680,
		r >= 0x2000 && r <= 0x200a, r == 0x2028, r == 0x2029, r == 0x202f, r == 0x205f, r == 0x3000:
		return true
	}
	return false
}

// strip cuts characters off the left and the right of a text.
func strip(v Value, cut func(rune) bool, left, right bool) Value {
	start, end := 0, len(v.text)
	if left {
		start = end - len(strings.TrimLeftFunc(v.text, cut))
	}
	if right {
		end = start + len(strings.TrimRightFunc(v.text[start:], cut))
	}
	return v.part(start, end)
}

// stripSet is what strip(characters) cuts: blanks when it was not given.
func (in *interpreter) stripSet(characters Value) func(rune) bool {
	switch characters.kind {
	case kindMissing, kindNone:
		return isSpace
	case kindString:
		set := map[rune]bool{}
		for _, r := range characters.text {
			set[r] = true
		}
		return func(r rune) bool { return set[r] }
	}
	in.use(characters)
	in.fail(TypeError, "strip arg must be None or str")
	return nil
}

// The tables refer to functions that refer to the tables, so Go cannot order
// their initialisation; filters take some methods of str over.
func init() {
	fillTextMethods()
	fillMembers()
	fillFilters()
	fillTests()
}
