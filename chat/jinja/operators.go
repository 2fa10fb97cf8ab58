package jinja

import (
	"cmp"
	"math"
	"math/big"
	"slices"
	"strings"
)

// either is the tag of what is made from two values: that of the one which is
// data, if one is.
func either(a, b Value) tag {
	if a.tag.origin() != Template {
		return a.tag
	}
	return b.tag
}

func (in *interpreter) binary(op string, a, b Value) Value {
	in.use(a)
	if op == "%" && a.kind == kindString {
		return in.percent(a, b)
	}
	in.use(b)
	switch {
	case op == "+" && a.kind == kindString && b.kind == kindString:
		if a.markup != b.markup { // Python's Markup escapes what is added to it
			a, b = in.marked(a), in.marked(b)
		}
		out := in.join(a, b)
		out.markup = a.markup
		return out
	case op == "+" && (a.kind == kindList || a.kind == kindTuple) && a.kind == b.kind:
		in.spend(valueSize * (len(a.items()) + len(b.items())))
		return Value{kind: a.kind, tag: either(a, b), ref: &list{slices.Concat(a.items(), b.items())}}
	case op == "*" && (repeats(a) && isInt(b) || isInt(a) && repeats(b)):
		return in.repeat(a, b)
	case op == "*" && (repeats(a) && b.kind == kindBig || a.kind == kindBig && repeats(b)):
		in.fail(OverflowError, "cannot fit 'int' into an index-sized integer")
	case !a.isNumber() || !b.isNumber():
		in.badOperands(op, a, b)
	}
	out := in.arithmetic(op, a, b)
	out.tag = either(a, b)
	return out
}

func (in *interpreter) marked(v Value) Value {
	if v.markup {
		return v
	}
	return in.escape(v)
}

func (in *interpreter) badOperands(op string, a, b Value) {
	if op == "+" && a.kind == kindString {
		in.fail(TypeError, `can only concatenate str (not "%s") to str`, b.typeName())
	}
	if op == "+" && a.kind == kindList {
		in.fail(TypeError, `can only concatenate list (not "%s") to list`, b.typeName())
	}
	in.fail(TypeError, "unsupported operand type(s) for %s: '%s' and '%s'", op, a.typeName(), b.typeName())
}

func isInt(v Value) bool   { return v.kind == kindInt || v.kind == kindBool }
func repeats(v Value) bool { return v.kind == kindString || v.kind == kindList || v.kind == kindTuple }

func (in *interpreter) repeat(a, b Value) Value {
	if isInt(a) {
		a, b = b, a
	}
	n := max(b.int(), 0)
	if a.kind == kindString {
		if len(a.text) == 0 {
			return a
		}
		if n > in.limits.Text/len(a.text) {
			in.room(math.MaxInt)
		}
		w := writer{in: in}
		for range n {
			w.addText(a)
		}
		return w.value()
	}
	if items := len(a.items()); items > 0 && n > in.limits.Memory/valueSize/items {
		in.spend(in.limits.Memory + 1)
	}
	in.spend(valueSize * n * len(a.items()))
	return Value{kind: a.kind, tag: a.tag, ref: &list{slices.Repeat(a.items(), n)}}
}

func (in *interpreter) arithmetic(op string, a, b Value) Value {
	if op == "/" {
		if b.asFloat() == 0 {
			in.fail(ZeroDivision, "division by zero")
		}
		return Float(a.asFloat() / b.asFloat())
	}
	if op == "**" && a.kind != kindFloat && b.kind != kindFloat && b.asFloat() < 0 {
		if a.asFloat() == 0 {
			in.fail(ZeroDivision, "0.0 cannot be raised to a negative power")
		}
		return Float(math.Pow(a.asFloat(), b.asFloat()))
	}
	if a.kind == kindFloat || b.kind == kindFloat {
		return in.floatArithmetic(op, a.asFloat(), b.asFloat())
	}
	x, y, z := a.big(), b.big(), new(big.Int)
	switch op {
	case "+":
		z.Add(x, y)
	case "-":
		z.Sub(x, y)
	case "*":
		z.Mul(x, y)
	case "//", "%":
		if y.Sign() == 0 {
			in.fail(ZeroDivision, "integer division or modulo by zero")
		}
		rest := new(big.Int)
		z.QuoRem(x, y, rest)
		if rest.Sign() != 0 && rest.Sign() != y.Sign() { // round down, not to zero
			z.Sub(z, big.NewInt(1))
			rest.Add(rest, y)
		}
		if op == "%" {
			z = rest
		}
	case "**":
		if x.BitLen() > 1 && (!y.IsInt64() || y.Int64() > maxBits/int64(x.BitLen())) {
			in.fail(LimitError, "an integer of more than %d bits", maxBits)
		}
		if x.BitLen() <= 1 && y.Sign() > 0 { // 0, 1 and -1: only odd or even matters
			y = big.NewInt(2 - int64(y.Bit(0)))
		}
		z.Exp(x, y, nil)
	}
	if z.BitLen() > maxBits {
		in.fail(LimitError, "an integer of more than %d bits", maxBits)
	}
	return bigInt(z)
}

func (in *interpreter) floatArithmetic(op string, x, y float64) Value {
	switch op {
	case "+":
		return Float(x + y)
	case "-":
		return Float(x - y)
	case "*":
		return Float(x * y)
	case "**":
		if x == 0 && y < 0 {
			in.fail(ZeroDivision, "0.0 cannot be raised to a negative power")
		}
		z := math.Pow(x, y)
		if math.IsInf(z, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
			in.fail(OverflowError, "(34, 'Numerical result out of range')")
		}
		return Float(z)
	}
	if y == 0 {
		in.fail(ZeroDivision, "float floor division by zero")
	}
	rest := math.Mod(x, y)
	switch {
	case rest == 0:
		rest = math.Copysign(0, y)
	case (rest < 0) != (y < 0):
		rest += y
	}
	if op == "%" {
		return Float(rest)
	}
	if whole := math.Round((x - rest) / y); whole != 0 {
		return Float(whole)
	}
	return Float(math.Copysign(0, x/y))
}

