package jinja

import (
	"math"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
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

func (in *interpreter) escape(v Value) Value {
	out := in.mapText(v, htmlEscapes.Replace)
	out.markup = true
	return out
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

// fold is what unique and groupby compare by: small letters unless asked.
func fold(v Value, caseSensitive bool) Value {
	if v.kind == kindString && !caseSensitive {
		return String(strings.ToLower(v.text))
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
			rest := callArguments{a.positional[1:], a.names, a.named}
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
			in.fail("FilterArgumentError", "map requires a filter argument")
		}
		f = in.getter(attribute, otherwise)
	} else {
		name := in.wantText(a.positional[0]).text
		rest := callArguments{a.positional[1:], a.names, a.named}
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

func defaultFilter(in *interpreter, v Value, a []Value) Value {
	if v.kind == kindUndefined || a[1].truth() && !v.truth() {
		if a[0].kind == kindMissing {
			return String("")
		}
		return a[0]
	}
	return v
}

func intFilter(in *interpreter, v Value, a []Value) Value {
	otherwise := Int(0)
	if a[0].kind != kindMissing {
		otherwise = a[0]
	}
	switch v.kind {
	case kindBool:
		return Int(v.int())
	case kindInt, kindBig:
		return v
	case kindFloat:
		if f := v.float(); math.IsInf(f, 0) || math.IsNaN(f) {
			return otherwise
		}
		return in.truncated(v)
	case kindString:
		base := in.intOr(a[1], 10)
		s := strings.ToLower(strings.TrimFunc(v.text, isSpace))
		if len(s) > maxBits/4 {
			return otherwise
		}
		if base == 16 || base == 8 || base == 2 {
			s = strings.Replace(s, map[int]string{16: "0x", 8: "0o", 2: "0b"}[base], "", 1)
		}
		if base >= 2 && base <= 36 {
			if i, ok := new(big.Int).SetString(strings.ReplaceAll(s, "_", ""), base); ok {
				out := bigInt(i)
				out.tag = v.tag
				return out
			}
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return in.truncated(Float(f))
		}
	}
	return otherwise
}

func floatFilter(in *interpreter, v Value, a []Value) Value {
	if v.isNumber() {
		return Float(v.asFloat())
	}
	if v.kind == kindString {
		if f, err := strconv.ParseFloat(strings.TrimFunc(v.text, isSpace), 64); err == nil {
			out := Float(f)
			out.tag = v.tag
			return out
		}
	}
	if a[0].kind != kindMissing {
		return a[0]
	}
	return Float(0)
}

func roundFilter(in *interpreter, v Value, a []Value) Value {
	if !v.isNumber() {
		in.use(v)
		in.fail(TypeError, "type %s doesn't define __round__ method", v.typeName())
	}
	precision := min(max(in.intOr(a[0], 0), -400), 400)
	scale := math.Pow(10, float64(precision))
	switch how := a[1]; {
	case how.kind == kindMissing || how.text == "common":
		f, err := strconv.ParseFloat(strconv.FormatFloat(v.asFloat(), 'f', max(precision, 0), 64), 64)
		if precision < 0 {
			f, err = math.RoundToEven(v.asFloat()*scale)/scale, nil
		}
		if err != nil {
			in.fail(ValueError, "cannot round %s", floatText(v.asFloat()))
		}
		return Float(f)
	case how.text == "ceil":
		return Float(math.Ceil(v.asFloat()*scale) / scale)
	case how.text == "floor":
		return Float(math.Floor(v.asFloat()*scale) / scale)
	}
	in.fail("FilterArgumentError", "method must be common, ceil or floor")
	return Value{}
}

func indentFilter(in *interpreter, v Value, a []Value) Value {
	indent := String("    ")
	switch a[0].kind {
	case kindMissing:
	case kindString:
		indent = a[0]
	default:
		indent = in.repeat(String(" "), Int(in.intOr(a[0], 4)))
	}
	w := writer{in: in}
	if a[1].truth() {
		w.addText(indent)
	}
	lines := in.lines(in.join(in.asText(v), String("\n")), false)
	for i, line := range lines {
		if i > 0 {
			w.add("\n", Template.tag())
			if line.text != "" || a[2].truth() {
				w.addText(indent)
			}
		}
		w.addText(line)
	}
	return w.value()
}

func truncateFilter(in *interpreter, v Value, a []Value) Value {
	v = in.asText(v)
	length, leeway, end := in.intOr(a[0], 255), in.intOr(a[3], 5), String("...")
	if a[2].kind != kindMissing {
		end = in.asText(a[2])
	}
	if v.runes() <= length+leeway {
		return v
	}
	cut := v.part(0, v.at(max(length-end.runes(), 0)))
	if !a[1].truth() {
		if i := strings.LastIndexByte(cut.text, ' '); i >= 0 {
			cut = cut.part(0, i)
		}
	}
	return in.join(cut, end)
}

func toJSON(in *interpreter, v Value, a []Value) Value {
	form := jsonForm{item: ", ", key: ": ", ascii: a[0].truth(), sorted: a[3].truth()}
	switch indent := a[1]; indent.kind {
	case kindMissing, kindNone:
	case kindString:
		form.indented, form.indent, form.item = true, indent.text, ","
	default:
		n := max(in.intOr(indent, 0), 0)
		in.room(n * maxDataDepth)
		form.indented, form.indent, form.item = true, strings.Repeat(" ", n), ","
	}
	if separators := a[2]; separators.kind == kindTuple || separators.kind == kindList {
		items := separators.items()
		if len(items) != 2 {
			in.fail(ValueError, "separators must be a pair")
		}
		form.item, form.key = in.wantText(items[0]).text, in.wantText(items[1]).text
	}
	w := writer{in: in}
	w.writeJSON(v, form, 0)
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
	if size <= 0 {
		in.fail(ValueError, "batch needs a positive number of items")
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
	in.use(v)
	if v.kind != kindDict {
		in.fail(TypeError, "dictsort needs a dictionary, not %s", v.typeName())
	}
	by := 0
	if a[1].text == "value" {
		by = 1
	}
	return in.newList(in.sorted(in.pairs(v), func(v Value) Value { return v.items()[by] }, a[0].truth(), a[2].truth()))
}

func sizeFilter(in *interpreter, v Value, a []Value) Value {
	bytes, base, prefixes := in.filter("float", v, callArguments{}).float(), 1000.0, "kMGTPEZY"
	suffix := "B"
	if a[0].truth() {
		base, prefixes, suffix = 1024, "KMGTPEZY", "iB"
	}
	switch {
	case bytes == 1:
		return String("1 Byte")
	case bytes < base:
		return String(strconv.FormatFloat(bytes, 'f', 0, 64) + " Bytes")
	}
	i := 0
	for bytes /= base; bytes >= base && i < len(prefixes)-1; i++ {
		bytes /= base
	}
	return String(strconv.FormatFloat(bytes, 'f', 1, 64) + " " + prefixes[i:i+1] + suffix)
}

var markupTags = regexp.MustCompile(`(?s)<!--.*?-->|<[^>]*>`)

func wordwrapFilter(in *interpreter, v Value, a []Value) Value {
	width, wrap := max(in.intOr(a[0], 79), 1), String("\n")
	if a[2].kind == kindString {
		wrap = a[2]
	}
	breakLong := a[1].kind == kindMissing || a[1].truth()
	w := writer{in: in}
	for i, line := range in.lines(in.asText(v), false) {
		if i > 0 {
			w.addText(wrap)
		}
		column := 0
		for _, word := range in.fields(line, -1, false) {
			n := word.runes()
			if column > 0 {
				if column+1+n <= width {
					w.add(" ", Template.tag())
					column++
				} else {
					w.addText(wrap)
					column = 0
				}
			}
			for breakLong && n > width {
				cut := word.at(width)
				w.addText(word.part(0, cut))
				w.addText(wrap)
				word = word.part(cut, len(word.text))
				n -= width
			}
			w.addText(word)
			column += n
		}
	}
	return w.value()
}

func xmlattrFilter(in *interpreter, v Value, a []Value) Value {
	if v.kind != kindDict {
		in.fail(TypeError, "xmlattr needs a dictionary, not %s", v.typeName())
	}
	w := writer{in: in}
	d := v.dict()
	for i, key := range d.keys {
		if item := d.values[i]; item.kind != kindNone && item.kind != kindUndefined {
			if w.buffer != nil || a[0].kind == kindMissing || a[0].truth() {
				w.add(" ", Template.tag())
			}
			w.addText(in.escape(in.show(key)))
			w.add(`="`, Template.tag())
			w.addText(in.escape(in.show(item)))
			w.add(`"`, Template.tag())
		}
	}
	return w.value()
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
	items := slices.Clone(in.iterate(v))
	in.spend(valueSize * len(items))
	slices.Reverse(items)
	if v.kind == kindString {
		return in.join(items...)
	}
	return newGenerator(items)
}

func urlencodeFilter(in *interpreter, v Value, a []Value) Value {
	quote := func(s string) string {
		return strings.NewReplacer("+", "%20", "%2F", "/", "%7E", "~").Replace(url.QueryEscape(s))
	}
	if v.kind == kindDict {
		w := writer{in: in}
		for i, key := range v.dict().keys {
			if i > 0 {
				w.add("&", Template.tag())
			}
			w.addText(in.mapText(in.show(key), url.QueryEscape))
			w.add("=", Template.tag())
			w.addText(in.mapText(in.show(v.dict().values[i]), url.QueryEscape))
		}
		return w.value()
	}
	return in.mapText(in.asText(v), quote)
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
			return in.title(in.asText(v), func(r rune) bool { return isSpace(r) || strings.ContainsRune("-([{<", r) })
		}, nil},
		"replace": {"old new count", func(in *interpreter, v Value, a []Value) Value {
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
			return Int(len(in.fields(in.asText(v), -1, false)))
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
			in.use(v)
			if !v.isNumber() {
				in.fail(TypeError, "bad operand type for abs(): '%s'", v.typeName())
			}
			if v.asFloat() < 0 {
				return in.arithmetic("*", v, Int(-1))
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
			return in.newList(in.sorted(in.iterate(v), in.getter(a[2], Value{}), a[1].truth(), a[0].truth()))
		}, nil},
		"dictsort": {"case_sensitive by reverse", dictsortFilter, nil}, "reverse": {"", reverseFilter, nil},
		"groupby": {"attribute default case_sensitive", groupFilter, nil}, "batch": {"linecount fill_with", batchFilter, nil},
		"slice": {"slices fill_with", sliceFilter, nil}, "map": {raw: mapFilter},
		"select": selecting(true, false), "reject": selecting(false, false),
		"selectattr": selecting(true, true), "rejectattr": selecting(false, true),
		"tojson":         {"ensure_ascii indent separators sort_keys", toJSON, nil},
		"filesizeformat": {"binary", sizeFilter, nil},
		"pprint": {"", func(in *interpreter, v Value, a []Value) Value {
			w := writer{in: in}
			w.repr(v, 0)
			return w.value()
		}, nil},
		"attr": {"name", func(in *interpreter, v Value, a []Value) Value {
			in.use(v)
			name := in.wantText(a[0]).text
			if found, ok := in.member(v, name); ok && !strings.HasPrefix(name, "__") {
				return found
			}
			return undefined(UndefinedError, "'%s' has no attribute '%s'", objectName(v), name)
		}, nil},
	}
}
