package compute

import (
	"fmt"

	"lian/dtype"
)

// packedSample is a weight of one layout and shape with random content.
type packedSample struct {
	name            string
	outputs, inputs int
	make            func(b Maker, n, k int) PackedWeight
}

// anyWords are int32 of every bit pattern.
func anyWords(b Maker, shape ...int) *Tensor {
	n := 1
	for _, s := range shape {
		n *= s
	}
	words, more := b.Below(n, 0, 1<<30), b.Below(n, 0, 4)
	for i := range words {
		words[i] |= more[i] << 30
	}
	return b.Ints(words, shape...)
}

func anyBytes(b Maker, t dtype.Type, shape ...int) *Tensor {
	n := 1
	for _, s := range shape {
		n *= s
	}
	raw := make([]byte, n)
	for i, v := range b.Below(n, 0, 256) {
		raw[i] = byte(v)
	}
	return b.Bytes(t, raw, shape...)
}

func awqSample(group int) func(b Maker, n, k int) PackedWeight {
	return func(b Maker, n, k int) PackedWeight {
		groups := (k + group - 1) / group
		return PackedWeight{Layout: PackedAWQ, Outputs: n, Inputs: k, Group: group, Values: anyWords(b, k, n/8), Zeros: anyWords(b, groups, n/8), Scales: b.Packed(dtype.F16, 0.1, groups, n)}
	}
}

func gptqSample(bits, group, version int, actOrder bool) func(b Maker, n, k int) PackedWeight {
	return func(b Maker, n, k int) PackedWeight {
		groups := (k + group - 1) / group
		w := PackedWeight{Layout: PackedGPTQ, Outputs: n, Inputs: k, Bits: bits, Group: group, ZeroOffset: 2 - version,
			Values: anyWords(b, k*bits/32, n), Zeros: anyWords(b, groups, n*bits/32), Scales: b.Packed(dtype.F16, 0.8/float64(int(1)<<bits), groups, n)}
		if actOrder {
			w.GroupIndex = b.Ints(b.Below(k, 0, int32(groups)))
		}
		return w
	}
}

func codesSample(group int, double bool) func(b Maker, n, k int) PackedWeight {
	return func(b Maker, n, k int) PackedWeight {
		blocks := (n*k + group - 1) / group
		w := PackedWeight{Layout: PackedCodes, Outputs: n, Inputs: k, Group: group, Values: anyBytes(b, dtype.U8, (n*k+1)/2), Codes: b.Normal(1, 16)}
		if double {
			w.Scales, w.ScaleCodes, w.ScaleScales, w.ScaleOffset = anyBytes(b, dtype.U8, blocks), b.Normal(1, 256), b.Normal(0.1, (blocks+blocksOfScales-1)/blocksOfScales), 0.25
		} else {
			w.Scales = b.Normal(0.3, blocks)
		}
		return w
	}
}

func rowsSample(b Maker, n, k int) PackedWeight {
	return PackedWeight{Layout: PackedRows, Outputs: n, Inputs: k, Values: anyBytes(b, dtype.I8, n, k), Scales: b.Normal(1, n)}
}

func gridSample(bits, groupOutputs, group int, zeros, actOrder bool) func(b Maker, n, k int) PackedWeight {
	return func(b Maker, n, k int) PackedWeight {
		down, across := (n+groupOutputs-1)/groupOutputs, (k+group-1)/group
		w := PackedWeight{Layout: PackedGrid, Outputs: n, Inputs: k, Bits: bits, Group: group, GroupOutputs: groupOutputs,
			Values: anyBytes(b, dtype.U8, n, k*bits/8), Codes: b.Normal(1, 1<<bits), Scales: b.Normal(0.5, down, across)}
		if zeros {
			w.Zeros = b.Normal(1, down, across)
		}
		if actOrder {
			w.GroupIndex = b.Ints(b.Below(k, 0, int32(across)))
		}
		return w
	}
}

// packedWeights are weights of every layout.
func packedWeights() []packedSample {
	return []packedSample{
		{"awq/g32", 8, 32, awqSample(32)}, {"awq/g128", 264, 640, awqSample(128)}, {"awq/g50", 72, 130, awqSample(50)},
		{"gptq4/g32", 8, 32, gptqSample(4, 32, 1, false)}, {"gptq4/g128", 264, 640, gptqSample(4, 128, 2, false)}, {"gptq4/g64", 88, 1344, gptqSample(4, 64, 1, false)}, {"gptq4/order", 104, 320, gptqSample(4, 64, 1, true)},
		{"gptq2/g32", 48, 160, gptqSample(2, 32, 1, false)}, {"gptq3/g32", 64, 160, gptqSample(3, 32, 1, false)}, {"gptq3/order", 96, 96, gptqSample(3, 32, 2, true)},
		{"gptq8/g32", 20, 640, gptqSample(8, 32, 1, false)},
		{"codes/whole", 40, 640, codesSample(64, false)}, {"codes/double", 300, 320, codesSample(64, true)}, {"codes/across", 64, 80, codesSample(64, true)},
		{"codes/odd", 7, 37, codesSample(64, false)}, {"codes/tiny", 3, 5, codesSample(24, false)},
		{"rows", 33, 70, rowsSample},
		{"grid8/blocks", 130, 200, gridSample(8, 128, 64, false, false)}, {"grid8/rows", 33, 71, gridSample(8, 1, 71, false, false)},
		{"grid8/whole", 9, 40, gridSample(8, 9, 40, true, false)}, {"grid4/groups", 40, 96, gridSample(4, 1, 32, true, false)}, {"grid4/order", 17, 64, gridSample(4, 1, 16, false, true)},
	}
}

var _ = sampled(func() []Sample {
	weights := packedWeights()
	var list []Sample
	for _, w := range weights {
		for _, m := range []int{1, 5, 21} {
			for mode := range 3 {
				transposed, fast, gradient := mode == 1, mode == 2, 0.0
				if fast {
					gradient = -1
				}
				name := fmt.Sprintf("packed_matmul/%s/%d/%s", w.name, m, []string{"exact", "transposed", "fast"}[mode])
				list = append(list, Sample{Name: name, Tolerance: 5e-6, GradientTolerance: gradient, Make: func(b Maker) Op {
					o := &PackedMatMul{Weight: w.make(b, w.outputs, w.inputs), Transposed: transposed, Fast: fast}
					for _, t := range o.Weight.tensors(nil) {
						t.Constant = true
					}
					n, k := w.outputs, w.inputs
					if transposed {
						n, k = k, n
					}
					o.A, o.Out = b.Normal(1, m, k), b.Normal(1, m, n)
					switch m {
					case 5:
						o.Accumulate, o.Alpha = true, -0.5
					case 21:
						o.Bias, o.Residual = b.Normal(1, n), b.Normal(1, m, n)
					}
					return o
				}})
			}
		}
	}
	return list
})
