package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// percent is Python's text % values.
func (in *interpreter) percent(format, values Value) Value {
	items, next := []Value{values}, 0
	if values.kind == kindTuple {
		items = values.items()
	}
	w := writer{in: in}
	s, at := format.text, 0
	for at < len(s) {
		i := strings.IndexByte(s[at:], '%')
		if i < 0 {
			break
		}
		w.addText(format.part(at, at+i))
		at += i + 1
		var v Value
		var got bool
		if at < len(s) && s[at] == '(' {
			end := strings.IndexByte(s[at:], ')')
			if end < 0 || values.kind != kindDict {
				in.fail(TypeError, "format requires a mapping")
			}
			if v, got = values.dict().named(s[at+1 : at+end]); !got {
				in.fail("KeyError", "'%s'", s[at+1:at+end])
			}
			at += end + 1
		}
		spec := formatSpec{align: '>', fill: " ", precision: -1}
		for ; at < len(s) && strings.IndexByte("-+ 0#", s[at]) >= 0; at++ {
			switch s[at] {
			case '-':
				spec.align = '<'
			case '0':
				spec.zero = true
			case '#':
				spec.alternate = true
			default:
				spec.sign = s[at]
			}
		}
		spec.width, at = in.digits(s, at)
		if at < len(s) && s[at] == '.' {
			spec.precision, at = in.digits(s, at+1)
		}
		if at >= len(s) {
			in.fail(ValueError, "incomplete format")
		}
		conversion := s[at]
		at++
		if conversion == '%' {
			w.add("%", format.tag)
			continue
		}
		if !got {
			if next >= len(items) {
				in.fail(TypeError, "not enough arguments for format string")
			}
			v = items[next]
			next++
		}
		in.use(v)
		switch conversion {
		case 's', 'r', 'a':
			text := in.show(v)
			if conversion != 's' {
				inner := writer{in: in}
				inner.repr(v, 0)
				text = inner.value()
			}
			if spec.precision >= 0 {
				text = text.part(0, text.at(spec.precision))
			}
			spec.zero = false
			w.addText(in.aligned(text, spec))
		case 'd', 'i', 'u', 'x', 'X', 'o':
			if !v.isNumber() {
				in.fail(TypeError, "%%%c format: a number is required, not %s", conversion, v.typeName())
			}
			if v.kind == kindFloat {
				v = in.truncated(v)
			}
			if spec.kind = conversion; strings.IndexByte("iu", conversion) >= 0 {
				spec.kind = 'd'
			}
			w.addText(in.formatNumber(v, spec))
		case 'f', 'F', 'e', 'E', 'g', 'G':
			if !v.isNumber() {
				in.fail(TypeError, "must be real number, not %s", v.typeName())
			}
			spec.kind = conversion
			w.addText(in.formatNumber(v, spec))
		default:
			in.fail(ValueError, "unsupported format character '%c'", conversion)
		}
	}
	w.addText(format.part(at, len(s)))
	if next < len(items) && (values.kind == kindTuple || values.kind != kindDict && next == 0) && values.kind != kindList {
		in.fail(TypeError, "not all arguments converted during string formatting")
	}
	return w.value()
}

func (in *interpreter) digits(s string, at int) (int, int) {
	n := 0
	for ; at < len(s) && s[at] >= '0' && s[at] <= '9'; at++ {
		n = n*10 + int(s[at]-'0')
		in.room(n)
	}
	return n, at
}

// truncated is a float as an integer, cut towards zero.
func (in *interpreter) truncated(v Value) Value {
	f := v.float()
	if math.IsInf(f, 0) || math.IsNaN(f) {
		in.fail(OverflowError, "cannot convert float %s to integer", floatText(f))
	}
	i, _ := big.NewFloat(f).Int(nil)
	out := bigInt(i)
	out.tag = v.tag
	return out
}

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
		end := strings.IndexByte(s[at:], '}')
		if s[at] == '}' || end < 0 {
			in.fail(ValueError, "Single '%c' encountered in format string", s[at])
		}
		field, spec, _ := strings.Cut(s[at+1:at+end], ":")
		if strings.Contains(spec, "{") {
			in.fail(ValueError, "nested format fields are not supported")
		}
		at += end + 1
		field, conversion, _ := strings.Cut(field, "!")
		v := in.field(field, &automatic, a)
		in.use(v)
		if conversion == "r" {
			inner := writer{in: in}
			inner.repr(v, 0)
			v = inner.value()
		}
		w.addText(in.formatted(v, spec))
	}
	return w.value()
}

