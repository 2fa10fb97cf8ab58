package jinja

import (
	"math"
	"math/big"
	"strconv"
)

// Origin says where a value comes from. Zero is the template; other numbers
// are the caller's, which knows what they stand for.
type Origin int32

// Template is the origin of what a template writes itself.
const Template Origin = 0

// tag is what is known of a run of output: its origin, and in the lowest bit
// whether a generation block wrote it.
type tag int32

func (o Origin) tag() tag     { return tag(o) << 1 }
func (t tag) origin() Origin  { return Origin(t >> 1) }
func (t tag) generated() bool { return t&1 != 0 }

type kind uint8

const (
	kindMissing   kind = iota // an argument that was not given; the zero Value
	kindUndefined             // ref: *Error to raise when it is used
	kindNone
	kindBool
	kindInt
	kindBig // ref: *big.Int, beyond int64
	kindFloat
	kindString // text; ref: *runs when it has several origins
	kindList   // ref: *list
	kindTuple  // ref: *list
	kindDict   // ref: *dict
	kindRange  // ref: *rangeValue
	kindGenerator
	kindView // of a dict: ref *list, text is Python's type name
	kindFunction
	kindMacro
	kindLoop
	kindNamespace // ref: *dict
	kindObject    // ref: *object
)

// Value is a Python value as templates see it. Values never change; the zero
// Value stands for nothing at all and is refused by [Template.Render].
type Value struct {
	kind   kind
	markup bool // a text that autoescape leaves alone
	tag    tag
	number uint64 // int64 or float64 bits
	text   string
	ref    any
}

type list struct{ items []Value }

type generator struct {
	items []Value
	used  bool
}

type rangeValue struct{ start, stop, step, length int64 }

// None is Python's None.
func None() Value { return Value{kind: kindNone} }

// Bool is Python's True or False.
func Bool(b bool) Value {
	v := Value{kind: kindBool}
	if b {
		v.number = 1
	}
	return v
}

// Int is an integer.
func Int(i int) Value { return Value{kind: kindInt, number: uint64(int64(i))} }

// Float is a float.
func Float(f float64) Value { return Value{kind: kindFloat, number: math.Float64bits(f)} }

// String is a text of the template's own, such as bos_token.
func String(s string) Value { return Value{kind: kindString, text: s} }

// List is a list.
func List(items ...Value) Value { return Value{kind: kindList, ref: &list{items}} }

// Pair is a member of [Dict].
type Pair struct {
	Key   string
	Value Value
}

// Dict is a dictionary with the members in the order given.
func Dict(pairs ...Pair) Value {
	d := newDict(len(pairs))
	for _, p := range pairs {
		d.set(String(p.Key), p.Value)
	}
	return Value{kind: kindDict, ref: d}
}

// From returns v as coming from origin: of a text every byte, of a list or
// dictionary the brackets and commas that show it, not its members.
func (v Value) From(origin Origin) Value {
	v.tag = origin.tag()
	if v.kind == kindString {
		v.ref = nil
	}
	return v
}

func tuple(items ...Value) Value { return Value{kind: kindTuple, ref: &list{items}} }

func newGenerator(items []Value) Value {
	return Value{kind: kindGenerator, ref: &generator{items: items}}
}

func undefined(kind, format string, args ...any) Value {
	return Value{kind: kindUndefined, ref: fail(kind, format, args...)}
}

func bigInt(i *big.Int) Value {
	if i.IsInt64() {
		return Int(int(i.Int64()))
	}
	return Value{kind: kindBig, ref: i}
}

func (v Value) int() int       { return int(int64(v.number)) }
func (v Value) float() float64 { return math.Float64frombits(v.number) }
func (v Value) items() []Value { return v.ref.(*list).items }
func (v Value) dict() *dict    { return v.ref.(*dict) }

func (v Value) isNumber() bool {
	return v.kind == kindBool || v.kind == kindInt || v.kind == kindBig || v.kind == kindFloat
}

