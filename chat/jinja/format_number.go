package jinja

import (
	"math"
	"strconv"
	"strings"
)

// formatNumber writes a number as asked by a format specification or, with
// spec.percent set, by a % format.
func (in *interpreter) formatNumber(v Value, spec formatSpec) Value {
	in.room(max(spec.precision, 0) + 400)
	sign, prefix, digits, rest := "", "", "", ""
	if v.kind != kindFloat && strings.IndexByte("\x00bcdnoxX", spec.kind) >= 0 {
		if sign, prefix, digits = in.integerDigits(v, spec); spec.kind == 'c' {
			text := String(digits)
			text.tag = v.tag
			return in.aligned(text, spec)
		}
	} else {
		sign, digits, rest = in.floatDigits(v, spec)
	}
	if sign == "" && spec.sign != 0 && spec.sign != '-' {
		sign = string(spec.sign)
	}
	width := spec.width - len(sign) - len(prefix) - len(rest)
	if spec.comma != "" {
		size := 3
		if prefixes[spec.kind] != "" {
			size = 4
		}
		if spec.align != '=' || spec.fill != "0" {
			digits = grouped(digits, spec.comma, size, 0)
		} else {
			digits = grouped(digits, spec.comma, size, width)
		}
	}
	if spec.align == '=' && len(digits) < width {
		digits = strings.Repeat(spec.fill, width-len(digits)) + digits
	}
	if spec.align == 0 || spec.align == '=' {
		spec.align = '>'
	}
	text := String(sign + prefix + digits + rest)
	text.tag = v.tag
	return in.aligned(text, spec)
}

var prefixes = map[byte]string{'b': "0b", 'o': "0o", 'x': "0x", 'X': "0X"}

func (in *interpreter) integerDigits(v Value, spec formatSpec) (sign, prefix, digits string) {
	if !spec.percent && spec.precision >= 0 {
		in.fail(ValueError, "Precision not allowed in integer format specifier")
	}
	base := map[byte]int{'b': 2, 'o': 8, 'x': 16, 'X': 16}[spec.kind]
	switch {
	case spec.kind == 'c':
		if spec.sign != 0 {
			in.fail(ValueError, "Sign not allowed with integer format specifier 'c'")
		}
		if !isInt(v) || v.int() < 0 || v.int() > 0x10FFFF {
			in.fail(OverflowError, "%%c arg not in range(0x110000)")
		}
		return "", "", string(rune(v.int()))
	case spec.comma == "," && base != 0, spec.comma != "" && spec.kind == 'n':
		in.fail(ValueError, "Cannot specify '%s' with '%c'.", spec.comma, spec.kind)
	case base == 0:
		digits = v.big().String()
	default:
		if digits = v.big().Text(base); spec.kind == 'X' {
			digits = strings.ToUpper(digits)
		}
		if spec.alternate {
			prefix = prefixes[spec.kind]
		}
	}
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	if missing := spec.precision - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	return sign, prefix, digits
}

// floatDigits gives the digits before the point, and what comes after them.
func (in *interpreter) floatDigits(v Value, spec formatSpec) (sign, digits, rest string) {
	if strings.IndexByte("\x00eEfFgGn%", spec.kind) < 0 {
		in.fail(ValueError, "Unknown format code '%c' for object of type '%s'", spec.kind, v.typeName())
	}
	f, kind, precision := v.asFloat(), spec.kind|32, spec.precision
	if precision < 0 {
		precision = 6
	}
	var s string
	switch {
	case math.IsInf(f, 0) || math.IsNaN(f):
		s = floatText(f)
	case spec.kind == 0 && spec.precision < 0:
		s = floatText(f)
	case spec.kind == '%':
		s = strconv.FormatFloat(f*100, 'f', precision, 64)
	case kind == 'f' || kind == 'e':
		s = strconv.FormatFloat(f, kind, precision, 64)
	default:
		s = general(f, max(precision, 1), spec.kind == 0, spec.alternate)
	}
	if spec.alternate && !strings.ContainsAny(s, ".in") {
		mantissa, exponent, hasExponent := strings.Cut(s, "e")
		if s = mantissa + "."; hasExponent {
			s += "e" + exponent
		}
	}
	if spec.kind == '%' {
		s += "%"
	}
	if spec.kind >= 'A' && spec.kind <= 'Z' {
		s = strings.ToUpper(s)
	}
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	if spec.noMinusZero && !strings.ContainsAny(s, "123456789inIN") {
		sign = ""
	}
	if i := strings.IndexAny(s, ".eE%"); i >= 0 {
		return sign, s[:i], s[i:]
	}
	return sign, s, ""
}

// general is %g: precision significant digits, no zeros at the end unless kept.
// With point set it has one digit after the point at least.
func general(f float64, precision int, point, keep bool) string {
	s := strconv.FormatFloat(f, 'e', precision-1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	e, _ := strconv.Atoi(exponent)
	trim := func(s string) string {
		if strings.Contains(s, ".") && !keep {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	most := precision
	if point {
		most--
	}
	if e < -4 || e >= most {
		return trim(mantissa) + "e" + exponent
	}
	if s = trim(strconv.FormatFloat(f, 'f', precision-1-e, 64)); point && !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// grouped puts comma between groups of digits, with zeros before them up to width.
func grouped(digits, comma string, size, width int) string {
	n := max(len(digits), width-width/(size+1)-1)
	for n+(n-1)/size < width {
		n++
	}
	var b strings.Builder
	for i := range n {
		if i > 0 && (n-i)%size == 0 {
			b.WriteString(comma)
		}
		if zeros := n - len(digits); i < zeros {
			b.WriteByte('0')
		} else {
			b.WriteByte(digits[i-zeros])
		}
	}
	return b.String()
}

func (in *interpreter) aligned(text Value, spec formatSpec) Value {
	missing := spec.width - text.runes()
	if missing <= 0 {
		return text
	}
	left := map[byte]int{'<': 0, '>': missing, '^': missing / 2}[spec.align]
	fill := String(spec.fill)
	fill.tag = spec.tag
	return in.join(in.repeat(fill, Int(left)), text, in.repeat(fill, Int(missing-left)))
}
