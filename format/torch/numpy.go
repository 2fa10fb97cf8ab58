package torch

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"lian/format/pickle"
)

// Checkpoints hold numpy's scalars among their settings (a best loss, a step), which
// become numbers, and arrays (states of random generators), of which only what they
// are is kept. Source: numpy, core/src/multiarray/descriptor.c and methods.c
// (__reduce__, __setstate__).

// numpyType is numpy.dtype: a kind and a width, "f8".
type numpyType struct {
	name string
	big  bool
}

func (n *numpyType) String() string { return "numpy." + n.name }

// numpyTypeOf is numpy.dtype("f8", False, True).
func numpyTypeOf(args pickle.Tuple) (any, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("a name is expected")
	}
	name, ok := args[0].(string)
	if !ok {
		return nil, fmt.Errorf("%s, a name is expected", pickle.TypeName(args[0]))
	}
	return &numpyType{name: name}, nil
}

// SetState reads (version, byte order, …).
func (n *numpyType) SetState(state any) error {
	t, ok := state.(pickle.Tuple)
	if !ok || len(t) < 2 {
		return fmt.Errorf("%s, a tuple with a byte order is expected", pickle.TypeName(state))
	}
	switch t[1] {
	case "<", "|", "=":
	case ">":
		n.big = true
	default:
		return fmt.Errorf("byte order %v is not known", t[1])
	}
	return nil
}

// numpyScalar is scalar(dtype, bytes).
func numpyScalar(args pickle.Tuple) (any, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("%d arguments, a type and bytes are expected", len(args))
	}
	t, ok1 := args[0].(*numpyType)
	raw, ok2 := args[1].([]byte)
	if s, isText := args[1].(string); isText { // Python 2's bytes
		raw, ok2 = []byte(s), true
	}
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("%s and %s, a type and bytes are expected", pickle.TypeName(args[0]), pickle.TypeName(args[1]))
	}
	if t.big {
		return nil, fmt.Errorf("a big-endian %v", t)
	}
	var n uint64
	for i, b := range raw[:min(len(raw), 8)] {
		n |= uint64(b) << (8 * i)
	}
	if width := strings.TrimLeft(t.name, "fiub"); width != fmt.Sprint(len(raw)) {
		return nil, fmt.Errorf("%d bytes for a %v", len(raw), t)
	}
	switch t.name {
	case "f4":
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))), nil
	case "f8":
		return math.Float64frombits(n), nil
	case "i1", "i2", "i4", "i8":
		shift := 64 - 8*len(raw)
		return int64(n<<shift) >> shift, nil
	case "u1", "u2", "u4":
		return int64(n), nil
	case "b1":
		return n != 0, nil
	}
	return nil, fmt.Errorf("scalars of %v are not read", t)
}

// numpyArray is an array whose values are left where they are.
type numpyArray struct{ about string }

// numpyArrayOf is _reconstruct(numpy.ndarray, …), which makes an empty one.
func numpyArrayOf(pickle.Tuple) (any, error) { return &numpyArray{"numpy.ndarray"}, nil }

func (a *numpyArray) String() string { return a.about }

// SetState reads (version, shape, dtype, is_fortran, bytes).
func (a *numpyArray) SetState(state any) error {
	t, ok := state.(pickle.Tuple)
	if !ok || len(t) != 5 {
		return fmt.Errorf("%s, a tuple of five is expected", pickle.TypeName(state))
	}
	shape, err := numbers(t[1])
	typ, isType := t[2].(*numpyType)
	if err != nil || !isType {
		return fmt.Errorf("a shape and a type are expected")
	}
	a.about = fmt.Sprintf("numpy.ndarray %s %v", typ.name, shape)
	return nil
}
