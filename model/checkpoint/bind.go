package checkpoint

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/format"
	"lian/format/gguf"
	"lian/model"
	"lian/model/nn"
)

func hubView(b model.Binding) model.View  { return b.Hub }
func ggufView(b model.Binding) model.View { return b.GGUF }

// binder makes parameters of a source's tensors.
type binder struct {
	backend compute.Backend
	stream  compute.Stream
	source  format.Reader
	options Options
	left    map[string]bool // tensors that nobody has asked for
	packing *packing        // how another program quantised the weights, nil for none
	cut     string          // prefix that this source leaves out of names
}

// bind makes the model of a source's tensors.
func (c *Checkpoint) bind(b compute.Backend, spec nn.Spec, src format.Reader, o Options, p *packing, viewOf func(model.Binding) model.View) error {
	bindings, err := c.Family.Bindings(spec)
	if err != nil {
		return err
	}
	l := binder{backend: b, stream: b.NewStream(), source: src, options: o, packing: p, left: map[string]bool{}}
	for _, n := range src.Names() {
		l.left[n] = !c.Family.Ignores(&spec, n) && !p.ignores(n)
		if !l.left[n] {
			c.Unused = append(c.Unused, n)
		}
	}
	if first := viewOf(bindings[0]).Name; c.Family.Prefix != "" && strings.HasPrefix(first, c.Family.Prefix) {
		if _, ok := src.Info(first); !ok {
			l.cut = c.Family.Prefix
		}
	}
	weights := map[string]*compute.Tensor{}
	for i, w := range spec.Weights() {
		v := viewOf(bindings[i])
		if v.Name == "" {
			return fmt.Errorf("a %s model has no name for %s in this format", c.Family.Name(), w.Name)
		}
		if weights[w.Name], err = l.load(w, v); err != nil {
			return err
		}
	}
	head := ""
	if place, ok := c.Family.Names["head"]; ok && spec.TiedEmbedding {
		head = place.Name()
	}
	for _, n := range src.Names() {
		if l.left[n] && (head == "" || !strings.HasPrefix(n, head+".")) {
			return fmt.Errorf("tensor %s is not part of a %s model of this configuration", n, c.Family.Name())
		}
	}
	if err := l.stream.Err(); err != nil {
		return err
	}
	c.Bindings = bindings
	c.Model, err = nn.New(b, spec, weights)
	if err == nil && !o.Float32 {
		c.Model.Parameters().Freeze()
	}
	return err
}

// part is one stored tensor: what it says of itself and its bytes, a view of the file.
type part struct {
	info format.Info
	data []byte
}

// find is the stored tensor of a name, in the shape that a view of a parameter must have. Where it is packed and the view turned, the
// view turns no more: blocks lie along what products sum over, whatever the order of floats is.
func (l *binder) find(name string, v *model.View, shape []int) (part, error) {
	name = strings.TrimPrefix(name, l.cut)
	info, ok := l.source.Info(name)
	if !ok {
		return part{}, fmt.Errorf("tensor %s %v is missing", name, v.FileShape(shape))
	}
	l.left[name] = false
	if info.Type.BlockSize() > 1 {
		v.Transposed = false
	}
	expected := v.FileShape(shape)
	if _, ok := l.source.(*gguf.File); ok && slices.Equal(info.Shape, trimOnes(expected)) {
		info.Shape = expected // ggml forgets leading axes of one element
	}
	if !slices.Equal(info.Shape, expected) {
		return part{}, fmt.Errorf("tensor %s is %v, expected %v from the configuration; the file and the configuration are of different models", name, info.Shape, expected)
	}
	data, err := l.source.Data(name)
	return part{info, data}, err
}

// trimOnes is a shape without its leading axes of one element.
func trimOnes(shape []int) []int {
	for len(shape) > 1 && shape[0] == 1 {
		shape = shape[1:]
	}
	return shape
}

// load makes a parameter. Where the parameter is a run of a stored tensor's bytes it stays in the file's mapping.
func (l *binder) load(w nn.Weight, v model.View) (*compute.Tensor, error) {
	if l.packing != nil && (w.Kind == nn.Matrix || w.Kind == nn.Residual || w.Kind == nn.Embedding) {
		if t, err := l.unpacked(w, v); t != nil || err != nil {
			return t, err
		}
	}
	if v.Experts > 0 {
		return l.stack(w, v)
	}
	p, err := l.find(v.Name, &v, w.Shape)
	if err != nil {
		return nil, err
	}
	if v.Turned && p.info.Type.BlockSize() > 1 { // blocks do not turn
		values := make([]float32, p.info.Elements())
		if err := dtype.Dequantize(p.info.Type, p.data, values); err != nil {
			return nil, fmt.Errorf("tensor %s: %w", v.Name, err)
		}
		p.info.Type, p.data = dtype.F32, compute.HostBytes(values)
	}
	data, inFile, err := v.Take(p.data, p.info.Type, w.Shape)
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", v.Name, err)
	}
	if t := l.typeOf(w, v, p.info.Type); inFile && t == p.info.Type && !l.options.Float32 && asStored(v) {
		return &compute.Tensor{Type: t, Shape: slices.Clone(w.Shape), Buffer: l.backend.Import(data, l.source)}, nil
	}
	t := compute.NewTensor(l.backend, l.typeOf(w, v, p.info.Type), w.Shape...)
	return t, l.write(t, v, p.info.Type, data)
}

