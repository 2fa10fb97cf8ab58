package jinja

import (
	"math"
	"slices"
	"strings"
)

// filters by name. Filled by fillFilters, since some call others by name.
var filters map[string]builtin

// asText is a value as the filters of Jinja2 take texts: soft_str.
func (in *interpreter) asText(v Value) Value {
	if v.kind == kindUndefined {
		if v.ref.(*Error).Kind != UndefinedError {
			in.use(v)
		}
		return String("")
	}
	return in.show(v)
}

// ofText makes a filter from a method of str.
func ofText(name string) builtin {
	b := textMethods[name]
	return builtin{b.parameters, func(in *interpreter, v Value, a []Value) Value { return b.run(in, in.asText(v), a) }, nil}
}

// wantLines is v for filters that call its splitlines.
func (in *interpreter) wantLines(v Value) Value {
	in.use(v)
	if v.kind != kindString {
		in.fail(AttributeError, "'%s' object has no attribute 'splitlines'", v.typeName())
	}
	return v
}

func (in *interpreter) length(v Value) int {
	switch v.kind {
	case kindString:
		return v.runes()
	case kindList, kindTuple, kindView:
		return len(v.items())
	case kindDict:
		return len(v.dict().keys)
	case kindRange:
		return int(v.ref.(*rangeValue).length)
	case kindUndefined:
		return 0
	}
	in.fail(TypeError, "object of type '%s' has no len()", v.typeName())
	return 0
}

func defaultFilter(in *interpreter, v Value, a []Value) Value {
	if v.kind == kindUndefined || a[1].truth() && !v.truth() {
		if a[0].kind == kindMissing {
			return String("")
		}
		return a[0]
	}
	return v
}