func (in *interpreter) field(path string, automatic *int, a callArguments) Value {
	first := path
	if i := strings.IndexAny(path, ".["); i >= 0 {
		first = path[:i]
	}
	rest := path[len(first):]
	if first == "" {
		first = strconv.Itoa(*automatic)
		*automatic++
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

// formatSpec is Python's format mini-language: [[fill]align][sign][#][0][width][,][.precision][type].
type formatSpec struct {
	fill      string
	align     byte // < > ^ =, 0 by type
	sign      byte
	alternate bool
	zero      bool
	width     int
	comma     string
	precision int // -1: not given
	kind      byte
}

func (in *interpreter) formatted(v Value, s string) Value {
	if s == "" {
		return in.show(v)
	}
	spec := formatSpec{fill: " ", precision: -1}
	_, size := utf8.DecodeRuneInString(s)
	if len(s) > size && strings.IndexByte("<>^=", s[size]) >= 0 {
		spec.fill, spec.align, s = s[:size], s[size], s[size+1:]
	} else if strings.IndexByte("<>^=", s[0]) >= 0 {
		spec.align, s = s[0], s[1:]
	}
	if s != "" && strings.IndexByte("+- ", s[0]) >= 0 {
		spec.sign, s = s[0], s[1:]
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
		spec.precision, at = in.digits(s, 1)
		s = s[at:]
	}
	if len(s) == 1 {
		spec.kind, s = s[0], ""
	}
	if s != "" {
		in.fail(ValueError, "Invalid format specifier")
	}
	if v.isNumber() && v.kind != kindBool {
		return in.formatNumber(v, spec)
	}
	text := in.show(v)
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

func (in *interpreter) formatNumber(v Value, spec formatSpec) Value {
	var s string
	in.room(spec.precision + 400)
	precision := spec.precision
	switch {
	case spec.kind == 0 && v.kind != kindFloat, spec.kind == 'd':
		if v.kind == kindFloat {
			in.fail(ValueError, "Unknown format code 'd' for object of type 'float'")
		}
		s = v.big().String()
	case strings.IndexByte("xXob", spec.kind) >= 0 && v.kind != kindFloat:
		base := map[byte]int{'x': 16, 'X': 16, 'o': 8, 'b': 2}[spec.kind]
		s = v.big().Text(base)
		if spec.alternate {
			s = strings.Replace("0"+string(spec.kind|32)+s, "-", "", 1)
		}
		if spec.kind == 'X' {
			s = strings.ToUpper(s)
		}
	case spec.kind == 0 && precision < 0:
		s = floatText(v.float())
	default:
		if precision < 0 {
			precision = 6
		}
		f, kind := v.asFloat(), spec.kind
		switch kind {
		case '%':
			s = strconv.FormatFloat(f*100, 'f', precision, 64) + "%"
		case 'F':
			s = strconv.FormatFloat(f, 'f', precision, 64)
		case 'f', 'e', 'E':
			s = strconv.FormatFloat(f, kind, precision, 64)
		case 'g', 'G', 0:
			if kind == 0 {
				kind = 'g'
			}
			s = general(f, max(precision, 1), kind)
		default:
			in.fail(ValueError, "Unknown format code '%c' for object of type '%s'", kind, v.typeName())
		}
	}
	sign, digits := "", s
	if strings.HasPrefix(s, "-") {
		sign, digits = "-", s[1:]
	} else if spec.sign == '+' || spec.sign == ' ' {
		sign = string(spec.sign)
	}
	if spec.comma != "" {
		digits = grouped(digits, spec.comma)
	}
	if (spec.zero && spec.align != '<' || spec.align == '=') && len(sign)+len(digits) < spec.width {
		fill := spec.fill
		if spec.zero {
			fill = "0"
		}
		digits = strings.Repeat(fill, spec.width-len(sign)-len(digits)) + digits
	}
	if spec.align == 0 || spec.align == '=' {
		spec.align = '>'
	}
	text := String(sign + digits)
	text.tag = v.tag
	return in.aligned(text, spec)
}

// general is %g: precision significant digits, no zeros at the end.
func general(f float64, precision int, kind byte) string {
	s := strconv.FormatFloat(f, 'e', precision-1, 64)
	mantissa, exponent, ok := strings.Cut(s, "e")
	if !ok {
		return s
	}
	e, _ := strconv.Atoi(exponent)
	trim := func(s string) string {
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	if e >= -4 && e < precision {
		return trim(strconv.FormatFloat(f, 'f', precision-1-e, 64))
	}
	return trim(mantissa) + string(kind-2) + exponent // 'g'-2 is 'e'
}

func grouped(digits, comma string) string {
	whole, rest := digits, ""
	if i := strings.IndexAny(digits, ".e%"); i >= 0 {
		whole, rest = digits[:i], digits[i:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + comma + whole[i:]
	}
	return whole + rest
}

func (in *interpreter) aligned(text Value, spec formatSpec) Value {
	missing := spec.width - text.runes()
	if missing <= 0 {
		return text
	}
	left := map[byte]int{'<': 0, '>': missing, '^': missing / 2}[spec.align]
	fill := String(spec.fill)
	return in.join(in.repeat(fill, Int(left)), text, in.repeat(fill, Int(missing-left)))
}
