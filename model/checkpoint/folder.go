package checkpoint

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/format/safetensors"
	"lian/model"
	"lian/model/family"
	"lian/model/nn"
	"lian/store/atomicfile"
)

// SaveFolder writes config.json and model.safetensors of a model into dir, weights as t (float32, float16 or bfloat16).
// extra fields go into config.json (bos_token_id …).
func SaveFolder(dir string, s compute.Stream, f *family.Family, m *nn.Decoder, t dtype.Type, extra map[string]any) error {
	if !t.Float() {
		return fmt.Errorf("%s: a model folder holds float weights, not %v", dir, t)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tensors, err := hubTensors(s, f, m, t)
	if err != nil {
		return err
	}
	if err := safetensors.Write(filepath.Join(dir, "model.safetensors"), tensors, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	fields := f.Config(&m.Spec)
	fields["torch_dtype"] = map[dtype.Type]string{dtype.F32: "float32", dtype.F16: "float16", dtype.BF16: "bfloat16"}[t]
	for k, v := range extra {
		fields[k] = v
	}
	data, err := json.MarshalIndent(fields, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, "config.json"), append(data, '\n'))
}

// hubTensors are a model's tensors as its authors' files hold them, of type t, made when it is their turn to be written.
func hubTensors(s compute.Stream, f *family.Family, m *nn.Decoder, t dtype.Type) ([]safetensors.Tensor, error) {
	bindings, err := f.Bindings(m.Spec)
	if err != nil {
		return nil, err
	}
	type member struct {
		tensor *compute.Tensor
		view   model.View
		shape  []int
	}
	members, names, list := map[string][]member{}, []string{}, m.Parameters().All()
	add := func(name string, x member) {
		if members[name] == nil {
			names = append(names, name)
		}
		members[name] = append(members[name], x)
	}
	for i, b := range bindings {
		v, tensor := b.Hub, list[i].Tensor
		if v.Name == "" {
			return nil, fmt.Errorf("a %s model has no name for %s in its authors' files", f.Name(), b.Parameter)
		}
		for e := range v.Experts {
			one := v
			one.Experts, one.Name = 0, strings.ReplaceAll(v.Name, "{expert}", fmt.Sprint(e))
			flat := tensor.View(tensor.Shape[0], tensor.Elements()/tensor.Shape[0])
			add(one.Name, member{flat.Slice(e, e+1), one, b.Shape[1:]})
		}
		if v.Experts == 0 {
			add(v.Name, member{tensor, v, b.Shape})
		}
	}
	var tensors []safetensors.Tensor
	for _, name := range names {
		whole := members[name][0].view.FileShape(members[name][0].shape)
		tensors = append(tensors, safetensors.Tensor{Name: name, Type: t, Shape: whole, Make: func() ([]byte, error) {
			size, err := dtype.TensorBytes(t, whole)
			if err != nil {
				return nil, err
			}
			out := make([]byte, size)
			for _, x := range members[name] {
				data, err := converted(s, x.tensor, t, x.view.Offset)
				if err != nil {
					return nil, err
				}
				if err := put(out, data, t, x.view, x.shape); err != nil {
					return nil, err
				}
			}
			return out, nil
		}})
	}
	return tensors, nil
}

// converted are a tensor's values plus an offset, as bytes of type t.
func converted(s compute.Stream, x *compute.Tensor, t dtype.Type, offset float32) ([]byte, error) {
	if x.Type == t && offset == 0 {
		data := make([]byte, x.Bytes())
		return data, s.Read(x, data)
	}
	values, err := Floats(s, x)
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
