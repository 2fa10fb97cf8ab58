package ref

import (
	"lian/compute"
	"lian/compute/host"
)

var (
	_ = provides(packedMatmul)
	_ = provides(unpack)
)

func unpack(o *compute.Unpack) error {
	values, err := packedValues(&o.Weight)
	copy(host.F32(o.Out), values)
	return err
}

func packedMatmul(o *compute.PackedMatMul) error {
	m, n, k := o.Dimensions()
	w, err := packedValues(&o.Weight)
	if err != nil {
		return err
	}
	inputs := o.Weight.Inputs
	a, err := values(o.A)
	if err != nil {
		return err
	}
	if o.Fast {
		roundToInt8(a, k, 32, false)
	}
	out, residual, bias := host.F32(o.Out), host.F32(o.Residual), host.F32(o.Bias)
	for i := range m {
		for j := range n {
			sum := 0.0
			for p := range k {
				if o.Transposed {
					sum += a[i*k+p] * float64(w[p*inputs+j])
				} else {
					sum += a[i*k+p] * float64(w[j*inputs+p])
				}
			}
			sum *= float64(o.Scale())
			if o.Accumulate {
				sum += float64(out[i*n+j])
			}
			if residual != nil {
				sum += float64(residual[i*n+j])
			}
			if bias != nil {
				sum += float64(bias[j])
			}
			out[i*n+j] = float32(sum)
		}
	}
	return nil
}

// packedValues is a weight as float32 [outputs, inputs].
func packedValues(w *compute.PackedWeight) ([]float32, error) {
	n, k := w.Outputs, w.Inputs
	out := make([]float32, n*k)
	switch w.Layout {
	case compute.PackedCodes:
		packed, codes := host.Bytes(w.Values), host.F32(w.Codes)
		for i := range out {
			code := packed[i/2] >> 4
			if i%2 == 1 {
				code = packed[i/2] & 15
			}
			out[i] = codes[code] * blockScale(w, i/w.Group)
		}
		return out, nil
	case compute.PackedRows:
		packed, scales := host.Bytes(w.Values), host.F32(w.Scales)
		for i := range out {
			out[i] = float32(int8(packed[i])) * (scales[i/k] / 127)
		}
		return out, nil
	case compute.PackedGrid:
		return gridValues(w)
	}
	scales, err := values(w.Scales)
	if err != nil {
		return nil, err
	}
	group := func(p int) int { return p / w.Group }
	if w.GroupIndex != nil {
		index := host.I32(w.GroupIndex)
		if err := host.CheckIndex(index, w.Groups()); err != nil {
			return nil, err
		}
		group = func(p int) int { return int(index[p]) }
	}
	words, zeros := host.I32(w.Values), host.I32(w.Zeros)
	for p := range k {
		for j := range n {
			g, value, zero := group(p), 0, 0
			if w.Layout == compute.PackedAWQ {
				place := [8]int{0, 4, 1, 5, 2, 6, 3, 7}[j%8] * 4
				value, zero = int(uint32(words[p*n/8+j/8])>>place&15), int(uint32(zeros[g*n/8+j/8])>>place&15)
			} else {
				value = field(w.Bits, p, func(word int) uint32 { return uint32(words[word*n+j]) })
				zero = field(w.Bits, j, func(word int) uint32 { return uint32(zeros[g*n*w.Bits/32+word]) })
			}
			out[j*k+p] = float32(value-zero-w.ZeroOffset) * float32(scales[g*n+j])
		}
	}
	return out, nil
}

// field is number i of a stream of numbers of some bits in words of 32, from the low bits on.
func field(bits, i int, word func(int) uint32) int {
	value := 0
	for bit := range bits {
		at := i*bits + bit
		value |= int(word(at/32)>>(at%32)&1) << bit
	}
	return value
}

// blockScale is the scale of a block of codes, itself quantised or not.
func blockScale(w *compute.PackedWeight, block int) float32 {
	if w.ScaleCodes == nil {
		return host.F32(w.Scales)[block]
	}
	return float32(host.F32(w.ScaleCodes)[host.Bytes(w.Scales)[block]]*host.F32(w.ScaleScales)[block/256]) + w.ScaleOffset
}

// gridValues is a weight whose scales form a grid.
func gridValues(w *compute.PackedWeight) ([]float32, error) {
	n, k := w.Outputs, w.Inputs
	packed, codes, scales, zeros, index := host.Bytes(w.Values), host.F32(w.Codes), host.F32(w.Scales), host.F32(w.Zeros), host.I32(w.GroupIndex)
	if err := host.CheckIndex(index, w.Groups()); err != nil {
		return nil, err
	}
	out := make([]float32, n*k)
	for i := range out {
		row, column := i/k, i%k
		at := row / w.GroupOutputs * w.Groups()
		if index != nil {
			at += int(index[column])
		} else {
			at += column / w.Group
		}
		value := packed[i*w.Bits/8]
		if w.Bits == 4 {
			value = value >> (column % 2 * 4) & 15
		}
		code := codes[value]
		if zeros != nil {
			code -= zeros[at]
		}
		out[i] = code * scales[at]
	}
	return out, nil
}
