package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/model"
	"lian/model/family"
	"lian/model/nn"
)

// packing is how another program quantised a folder's weights: the quantization_config of its config.json.
type packing struct {
	method string
	find   func(l *binder, module string, n, k int) (*compute.PackedWeight, error) // nil, nil: this product is not quantised

	bits, group    int
	version        int // of GPTQ's format
	block          [2]int
	reference      dtype.Type // what the method's own code dequantises to
	ignoredEndings []string
}

// packings are the methods that Lian reads.
var packings = map[string]func(q *family.Config) *packing{
	"awq": awqPacking, "gptq": gptqPacking, "bitsandbytes": bitsPacking, "fp8": fp8Packing, "fbgemm_fp8": fp8Packing, "compressed-tensors": compressedPacking,
}

// readPacking reads quantization_config (or compression_config, its older name), nil if there is none.
func readPacking(c *family.Config) (*packing, error) {
	q := c.Object("quantization_config|compression_config")
	if q == nil {
		return nil, c.Err()
	}
	method := q.String("quant_method", "")
	if method == "" && (q.Bool("load_in_4bit", false) || q.Bool("load_in_8bit", false)) {
		method = "bitsandbytes"
	}
	if method == "mxfp4" { // a type of its own
		q.Ignore("modules_to_not_convert")
		return nil, c.Err()
	}
	read := packings[method]
	if read == nil {
		q.Fail("quant_method is %q, which Lian does not read (it reads awq, gptq, bitsandbytes, fp8, compressed-tensors, mxfp4)", method)
		return nil, c.Err()
	}
	p := read(q)
	p.method = method
	return p, c.Err()
}

// Quantisation is how a folder's weights were quantised.
type Quantisation struct {
	Method string
	Bits   int
	Group  int    // weights that share a scale; 0 where the method has other units
	Block  [2]int // rows and columns that do
}

// ReadQuantisation says how the configuration tells that weights were quantised; nil if it does not. Methods that Lian does not read are
// errors.
func ReadQuantisation(c *family.Config) (*Quantisation, error) {
	p, err := readPacking(c)
	if p == nil || err != nil {
		return nil, err
	}
	return &Quantisation{p.method, p.bits, p.group, p.block}, nil
}

// ignores says whether a tensor of this name belongs to the quantisation of activations, which Lian does not round.
func (p *packing) ignores(name string) bool {
	return p != nil && slices.ContainsFunc(p.ignoredEndings, func(end string) bool { return strings.HasSuffix(name, end) })
}

// unpacked makes a parameter of a quantised product; nil if the source holds it as a plain tensor.
func (l *binder) unpacked(w nn.Weight, v model.View) (*compute.Tensor, error) {
	shape, experts := w.Shape, max(v.Experts, 1)
	if v.Experts > 0 {
		shape = shape[1:]
	}
	stored := v
	stored.Experts, stored.Transposed = 0, false // quantised products are [outputs, inputs], however the family stores its plain ones
	whole := stored.FileShape(shape)
	if len(whole) != 2 || !strings.HasSuffix(v.Name, ".weight") {
		return nil, nil
	}
	n, k := whole[0], whole[1]
	var stack []byte
	for e := range experts {
		module := strings.TrimSuffix(strings.TrimPrefix(strings.ReplaceAll(v.Name, "{expert}", fmt.Sprint(e)), l.cut), ".weight")
		p, err := l.packing.find(l, module, n, k)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", module, err)
		}
		if p == nil && stack != nil {
			return nil, fmt.Errorf("%s is not quantised, the experts before it are", module)
		}
		if p == nil {
			name := module + ".weight"
			if info, ok := l.source.Info(name); ok && info.Type.Bytes(1) == 1 {
				return nil, fmt.Errorf("tensor %s is %v, but there are no scales beside it as %s has them", name, info.Type, l.packing.method)
			}
			return nil, nil
		}
		if v.Experts == 0 && !v.Folded && !l.options.Float32 {
			if part := selectOutputs(l, p, v.Rows); part != nil {
				return &compute.Tensor{Shape: slices.Clone(w.Shape), Packed: part}, nil
			}
		}
		data, err := l.dequantised(p, stored, shape)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", module, err)
		}
		stack = append(stack, data...)
	}
	t := compute.NewTensor(l.backend, l.plain(), w.Shape...)
	l.stream.Write(t, stack)
	return t, l.stream.Err()
}

// plain is the type that a quantised weight takes where products cannot read it as it is stored: experts, and parts of a tensor that
// groups of scales straddle.
func (l *binder) plain() dtype.Type {
	if l.options.Float32 {
		return dtype.F32
	}
	return l.packing.reference
}

// dequantised are the bytes of a parameter of type plain.
func (l *binder) dequantised(p *compute.PackedWeight, v model.View, shape []int) ([]byte, error) {
	values, err := model.Floats(l.stream, &compute.Tensor{Shape: []int{p.Outputs, p.Inputs}, Packed: p})
	if err != nil {
		return nil, err
	}
	data, _, err := v.Take(compute.HostBytes(values), dtype.F32, shape)
	if err != nil || l.plain() == dtype.F32 {
		return data, err
	}
	rows := make([]float32, len(data)/4)
	if err := dtype.Dequantize(dtype.F32, data, rows); err != nil {
		return nil, err
	}
	out := make([]byte, l.plain().Bytes(len(rows)))
	return out, dtype.Quantize(l.plain(), rows, out)
}

// tensors finds the parts of a quantised product.
type parts struct {
	*binder
	module string
	err    error
}

// has says whether the source holds module.name.
func (f *parts) has(name string) bool {
	_, ok := f.source.Info(f.module + "." + name)
	return ok
}

// get is the tensor module.name of one of some types and a shape; in the shape −1 is any size. It stays in the file's mapping.
func (f *parts) get(name string, types []dtype.Type, shape ...int) *compute.Tensor {
	full := f.module + "." + name
	info, ok := f.source.Info(full)
	switch {
	case f.err != nil:
		return nil
	case !ok:
		f.err = fmt.Errorf("tensor %s is missing", full)
		return nil
	}
	f.left[full] = false
	match := len(info.Shape) == len(shape) && slices.Contains(types, info.Type)
	for i := 0; match && i < len(shape); i++ {
		match = shape[i] < 0 || shape[i] == info.Shape[i]
	}
	if !match {
		f.err = fmt.Errorf("tensor %s is %v %v, expected one of %v %v", full, info.Type, info.Shape, types, shape)
		return nil
	}
	data, err := f.source.Data(full)
	if err != nil {
		f.err = err
		return nil
	}
	return &compute.Tensor{Type: info.Type, Shape: slices.Clone(info.Shape), Buffer: f.backend.Import(data, f.source), Constant: true}
}

// floats is the tensor as float32 of its own, in another shape if one is given.
func (f *parts) floats(t *compute.Tensor, shape ...int) *compute.Tensor {
	if f.err != nil {
		return nil
	}
	if shape == nil {
		shape = t.Shape
	}
	values, err := model.Floats(f.stream, t)
	if err != nil {
		f.err = err
		return nil
	}
	return f.of(values, shape...)
}

// of is a tensor of values.
func (f *parts) of(values []float32, shape ...int) *compute.Tensor {
	t := compute.NewTensor(f.backend, dtype.F32, shape...)
	f.stream.Write(t, compute.HostBytes(values))
	t.Constant = true
	return t
}

var (
	anyFloat = []dtype.Type{dtype.F32, dtype.F16, dtype.BF16}
	words    = []dtype.Type{dtype.I32}
)
