package jinja

import (
	"math"
	"testing"
	"time"
)

// Every filter, test, method and function is given every kind of value with
// every kind of argument. It may refuse; it must not panic in another way.
func TestBuiltinsRefuseWhatTheyCannotTake(t *testing.T) {
	values := []Value{
		None(), Bool(true), Int(-3), Int(2), Float(2.5), Float(math.Copysign(0, -1)), String(""), String("你好 a\nb"), String("%d{0}{x}"), List(), List(Int(1), String("a"), None()),
		tuple(Int(1)), tuple(String("a"), String("b")), Dict(), Dict(Pair{"a", Int(1)}, Pair{"b", String("x")}), undefined(UndefinedError, "'x' is undefined"),
		undefined(SecurityError, "no"), newGenerator([]Value{Int(1)}), {kind: kindRange, ref: &rangeValue{0, 3, 1, 3}},
		view("dict_keys", None(), []Value{Int(1)}), {kind: kindNamespace, ref: newDict(0)},
		{kind: kindFunction, ref: &function{"f", func(*interpreter, callArguments) Value { return None() }}},
		{kind: kindObject, ref: &object{name: "Cycler"}}, {kind: kindMacro, ref: &macroValue{&macroNode{name: "m"}, nil}},
		{kind: kindLoop, ref: &loopState{node: &forNode{}, items: []Value{Int(1)}}},
	}
	try := func(what string, f func(in *interpreter)) {
		in := &interpreter{limits: Limits{Steps: 100_000, Text: 1 << 16, Memory: 1 << 20, Depth: 10}, now: time.Now}
		in.out = &writer{in: in}
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(failure); !ok {
					t.Fatalf("%s: %v", what, r)
				}
			}
		}()
		f(in)
	}
	for _, table := range []map[string]builtin{filters, tests} {
		for name, b := range table {
			for _, v := range values {
				try(name, func(in *interpreter) { in.apply(name, b, v, callArguments{}) })
				for _, a := range values {
					try(name, func(in *interpreter) { in.show(in.apply(name, b, v, callArguments{positional: []Value{a}})) })
					try(name, func(in *interpreter) { in.show(in.apply(name, b, v, callArguments{positional: []Value{a, a}})) })
					try(name, func(in *interpreter) {
						in.show(in.apply(name, b, v, callArguments{names: []string{"attribute"}, named: []Value{a}}))
					})
				}
			}
		}
	}
	for _, v := range values {
		for _, names := range []map[string]builtin{textMethods, listMethods, dictMethods} {
			for name := range names {
				for _, a := range append(values, Value{}) {
					for n := range 3 {
						try(name, func(in *interpreter) {
							f := in.attribute(v, name)
							in.call(f, callArguments{positional: []Value{a, a, a}[:n]})
						})
					}
				}
			}
		}
		for _, w := range values {
			for _, op := range []string{"+", "-", "*", "/", "//", "%", "**"} {
				try(op, func(in *interpreter) { in.show(in.binary(op, v, w)) })
			}
			for _, op := range []string{"==", "<", "in", "not in"} {
				try(op, func(in *interpreter) { in.compare(op, v, w) })
			}
			try("item", func(in *interpreter) { in.show(in.item(v, w)) })
		}
		for name, f := range globals() {
			for n := range 4 {
				try(name, func(in *interpreter) { in.show(in.call(f, callArguments{positional: []Value{v, v, v}[:min(n, 3)]})) })
			}
		}
		try("print", func(in *interpreter) { in.print(v) })
	}
}