func fillFilters() {
	first := func(in *interpreter, v Value, a []Value) Value {
		if items := in.iterate(v); len(items) > 0 {
			return items[0]
		}
		return undefined(UndefinedError, "No first item, sequence was empty.")
	}
	last := func(in *interpreter, v Value, a []Value) Value {
		if items := in.iterate(v); len(items) > 0 {
			return items[len(items)-1]
		}
		return undefined(UndefinedError, "No last item, sequence was empty.")
	}
	length := builtin{"", func(in *interpreter, v Value, a []Value) Value { return Int(in.length(v)) }, nil}
	escape := builtin{"", func(in *interpreter, v Value, a []Value) Value {
		if v.markup {
			return v
		}
		return in.escape(in.asText(v))
	}, nil}
	filters = map[string]builtin{
		"upper": ofText("upper"), "lower": ofText("lower"), "capitalize": ofText("capitalize"),
		"trim": ofText("strip"), "center": {"width", func(in *interpreter, v Value, a []Value) Value {
			return in.pad(in.asText(v), in.intOr(a[0], 80), Value{}, func(missing int) int {
				return missing/2 + missing&in.intOr(a[0], 80)&1
			})
		}, nil},
		"title": {"", func(in *interpreter, v Value, a []Value) Value {
			return in.titled(in.asText(v), func(r rune) bool { return isSpace(r) || strings.ContainsRune("-([{<", r) }, upperRune)
		}, nil},
		"replace": {"*old *new count", func(in *interpreter, v Value, a []Value) Value {
			return in.replace(in.asText(v), in.asText(a[0]), in.asText(a[1]), in.intOr(a[2], -1))
		}, nil},
		"string": {"", func(in *interpreter, v Value, a []Value) Value { return in.asText(v) }, nil},
		"safe": {"", func(in *interpreter, v Value, a []Value) Value {
			v = in.asText(v)
			v.markup = true
			return v
		}, nil},
		"e": escape, "escape": escape,
		"forceescape": {"", func(in *interpreter, v Value, a []Value) Value { return in.escape(in.asText(v)) }, nil},
		"striptags": {"", func(in *interpreter, v Value, a []Value) Value {
			text := in.mapText(in.asText(v), func(s string) string { return markupTags.ReplaceAllString(s, "") })
			return joinFilter(in, List(in.fields(text, -1, false)...), []Value{String(" "), {}})
		}, nil},
		"indent": {"width first blank", indentFilter, nil}, "truncate": {"length killwords end leeway", truncateFilter, nil},
		"wordcount": {"", func(in *interpreter, v Value, a []Value) Value {
			return Int(len(words.FindAllStringIndex(in.asText(v).text, -1)))
		}, nil},
		"wordwrap": {"width break_long_words wrapstring", wordwrapFilter, nil},
		"format": {raw: func(in *interpreter, v Value, a callArguments) Value {
			if len(a.names) > 0 {
				d := newDict(0)
				for i, name := range a.names {
					d.set(String(name), a.named[i])
				}
				return in.percent(in.asText(v), Value{kind: kindDict, ref: d})
			}
			return in.percent(in.asText(v), tuple(a.positional...))
		}},
		"urlencode": {"", urlencodeFilter, nil}, "xmlattr": {"autospace", xmlattrFilter, nil},
		"length": length, "count": length, "first": {"", first, nil}, "last": {"", last, nil},
		"list": {"", func(in *interpreter, v Value, a []Value) Value { return in.newList(slices.Clone(in.iterate(v))) }, nil},
		"items": {"", func(in *interpreter, v Value, a []Value) Value {
			if v.kind == kindUndefined {
				return newGenerator(nil)
			}
			if v.kind != kindDict {
				in.fail(TypeError, "Can only get item pairs from a mapping.")
			}
			return newGenerator(in.pairs(v))
		}, nil},
		"join": {"d attribute", joinFilter, nil}, "default": {"default_value boolean", defaultFilter, nil}, "d": {"default_value boolean", defaultFilter, nil},
		"int": {"default base", intFilter, nil}, "float": {"default", floatFilter, nil}, "round": {"precision method", roundFilter, nil},
		"abs": {"", func(in *interpreter, v Value, a []Value) Value {
			if !v.isNumber() {
				in.fail(TypeError, "bad operand type for abs(): '%s'", v.typeName())
			}
			switch {
			case v.kind == kindFloat:
				return Float(math.Abs(v.float()))
			case v.asFloat() < 0:
				return in.arithmetic("*", v, Int(-1))
			case v.kind == kindBool:
				return Int(v.int())
			}
			return v
		}, nil},
		"sum": {"attribute start", func(in *interpreter, v Value, a []Value) Value {
			get, total := in.getter(a[0], Value{}), Int(0)
			if a[1].kind != kindMissing {
				total = a[1]
			}
			for _, item := range in.iterate(v) {
				total = in.binary("+", total, get(item))
			}
			return total
		}, nil},
		"min": pick(-1), "max": pick(1), "unique": {"case_sensitive attribute", uniqueFilter, nil},
		"sort": {"reverse case_sensitive attribute", func(in *interpreter, v Value, a []Value) Value {
			return in.newList(in.sorted(in.iterate(v), in.getters(a[2], a[1].truth()), true, a[0].truth()))
		}, nil},
		"dictsort": {"case_sensitive by reverse", dictsortFilter, nil}, "reverse": {"", reverseFilter, nil},
		"groupby": {"*attribute default case_sensitive", groupFilter, nil}, "batch": {"*linecount fill_with", batchFilter, nil},
		"slice": {"*slices fill_with", sliceFilter, nil}, "map": {raw: mapFilter},
		"select": selecting(true, false), "reject": selecting(false, false),
		"selectattr": selecting(true, true), "rejectattr": selecting(false, true),
		"tojson":         {"ensure_ascii indent separators sort_keys", toJSON, nil},
		"filesizeformat": {"binary", sizeFilter, nil},
		"pprint": {"", func(in *interpreter, v Value, a []Value) Value {
			w := writer{in: in}
			w.repr(v, 0)
			return w.value()
		}, nil},
		"attr": {"*name", func(in *interpreter, v Value, a []Value) Value {
			in.use(v)
			name := in.wantText(a[0]).text
			if found, ok := in.member(v, name); ok && !strings.HasPrefix(name, "__") {
				return found
			}
			return undefined(UndefinedError, "'%s' has no attribute '%s'", objectName(v), name)
		}, nil},
	}
}