// stack makes a parameter of the tensors of all experts.
func (l *binder) stack(w nn.Weight, v model.View) (out *compute.Tensor, err error) {
	if whole, ok := l.together(v, w.Shape[1]); ok {
		return l.load(w, whole)
	}
	var stored dtype.Type
	each := v
	each.Experts = 0
	for e := range v.Experts {
		each.Name = strings.ReplaceAll(v.Name, "{expert}", fmt.Sprint(e))
		p, err := l.find(each.Name, &each, w.Shape[1:])
		if err != nil {
			return nil, err
		}
		if e == 0 {
			stored = p.info.Type
			out = compute.NewTensor(l.backend, l.typeOf(w, v, stored), w.Shape...)
		}
		if p.info.Type != stored {
			return nil, fmt.Errorf("tensor %s is %v, the experts before it %v: a stack must be of one type", each.Name, p.info.Type, stored)
		}
		data, _, err := each.Take(p.data, p.info.Type, w.Shape[1:])
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", each.Name, err)
		}
		if err := l.write(out.Slice(e, e+1), each, stored, data); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// together is where a source that has no tensor for each expert holds all of them, if it does: gate above up in gate_up_proj, and
// down_proj. That is how transformers 5 names them itself.
func (l *binder) together(v model.View, rows int) (model.View, bool) {
	if _, ok := l.source.Info(strings.TrimPrefix(strings.ReplaceAll(v.Name, "{expert}", "0"), l.cut)); ok {
		return v, false
	}
	before, after, _ := strings.Cut(v.Name, "{expert}.")
	whole := model.View{Name: before + "down_proj"}
	switch after {
	case "gate_proj.weight":
		whole = model.View{Name: before + "gate_up_proj", Rows: model.Rows{Total: 2 * rows, Count: rows, Times: 1, Axis: 1}}
	case "up_proj.weight":
		whole = model.View{Name: before + "gate_up_proj", Rows: model.Rows{Total: 2 * rows, From: rows, Count: rows, Times: 1, Axis: 1}}
	case "down_proj.weight":
	default:
		return v, false
	}
	_, ok := l.source.Info(strings.TrimPrefix(whole.Name, l.cut))
	return whole, ok
}

// typeOf is what a parameter is kept as: vectors and everything under Float32 as float32, matrices as they are stored.
func (l *binder) typeOf(w nn.Weight, v model.View, stored dtype.Type) dtype.Type {
	matrix := w.Kind == nn.Matrix || w.Kind == nn.Residual || w.Kind == nn.Embedding
	if !l.options.Float32 && asStored(v) && matrix && multiplies(stored) {
		return stored
	}
	return dtype.F32
}

// write fills a tensor, or some of one, from stored bytes.
func (l *binder) write(t *compute.Tensor, v model.View, stored dtype.Type, data []byte) error {
	if t.Type == stored && asStored(v) {
		l.stream.Write(t, data)
		return nil
	}
	values := make([]float32, t.Elements())
	if err := dtype.Dequantize(stored, data, values); err != nil {
		return fmt.Errorf("tensor %s: %w", v.Name, err)
	}
	if v.Offset != 0 {
		for i := range values {
			values[i] -= v.Offset
		}
	}
	if v.Unit {
		unit(values, t.Columns())
	}
	l.stream.Write(t, compute.HostBytes(values))
	return nil
}

// asStored says whether values are the file's.
func asStored(v model.View) bool { return v.Offset == 0 && !v.Unit }

// unit scales rows of n values to length 1; rows of zeros stay.
func unit(values []float32, n int) {
	for row := range slices.Chunk(values, n) {
		sum := 0.0
		for _, x := range row {
			sum += float64(x) * float64(x)
		}
		by := float32(1 / max(math.Sqrt(sum), 1e-12))
		for i := range row {
			row[i] *= by
		}
	}
}

// multiplies says whether products take a weight of this type as it is.
func multiplies(t dtype.Type) bool {
	return t == dtype.F32 || t == dtype.F16 || t == dtype.BF16 || t.Quantized()
}
