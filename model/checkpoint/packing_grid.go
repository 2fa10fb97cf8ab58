package checkpoint

import (
	"encoding/binary"
	"fmt"
	"slices"

	"lian/compute"
	"lian/dtype"
	"lian/model/family"
)

// activationScales are what methods that round activations keep for them. Lian computes with activations as they are.
var activationScales = []string{".input_scale", ".output_scale", ".k_scale", ".v_scale", ".q_scale", ".input_zero_point", ".activation_scale"}

// fp8Packing reads 8-bit floats with scales by block (DeepSeek V3), by row or by tensor. Source: transformers,
// integrations/finegrained_fp8.py and fbgemm_fp8.py; DeepSeek-V3, inference/kernel.py.
func fp8Packing(q *family.Config) *packing {
	p := &packing{reference: dtype.BF16, ignoredEndings: append(activationScales, ".input_scale_ub"), block: [2]int{128, 128}}
	if b := q.Floats("weight_block_size"); len(b) == 2 {
		p.block = [2]int{int(b[0]), int(b[1])}
	} else if b != nil {
		q.Fail("weight_block_size is %v, expected two numbers", b)
	}
	p.find = func(l *binder, module string, n, k int) (*compute.PackedWeight, error) {
		f := &parts{binder: l, module: module}
		for _, name := range []string{"weight_scale_inv", "weight_scale"} {
			if f.has(name) {
				return f.grid("weight", name, "", 8, p.block, n, k)
			}
		}
		return nil, nil
	}
	return p
}

// compressedPacking reads the formats of compressed-tensors: whole numbers of 4 and 8 bits and 8-bit floats. Source:
// compressed-tensors, quantization/quant_args.py and compressors/quantized_compressors.
func compressedPacking(q *family.Config) *packing {
	p := &packing{reference: dtype.BF16, ignoredEndings: append(activationScales, ".weight_shape", ".weight_observer"), block: [2]int{128, 128}}
	format := q.String("format", "dense")
	switch format {
	case "dense", "pack-quantized", "int-quantized", "float-quantized", "naive-quantized":
	default:
		q.Fail("format is %q, expected pack-quantized, int-quantized, float-quantized or naive-quantized", format)
	}
	groups := q.Object("config_groups")
	for _, name := range groups.FieldNames() {
		g := groups.Object(name)
		w := g.Object("weights")
		if w == nil {
			continue
		}
		bits := w.Int("num_bits", 8)
		if p.bits != 0 && p.bits != bits {
			q.Fail("config_groups hold weights of %d and of %d bits, expected one number", p.bits, bits)
		}
		p.bits = bits
		if b := w.Floats("block_structure"); len(b) == 2 {
			p.block = [2]int{int(b[0]), int(b[1])}
		}
		if bits != 4 && bits != 8 {
			w.Fail("num_bits is %d, expected 4 or 8", bits)
		}
	}
	p.find = func(l *binder, module string, n, k int) (*compute.PackedWeight, error) {
		f := &parts{binder: l, module: module}
		zero := ""
		if f.has("weight_zero_point") {
			zero = "weight_zero_point"
		}
		switch {
		case f.has("weight_packed"):
			return f.grid("weight_packed", "weight_scale", zero, p.bits, p.block, n, k)
		case f.has("weight_scale"):
			return f.grid("weight", "weight_scale", zero, 8, p.block, n, k)
		}
		return nil, nil
	}
	return p
}

