package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"unicode"
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
		begin := at
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
		argument := func() Value {
			if next >= len(items) {
				in.fail(TypeError, "not enough arguments for format string")
			}
			next++
			return items[next-1]
		}
		count := func() int { // digits, or * for an argument
			if at < len(s) && s[at] == '*' {
				at++
				n := argument()
				if !isInt(n) {
					in.fail(TypeError, "* wants int")
				}
				return n.int()
			}
			var n int
			n, at = in.digits(s, at)
			return n
		}
		spec := formatSpec{align: '>', fill: " ", precision: -1, percent: true, tag: format.source()}
		for ; at < len(s) && strings.IndexByte("-+ 0#", s[at]) >= 0; at++ {
			switch s[at] {
			case '-':
				spec.align = '<'
			case '0':
				spec.zero = true
			case '#':
				spec.alternate = true
			case '+':
				spec.sign = '+'
			default:
				if spec.sign == 0 {
					spec.sign = ' '
				}
			}
		}
		if spec.width = count(); spec.width < 0 {
			spec.align, spec.width = '<', -spec.width
		}
		if at < len(s) && s[at] == '.' {
			at++
			spec.precision = max(count(), 0)
		}
		in.room(spec.width)
		in.room(max(spec.precision, 0))
		if at < len(s) && strings.IndexByte("hlL", s[at]) >= 0 {
			at++ // as in C, without meaning
		}
		if at >= len(s) {
			in.fail(ValueError, "incomplete format")
		}
		conversion := s[at]
		at++
		if conversion == '%' && at == begin+1 {
			w.add("%", format.tag)
			continue
		}
		if !got {
			v = argument()
		}
		switch conversion {
		case 's', 'r', 'a':
			text := in.converted(v, conversion)
			if spec.precision >= 0 {
				text = text.part(0, text.at(spec.precision))
			}
			w.addText(in.aligned(text, spec))
		case 'd', 'i', 'u', 'x', 'X', 'o':
			if !v.isNumber() {
				in.fail(TypeError, "%%%c format: a number is required, not %s", conversion, v.typeName())
			}
			if v.kind == kindFloat && strings.IndexByte("xXo", conversion) >= 0 {
				in.fail(TypeError, "%%%c format: an integer is required, not float", conversion)
			}
			if v.kind == kindFloat {
				v = in.truncated(v)
			}
			if spec.kind = conversion; strings.IndexByte("iu", conversion) >= 0 {
				spec.kind = 'd'
			}
			w.addText(in.formatNumber(v, spec.padded()))
		case 'c':
			text := v
			switch {
			case isInt(v) && v.int() >= 0 && v.int() <= unicode.MaxRune:
				text = String(string(rune(v.int())))
				text.tag = v.tag
			case isInt(v):
				in.fail(OverflowError, "%%c arg not in range(0x110000)")
			case v.kind != kindString || v.runes() != 1:
				in.fail(TypeError, "%%c requires int or char")
			}
			w.addText(in.aligned(text, spec))
		case 'f', 'F', 'e', 'E', 'g', 'G':
			in.use(v)
			if !v.isNumber() {
				in.fail(TypeError, "must be real number, not %s", v.typeName())
			}
			spec.kind = conversion
			w.addText(in.formatNumber(v, spec.padded()))
		default:
			in.fail(ValueError, "unsupported format character '%c'", conversion)
		}
	}
	w.addText(format.part(at, len(s)))
	subscripted := false // Python takes what has items for a mapping
	switch values.kind {
	case kindDict, kindList, kindRange, kindUndefined, kindNamespace:
		subscripted = true
	}
	if next < len(items) && !subscripted {
		in.fail(TypeError, "not all arguments converted during string formatting")
	}
	return w.value()
}

// converted is v as !s, !r and !a write it.
func (in *interpreter) converted(v Value, conversion byte) Value {
	if conversion == 's' {
		return in.show(v)
	}
	w := writer{in: in}
	w.repr(v, 0)
	out := w.value()
	if conversion == 'a' {
		out = in.mapRunes(out, func(_ int, r rune) string {
			switch {
			case r < utf8.RuneSelf:
				return string(r)
			case r < 0x100:
				return fmt.Sprintf(`\x%02x`, r)
			case r < 0x10000:
				return fmt.Sprintf(`\u%04x`, r)
			}
			return fmt.Sprintf(`\U%08x`, r)
		})
	}
	return out
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
