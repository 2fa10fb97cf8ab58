package quant

import (
	"encoding/binary"
	"fmt"
	"math"

	"lian/dtype"
	"lian/format"
)

// Affine says how whole numbers stand for weights: scale · (code − zero), one scale and one zero for each group of inputs of an output.
type Affine struct {
	Bits      int  `yaml:"bits" help:"bits of a weight, for the methods that write a folder; 0 is 8 for smoothquant and 4 for the others" default:"0" range:"0..8"`
	Group     int  `yaml:"group" help:"neighbouring inputs that share a scale, for the methods that write a folder; 0 is all of a row" default:"128" range:"0..1000000"`
	Symmetric bool `yaml:"symmetric" help:"put the zero in the middle of the codes"`
	ActOrder  bool `yaml:"act_order" help:"gptq: round the inputs that matter most first, in groups of their own"`
}

// Check says what of the settings cannot be written.
func (a Affine) Check() error {
	if a.Bits != 2 && a.Bits != 3 && a.Bits != 4 && a.Bits != 8 {
		return fmt.Errorf("--bits %d: the GPTQ layout has 2, 3, 4 or 8", a.Bits)
	}
	return nil
}

// Fits says whether a matrix can be written so: its codes must fill whole words, its rows whole groups.
func (a Affine) Fits(outputs, inputs int) bool {
	return outputs*a.Bits%32 == 0 && inputs*a.Bits%32 == 0 && (a.Group == 0 || inputs%a.Group == 0)
}

func (a Affine) group(inputs int) int {
	if a.Group == 0 {
		return inputs
	}
	return a.Group
}

func (a Affine) top() float32 { return float32(int(1)<<a.Bits - 1) }

// Codes are a matrix in whole numbers.
type Codes struct {
	Affine
	Outputs, Inputs int
	Values          []uint8   // [outputs, inputs]
	Scales          []float32 // [outputs, groups], each a binary16
	Zeros           []uint8   // [outputs, groups]
	GroupOf         []int32   // the group of each input; nil: neighbours
}

func (a Affine) codes(outputs, inputs int) *Codes {
	groups := outputs * (inputs / a.group(inputs))
	return &Codes{Affine: a, Outputs: outputs, Inputs: inputs, Values: make([]uint8, outputs*inputs), Scales: make([]float32, groups), Zeros: make([]uint8, groups)}
}

// grid is the scale and the zero of some weights: the range of their values and 0, in equal steps. Source: GPTQ's quant.py. An
// asymmetric zero is 1 at least, as version 1 of GPTQ's format stores it less one.
func (a Affine) grid(x func(i int) float32, n int) (scale float32, zero uint8) {
	var low, high float32
	for i := range n {
		v := x(i)
		low, high = min(low, v), max(high, v)
	}
	if a.Symmetric {
		high = max(-low, high)
		if low < 0 {
			low = -high
		}
	}
	if low == 0 && high == 0 {
		low, high = -1, 1
	}
	scale = dtype.F16ToF32(dtype.F32ToF16((high - low) / a.top()))
	if scale == 0 {
		scale = dtype.F16ToF32(1) // the smallest there is
	}
	if a.Symmetric {
		return scale, uint8((int(1) << a.Bits) / 2)
	}
	return scale, uint8(min(max(math.RoundToEven(float64(-low/scale)), 1), float64(a.top())))
}

// code is the nearest code of a value.
func (a Affine) code(v, scale float32, zero uint8) uint8 {
	return uint8(min(max(float32(math.RoundToEven(float64(v/scale)))+float32(zero), 0), a.top()))
}

// Nearest rounds each weight of a matrix [outputs, inputs] to the nearest code.
func (a Affine) Nearest(weights []float32, outputs, inputs int) *Codes {
	c, size := a.codes(outputs, inputs), a.group(inputs)
	eachRow(outputs, func(r int) {
		for g := range inputs / size {
			at := r*inputs + g*size
			scale, zero := a.grid(func(i int) float32 { return weights[at+i] }, size)
			c.Scales[r*(inputs/size)+g], c.Zeros[r*(inputs/size)+g] = scale, zero
			for i, v := range weights[at : at+size] {
				c.Values[at+i] = a.code(v, scale, zero)
			}
		}
	})
	return c
}

// Dequantized are the weights that the codes stand for.
func (c *Codes) Dequantized() []float32 {
	size := c.group(c.Inputs)
	out, groups := make([]float32, len(c.Values)), c.Inputs/size
	for i, v := range c.Values {
		r, k := i/c.Inputs, i%c.Inputs
		g := k / size
		if c.GroupOf != nil {
			g = int(c.GroupOf[k])
		}
		out[i] = c.Scales[r*groups+g] * (float32(v) - float32(c.Zeros[r*groups+g]))
	}
	return out
}

// Tensors are the codes as AutoGPTQ's format has them (version 1): module.qweight int32 [inputs·bits/32, outputs], qzeros int32
// [groups, outputs·bits/32] less one, scales float16 [groups, outputs], g_idx int32 [inputs].
func (c *Codes) Tensors(module string) []format.Tensor {
	size := c.group(c.Inputs)
	groups := c.Inputs / size
	weights := bitWriter{words: make([]uint32, c.Inputs*c.Bits/32*c.Outputs), stride: c.Outputs, bits: c.Bits}
	for r := range c.Outputs {
		for k := range c.Inputs {
			weights.put(r, k, uint32(c.Values[r*c.Inputs+k]))
		}
	}
	zeros := bitWriter{words: make([]uint32, groups*c.Outputs*c.Bits/32), stride: 1, bits: c.Bits}
	scales, index := make([]byte, 2*groups*c.Outputs), make([]byte, 4*c.Inputs)
	for g := range groups {
		for r := range c.Outputs {
			zeros.put(g*c.Outputs*c.Bits/32, r, uint32(c.Zeros[r*groups+g]-1))
			binary.LittleEndian.PutUint16(scales[2*(g*c.Outputs+r):], dtype.F32ToF16(c.Scales[r*groups+g]))
		}
	}
	for k := range c.Inputs {
		g := int32(k / size)
		if c.GroupOf != nil {
			g = c.GroupOf[k]
		}
		binary.LittleEndian.PutUint32(index[4*k:], uint32(g))
	}
	return []format.Tensor{
		{Name: module + ".g_idx", Type: dtype.I32, Shape: []int{c.Inputs}, Data: index},
		{Name: module + ".qweight", Type: dtype.I32, Shape: []int{c.Inputs * c.Bits / 32, c.Outputs}, Data: weights.data()},
		{Name: module + ".qzeros", Type: dtype.I32, Shape: []int{groups, c.Outputs * c.Bits / 32}, Data: zeros.data()},
		{Name: module + ".scales", Type: dtype.F16, Shape: []int{groups, c.Outputs}, Data: scales},
	}
}

// bitWriter packs numbers of some bits one behind the other from the low bits on; a number may lie across two words, which are stride
// apart.
type bitWriter struct {
	words        []uint32
	stride, bits int
}

func (w *bitWriter) put(first, k int, v uint32) {
	word, bit := k*w.bits/32, k*w.bits%32
	w.words[first+word*w.stride] |= v << bit
	if bit+w.bits > 32 {
		w.words[first+(word+1)*w.stride] |= v >> (32 - bit)
	}
}

func (w *bitWriter) data() []byte {
	out := make([]byte, 0, 4*len(w.words))
	for _, v := range w.words {
		out = binary.LittleEndian.AppendUint32(out, v)
	}
	return out
}