// grid is a weight whose scales form a grid: one number, one for each output, one for each group of inputs of each output, or one
// for each block.
func (f *parts) grid(weight, scale, zero string, bits int, block [2]int, n, k int) (*compute.PackedWeight, error) {
	w := &compute.PackedWeight{Layout: compute.PackedGrid, Outputs: n, Inputs: k, Bits: bits}
	info, _ := f.source.Info(f.module + "." + weight)
	if info.Type == dtype.I32 { // numbers in words, from the low bits on, with the smallest as 0
		if k*bits%32 != 0 {
			return nil, fmt.Errorf("%d inputs of %d bits are not whole words", k, bits)
		}
		w.Values = f.get(weight, words, n, k*bits/32)
		w.Codes = f.codeTable(dtype.I32, bits)
	} else {
		w.Values = f.get(weight, []dtype.Type{dtype.F8E4M3, dtype.F8E5M2, dtype.I8}, n, k)
		w.Codes = f.codeTable(info.Type, 8)
	}
	if f.err != nil {
		return nil, f.err
	}
	values := *w.Values
	values.Type, values.Shape = dtype.U8, []int{n, k * bits / 8}
	w.Values = &values
	scales, _ := f.source.Info(f.module + "." + scale)
	rows, columns, err := gridOf(scales.Shape, n, k, block)
	if err != nil {
		return nil, fmt.Errorf("tensor %s.%s: %w", f.module, scale, err)
	}
	w.GroupOutputs, w.Group = rows, columns
	down, across := (n+rows-1)/rows, (k+columns-1)/columns
	w.Scales = f.floats(f.get(scale, anyFloat, scales.Shape...), down, across)
	if zero != "" && f.err == nil {
		w.Zeros = f.zeros(zero, bits, down, across)
	}
	if f.has("weight_g_idx") {
		w.GroupIndex = f.order(f.get("weight_g_idx", words, k), columns)
	}
	if f.err == nil && down*across != w.Scales.Elements() {
		return nil, fmt.Errorf("tensor %s.%s has %d scales, expected %d × %d", f.module, scale, w.Scales.Elements(), down, across)
	}
	return w, f.err
}

// gridOf says how many outputs and inputs share a scale.
func gridOf(shape []int, n, k int, block [2]int) (outputs, inputs int, err error) {
	count := 1
	for _, s := range shape {
		count *= s
	}
	switch {
	case count == 1:
		return max(n, 1), max(k, 1), nil
	case count == n && (len(shape) == 1 || shape[0] == n):
		return 1, max(k, 1), nil
	case len(shape) == 2 && shape[0] == n && shape[1] > 0 && k%shape[1] == 0:
		return 1, k / shape[1], nil
	case len(shape) == 2 && block[0] > 0 && block[1] > 0 && slices.Equal(shape, []int{(n + block[0] - 1) / block[0], (k + block[1] - 1) / block[1]}):
		return block[0], block[1], nil
	}
	return 0, 0, fmt.Errorf("scales of shape %v do not fit a weight [%d %d] by tensor, row, group or block of %v", shape, n, k, block)
}

// codeTable is what each stored value of a type means; I32 stands for numbers of some bits whose smallest is stored as 0.
func (f *parts) codeTable(t dtype.Type, bits int) *compute.Tensor {
	codes := make([]float32, 1<<bits)
	if t == dtype.I32 {
		for i := range codes {
			codes[i] = float32(i - len(codes)/2)
		}
		return f.of(codes, len(codes))
	}
	raw := make([]byte, len(codes))
	for i := range raw {
		raw[i] = byte(i)
		codes[i] = float32(int8(i))
	}
	if t == dtype.I8 {
		return f.of(codes, len(codes))
	}
	if f.err == nil {
		f.err = dtype.Dequantize(t, raw, codes)
	}
	return f.of(codes, len(codes))
}

// zeros are the zero points, whole numbers as they are or packed along the outputs.
func (f *parts) zeros(name string, bits, down, across int) *compute.Tensor {
	info, _ := f.source.Info(f.module + "." + name)
	values := make([]float32, down*across)
	if info.Type != dtype.I32 {
		t := f.get(name, []dtype.Type{dtype.I8}, info.Shape...)
		if f.err != nil {
			return nil
		}
		raw := make([]byte, t.Bytes())
		if f.err = f.stream.Read(t, raw); f.err != nil {
			return nil
		}
		if len(raw) != len(values) {
			f.err = fmt.Errorf("tensor %s.%s has %d zero points, expected %d", f.module, name, len(raw), len(values))
			return nil
		}
		for i, v := range raw {
			values[i] = float32(int8(v))
		}
		return f.of(values, down, across)
	}
	each := 32 / bits // outputs in a word
	t := f.get(name, words, (down+each-1)/each, across)
	if f.err != nil {
		return nil
	}
	raw := make([]byte, t.Bytes())
	if f.err = f.stream.Read(t, raw); f.err != nil {
		return nil
	}
	for row := range down {
		for g := range across {
			word := binary.LittleEndian.Uint32(raw[4*(row/each*across+g):])
			values[row*across+g] = float32(int(word>>(row%each*bits)&(1<<bits-1)) - 1<<(bits-1))
		}
	}
	return f.of(values, down, across)
}
