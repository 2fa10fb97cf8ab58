package gguf

import (
	"fmt"

	"lian/dtype"
)

// ggmlTypes maps ggml's numbers to element types. Source: ggml.h, enum ggml_type.
var ggmlTypes = map[uint32]dtype.Type{
	0: dtype.F32, 1: dtype.F16, 2: dtype.Q4_0, 3: dtype.Q4_1, 6: dtype.Q5_0, 7: dtype.Q5_1, 8: dtype.Q8_0, 9: dtype.Q8_1,
	10: dtype.Q2_K, 11: dtype.Q3_K, 12: dtype.Q4_K, 13: dtype.Q5_K, 14: dtype.Q6_K, 15: dtype.Q8_K,
	16: dtype.IQ2_XXS, 17: dtype.IQ2_XS, 18: dtype.IQ3_XXS, 19: dtype.IQ1_S, 20: dtype.IQ4_NL, 21: dtype.IQ3_S,
	22: dtype.IQ2_S, 23: dtype.IQ4_XS, 24: dtype.I8, 25: dtype.I16, 26: dtype.I32, 27: dtype.I64, 28: dtype.F64,
	29: dtype.IQ1_M, 30: dtype.BF16, 34: dtype.TQ1_0, 35: dtype.TQ2_0, 39: dtype.MXFP4,
	40: dtype.NVFP4, 41: dtype.Q1_0, 42: dtype.Q2_0,
}

// withdrawn are numbers that ggml gave out and took back: files that have them
// were made for one version of llama.cpp.
var withdrawn = map[uint32]string{
	4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8",
	36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
}

func unknownType(id uint32) error {
	if name, ok := withdrawn[id]; ok {
		return fmt.Errorf("ggml element type %d (%s) was withdrawn from GGUF; make the file again from the original model", id, name)
	}
	return fmt.Errorf("ggml element type %d is not one that Lian knows", id)
}

// ggmlType returns ggml's number of an element type.
func ggmlType(t dtype.Type) (uint32, bool) {
	for id, known := range ggmlTypes {
		if known == t {
			return id, true
		}
	}
	return 0, false
}
