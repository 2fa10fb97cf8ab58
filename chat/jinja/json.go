package jinja

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FromJSON reads JSON as Python's json.loads does (members in order, integers
// and floats apart), every part of it coming from origin.
func FromJSON(data []byte, origin Origin) (Value, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	value, err := readJSON(decoder, origin, 0)
	if err != nil {
		return Value{}, err
	}
	if decoder.More() {
		return Value{}, fmt.Errorf("more than one JSON value")
	}
	return value, nil
}

func readJSON(decoder *json.Decoder, origin Origin, depth int) (Value, error) {
	if depth > maxDataDepth {
		return Value{}, fmt.Errorf("JSON nested deeper than %d", maxDataDepth)
	}
	t, err := decoder.Token()
	if err != nil {
		return Value{}, err
	}
	switch t := t.(type) {
	case nil:
		return None().From(origin), nil
	case bool:
		return Bool(t).From(origin), nil
	case string:
		return String(t).From(origin), nil
	case json.Number:
		return numberFromJSON(string(t)).From(origin), nil
	case json.Delim:
		if t == '[' {
			items := []Value{}
			for decoder.More() {
				item, err := readJSON(decoder, origin, depth+1)
				if err != nil {
					return Value{}, err
				}
				items = append(items, item)
			}
			_, err := decoder.Token()
			return List(items...).From(origin), err
		}
		d := newDict(0)
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil {
				return Value{}, err
			}
			value, err := readJSON(decoder, origin, depth+1)
			if err != nil {
				return Value{}, err
			}
			d.set(String(key.(string)).From(origin), value)
		}
		_, err := decoder.Token()
		return Value{kind: kindDict, ref: d}.From(origin), err
	}
	return Value{}, fmt.Errorf("unexpected JSON token %v", t)
}

func numberFromJSON(s string) Value {
	if !strings.ContainsAny(s, ".eE") {
		if len(s) > maxBits/4 {
			f, _ := strconv.ParseFloat(s, 64)
			return Float(f)
		}
		if i, ok := new(big.Int).SetString(s, 10); ok {
			return bigInt(i)
		}
	}
	f, _ := strconv.ParseFloat(s, 64)
	return Float(f)
}

// ToJSON writes a value as Python's json.dumps does, with letters of all scripts
// as they are.
func ToJSON(v Value) (text string, err error) {
	in := &interpreter{limits: Limits{}.withDefaults()}
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(failure)
			if !ok {
				panic(r)
			}
			text, err = "", f.err
		}
	}()
	return toJSON(in, v, make([]Value, 4)).text, nil
}

// jsonForm is how Python's json.dumps is asked to write.
type jsonForm struct {
	indent        string
	indented      bool
	item, key     string // separators
	ascii, sorted bool
}

// writeJSON writes v as json.dumps does. The marks between the members of a
// list or dictionary have the origin of that list or dictionary.
func (w *writer) writeJSON(v Value, form jsonForm, depth int) {
	in := w.in
	in.step(1)
	if depth > maxDataDepth {
		in.fail(LimitError, "data nested deeper than %d", maxDataDepth)
	}
	newline := func(depth int) {
		if form.indented {
			w.add("\n"+strings.Repeat(form.indent, depth), v.tag)
		}
	}
	switch v.kind {
	case kindNone:
		w.add("null", v.tag)
	case kindBool:
		w.add(map[bool]string{true: "true", false: "false"}[v.truth()], v.tag)
	case kindInt, kindBig, kindFloat:
		w.add(jsonNumber(v), v.tag)
	case kindString:
		w.jsonText(v, form.ascii)
	case kindList, kindTuple:
		items := v.items()
		w.add("[", v.tag)
		for i, item := range items {
			if i > 0 {
				w.add(form.item, v.tag)
			}
			newline(depth + 1)
			w.writeJSON(item, form, depth+1)
		}
		if len(items) > 0 {
			newline(depth)
		}
		w.add("]", v.tag)
	case kindDict:
		d := v.dict()
		order := make([]int, len(d.keys))
		for i := range order {
			order[i] = i
		}
		if form.sorted {
			in.sortBy(order, func(i int) Value { return d.keys[i] }, true, false)
		}
		w.add("{", v.tag)
		for n, i := range order {
			if n > 0 {
				w.add(form.item, v.tag)
			}
			newline(depth + 1)
			key := d.keys[i]
			switch key.kind {
			case kindString:
			case kindNone, kindBool, kindInt, kindBig, kindFloat:
				inner := writer{in: in}
				inner.writeJSON(key, form, depth+1)
				key = inner.value()
			default:
				in.fail(TypeError, "keys must be str, int, float, bool or None, not %s", key.typeName())
			}
			w.jsonText(key, form.ascii)
			w.add(form.key, v.tag)
			w.writeJSON(d.values[i], form, depth+1)
		}
		if len(order) > 0 {
			newline(depth)
		}
		w.add("}", v.tag)
	default:
		in.fail(TypeError, "Object of type %s is not JSON serializable", v.typeName())
	}
}

func jsonNumber(v Value) string {
	if v.kind == kindFloat {
		return strings.NewReplacer("inf", "Infinity", "nan", "NaN").Replace(floatText(v.float()))
	}
	return v.big().String()
}

// jsonText writes a quoted text; its quotes and escapes come from where the
// characters beside them come from.
func (w *writer) jsonText(v Value, ascii bool) {
	quote := v.tag
	for _, t := range v.pieces {
		quote = t
		break
	}
	w.add(`"`, quote)
	for text, t := range v.pieces {
		start := 0
		for i, r := range text {
			escape := ""
			switch {
			case r == '"' || r == '\\':
				escape = `\` + string(r)
			case r == '\n':
				escape = `\n`
			case r == '\r':
				escape = `\r`
			case r == '\t':
				escape = `\t`
			case r == '\b':
				escape = `\b`
			case r == '\f':
				escape = `\f`
			case r < 0x20:
				escape = fmt.Sprintf(`\u%04x`, r)
			case ascii && r >= 0x10000:
				escape = fmt.Sprintf(`\u%04x\u%04x`, 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF)
			case ascii && r > 0x7e && r != utf8.RuneError:
				escape = fmt.Sprintf(`\u%04x`, r)
			}
			if escape == "" {
				continue
			}
			w.add(text[start:i], t)
			w.add(escape, t)
			start = i + utf8.RuneLen(r)
			quote = t
		}
		w.add(text[start:], t)
		quote = t
	}
	w.add(`"`, quote)
}
