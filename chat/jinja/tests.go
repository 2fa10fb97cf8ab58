package jinja

import "strings"

// tests by name: what may follow "is".
var tests map[string]builtin

func fillTests() {
	is := func(f func(v Value) bool) builtin {
		return builtin{"", func(in *interpreter, v Value, a []Value) Value { return Bool(f(v)) }, nil}
	}
	compared := func(op string) builtin {
		return builtin{"*other", func(in *interpreter, v Value, a []Value) Value { return Bool(in.compare(op, v, a[0])) }, nil}
	}
	divides := func(f func(in *interpreter, v, by Value) bool) builtin {
		return builtin{"*num", func(in *interpreter, v Value, a []Value) Value { return Bool(f(in, v, a[0])) }, nil}
	}
	remainder := func(in *interpreter, v Value, by int) bool {
		return in.compare("==", in.binary("%", v, Int(2)), Int(by))
	}
	tests = map[string]builtin{
		"defined":   is(func(v Value) bool { return v.kind != kindUndefined }),
		"undefined": is(func(v Value) bool { return v.kind == kindUndefined }),
		"none":      is(func(v Value) bool { return v.kind == kindNone }),
		"boolean":   is(func(v Value) bool { return v.kind == kindBool }),
		"true":      is(func(v Value) bool { return v.kind == kindBool && v.truth() }),
		"false":     is(func(v Value) bool { return v.kind == kindBool && !v.truth() }),
		"integer":   is(func(v Value) bool { return v.kind == kindInt || v.kind == kindBig }),
		"float":     is(func(v Value) bool { return v.kind == kindFloat }),
		"number":    is(Value.isNumber),
		"string":    is(func(v Value) bool { return v.kind == kindString }),
		"mapping":   is(func(v Value) bool { return v.kind == kindDict }),
		"sequence": is(func(v Value) bool {
			return repeats(v) || v.kind == kindDict || v.kind == kindRange || v.kind == kindUndefined
		}),
		"iterable": is(func(v Value) bool {
			switch v.kind {
			case kindDict, kindRange, kindGenerator, kindView, kindUndefined, kindLoop:
				return true
			}
			return repeats(v)
		}),
		"callable": is(func(v Value) bool {
			return v.kind == kindFunction || v.kind == kindMacro || v.kind == kindObject && v.ref.(*object).call != nil
		}),
		"escaped": is(func(v Value) bool { return v.markup }),
		"lower": {"", func(in *interpreter, v Value, a []Value) Value {
			return Bool(cased(isLower, isUpper)(in.asText(v).text))
		}, nil},
		"upper": {"", func(in *interpreter, v Value, a []Value) Value {
			return Bool(cased(isUpper, isLower)(in.asText(v).text))
		}, nil},
		"even": {"", func(in *interpreter, v Value, a []Value) Value { return Bool(remainder(in, v, 0)) }, nil},
		"odd":  {"", func(in *interpreter, v Value, a []Value) Value { return Bool(remainder(in, v, 1)) }, nil},
		"divisibleby": divides(func(in *interpreter, v, by Value) bool {
			return in.compare("==", in.binary("%", v, by), Int(0))
		}),
		"sameas": {"*other", func(in *interpreter, v Value, a []Value) Value {
			return Bool(v.kind == a[0].kind && v.number == a[0].number && v.text == a[0].text && (v.kind == kindString || v.ref == a[0].ref))
		}, nil},
		"in": compared("in"),
		"==": compared("=="), "eq": compared("=="), "equalto": compared("=="),
		"!=": compared("!="), "ne": compared("!="),
		"<": compared("<"), "lt": compared("<"), "lessthan": compared("<"), "le": compared("<="), "<=": compared("<="),
		">": compared(">"), "gt": compared(">"), "greaterthan": compared(">"), "ge": compared(">="), ">=": compared(">="),
		"filter": is(func(v Value) bool { _, ok := filters[strings.TrimSpace(v.text)]; return ok }),
		"test":   is(func(v Value) bool { _, ok := tests[strings.TrimSpace(v.text)]; return ok }),
	}
}
