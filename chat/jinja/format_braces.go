package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// braces is Python's text.format(…).
func (in *interpreter) braces(format Value, a callArguments) Value {
	w := writer{in: in}
	s, automatic := format.text, 0
	for at := 0; at < len(s); {
		i := strings.IndexAny(s[at:], "{}")
		if i < 0 {
			w.addText(format.part(at, len(s)))
			break
		}
		w.addText(format.part(at, at+i))
		at += i
		if at+1 < len(s) && s[at+1] == s[at] { // {{ and }}
			w.addText(format.part(at, at+1))
			at += 2
			continue
		}
		end := matching(s[at:])
		if s[at] == '}' || end < 0 && at+1 == len(s) {
			in.fail(ValueError, "Single '%c' encountered in format string", s[at])
		}
		if end < 0 {
			in.fail(ValueError, "expected '}' before end of string")
		}
		field, spec, _ := strings.Cut(s[at+1:at+end], ":")
		at += end + 1
		field, conversion, converts := strings.Cut(field, "!")
		v := in.field(field, &automatic, a)
		if strings.Contains(spec, "{") {
			spec = in.nested(spec, &automatic, a)
		}
		if converts {
			if len(conversion) != 1 || strings.IndexByte("sra", conversion[0]) < 0 {
				in.fail(ValueError, "Unknown conversion specifier %s", conversion)
			}
			v = in.converted(v, conversion[0])
		}
		w.addText(in.formatted(v, spec, format.source()))
	}
	return w.value()
}

func (in *interpreter) field(path string, automatic *int, a callArguments) Value {
	first := path
	if i := strings.IndexAny(path, ".["); i >= 0 {
		first = path[:i]
	}
	rest := path[len(first):]
	switch _, err := strconv.Atoi(first); {
	case first == "" && *automatic < 0:
		in.fail(ValueError, "cannot switch from manual field specification to automatic field numbering")
	case first == "":
		first = strconv.Itoa(*automatic)
		*automatic++
	case err == nil && *automatic > 0:
		in.fail(ValueError, "cannot switch from automatic field numbering to manual field specification")
	case err == nil:
		*automatic = -1
	}
	var v Value
	if i, err := strconv.Atoi(first); err == nil {
		if i < 0 || i >= len(a.positional) {
			in.fail("IndexError", "Replacement index %d out of range for positional args tuple", i)
		}
		v = a.positional[i]
	} else {
		found := false
		for j, name := range a.names {
			if name == first {
				v, found = a.named[j], true
			}
		}
		if !found {
			in.fail("KeyError", "'%s'", first)
		}
	}
	for rest != "" {
		if rest[0] == '.' {
			name := rest[1:]
			if i := strings.IndexAny(name, ".["); i >= 0 {
				name = name[:i]
			}
			if name == "" {
				in.fail(ValueError, "Empty attribute in format string")
			}
			rest = rest[1+len(name):]
			v = in.attribute(v, name)
			continue
		}
		end := strings.IndexByte(rest, ']')
		if rest[0] != '[' || end < 0 {
			in.fail(ValueError, "bad field %q in format string", path)
		}
		index := String(rest[1:end])
		if i, err := strconv.Atoi(index.text); err == nil {
			index = Int(i)
		}
		v, rest = in.item(v, index), rest[end+1:]
	}
	return v
}

// padded moves the zero flag of a % format to fill and alignment.
func (spec formatSpec) padded() formatSpec {
	if spec.zero && spec.align != '<' {
		spec.fill, spec.align = "0", '='
	}
	return spec
}

// formatSpec is Python's format mini-language: [[fill]align][sign][#][0][width][,][.precision][type].
type formatSpec struct {
	fill        string
	align       byte // < > ^ =, 0 by type
	sign        byte
	alternate   bool
	zero        bool
	width       int
	comma       string
	precision   int // -1: not given
	kind        byte
	tag         tag  // what fills up comes from where the format does
	percent     bool // of a % format, whose rules differ in places
	noMinusZero bool
}

