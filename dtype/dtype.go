// Package dtype names the element types that tensors have in memory and in
// files, and converts between them and float32.
//
// It is for everything that touches bytes of weights: formats, compute,
// quantisation. It guarantees one set of names and sizes for the whole house,
// conversions that round to nearest even, and block codecs whose bytes are
// those of ggml's reference quantisers, on every architecture (no fused
// multiply-add sneaks in). It refuses to guess: lengths that are not whole
// blocks, values that are not finite and scales that do not fit are errors.
//
// It does no arithmetic on tensors (see compute) and knows no file format.
package dtype

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Type is an element type. The zero value is Invalid and has no size.
type Type uint8

// The element types. Plain types hold one value per element; the others pack
// a block of values together with their scales (ggml's block formats, source:
// ggml src/ggml-common.h).
const (
	Invalid    Type = iota
	F32             // IEEE 754 binary32
	F16             // IEEE 754 binary16
	BF16            // upper half of a binary32
	F64             // IEEE 754 binary64
	I8              // signed 8-bit integer
	I16             // signed 16-bit integer
	I32             // signed 32-bit integer
	I64             // signed 64-bit integer
	U8              // unsigned 8-bit integer
	U16             // unsigned 16-bit integer
	U32             // unsigned 32-bit integer
	U64             // unsigned 64-bit integer
	Bool            // one byte, 0 or 1
	F8E4M3          // OCP 8-bit float, 4 exponent bits, no infinity ("e4m3fn")
	F8E5M2          // OCP 8-bit float, 5 exponent bits, with infinities
	F8E8M0          // OCP 8-bit power of two, for scales
	F8E4M3FNUZ      // 8-bit float, 4 exponent bits, neither infinity nor −0
	F8E5M2FNUZ      // 8-bit float, 5 exponent bits, neither infinity nor −0
	F4              // OCP 4-bit float (e2m1), two to a byte, the lower half first

	Q4_0    // 32 values: f16 scale, 4-bit
	Q4_1    // 32 values: f16 scale and minimum, 4-bit
	Q5_0    // 32 values: f16 scale, 5-bit
	Q5_1    // 32 values: f16 scale and minimum, 5-bit
	Q8_0    // 32 values: f16 scale, 8-bit
	Q8_1    // 32 values: f16 scale and scaled sum, 8-bit (activations)
	Q2_K    // 256 values: 2-bit with 4-bit scales and minimums
	Q3_K    // 256 values: 3-bit with 6-bit scales
	Q4_K    // 256 values: 4-bit with 6-bit scales and minimums
	Q5_K    // 256 values: 5-bit with 6-bit scales and minimums
	Q6_K    // 256 values: 6-bit with 8-bit scales
	Q8_K    // 256 values: f32 scale, 8-bit, sums of 16 (activations)
	IQ1_S   // 256 values: lattice code, 1.56 bits a value
	IQ1_M   // 256 values: lattice code, 1.75 bits
	IQ2_XXS // 256 values: lattice code, 2.06 bits
	IQ2_XS  // 256 values: lattice code, 2.31 bits
	IQ2_S   // 256 values: lattice code, 2.56 bits
	IQ3_XXS // 256 values: lattice code, 3.06 bits
	IQ3_S   // 256 values: lattice code, 3.44 bits
	IQ4_NL  // 32 values: f16 scale, 4-bit into a fixed non-linear table
	IQ4_XS  // 256 values: as IQ4_NL with 6-bit scales per 32
	TQ1_0   // 256 values: ternary, base 3, five to a byte
	TQ2_0   // 256 values: ternary, two bits each
	MXFP4   // 32 values: OCP MX, power-of-two scale, 4-bit float
	NVFP4   // 64 values: 4-bit float, an unsigned 8-bit float scale for each 16
	Q1_0    // 128 values: f16 scale, signs
	Q2_0    // 64 values: f16 scale, 2-bit: −1, 0, 1 or 2 scales

	typeCount
)

// size describes one Type: its name, how many values a block holds and how
// many bytes it takes.
type size struct {
	name  string
	block int
	bytes int
}

var sizes = [typeCount]size{
	Invalid: {"invalid", 1, 0},
	F32:     {"f32", 1, 4}, F16: {"f16", 1, 2}, BF16: {"bf16", 1, 2}, F64: {"f64", 1, 8},
	I8: {"i8", 1, 1}, I16: {"i16", 1, 2}, I32: {"i32", 1, 4}, I64: {"i64", 1, 8},
	U8: {"u8", 1, 1}, U16: {"u16", 1, 2}, U32: {"u32", 1, 4}, U64: {"u64", 1, 8},
	Bool: {"bool", 1, 1}, F8E4M3: {"f8_e4m3", 1, 1}, F8E5M2: {"f8_e5m2", 1, 1},
	F8E8M0: {"f8_e8m0", 1, 1}, F8E4M3FNUZ: {"f8_e4m3fnuz", 1, 1}, F8E5M2FNUZ: {"f8_e5m2fnuz", 1, 1}, F4: {"f4", 2, 1},
	Q4_0: {"q4_0", 32, 18}, Q4_1: {"q4_1", 32, 20},
	Q5_0: {"q5_0", 32, 22}, Q5_1: {"q5_1", 32, 24},
	Q8_0: {"q8_0", 32, 34}, Q8_1: {"q8_1", 32, 36},
	Q2_K: {"q2_k", 256, 84}, Q3_K: {"q3_k", 256, 110}, Q4_K: {"q4_k", 256, 144},
	Q5_K: {"q5_k", 256, 176}, Q6_K: {"q6_k", 256, 210}, Q8_K: {"q8_k", 256, 292},
	IQ1_S: {"iq1_s", 256, 50}, IQ1_M: {"iq1_m", 256, 56},
	IQ2_XXS: {"iq2_xxs", 256, 66}, IQ2_XS: {"iq2_xs", 256, 74}, IQ2_S: {"iq2_s", 256, 82},
	IQ3_XXS: {"iq3_xxs", 256, 98}, IQ3_S: {"iq3_s", 256, 110},
	IQ4_NL: {"iq4_nl", 32, 18}, IQ4_XS: {"iq4_xs", 256, 136},
	TQ1_0: {"tq1_0", 256, 54}, TQ2_0: {"tq2_0", 256, 66}, MXFP4: {"mxfp4", 32, 17},
	NVFP4: {"nvfp4", 64, 36}, Q1_0: {"q1_0", 128, 18}, Q2_0: {"q2_0", 64, 18},
}

