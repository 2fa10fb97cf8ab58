package jinja

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Filters of lists and dictionaries.

// getter is Jinja2's make_attrgetter: "a.b.0", a number, or nothing.
func (in *interpreter) getter(attribute, otherwise Value) func(Value) Value {
	if attribute.kind == kindMissing || attribute.kind == kindNone {
		return func(v Value) Value { return v }
	}
	path := []Value{attribute}
	if attribute.kind == kindString {
		path = nil
		for _, name := range strings.Split(attribute.text, ".") {
			step := String(name)
			if i, err := strconv.Atoi(name); err == nil && i >= 0 {
				step = Int(i)
			}
			path = append(path, step)
		}
	}
	return func(v Value) Value {
		for _, step := range path {
			v = in.item(v, step)
			if v.kind == kindUndefined && otherwise.kind != kindMissing {
				v = otherwise
			}
		}
		return v
	}
}

// getters is Jinja2's make_multi_attrgetter: what to sort by, of "a,b" a list.
func (in *interpreter) getters(attribute Value, caseSensitive bool) func(Value) Value {
	if attribute.kind == kindMissing || attribute.kind == kindNone {
		return func(v Value) Value { return fold(v, caseSensitive) }
	}
	parts := []Value{attribute}
	if attribute.kind == kindString {
		parts = nil
		for _, name := range strings.Split(attribute.text, ",") {
			parts = append(parts, String(name))
		}
	}
	var each []func(Value) Value
	for _, part := range parts {
		each = append(each, in.getter(part, Value{}))
	}
	return func(v Value) Value {
		keys := make([]Value, len(each))
		for i, get := range each {
			keys[i] = fold(get(v), caseSensitive)
		}
		return List(keys...)
	}
}

// fold is what unique and groupby compare by: small letters unless asked.
func fold(v Value, caseSensitive bool) Value {
	if v.kind == kindString && !caseSensitive {
		return String(lowerText(v.text))
	}
	return v
}

func (in *interpreter) sorted(items []Value, key func(Value) Value, caseSensitive, reverse bool) []Value {
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	in.sortBy(order, func(i int) Value { return key(items[i]) }, caseSensitive, reverse)
	out := make([]Value, len(items))
	for n, i := range order {
		out[n] = items[i]
	}
	return out
}

// pick is min (sign -1) and max (sign 1).
func pick(sign int) builtin {
	return builtin{"case_sensitive attribute", func(in *interpreter, v Value, a []Value) Value {
		get := in.getter(a[1], Value{})
		best := undefined(UndefinedError, "No aggregated item, sequence was empty.")
		for i, item := range in.iterate(v) {
			if i == 0 || in.order("<", fold(get(item), a[0].truth()), fold(get(best), a[0].truth()), 0)*sign > 0 {
				best = item
			}
		}
		return best
	}, nil}
}

// selecting is select, reject (attribute false), selectattr and rejectattr.
func selecting(keep, attribute bool) builtin {
	return builtin{raw: func(in *interpreter, v Value, a callArguments) Value {
		if !v.truth() { // Jinja2 does not look at an empty value, even None
			return newGenerator(nil)
		}
		get := func(v Value) Value { return v }
		if attribute {
			if len(a.positional) == 0 {
				in.fail(TypeError, "Missing parameter for attribute name")
			}
			get = in.getter(a.positional[0], Value{})
			a.positional = a.positional[1:]
		}
		holds := func(v Value) bool { return v.truth() }
		if len(a.positional) > 0 {
			name := in.wantText(a.positional[0]).text
			rest := a.rest()
			holds = func(v Value) bool { return in.test(name, v, rest) }
		}
		var kept []Value
		for _, item := range in.iterate(v) {
			if holds(get(item)) == keep {
				in.spend(valueSize)
				kept = append(kept, item)
			}
		}
		return newGenerator(kept)
	}}
}

func mapFilter(in *interpreter, v Value, a callArguments) Value {
	if !v.truth() {
		return newGenerator(nil)
	}
	var f func(Value) Value
	if len(a.positional) == 0 {
		var attribute, otherwise Value
		for i, name := range a.names {
			switch name {
			case "attribute":
				attribute = a.named[i]
			case "default":
				otherwise = a.named[i]
			default:
				in.fail(TypeError, "Unexpected keyword argument '%s'", name)
			}
		}
		if attribute.kind == kindMissing {
			in.fail(ArgumentError, "map requires a filter argument")
		}
		f = in.getter(attribute, otherwise)
	} else {
		name := in.wantText(a.positional[0]).text
		rest := a.rest()
		f = func(v Value) Value { return in.filter(name, v, rest) }
	}
	items := in.iterate(v)
	in.spend(valueSize * len(items))
	out := make([]Value, len(items))
	for i, item := range items {
		out[i] = f(item)
	}
	return newGenerator(out)
}

