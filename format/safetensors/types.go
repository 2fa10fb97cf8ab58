package safetensors

import (
	"fmt"

	"lian/dtype"
)

// typeNames are the format's names for element types, in the order in which its
// reference library sorts tensors: the last here come first in a file, so that
// wider types, which need more alignment, precede narrower ones.
var typeNames = []struct {
	name string
	t    dtype.Type // Invalid: known by name only
}{
	{"BOOL", dtype.Bool}, {"F4", dtype.F4}, {"F6_E2M3", dtype.Invalid}, {"F6_E3M2", dtype.Invalid}, {"U8", dtype.U8}, {"I8", dtype.I8},
	{"F8_E5M2", dtype.F8E5M2}, {"F8_E4M3", dtype.F8E4M3}, {"F8_E8M0", dtype.F8E8M0},
	{"F8_E4M3FNUZ", dtype.F8E4M3FNUZ}, {"F8_E5M2FNUZ", dtype.F8E5M2FNUZ},
	{"I16", dtype.I16}, {"U16", dtype.U16}, {"F16", dtype.F16}, {"BF16", dtype.BF16},
	{"I32", dtype.I32}, {"U32", dtype.U32}, {"F32", dtype.F32}, {"C64", dtype.Invalid},
	{"F64", dtype.F64}, {"I64", dtype.I64}, {"U64", dtype.U64},
}

// refused says why a type that the format has is not read.
var refused = map[string]string{
	"C64":     "complex numbers, with which no language model computes",
	"F6_E2M3": "6-bit floats, whose packing the format leaves open",
	"F6_E3M2": "6-bit floats, whose packing the format leaves open",
}

func typeByName(name string) (dtype.Type, error) {
	if why, ok := refused[name]; ok {
		return dtype.Invalid, fmt.Errorf("%s: %s, is not read", name, why)
	}
	for _, n := range typeNames {
		if n.name == name {
			return n.t, nil
		}
	}
	return dtype.Invalid, fmt.Errorf("%q is not one that Lian knows", name)
}

// rank returns a type's place in typeNames, -1 where the format has no name for
// it (block-quantised types).
func rank(t dtype.Type) int {
	for i, n := range typeNames {
		if n.t == t && t != dtype.Invalid {
			return i
		}
	}
	return -1
}
