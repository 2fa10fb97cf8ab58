package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/format"
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
		l.left[n] = !c.Family.Ignores(n) && !p.ignores(n)
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

// find is the stored tensor of a name in the shape that it must have.
func (l *binder) find(name string, shape []int) (part, error) {
	name = strings.TrimPrefix(name, l.cut)
	info, ok := l.source.Info(name)
	if !ok {
		return part{}, fmt.Errorf("tensor %s %v is missing", name, shape)
	}
	l.left[name] = false
	if !slices.Equal(info.Shape, shape) {
		return part{}, fmt.Errorf("tensor %s is %v, expected %v from the configuration; the file and the configuration are of different models", name, info.Shape, shape)
	}
	data, err := l.source.Data(name)
	return part{info, data}, err
}

// load makes a parameter. Where the parameter is a run of a stored tensor's bytes it stays in the file's mapping.
func (l *binder) load(w nn.Weight, v model.View) (*compute.Tensor, error) {
	if l.packing != nil && (w.Kind == nn.Matrix || w.Kind == nn.Residual || w.Kind == nn.Embedding) {
		if t, err := l.unpacked(w, v); t != nil || err != nil {
			return t, err
		}
	}
	shape := v.FileShape(w.Shape)
	if v.Experts == 0 {
		p, err := l.find(v.Name, shape)
		if err != nil {
			return nil, err
		}
		data, inFile, err := take(p, v, w.Shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", v.Name, err)
		}
		return l.tensor(w, v, p.info.Type, data, inFile)
	}
	var all []byte
	var t dtype.Type
	for e := range v.Experts {
		name := strings.ReplaceAll(v.Name, "{expert}", fmt.Sprint(e))
		p, err := l.find(name, shape)
		if err != nil {
			return nil, err
		}
		if e > 0 && p.info.Type != t {
			return nil, fmt.Errorf("tensor %s is %v, the experts before it %v: a stack must be of one type", name, p.info.Type, t)
		}
		t = p.info.Type
		data, _, err := take(p, v, w.Shape[1:])
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", name, err)
		}
		if all == nil {
			all = make([]byte, 0, v.Experts*len(data))
		}
		all = append(all, data...)
	}
	return l.tensor(w, v, t, all, false)
}

// tensor brings a parameter's bytes in: vectors and everything under Float32 as float32 of its own, matrices as they are.
func (l *binder) tensor(w nn.Weight, v model.View, stored dtype.Type, data []byte, inFile bool) (*compute.Tensor, error) {
	matrix := w.Kind == nn.Matrix || w.Kind == nn.Residual || w.Kind == nn.Embedding
	if !l.options.Float32 && v.Offset == 0 && (matrix && multiplies(stored) || stored == dtype.F32) {
		if inFile {
			return &compute.Tensor{Type: stored, Shape: slices.Clone(w.Shape), Buffer: l.backend.Import(data, l.source)}, nil
		}
		t := compute.NewTensor(l.backend, stored, w.Shape...)
		l.stream.Write(t, data)
		return t, nil
	}
	t := compute.NewTensor(l.backend, dtype.F32, w.Shape...)
	values := make([]float32, t.Elements())
	if err := dtype.Dequantize(stored, data, values); err != nil {
		return nil, fmt.Errorf("tensor %s: %w", v.Name, err)
	}
	if v.Offset != 0 {
		for i := range values {
			values[i] -= v.Offset
		}
	}
	l.stream.Write(t, compute.HostBytes(values))
	return t, nil
}

// multiplies says whether products take a weight of this type as it is.
func multiplies(t dtype.Type) bool {
	return t == dtype.F32 || t == dtype.F16 || t == dtype.BF16 || t.Quantized()
}
