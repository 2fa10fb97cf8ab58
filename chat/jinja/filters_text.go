package jinja

import (
	"math"
	"math/big"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Filters that write texts and numbers.

func (in *interpreter) escape(v Value) Value {
	out := in.mapText(v, htmlEscapes.Replace)
	out.markup = true
	return out
}

// words are what wordcount counts.
var words = regexp.MustCompile(`[\pL\pM\pN_]+`)

// parseFloat is Python's float(text).
func parseFloat(s string) (float64, bool) {
	s = strings.TrimFunc(s, isSpace)
	if strings.ContainsAny(s, "xXpP") { // Go reads hexadecimal floats, Python does not
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || math.IsInf(f, 0)
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

func intFilter(in *interpreter, v Value, a []Value) Value {
	otherwise := Int(0)
	if a[0].kind != kindMissing {
		otherwise = a[0]
	}
	in.use(v)
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
		if f, ok := parseFloat(s); ok && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return in.truncated(Float(f))
		}
	}
	return otherwise
}

func floatFilter(in *interpreter, v Value, a []Value) Value {
	in.use(v)
	if v.isNumber() {
		return Float(v.asFloat())
	}
	if v.kind == kindString {
		if f, ok := parseFloat(v.text); ok {
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
	switch a[1].text {
	case "", "common", "ceil", "floor":
	default:
		in.fail(ArgumentError, "method must be common, ceil or floor")
	}
	if !v.isNumber() {
		in.use(v)
		in.fail(TypeError, "type %s doesn't define __round__ method", v.typeName())
	}
	if v.kind != kindFloat && a[1].text != "ceil" && a[1].text != "floor" && in.intOr(a[0], 0) >= 0 {
		return bigInt(v.big()) // integers stay integers
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
	}
	return Float(math.Floor(v.asFloat()*scale) / scale)
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
	switch in.use(v); v.kind {
	case kindString:
	case kindList: // Python's += takes a text for a list
		in.wantLines(v)
	default:
		in.fail(TypeError, "unsupported operand type(s) for +=: '%s' and 'str'", v.typeName())
	}
	w := writer{in: in}
	if a[1].truth() {
		w.addText(indent)
	}
	lines := in.lines(in.join(v, String("\n")), false)
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
	length, leeway, end := in.intOr(a[0], 255), in.intOr(a[3], 5), String("...")
	if a[2].kind != kindMissing {
		end = in.asText(a[2])
	}
	if in.length(v) <= length+leeway {
		return v
	}
	if v.kind != kindString {
		in.fail(TypeError, "can only concatenate texts, not %s", v.typeName())
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

func sizeFilter(in *interpreter, v Value, a []Value) Value {
	in.use(v)
	if v.kind == kindString {
		if _, ok := parseFloat(v.text); !ok {
			in.fail(ValueError, "could not convert string to float: '%s'", v.text)
		}
	} else if !v.isNumber() {
		in.fail(TypeError, "float() argument must be a string or a real number, not '%s'", v.typeName())
	}
	bytes, base, prefixes := in.filter("float", v, callArguments{}).float(), 1000.0, "kMGTPEZY"
	suffix := "B"
	if a[0].truth() {
		base, prefixes, suffix = 1024, "KMGTPEZY", "iB"
	}
	switch {
	case bytes == 1:
		return String("1 Byte")
	case bytes < base:
		return String(strconv.FormatFloat(math.Trunc(bytes)+0, 'f', 0, 64) + " Bytes")
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
	for i, line := range in.lines(in.wantLines(v), false) {
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
		in.use(v)
		in.fail(AttributeError, "'%s' object has no attribute 'items'", v.typeName())
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
