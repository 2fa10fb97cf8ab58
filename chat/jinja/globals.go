package jinja

import (
	"strings"
	"time"
	"unicode"
)

func isLower(r rune) bool { return unicode.IsLower(r) }
func isUpper(r rune) bool { return unicode.IsUpper(r) }

// globals are the names every template knows.
func globals() map[string]Value {
	f := func(name string, b builtin) Value { return method(name, b, Value{}) }
	dictGlobal := Value{kind: kindObject, ref: &object{
		name:    "TemplateDict",
		call:    func(in *interpreter, a callArguments) Value { return newDictionary(in, Value{}, a) },
		members: map[string]func(*interpreter, callArguments) Value{"fromkeys": fromKeys},
	}}
	return map[string]Value{
		"raise_exception": f("raise_exception", builtin{"*message", func(in *interpreter, _ Value, a []Value) Value {
			in.fail(RaisedError, "%s", in.asText(a[0]).text)
			return Value{}
		}, nil}),
		"strftime_now": f("strftime_now", builtin{"*format", func(in *interpreter, _ Value, a []Value) Value {
			out := String(in.strftime(in.wantText(a[0]).text, in.now()))
			out.tag = a[0].source()
			return out
		}, nil}),
		"range":     f("range", builtin{"start stop step", newRange, nil}),
		"dict":      dictGlobal,
		"namespace": f("namespace", builtin{raw: newNamespace}),
		"cycler":    f("cycler", builtin{raw: newCycler}),
		"joiner":    f("joiner", builtin{"sep", newJoiner, nil}),
		"lipsum": f("lipsum", builtin{"n html min max", func(in *interpreter, _ Value, a []Value) Value {
			return String("Lorem ipsum dolor sit amet, consectetur adipiscing elit.")
		}, nil}),
		"self": {kind: kindObject, ref: &object{name: "TemplateReference None"}},
	}
}

func newRange(in *interpreter, _ Value, a []Value) Value {
	r := rangeValue{stop: int64(in.intOr(a[0], 0)), step: int64(in.intOr(a[2], 1))}
	if a[0].kind == kindMissing {
		in.fail(TypeError, "range expected at least 1 argument, got 0")
	}
	if a[1].kind != kindMissing {
		r.start, r.stop = r.stop, int64(in.intOr(a[1], 0))
	}
	const most = 1 << 40 // so that nothing below overflows
	if r.start > most || r.start < -most || r.stop > most || r.stop < -most || r.step > most || r.step < -most {
		in.fail(OverflowError, "Range too big.")
	}
	switch {
	case r.step == 0:
		in.fail(ValueError, "range() arg 3 must not be zero")
	case r.step > 0 && r.stop > r.start:
		r.length = (r.stop - r.start + r.step - 1) / r.step
	case r.step < 0 && r.stop < r.start:
		r.length = (r.start - r.stop - r.step - 1) / -r.step
	}
	if r.length > maxRange {
		in.fail(OverflowError, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
	}
	return Value{kind: kindRange, ref: &r}
}

func newDictionary(in *interpreter, _ Value, a callArguments) Value {
	d := newDict(0)
	for _, from := range a.positional {
		in.use(from)
		var items []Value
		if from.kind == kindDict {
			items = in.pairs(from)
		} else {
			items = in.iterate(from)
		}
		for _, item := range items {
			pair := in.iterate(item)
			if len(pair) != 2 {
				in.fail(ValueError, "dictionary update sequence element has length %d; 2 is required", len(pair))
			}
			in.setKey(d, pair[0], pair[1])
		}
	}
	in.spend(2 * valueSize * len(a.names))
	for i, name := range a.names {
		d.set(a.key(name), a.named[i])
	}
	return Value{kind: kindDict, ref: d}
}

// fromKeys is dict.fromkeys(keys, value).
func fromKeys(in *interpreter, a callArguments) Value {
	value := None()
	switch len(a.positional) {
	case 1:
	case 2:
		value = a.positional[1]
	default:
		in.fail(TypeError, "fromkeys expected 1 or 2 arguments, got %d", len(a.positional))
	}
	d := newDict(0)
	for _, key := range in.iterate(a.positional[0]) {
		in.spend(2 * valueSize)
		in.setKey(d, key, value)
	}
	return Value{kind: kindDict, ref: d}
}

func newNamespace(in *interpreter, v Value, a callArguments) Value {
	v = newDictionary(in, v, a)
	for _, key := range v.dict().keys {
		if key.kind == kindString && key.text != "" {
			in.namespaceName(key.text)
		}
	}
	v.kind = kindNamespace
	return v
}

func newCycler(in *interpreter, _ Value, a callArguments) Value {
	items, at := a.positional, 0
	if len(items) == 0 {
		in.fail(RuntimeError, "at least one item has to be provided")
	}
	return Value{kind: kindObject, ref: &object{name: "Cycler", members: map[string]func(*interpreter, callArguments) Value{
		"next": func(*interpreter, callArguments) Value {
			item := items[at]
			at = (at + 1) % len(items)
			return item
		},
		"reset": func(*interpreter, callArguments) Value { at = 0; return None() },
	}}}
}

func newJoiner(in *interpreter, _ Value, a []Value) Value {
	separator, used := String(", "), false
	if a[0].kind != kindMissing {
		separator = a[0]
	}
	return Value{kind: kindObject, ref: &object{name: "Joiner", call: func(*interpreter, callArguments) Value {
		if !used {
			used = true
			return String("")
		}
		return separator
	}}}
}

// strftime writes t as C's strftime does in the C locale.
func (in *interpreter) strftime(format string, t time.Time) string {
	layouts := map[byte]string{
		'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006",
		'd': "02", 'D': "01/02/06", 'e': "_2", 'F': "2006-01-02", 'H': "15", 'I': "03", 'j': "002", 'm': "01",
		'M': "04", 'p': "PM", 'r': "03:04:05 PM", 'R': "15:04", 'S': "05", 'T': "15:04:05", 'x': "01/02/06",
		'X': "15:04:05", 'y': "06", 'Y': "2006", 'Z': "MST", 'z': "-0700",
	}
	var b strings.Builder
	two := func(n int) string { return string([]byte{byte('0' + n/10%10), byte('0' + n%10)}) }
	in.room(len(format))
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		bare := format[i] == '-' && i+1 < len(format) // %-d: without leading zeros
		if bare {
			i++
		}
		text := ""
		year, week := t.ISOWeek()
		switch c := format[i]; c {
		case '%':
			text = "%"
		case 'n':
			text = "\n"
		case 't':
			text = "\t"
		case 'C':
			text = two(t.Year() / 100)
		case 'f':
			text = t.Format(".000000")[1:]
		case 'G':
			text = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Format("2006")
		case 'g':
			text = two(year)
		case 'V':
			text = two(week)
		case 'U':
			text = two((t.YearDay() + 6 - int(t.Weekday())) / 7)
		case 'W':
			text = two((t.YearDay() + 6 - (int(t.Weekday())+6)%7) / 7)
		case 'u':
			text = string(byte('0' + (int(t.Weekday())+6)%7 + 1))
		case 'w':
			text = string(byte('0' + int(t.Weekday())))
		default:
			layout, ok := layouts[c]
			if !ok {
				in.fail(ValueError, "strftime_now: unknown directive %%%c", c)
			}
			text = t.Format(layout)
		}
		if bare {
			if trimmed := strings.TrimLeft(text, "0 "); trimmed != "" {
				text = trimmed
			} else {
				text = "0"
			}
		}
		b.WriteString(text)
	}
	return b.String()
}
