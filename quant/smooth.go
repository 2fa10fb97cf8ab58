package quant

import (
	"math"

	"lian/compute"
	"lian/dtype"
	"lian/format"
)

// smoothing is how much of the difference between inputs goes from activations to weights: half of it, as its authors advise.
const smoothing = 0.5

// SmoothScales are what the inputs of some products that share them are multiplied with in the matrices, and divided by in what they come
// from, so that the largest activation and the largest weight of an input are the same. largest are of the activations, without sign
// [inputs]. Source: Xiao et al., arXiv 2211.10438, equation 4.
func SmoothScales(products []Product, largest []float32) []float32 {
	inputs := len(largest)
	weights, scales := make([]float32, inputs), make([]float32, inputs)
	for _, p := range products {
		for i, v := range p.Weights {
			weights[i%inputs] = max(weights[i%inputs], v, -v)
		}
	}
	for i := range scales {
		const smallest = 1e-5 // of either, as in their code
		scales[i] = float32(math.Pow(max(float64(largest[i]), smallest), smoothing) / math.Pow(max(float64(weights[i]), smallest), 1-smoothing))
	}
	return scales
}

// Int8 are a matrix [outputs, inputs] in whole numbers within ±127, with a scale for each output.
type Int8 struct {
	Outputs, Inputs int
	Values          []int8    // [outputs, inputs]
	Scales          []float32 // [outputs]
}

// RoundInt8 rounds each weight to the nearest number.
func RoundInt8(weights []float32, outputs, inputs int) *Int8 {
	c := &Int8{outputs, inputs, make([]int8, len(weights)), make([]float32, outputs)}
	eachRow(outputs, func(r int) {
		row, largest := weights[r*inputs:(r+1)*inputs], float32(0)
		for _, v := range row {
			largest = max(largest, v, -v)
		}
		if largest == 0 {
			largest = 1
		}
		c.Scales[r] = largest / 127
		for i, v := range row {
			c.Values[r*inputs+i] = int8(min(max(math.RoundToEven(float64(v/c.Scales[r])), -127), 127))
		}
	})
	return c
}

// bytes are the values as they lie in a file.
func (c *Int8) bytes() []byte {
	out := make([]byte, len(c.Values))
	for i, v := range c.Values {
		out[i] = byte(v)
	}
	return out
}

// Tensors are the matrix as compressed-tensors' int-quantized format has it: module.weight int8 [outputs, inputs], weight_scale float32
// [outputs, 1].
func (c *Int8) Tensors(module string) []format.Tensor {
	return []format.Tensor{
		{Name: module + ".weight", Type: dtype.I8, Shape: []int{c.Outputs, c.Inputs}, Data: c.bytes()},
		{Name: module + ".weight_scale", Type: dtype.F32, Shape: []int{c.Outputs, 1}, Data: compute.HostBytes(c.Scales)},
	}
}
