package computetest

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"unsafe"

	"lian/compute"
	"lian/dtype"
)

// Build makes the operands of a case on one backend. Two Builds with one seed make the same values.
type Build struct {
	Backend compute.Backend
	stream  compute.Stream
	random  *rand.Rand
}

// NewBuild starts a case.
func NewBuild(b compute.Backend, seed uint64) *Build {
	return &Build{Backend: b, stream: b.NewStream(), random: rand.New(rand.NewPCG(seed, 7))}
}

// Launch runs an operation.
func (b *Build) Launch(op compute.Op) { b.stream.Launch(op) }

// Zero is a tensor of zeros.
func (b *Build) Zero(t dtype.Type, shape ...int) *compute.Tensor {
	return compute.NewTensor(b.Backend, t, shape...)
}

// Normal is a float32 tensor of normal values times scale.
func (b *Build) Normal(scale float64, shape ...int) *compute.Tensor {
	t := b.Zero(dtype.F32, shape...)
	v := make([]float32, t.Elements())
	for i := range v {
		v[i] = float32(b.random.NormFloat64() * scale)
	}
	return b.Set(t, v)
}

// Set fills a float32 tensor.
func (b *Build) Set(t *compute.Tensor, v []float32) *compute.Tensor {
	b.stream.Write(t, bytesOf(v))
	return t
}

// Packed is a tensor of another type with normal values.
func (b *Build) Packed(kind dtype.Type, scale float64, shape ...int) *compute.Tensor {
	t := b.Zero(kind, shape...)
	v := make([]float32, t.Elements())
	for i := range v {
		v[i] = float32(b.random.NormFloat64() * scale)
	}
	raw := make([]byte, t.Bytes())
	if err := dtype.Quantize(kind, v, raw); err != nil {
		panic(err)
	}
	b.stream.Write(t, raw)
	return t
}

// halfScales are where the blocks of a type have float16 numbers.
var halfScales = map[dtype.Type][]int{
	dtype.Q4_0: {0}, dtype.Q4_1: {0, 2}, dtype.Q5_0: {0}, dtype.Q5_1: {0, 2}, dtype.Q8_0: {0}, dtype.Q8_1: {0, 2}, dtype.IQ4_NL: {0},
	dtype.Q2_K: {80, 82}, dtype.Q3_K: {108}, dtype.Q4_K: {0, 2}, dtype.Q5_K: {0, 2}, dtype.Q6_K: {208}, dtype.IQ4_XS: {0},
	dtype.IQ2_XXS: {0}, dtype.IQ2_XS: {0}, dtype.IQ2_S: {0}, dtype.IQ3_XXS: {0}, dtype.IQ3_S: {0}, dtype.IQ1_S: {0},
	dtype.TQ1_0: {52}, dtype.TQ2_0: {64}, dtype.Q1_0: {0}, dtype.Q2_0: {0},
}

// PackedAtRandom is a tensor of a packed type with random bytes and small scales: every bit pattern of values and sub-scales,
// which quantising would hardly make.
func (b *Build) PackedAtRandom(kind dtype.Type, shape ...int) *compute.Tensor {
	if kind.Float() {
		return b.Packed(kind, 0.1, shape...)
	}
	t := b.Zero(kind, shape...)
	raw := make([]byte, t.Bytes())
	for i := range raw {
		raw[i] = byte(b.random.Uint32())
	}
	for at := 0; at < len(raw); at += kind.BlockBytes() {
		h := dtype.F32ToF16(float32(b.random.Float64()) * 1e-2)
		for _, f := range halfScales[kind] {
			raw[at+f], raw[at+f+1] = byte(h), byte(h>>8)
			h = dtype.F32ToF16(float32(b.random.Float64()) * 1e-2)
		}
		switch kind {
		case dtype.MXFP4: // one byte, a power of two
			raw[at] = 118 + raw[at]%8
		case dtype.NVFP4: // four bytes, 8-bit floats without a sign
			for i := range 4 {
				raw[at+i] = raw[at+i] & 31
			}
		case dtype.Q8_K: // float32
			binary.LittleEndian.PutUint32(raw[at:], math.Float32bits(dtype.F16ToF32(h)))
		case dtype.IQ1_M: // a float16 in four parts
			for i := range 4 {
				raw[at+49+2*i] = raw[at+49+2*i]&15 | byte(h>>(4*i))<<4
			}
		}
	}
	b.stream.Write(t, raw)
	return t
}

// Ints is an int32 tensor.
func (b *Build) Ints(v []int32, shape ...int) *compute.Tensor {
	if len(shape) == 0 {
		shape = []int{len(v)}
	}
	t := b.Zero(dtype.I32, shape...)
	b.stream.Write(t, bytesOf(v))
	return t
}

// Bytes is a tensor of any type with these bytes.
func (b *Build) Bytes(kind dtype.Type, raw []byte, shape ...int) *compute.Tensor {
	t := b.Zero(kind, shape...)
	b.stream.Write(t, raw)
	return t
}

// Below is n int32 in [low, high).
func (b *Build) Below(n int, low, high int32) []int32 {
	v := make([]int32, n)
	for i := range v {
		v[i] = low + b.random.Int32N(high-low)
	}
	return v
}

// Floats reads a float32 tensor.
func (b *Build) Floats(t *compute.Tensor) ([]float32, error) {
	v := make([]float32, t.Elements())
	err := b.stream.Read(t, bytesOf(v))
	return v, err
}

// values reads a tensor of any plain type as float64.
func (b *Build) values(t *compute.Tensor) ([]float64, error) {
	out := make([]float64, t.Elements())
	var err error
	switch t.Type {
	case dtype.F64:
		err = b.stream.Read(t, bytesOf(out))
	case dtype.I32:
		v := make([]int32, len(out))
		err = b.stream.Read(t, bytesOf(v))
		for i := range v {
			out[i] = float64(v[i])
		}
	case dtype.U8:
		v := make([]byte, len(out))
		err = b.stream.Read(t, v)
		for i := range v {
			out[i] = float64(v[i])
		}
	default:
		v := make([]float32, len(out))
		raw := make([]byte, t.Bytes())
		if err = b.stream.Read(t, raw); err == nil {
			err = dtype.Dequantize(t.Type, raw, v)
		}
		for i := range v {
			out[i] = float64(v[i])
		}
	}
	return out, err
}

func bytesOf[E any](v []E) []byte {
	var e E
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(e)))
}

// differ is the largest difference of two tensors relative to want's largest magnitude (at least
// floor), and where it is. NaN must meet NaN,
// and an infinity itself.
func differ(got, want []float64, floor float64) (worst float64, where int) {
	most := max(floor, 1e-30)
	for _, w := range want {
		if !math.IsInf(w, 0) && !math.IsNaN(w) {
			most = max(most, math.Abs(w))
		}
	}
	for i, w := range want {
		g, d := got[i], 0.0
		switch {
		case math.IsNaN(w) || math.IsNaN(g):
			if math.IsNaN(w) != math.IsNaN(g) {
				d = math.Inf(1)
			}
		case g == w:
		default:
			d = math.Abs(g-w) / most
		}
		if d > worst {
			worst, where = d, i
		}
	}
	return worst, where
}