// big is the value of a bool, int or big integer.
func (v Value) big() *big.Int {
	if v.kind == kindBig {
		return v.ref.(*big.Int)
	}
	return big.NewInt(int64(v.number))
}

// asFloat is the value of a number.
func (v Value) asFloat() float64 {
	switch v.kind {
	case kindFloat:
		return v.float()
	case kindBig:
		f, _ := new(big.Float).SetInt(v.big()).Float64()
		return f
	}
	return float64(int64(v.number))
}

// typeName is the name of v's type in Python, for error messages.
func (v Value) typeName() string {
	switch v.kind {
	case kindNone:
		return "NoneType"
	case kindBool:
		return "bool"
	case kindInt, kindBig:
		return "int"
	case kindFloat:
		return "float"
	case kindString:
		return "str"
	case kindList:
		return "list"
	case kindTuple:
		return "tuple"
	case kindDict:
		return "dict"
	case kindRange:
		return "range"
	case kindGenerator:
		return "generator"
	case kindView:
		return v.text
	case kindFunction:
		return "function"
	case kindMacro:
		return "Macro"
	case kindLoop:
		return "LoopContext"
	case kindNamespace:
		return "Namespace"
	case kindUndefined:
		return "Undefined"
	case kindObject:
		return v.ref.(*object).name
	}
	return "missing"
}

// truth is Python's bool(v).
func (v Value) truth() bool {
	switch v.kind {
	case kindUndefined, kindNone, kindMissing:
		return false
	case kindBool, kindInt:
		return v.number != 0
	case kindFloat:
		return v.float() != 0
	case kindString:
		return v.text != ""
	case kindList, kindTuple, kindView:
		return len(v.items()) > 0
	case kindDict:
		return len(v.dict().keys) > 0
	case kindRange:
		return v.ref.(*rangeValue).length > 0
	}
	return true
}

// dict keeps its keys in the order in which they came, like Python's.
type dict struct {
	keys, values []Value
	index        map[string]int
}

func newDict(size int) *dict {
	return &dict{make([]Value, 0, size), make([]Value, 0, size), make(map[string]int, size)}
}

// set adds a member, or replaces the value of one. It reports false for a key
// that has no hash, such as a list.
func (d *dict) set(key, value Value) bool {
	hash, ok := hashKey(key, 0)
	if !ok {
		return false
	}
	if i, ok := d.index[hash]; ok {
		d.values[i] = value
		return true
	}
	d.index[hash] = len(d.keys)
	d.keys = append(d.keys, key)
	d.values = append(d.values, value)
	return true
}

func (d *dict) get(key Value) (Value, bool) {
	if hash, ok := hashKey(key, 0); ok {
		if i, ok := d.index[hash]; ok {
			return d.values[i], true
		}
	}
	return Value{}, false
}

func (d *dict) named(name string) (Value, bool) {
	i, ok := d.index["s"+name]
	if !ok {
		return Value{}, false
	}
	return d.values[i], true
}

// hashKey is a text that is equal for equal keys: 1, 1.0 and True are one key.
func hashKey(key Value, depth int) (string, bool) {
	switch key.kind {
	case kindString:
		return "s" + key.text, true
	case kindNone:
		return "n", true
	case kindUndefined: // all of them are equal
		return "u", true
	case kindBool, kindInt:
		return "i" + strconv.FormatInt(int64(key.number), 10), true
	case kindBig:
		return "i" + key.big().String(), true
	case kindFloat:
		f := key.float()
		if f == math.Trunc(f) && math.Abs(f) < 1e300 {
			i, _ := big.NewFloat(f).Int(nil)
			return "i" + i.String(), true
		}
		return "f" + strconv.FormatFloat(f, 'g', -1, 64), true
	case kindTuple:
		if depth > maxDataDepth {
			return "", false
		}
		hash := "t"
		for _, item := range key.items() {
			h, ok := hashKey(item, depth+1)
			if !ok {
				return "", false
			}
			hash += strconv.Itoa(len(h)) + ":" + h
		}
		return hash, true
	}
	return "", false
}