func (in *interpreter) formatted(v Value, s string, from tag) Value {
	if s == "" {
		return in.show(v)
	}
	if in.use(v); v.kind != kindString && !v.isNumber() {
		in.fail(TypeError, "unsupported format string passed to %s.__format__", v.typeName())
	}
	spec := formatSpec{fill: " ", precision: -1, tag: from}
	_, size := utf8.DecodeRuneInString(s)
	filled := false
	if len(s) > size && strings.IndexByte("<>^=", s[size]) >= 0 {
		spec.fill, spec.align, s, filled = s[:size], s[size], s[size+1:], true
	} else if strings.IndexByte("<>^=", s[0]) >= 0 {
		spec.align, s = s[0], s[1:]
	}
	if s != "" && strings.IndexByte("+- ", s[0]) >= 0 {
		spec.sign, s = s[0], s[1:]
	}
	if strings.HasPrefix(s, "z") && !isInt(v) {
		spec.noMinusZero, s = true, s[1:]
	}
	if strings.HasPrefix(s, "#") {
		spec.alternate, s = true, s[1:]
	}
	if strings.HasPrefix(s, "0") {
		spec.zero, s = true, s[1:]
	}
	var at int
	spec.width, at = in.digits(s, 0)
	s = s[at:]
	if s != "" && (s[0] == ',' || s[0] == '_') {
		spec.comma, s = s[:1], s[1:]
	}
	if strings.HasPrefix(s, ".") {
		if len(s) < 2 || s[1] < '0' || s[1] > '9' {
			in.fail(ValueError, "Format specifier missing precision")
		}
		spec.precision, at = in.digits(s, 1)
		s = s[at:]
	}
	if len(s) == 1 {
		spec.kind, s = s[0], ""
	}
	if s != "" {
		in.fail(ValueError, "Invalid format specifier")
	}
	if spec.zero {
		if !filled {
			spec.fill = "0"
		}
		if spec.align == 0 && v.isNumber() {
			spec.align = '='
		}
	}
	if v.isNumber() {
		return in.formatNumber(v, spec)
	}
	text := in.show(v)
	switch {
	case spec.sign != 0:
		in.fail(ValueError, "Sign not allowed in string format specifier")
	case spec.alternate:
		in.fail(ValueError, "Alternate form (#) not allowed in string format specifier")
	case spec.align == '=':
		in.fail(ValueError, "'=' alignment not allowed in string format specifier")
	case spec.comma != "":
		in.fail(ValueError, "Cannot specify '%s' with 's'.", spec.comma)
	}
	if spec.kind != 0 && spec.kind != 's' {
		in.fail(ValueError, "Unknown format code '%c' for object of type '%s'", spec.kind, v.typeName())
	}
	if spec.precision >= 0 {
		text = text.part(0, text.at(spec.precision))
	}
	if spec.align == 0 {
		spec.align = '<'
	}
	return in.aligned(text, spec)
}

// matching is where the field that s begins with ends; -1 if it does not.
func matching(s string) int {
	depth, inBrackets := 0, false
	for i := range len(s) {
		switch s[i] {
		case '[':
			inBrackets = depth == 1
		case ']':
			inBrackets = false
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 && !inBrackets {
				return i
			}
		}
	}
	return -1
}

// nested fills the fields within a format specification.
func (in *interpreter) nested(spec string, automatic *int, a callArguments) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(spec, "{")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		field, rest, closed := strings.Cut(after, "}")
		if !closed || strings.Contains(field, "{") {
			in.fail(ValueError, "Max string recursion exceeded")
		}
		field, conversion, _ := strings.Cut(field, "!")
		v := in.field(field, automatic, a)
		if conversion == "r" || conversion == "a" {
			v = in.converted(v, conversion[0])
		}
		out.WriteString(in.show(v).text)
		spec = rest
	}
}
