package quant

import (
	"encoding/binary"
	"math"

	"lian/dtype"
	"lian/format"
)

// The grids that AWQ searches, as in its authors' code.
const (
	awqExponents = 20   // of the activations' size: 0, 1/20 … 19/20
	awqClips     = 10   // of a group's range: 1, 0.95 … 0.55
	awqSample    = 512  // rows of a matrix that the exponent is chosen by, at most
	awqSmallest  = 1e-4 // scale
)

// Product is a matrix [outputs, inputs] that activations are multiplied with.
type Product struct {
	Weights []float32
	Outputs int
}

// sample are every n-th row of a product, so that there are no more than awqSample.
func (p Product) sample(inputs int) Product {
	every := (p.Outputs + awqSample - 1) / awqSample
	if every <= 1 {
		return p
	}
	s := Product{}
	for r := 0; r < p.Outputs; r += every {
		s.Weights, s.Outputs = append(s.Weights, p.Weights[r*inputs:(r+1)*inputs]...), s.Outputs+1
	}
	return s
}

// ActivationScales are what the inputs of some products that share them are best multiplied with in the matrices, and divided by in
// what they come from: size^a, for the a of a grid with the least squared error of the outputs. sizes are of the inputs [inputs];
// energy is Σ d·H·dᵀ over the rows of d [rows, inputs], where H is Σ x·xᵀ of what comes in. Source: Lin et al., arXiv 2306.00978; there
// the sizes are mean magnitudes.
func (a Affine) ActivationScales(products []Product, sizes []float32, energy func(d []float32, rows int) (float64, error)) ([]float32, error) {
	inputs, best := len(sizes), math.Inf(1)
	sampled := make([]Product, len(products))
	for i, p := range products {
		sampled[i] = p.sample(inputs)
	}
	var chosen []float32
	for step := range awqExponents {
		scales, sum := powers(sizes, float64(step)/awqExponents), 0.0
		for _, p := range sampled {
			scaled := make([]float32, len(p.Weights))
			for i, v := range p.Weights {
				scaled[i] = v * scales[i%inputs]
			}
			d := a.Nearest(scaled, p.Outputs, inputs).Dequantized()
			for i := range d {
				d[i] = d[i]/scales[i%inputs] - p.Weights[i]
			}
			e, err := energy(d, p.Outputs)
			if err != nil {
				return nil, err
			}
			sum += e
		}
		if sum < best {
			best, chosen = sum, scales
		}
	}
	return chosen, nil
}

// powers are sizes^exponent, with the geometric mean of the largest and the smallest at 1.
func powers(sizes []float32, exponent float64) []float32 {
	out := make([]float32, len(sizes))
	low, high := math.Inf(1), 0.0
	for i, v := range sizes {
		s := max(math.Pow(float64(v), exponent), awqSmallest)
		out[i], low, high = float32(s), min(low, s), max(high, s)
	}
	for i := range out {
		out[i] /= float32(math.Sqrt(low * high))
	}
	return out
}

// clipBlock is up to how many neighbouring inputs the clipping search takes to go together.
const clipBlock = 128

// Clipped rounds to nearest, each group in the part of its range, from all to a little over half, that disturbs what the group brings to
// the output least. hessian is Σ x·xᵀ [inputs, inputs]; of groups wider than 128 inputs only what lies within 128 counts.
func (a Affine) Clipped(weights []float32, outputs, inputs int, hessian []float32) *Codes {
	c, size := a.codes(outputs, inputs), a.group(inputs)
	eachRow(outputs, func(r int) {
		d := make([]float32, size)
		for g := range inputs / size {
			at, n, best := r*inputs+g*size, r*(inputs/size)+g, math.Inf(1)
			w := weights[at : at+size]
			largest := float32(0)
			for _, v := range w {
				largest = max(largest, v, -v)
			}
			for step := range awqClips {
				limit := largest * (1 - float32(step)/(2*awqClips))
				scale, zero := a.grid(func(i int) float32 { return min(max(w[i], -limit), limit) }, size)
				for i, v := range w {
					d[i] = scale*(float32(a.code(v, scale, zero))-float32(zero)) - v
				}
				if e := blockEnergy(d, hessian, g*size, inputs); e < best {
					best, c.Scales[n], c.Zeros[n] = e, scale, zero
				}
			}
			for i, v := range w {
				c.Values[at+i] = a.code(v, c.Scales[n], c.Zeros[n])
			}
		}
	})
	return c
}

// blockEnergy is d·H·dᵀ of the blocks on the diagonal of H, for d of the inputs from first on.
func blockEnergy(d, hessian []float32, first, inputs int) (sum float64) {
	for from := 0; from < len(d); from += clipBlock {
		block := d[from:min(from+clipBlock, len(d))]
		for i, v := range block {
			row := hessian[(first+from+i)*inputs+first+from:][:i+1]
			s := float32(0)
			for j, h := range row[:i] {
				s += h * block[j]
			}
			sum += float64(v * (2*s + row[i]*v)) // H is symmetric
		}
	}
	return sum
}

// awqPlaces is where in a word AutoAWQ has the code of each of eight outputs.
var awqPlaces = [8]int{0, 4, 1, 5, 2, 6, 3, 7}

// AWQTensors are codes of 4 bits as AutoAWQ's gemm format has them: module.qweight int32 [inputs, outputs/8], qzeros int32
// [groups, outputs/8], scales float16 [groups, outputs].
func (c *Codes) AWQTensors(module string) []format.Tensor {
	groups := c.Inputs / c.group(c.Inputs)
	packed := func(codes []uint8, columns int) []byte { // codes [outputs, columns]
		out := make([]byte, columns*c.Outputs/2)
		for r := range c.Outputs {
			for k := range columns {
				word := out[(k*c.Outputs+r)/8*4:]
				binary.LittleEndian.PutUint32(word, binary.LittleEndian.Uint32(word)|uint32(codes[r*columns+k])<<(4*awqPlaces[r%8]))
			}
		}
		return out
	}
	scales := make([]byte, 2*groups*c.Outputs)
	for r := range c.Outputs {
		for g := range groups {
			binary.LittleEndian.PutUint16(scales[2*(g*c.Outputs+r):], dtype.F32ToF16(c.Scales[r*groups+g]))
		}
	}
	return []format.Tensor{
		{Name: module + ".qweight", Type: dtype.I32, Shape: []int{c.Inputs, c.Outputs / 8}, Data: packed(c.Values, c.Inputs)},
		{Name: module + ".qzeros", Type: dtype.I32, Shape: []int{groups, c.Outputs / 8}, Data: packed(c.Zeros, groups)},
		{Name: module + ".scales", Type: dtype.F16, Shape: []int{groups, c.Outputs}, Data: scales},
	}
}
