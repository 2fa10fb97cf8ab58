package gguf

import (
	"math"
	"reflect"
)

// Keys lists the metadata keys in the file's order.
func (f *File) Keys() []string { return f.keys }

// Metadata returns every key with its value, in the file's order.
func (f *File) Metadata() []KeyValue {
	all := make([]KeyValue, len(f.keys))
	for i, key := range f.keys {
		value, _ := f.Value(key)
		all[i] = KeyValue{key, value}
	}
	return all
}

// Value returns a value as it is stored; KeyValue names the Go types. An array
// is read from the file at each call, and not any more after Close.
func (f *File) Value(key string) (any, bool) {
	v, ok := f.values[key]
	a, isArray := v.(array)
	if !isArray {
		return v, ok
	}
	file := f.parts[0].Bytes()
	if file == nil {
		return nil, false
	}
	return a.read(file, f.version > 1), true
}

// Length returns the number of elements of an array, which costs nothing.
func (f *File) Length(key string) (int, bool) {
	a, ok := f.values[key].(array)
	return a.count, ok
}

// String returns a text. All typed getters return false where the key is absent
// or holds another kind of value.
func (f *File) String(key string) (string, bool) {
	v, ok := f.values[key].(string)
	return v, ok
}

// Bool returns a truth value.
func (f *File) Bool(key string) (bool, bool) {
	v, ok := f.values[key].(bool)
	return v, ok
}

// Uint returns a whole number of any stored width that is not negative.
func (f *File) Uint(key string) (uint64, bool) {
	if v, ok := f.values[key].(uint64); ok {
		return v, true
	}
	v, ok := f.Int(key)
	return uint64(v), ok && v >= 0
}

// Int returns a whole number of any stored width that fits an int64.
func (f *File) Int(key string) (int64, bool) {
	return whole(f.values[key])
}

// whole returns a whole number of any width that fits an int64.
func whole(value any) (int64, bool) {
	switch v := value.(type) {
	case uint8:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case uint64:
		return int64(v), v <= math.MaxInt64
	}
	return 0, false
}

// Whole is a value of any width, or the first of an array, as a whole number.
func Whole(value any) (int64, bool) {
	if list := reflect.ValueOf(value); list.Kind() == reflect.Slice && list.Len() > 0 {
		value = list.Index(0).Interface()
	}
	return whole(value)
}

// Float returns a floating-point number of either width.
func (f *File) Float(key string) (float64, bool) {
	switch v := f.values[key].(type) {
	case float32:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// Strings returns an array of texts. They share one piece of memory: who keeps a
// few of them for long should copy those.
func (f *File) Strings(key string) ([]string, bool) { return typed[[]string](f, key) }

// Bools returns an array of truth values.
func (f *File) Bools(key string) ([]bool, bool) { return typed[[]bool](f, key) }

// Floats returns an array of float32.
func (f *File) Floats(key string) ([]float32, bool) { return typed[[]float32](f, key) }

func typed[T any](f *File, key string) (T, bool) {
	value, _ := f.Value(key)
	v, ok := value.(T)
	return v, ok
}

// Ints returns an array of whole numbers of any stored width; false too where
// one does not fit an int64.
func (f *File) Ints(key string) ([]int64, bool) {
	value, _ := f.Value(key)
	switch v := value.(type) {
	case []uint8:
		return widen(v), true
	case []int8:
		return widen(v), true
	case []uint16:
		return widen(v), true
	case []int16:
		return widen(v), true
	case []uint32:
		return widen(v), true
	case []int32:
		return widen(v), true
	case []int64:
		return widen(v), true
	case []uint64:
		for _, n := range v {
			if n > math.MaxInt64 {
				return nil, false
			}
		}
		return widen(v), true
	}
	return nil, false
}

func widen[T uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64](v []T) []int64 {
	out := make([]int64, len(v))
	for i, n := range v {
		out[i] = int64(n)
	}
	return out
}