// equal is Python's ==.
func (in *interpreter) equal(a, b Value, depth int) bool {
	in.scan(a)
	if depth > maxDataDepth {
		in.fail(LimitError, "data nested deeper than %d", maxDataDepth)
	}
	switch {
	case a.isNumber() && b.isNumber():
		return compareNumbers(a, b) == 0 && a.asFloat() == a.asFloat()
	case a.kind != b.kind:
		return false
	}
	switch a.kind {
	case kindString:
		return a.text == b.text
	case kindNone, kindUndefined, kindMissing:
		return true
	case kindList, kindTuple, kindView:
		return slices.EqualFunc(a.items(), b.items(), func(x, y Value) bool { return in.equal(x, y, depth+1) })
	case kindDict:
		x, y := a.dict(), b.dict()
		if len(x.keys) != len(y.keys) {
			return false
		}
		for i, key := range x.keys {
			other, ok := y.get(key)
			if !ok || !in.equal(x.values[i], other, depth+1) {
				return false
			}
		}
		return true
	case kindRange:
		return *a.ref.(*rangeValue) == *b.ref.(*rangeValue)
	}
	return a.ref == b.ref // functions, namespaces: the same one
}

func compareNumbers(a, b Value) int {
	if a.kind == kindFloat || b.kind == kindFloat {
		return cmp.Compare(a.asFloat(), b.asFloat())
	}
	return a.big().Cmp(b.big())
}

// order compares two values that Python can order; op is for the error.
func (in *interpreter) order(op string, a, b Value, depth int) int {
	in.scan(a)
	if depth > maxDataDepth {
		in.fail(LimitError, "data nested deeper than %d", maxDataDepth)
	}
	in.use(a)
	in.use(b)
	switch {
	case a.isNumber() && b.isNumber():
		return compareNumbers(a, b)
	case a.kind == kindString && b.kind == kindString:
		return strings.Compare(a.text, b.text)
	case (a.kind == kindList || a.kind == kindTuple) && a.kind == b.kind:
		x, y := a.items(), b.items()
		for i := range min(len(x), len(y)) {
			if !in.equal(x[i], y[i], depth+1) {
				return in.order(op, x[i], y[i], depth+1)
			}
		}
		return cmp.Compare(len(x), len(y))
	}
	in.fail(TypeError, "'%s' not supported between instances of '%s' and '%s'", op, a.typeName(), b.typeName())
	return 0
}

func (in *interpreter) compare(op string, a, b Value) bool {
	switch op {
	case "==":
		return in.equal(a, b, 0)
	case "!=":
		return !in.equal(a, b, 0)
	case "<":
		return in.order(op, a, b, 0) < 0
	case "<=":
		return in.order(op, a, b, 0) <= 0
	case ">":
		return in.order(op, a, b, 0) > 0
	case ">=":
		return in.order(op, a, b, 0) >= 0
	case "in":
		return in.contains(b, a)
	}
	return !in.contains(b, a) // not in
}

func (in *interpreter) contains(all, one Value) bool {
	switch all.kind {
	case kindString:
		if one.kind != kindString {
			in.fail(TypeError, "'in <string>' requires string as left operand, not %s", one.typeName())
		}
		in.scan(all)
		return strings.Contains(all.text, one.text)
	case kindDict:
		in.scan(one)
		if _, ok := hashKey(one, 0); !ok {
			in.fail(TypeError, "unhashable type: '%s'", one.typeName())
		}
		_, ok := all.dict().get(one)
		return ok
	case kindRange:
		if !one.isNumber() {
			return false
		}
	}
	return slices.ContainsFunc(in.iterate(all), func(v Value) bool { return in.equal(v, one, 0) })
}

// iterate lists what a for loop over v visits. A generator is used up by it.
func (in *interpreter) iterate(v Value) []Value {
	var items []Value
	switch v.kind {
	case kindList, kindTuple, kindView:
		items = v.items()
	case kindDict:
		items = v.dict().keys
	case kindUndefined:
		if v.ref.(*Error).Kind != UndefinedError {
			in.use(v)
		}
	case kindString:
		in.spend(valueSize * len(v.text))
		start := 0
		for i := range v.text {
			if i > start {
				items = append(items, v.part(start, i))
				start = i
			}
		}
		if start < len(v.text) {
			items = append(items, v.part(start, len(v.text)))
		}
	case kindRange:
		r := v.ref.(*rangeValue)
		in.spend(valueSize * int(r.length))
		items = make([]Value, r.length)
		for i := range items {
			items[i] = Int(int(r.start + int64(i)*r.step))
			items[i].tag = v.tag
		}
	case kindGenerator:
		g := v.ref.(*generator)
		if !g.used {
			items = g.items
		}
		g.used = true
	default:
		in.fail(TypeError, "'%s' object is not iterable", v.typeName())
	}
	in.step(len(items))
	return items
}

// sortBy sorts what order holds by the key of each, keeping the order of equals.
func (in *interpreter) sortBy(order []int, key func(int) Value, caseSensitive, reverse bool) {
	keys := map[int]Value{}
	for _, i := range order {
		keys[i] = key(i)
		if k := keys[i]; k.kind == kindString && !caseSensitive {
			keys[i] = String(lowerText(k.text))
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		c := in.order("<", keys[i], keys[j], 0)
		if reverse {
			return -c
		}
		return c
	})
}