func joinFilter(in *interpreter, v Value, a []Value) Value {
	get := in.getter(a[1], Value{})
	between := String("")
	if a[0].kind != kindMissing {
		between = in.asText(a[0])
	}
	w := writer{in: in}
	for i, item := range in.iterate(v) {
		if i > 0 {
			w.addText(between)
		}
		w.addText(in.asText(get(item)))
	}
	return w.value()
}

func groupFilter(in *interpreter, v Value, a []Value) Value {
	get, sensitive := in.getter(a[0], a[1]), a[2].truth()
	key := func(v Value) Value { return fold(get(v), sensitive) }
	var groups []Value
	var current []Value
	items := in.sorted(in.iterate(v), key, true, false)
	for i, item := range items {
		current = append(current, item)
		if i+1 == len(items) || !in.equal(key(item), key(items[i+1]), 0) {
			groups = append(groups, tuple(get(current[0]), List(current...)))
			current = nil
		}
	}
	return in.newList(groups)
}

func batchFilter(in *interpreter, v Value, a []Value) Value {
	size := in.intOr(a[0], 0)
	if size <= 0 { // as in Jinja2: an empty one, then all
		all := slices.Clone(in.iterate(v))
		if len(all) == 0 {
			return newGenerator(nil)
		}
		return newGenerator([]Value{List(), in.newList(all)})
	}
	var out []Value
	for batch := range slices.Chunk(in.iterate(v), size) {
		batch = slices.Clone(batch)
		if a[1].kind != kindMissing && a[1].kind != kindNone {
			in.spend(valueSize * (size - len(batch)))
			for len(batch) < size {
				batch = append(batch, a[1])
			}
		}
		out = append(out, in.newList(batch))
	}
	return newGenerator(out)
}

func sliceFilter(in *interpreter, v Value, a []Value) Value {
	n, items := in.intOr(a[0], 0), in.iterate(v)
	if n <= 0 {
		in.fail(ZeroDivision, "integer division or modulo by zero")
	}
	in.spend(valueSize * min(n, math.MaxInt/valueSize))
	size, longer := len(items)/n, len(items)%n
	var out []Value
	for i, at := 0, 0; i < n; i++ {
		end := at + size
		if i < longer {
			end++
		}
		part := slices.Clone(items[at:end])
		if i >= longer && a[1].kind != kindMissing && a[1].kind != kindNone {
			part = append(part, a[1])
		}
		out, at = append(out, in.newList(part)), end
	}
	return newGenerator(out)
}

func dictsortFilter(in *interpreter, v Value, a []Value) Value {
	by := 0
	switch {
	case a[1].kind == kindMissing || a[1].text == "key":
	case a[1].text == "value":
		by = 1
	default:
		in.fail(ArgumentError, `You can only sort by either "key" or "value"`)
	}
	in.use(v)
	if v.kind != kindDict {
		in.fail(AttributeError, "'%s' object has no attribute 'items'", v.typeName())
	}
	return in.newList(in.sorted(in.pairs(v), func(v Value) Value { return v.items()[by] }, a[0].truth(), a[2].truth()))
}

func uniqueFilter(in *interpreter, v Value, a []Value) Value {
	get, seen := in.getter(a[1], Value{}), newDict(0)
	var out []Value
	for _, item := range in.iterate(v) {
		key := fold(get(item), a[0].truth())
		if _, ok := seen.get(key); !ok {
			in.spend(2 * valueSize)
			in.setKey(seen, key, Bool(true))
			out = append(out, item)
		}
	}
	return newGenerator(out)
}

func reverseFilter(in *interpreter, v Value, a []Value) Value {
	switch v.kind {
	case kindNone, kindBool, kindInt, kindBig, kindFloat, kindNamespace, kindFunction, kindMacro:
		in.fail(ArgumentError, "argument must be iterable")
	}
	items := slices.Clone(in.iterate(v))
	in.spend(valueSize * len(items))
	slices.Reverse(items)
	if v.kind == kindString {
		return in.join(items...)
	}
	return newGenerator(items)
}