// aliases are names of other programs (PyTorch, safetensors) that Parse takes.
var aliases = map[string]Type{
	"float32": F32, "float": F32, "float16": F16, "half": F16, "bfloat16": BF16,
	"float64": F64, "double": F64, "int8": I8, "int16": I16, "int32": I32, "int64": I64,
	"uint8": U8, "uint16": U16, "uint32": U32, "uint64": U64,
	"float8_e4m3fn": F8E4M3, "float8_e5m2": F8E5M2, "f8e4m3": F8E4M3, "f8e5m2": F8E5M2,
	"float8_e8m0fnu": F8E8M0, "float8_e4m3fnuz": F8E4M3FNUZ, "float8_e5m2fnuz": F8E5M2FNUZ, "float4_e2m1fn_x2": F4,
}

// All returns every type, in the order of the constants, without Invalid.
func All() []Type {
	all := make([]Type, 0, typeCount-1)
	for t := Invalid + 1; t < typeCount; t++ {
		all = append(all, t)
	}
	return all
}

// Parse returns the type of that name: Lian's own in any case ("q4_k", "BF16")
// or PyTorch's ("bfloat16").
func Parse(name string) (Type, error) {
	lower := strings.ToLower(strings.TrimPrefix(name, "torch."))
	for t := Invalid + 1; t < typeCount; t++ {
		if sizes[t].name == lower {
			return t, nil
		}
	}
	if t, ok := aliases[lower]; ok {
		return t, nil
	}
	return Invalid, fmt.Errorf("%q: no such element type; known are %s", name, strings.Join(names(), " "))
}

func names() []string {
	out := make([]string, 0, typeCount)
	for _, t := range All() {
		out = append(out, t.String())
	}
	slices.Sort(out)
	return out
}

// Valid reports whether t is one of the constants and not Invalid.
func (t Type) Valid() bool { return t > Invalid && t < typeCount }

// String returns the name in lower case: "f32", "bf16", "q4_k".
func (t Type) String() string {
	if t >= typeCount {
		return fmt.Sprintf("dtype(%d)", uint8(t))
	}
	return sizes[t].name
}

// BlockSize returns the number of elements in a block: 1 for plain types.
func (t Type) BlockSize() int {
	if !t.Valid() {
		return 1
	}
	return sizes[t].block
}

// BlockBytes returns the number of bytes in a block; 0 for Invalid.
func (t Type) BlockBytes() int {
	if !t.Valid() {
		return 0
	}
	return sizes[t].bytes
}

// Bytes returns the number of bytes that n elements take, or -1 where there is
// no such number: n negative, not a whole number of blocks, the result larger
// than an int, or t not valid. Readers of files must check for -1; anything
// else that meets it has a mistake in its shapes.
func (t Type) Bytes(n int) int {
	if !t.Valid() || n < 0 || n%sizes[t].block != 0 {
		return -1
	}
	blocks := n / sizes[t].block
	if blocks > math.MaxInt/sizes[t].bytes {
		return -1
	}
	return blocks * sizes[t].bytes
}

// Float reports whether t is a floating-point type without scales.
func (t Type) Float() bool {
	switch t {
	case F32, F16, BF16, F64, F8E4M3, F8E5M2, F8E8M0, F8E4M3FNUZ, F8E5M2FNUZ, F4:
		return true
	}
	return false
}

// Quantized reports whether t packs several values into a block.
func (t Type) Quantized() bool { return t >= Q4_0 && t < typeCount }

// Elements returns the product of a shape's dimensions, or an error where a
// dimension is negative or the product does not fit an int. A shape without
// dimensions is a scalar: one element.
func Elements(shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v: dimension %d is negative", shape, d)
		}
		if d == 0 {
			n = 0
			continue
		}
		if n > math.MaxInt/d {
			return 0, fmt.Errorf("shape %v: too many elements to count", shape)
		}
		n *= d
	}
	return n, nil
}

// TensorBytes returns the bytes that a tensor of that type and shape takes. A
// row (the last dimension) must be a whole number of blocks.
func TensorBytes(t Type, shape []int) (int, error) {
	n, err := Elements(shape)
	if err != nil {
		return 0, err
	}
	row := 1
	if len(shape) > 0 {
		row = shape[len(shape)-1]
	}
	if row%t.BlockSize() != 0 {
		return 0, fmt.Errorf("shape %v: rows of %d values are not whole blocks of %d (%v)", shape, row, t.BlockSize(), t)
	}
	bytes := t.Bytes(n)
	if bytes < 0 {
		return 0, fmt.Errorf("shape %v of %v: size does not fit an int", shape, t)
	}
	return bytes, nil
}
