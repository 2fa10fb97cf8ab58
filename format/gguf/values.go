package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The stored kinds of metadata values.
const (
	kindUint8 uint32 = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

// maxDepth bounds arrays in arrays; no known file nests them at all.
const maxDepth = 8

// cursor reads little-endian values and never past the end.
type cursor struct {
	data []byte
	at   int
	wide bool // lengths are 64-bit (version 2 and later)
}

func (c *cursor) left() int { return len(c.data) - c.at }

func (c *cursor) take(n uint64) ([]byte, error) {
	if n > uint64(c.left()) {
		return nil, fmt.Errorf("at byte %d: %d bytes expected, the file has %d more: cut off, or not sound", c.at, n, c.left())
	}
	b := c.data[c.at : c.at+int(n)]
	c.at += int(n)
	return b, nil
}

func (c *cursor) uint32() (uint32, error) {
	b, err := c.take(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (c *cursor) uint64() (uint64, error) {
	b, err := c.take(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// length reads a count: 32 bits in version 1, 64 later.
func (c *cursor) length() (uint64, error) {
	if c.wide {
		return c.uint64()
	}
	n, err := c.uint32()
	return uint64(n), err
}

func (c *cursor) string() (string, error) {
	n, err := c.length()
	if err != nil {
		return "", err
	}
	b, err := c.take(n)
	return string(b), err
}

// value reads one value of a kind.
func (c *cursor) value(kind uint32, depth int) (any, error) {
	switch kind {
	case kindString:
		return c.string()
	case kindArray:
		return c.array(depth)
	}
	width := kindWidth(kind)
	if width == 0 {
		return nil, fmt.Errorf("at byte %d: no value has kind %d", c.at, kind)
	}
	b, err := c.take(uint64(width))
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindUint8:
		return b[0], nil
	case kindInt8:
		return int8(b[0]), nil
	case kindUint16:
		return binary.LittleEndian.Uint16(b), nil
	case kindInt16:
		return int16(binary.LittleEndian.Uint16(b)), nil
	case kindUint32:
		return binary.LittleEndian.Uint32(b), nil
	case kindInt32:
		return int32(binary.LittleEndian.Uint32(b)), nil
	case kindFloat32:
		return math.Float32frombits(binary.LittleEndian.Uint32(b)), nil
	case kindUint64:
		return binary.LittleEndian.Uint64(b), nil
	case kindInt64:
		return int64(binary.LittleEndian.Uint64(b)), nil
	case kindFloat64:
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
	}
	return boolean(b[0])
}

func boolean(b byte) (bool, error) {
	if b > 1 {
		return false, fmt.Errorf("a truth value is stored as %d; 0 and 1 are allowed", b)
	}
	return b == 1, nil
}

// kindWidth returns a kind's bytes, 0 for strings, arrays and unknown kinds.
func kindWidth(kind uint32) int {
	switch kind {
	case kindUint8, kindInt8, kindBool:
		return 1
	case kindUint16, kindInt16:
		return 2
	case kindUint32, kindInt32, kindFloat32:
		return 4
	case kindUint64, kindInt64, kindFloat64:
		return 8
	}
	return 0
}

func (c *cursor) array(depth int) (any, error) {
	if depth >= maxDepth {
		return nil, fmt.Errorf("at byte %d: arrays nested more than %d deep", c.at, maxDepth)
	}
	kind, err := c.uint32()
	if err != nil {
		return nil, err
	}
	count, err := c.length()
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindString:
		return elements(c, count, 4, c.string)
	case kindArray:
		return elements(c, count, 8, func() (any, error) { return c.array(depth + 1) })
	}
	width := kindWidth(kind)
	if width == 0 {
		return nil, fmt.Errorf("at byte %d: no array has elements of kind %d", c.at, kind)
	}
	if count > uint64(c.left()/width) {
		return nil, fmt.Errorf("at byte %d: an array of %d values of %d bytes does not fit in the %d bytes left", c.at, count, width, c.left())
	}
	b, err := c.take(count * uint64(width))
	if err != nil {
		return nil, err
	}
	n := int(count)
	le := binary.LittleEndian
	switch kind {
	case kindUint8:
		return append(make([]uint8, 0, n), b...), nil
	case kindInt8:
		return unpack(n, func(i int) int8 { return int8(b[i]) }), nil
	case kindUint16:
		return unpack(n, func(i int) uint16 { return le.Uint16(b[2*i:]) }), nil
	case kindInt16:
		return unpack(n, func(i int) int16 { return int16(le.Uint16(b[2*i:])) }), nil
	case kindUint32:
		return unpack(n, func(i int) uint32 { return le.Uint32(b[4*i:]) }), nil
	case kindInt32:
		return unpack(n, func(i int) int32 { return int32(le.Uint32(b[4*i:])) }), nil
	case kindFloat32:
		return unpack(n, func(i int) float32 { return math.Float32frombits(le.Uint32(b[4*i:])) }), nil
	case kindUint64:
		return unpack(n, func(i int) uint64 { return le.Uint64(b[8*i:]) }), nil
	case kindInt64:
		return unpack(n, func(i int) int64 { return int64(le.Uint64(b[8*i:])) }), nil
	case kindFloat64:
		return unpack(n, func(i int) float64 { return math.Float64frombits(le.Uint64(b[8*i:])) }), nil
	}
	out := make([]bool, n)
	for i := range out {
		if out[i], err = boolean(b[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func unpack[T any](n int, at func(i int) T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = at(i)
	}
	return out
}

// elements reads values that have no fixed width, each of at least least bytes,
// so that the count cannot ask for more memory than the file is large.
func elements[T any](c *cursor, count uint64, least int, read func() (T, error)) ([]T, error) {
	if count > uint64(c.left()/least) {
		return nil, fmt.Errorf("at byte %d: an array of %d does not fit in the %d bytes left", c.at, count, c.left())
	}
	out := make([]T, 0, count)
	for range count {
		v, err := read()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// appendValue writes a value's kind and bytes (version 3).
func appendValue(out []byte, value any) ([]byte, error) {
	le := binary.LittleEndian
	scalar := func(kind uint32) []byte { return le.AppendUint32(out, kind) }
	array := func(kind uint32, n int) []byte {
		return le.AppendUint64(le.AppendUint32(le.AppendUint32(out, kindArray), kind), uint64(n))
	}
	switch v := value.(type) {
	case uint8:
		return append(scalar(kindUint8), v), nil
	case int8:
		return append(scalar(kindInt8), byte(v)), nil
	case uint16:
		return le.AppendUint16(scalar(kindUint16), v), nil
	case int16:
		return le.AppendUint16(scalar(kindInt16), uint16(v)), nil
	case uint32:
		return le.AppendUint32(scalar(kindUint32), v), nil
	case int32:
		return le.AppendUint32(scalar(kindInt32), uint32(v)), nil
	case uint64:
		return le.AppendUint64(scalar(kindUint64), v), nil
	case int64:
		return le.AppendUint64(scalar(kindInt64), uint64(v)), nil
	case float32:
		return le.AppendUint32(scalar(kindFloat32), math.Float32bits(v)), nil
	case float64:
		return le.AppendUint64(scalar(kindFloat64), math.Float64bits(v)), nil
	case bool:
		return append(scalar(kindBool), bit(v)), nil
	case string:
		return appendString(scalar(kindString), v), nil
	case []uint8:
		return append(array(kindUint8, len(v)), v...), nil
	case []int8:
		return appendEach(array(kindInt8, len(v)), v, func(b []byte, x int8) []byte { return append(b, byte(x)) }), nil
	case []uint16:
		return appendEach(array(kindUint16, len(v)), v, le.AppendUint16), nil
	case []int16:
		return appendEach(array(kindInt16, len(v)), v, func(b []byte, x int16) []byte { return le.AppendUint16(b, uint16(x)) }), nil
	case []uint32:
		return appendEach(array(kindUint32, len(v)), v, le.AppendUint32), nil
	case []int32:
		return appendEach(array(kindInt32, len(v)), v, func(b []byte, x int32) []byte { return le.AppendUint32(b, uint32(x)) }), nil
	case []uint64:
		return appendEach(array(kindUint64, len(v)), v, le.AppendUint64), nil
	case []int64:
		return appendEach(array(kindInt64, len(v)), v, func(b []byte, x int64) []byte { return le.AppendUint64(b, uint64(x)) }), nil
	case []float32:
		return appendEach(array(kindFloat32, len(v)), v, func(b []byte, x float32) []byte { return le.AppendUint32(b, math.Float32bits(x)) }), nil
	case []float64:
		return appendEach(array(kindFloat64, len(v)), v, func(b []byte, x float64) []byte { return le.AppendUint64(b, math.Float64bits(x)) }), nil
	case []bool:
		return appendEach(array(kindBool, len(v)), v, func(b []byte, x bool) []byte { return append(b, bit(x)) }), nil
	case []string:
		return appendEach(array(kindString, len(v)), v, appendString), nil
	case []any:
		return appendArrays(array(kindArray, len(v)), v)
	case int, uint:
		return nil, fmt.Errorf("%T has no fixed width; give an int32, uint32, int64 or uint64", v)
	}
	return nil, fmt.Errorf("%T is not a kind of value that GGUF has", value)
}

// appendArrays writes arrays as elements of an array: without the kind that a
// value on its own starts with.
func appendArrays(out []byte, values []any) ([]byte, error) {
	for _, v := range values {
		encoded, err := appendValue(nil, v)
		if err != nil {
			return nil, err
		}
		if binary.LittleEndian.Uint32(encoded) != kindArray {
			return nil, errors.New("an element of []any is not an array; arrays of one kind of value are typed slices")
		}
		out = append(out, encoded[4:]...)
	}
	return out, nil
}

func appendEach[T any](out []byte, values []T, put func([]byte, T) []byte) []byte {
	for _, v := range values {
		out = put(out, v)
	}
	return out
}

func appendString(out []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(out, uint64(len(s))), s...)
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}
