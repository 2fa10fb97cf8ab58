package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// floatText is Python's repr of a float: the shortest digits that read back,
// with an exponent below 1e-4 and from 1e16 on.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// show is Python's str(v), with origins.
func (in *interpreter) show(v Value) Value {
	if v.kind == kindString {
		return v
	}
	w := writer{in: in}
	w.show(v, 0)
	return w.value()
}

func (w *writer) show(v Value, depth int) {
	switch v.kind {
	case kindString:
		w.addText(v)
		return
	case kindUndefined, kindMissing:
		return
	}
	w.repr(v, depth)
}

// repr writes Python's repr(v).
func (w *writer) repr(v Value, depth int) {
	w.in.step(1)
	if depth > maxDataDepth {
		w.in.fail(LimitError, "data nested deeper than %d", maxDataDepth)
	}
	sequence := func(open, close string, items []Value) {
		w.add(open, v.tag)
		for i, item := range items {
			if i > 0 {
				w.add(", ", v.tag)
			}
			w.repr(item, depth+1)
		}
		w.add(close, v.tag)
	}
	members := func(d *dict) {
		w.add("{", v.tag)
		for i, key := range d.keys {
			if i > 0 {
				w.add(", ", v.tag)
			}
			w.repr(key, depth+1)
			w.add(": ", v.tag)
			w.repr(d.values[i], depth+1)
		}
		w.add("}", v.tag)
	}
	switch v.kind {
	case kindUndefined, kindMissing:
		w.add("Undefined", v.tag) // in a list or dictionary; alone it shows nothing
	case kindNone:
		w.add("None", v.tag)
	case kindBool:
		w.add(map[bool]string{true: "True", false: "False"}[v.truth()], v.tag)
	case kindInt, kindBig:
		w.add(v.big().String(), v.tag)
	case kindFloat:
		w.add(floatText(v.float()), v.tag)
	case kindString:
		w.reprText(v)
	case kindList:
		sequence("[", "]", v.items())
	case kindTuple:
		if len(v.items()) == 1 {
			sequence("(", ",)", v.items())
		} else {
			sequence("(", ")", v.items())
		}
	case kindView:
		sequence(v.text+"([", "])", v.items())
	case kindDict:
		members(v.dict())
	case kindRange:
		r := v.ref.(*rangeValue)
		text := fmt.Sprintf("range(%d, %d)", r.start, r.stop)
		if r.step != 1 {
			text = fmt.Sprintf("range(%d, %d, %d)", r.start, r.stop, r.step)
		}
		w.add(text, v.tag)
	case kindNamespace:
		w.add("<Namespace ", v.tag)
		members(v.dict())
		w.add(">", v.tag)
	case kindObject:
		w.add("<"+v.ref.(*object).name+">", v.tag)
	case kindMacro:
		name := "anonymous"
		if n := v.ref.(*macroValue).node.name; n != "" {
			name = "'" + n + "'"
		}
		w.add("<Macro "+name+">", v.tag)
	default:
		w.add("<"+v.typeName()+">", v.tag)
	}
}

func (w *writer) reprText(v Value) {
	quote := "'"
	if strings.Contains(v.text, "'") && !strings.Contains(v.text, `"`) {
		quote = `"`
	}
	outer := v.tag
	for _, t := range v.pieces {
		outer = t
		break
	}
	w.add(quote, outer)
	for text, t := range v.pieces {
		start := 0
		for i, r := range text {
			escape := ""
			switch {
			case r == '\\' || string(r) == quote:
				escape = `\` + string(r)
			case r == '\n':
				escape = `\n`
			case r == '\r':
				escape = `\r`
			case r == '\t':
				escape = `\t`
			case r == utf8.RuneError || r == ' ' || unicode.IsPrint(r):
			case r < 0x100:
				escape = fmt.Sprintf(`\x%02x`, r)
			case r < 0x10000:
				escape = fmt.Sprintf(`\u%04x`, r)
			default:
				escape = fmt.Sprintf(`\U%08x`, r)
			}
			if escape == "" {
				continue
			}
			w.add(text[start:i], t)
			w.add(escape, t)
			start = i + utf8.RuneLen(r)
		}
		w.add(text[start:], t)
		outer = t
	}
	w.add(quote, outer)
}
