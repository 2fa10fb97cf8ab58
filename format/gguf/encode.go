package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

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
