package checkpoint

import (
	"fmt"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/format"
	"lian/model"
	"lian/model/nn"
)

// member is a parameter, or one of its experts, on its way into a stored tensor.
type member struct {
	binding model.Binding
	kind    nn.Kind
	tensor  *compute.Tensor
	view    model.View
	shape   []int
}

// storedTensors are a model's tensors as a kind of file holds them, in the order of the parameters, made when it is their turn to
// be written. typeOf is asked for the type of each; several parameters may share one tensor.
func storedTensors(s compute.Stream, spec nn.Spec, bindings []model.Binding, parameters []model.Parameter, viewOf func(model.Binding) model.View,
	typeOf func(name string, shape []int, first member) dtype.Type) ([]format.Tensor, error) {
	members, names := map[string][]member{}, []string{}
	add := func(name string, x member) {
		if members[name] == nil {
			names = append(names, name)
		}
		members[name] = append(members[name], x)
	}
	for i, w := range spec.Weights() {
		b, tensor := bindings[i], parameters[i].Tensor
		v := viewOf(b)
		if v.Name == "" {
			return nil, fmt.Errorf("a %s model has no name for %s in this format", spec.Family, b.Parameter)
		}
		for e := range v.Experts {
			one := v
			one.Experts, one.Name = 0, strings.ReplaceAll(v.Name, "{expert}", fmt.Sprint(e))
			flat := tensor.View(tensor.Shape[0], tensor.Elements()/tensor.Shape[0])
			add(one.Name, member{b, w.Kind, flat.Slice(e, e+1), one, b.Shape[1:]})
		}
		if v.Experts == 0 {
			add(v.Name, member{b, w.Kind, tensor, v, b.Shape})
		}
	}
	var tensors []format.Tensor
	for _, name := range names {
		parts := members[name]
		shape := parts[0].view.FileShape(parts[0].shape)
		t := typeOf(name, shape, parts[0])
		tensors = append(tensors, format.Tensor{Name: name, Type: t, Shape: shape, Make: func() ([]byte, error) { return join(s, parts, t, shape) }})
	}
	return tensors, nil
}

// join makes a stored tensor of the parameters in it.
func join(s compute.Stream, parts []member, t dtype.Type, shape []int) ([]byte, error) {
	size, err := dtype.TensorBytes(t, shape)
	if err != nil {
		return nil, err
	}
	out := make([]byte, size)
	for _, x := range parts {
		data, err := converted(s, x.tensor, t, x.view.Offset)
		if err != nil {
			return nil, err
		}
		if err := x.view.Put(out, data, t, x.shape); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// converted are a tensor's values plus an offset, as bytes of type t.
func converted(s compute.Stream, x *compute.Tensor, t dtype.Type, offset float32) ([]byte, error) {
	if x.Type == t && offset == 0 {
		data := make([]byte, x.Bytes())
		return data, s.Read(x, data)
	}
	values, err := model.Floats(s, x)
	if err != nil {
		return nil, err
	}
	if offset != 0 {
		for i := range values {
			values[i] += offset
		}
	}
	data := make([]byte, t.Bytes(len(values)))
	return data, dtype.Quantize(t, values, data)
}
