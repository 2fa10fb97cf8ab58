package checkpoint

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"lian/compute"
	"lian/dtype"
	"lian/format/safetensors"
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
	bindings, err := f.Bindings(m.Spec)
	if err != nil {
		return err
	}
	var tensors []safetensors.Tensor
	for i, p := range m.Parameters().All() {
		values, err := Floats(s, p.Tensor)
		if err != nil {
			return err
		}
		data := make([]byte, t.Bytes(len(values)))
		if err := dtype.Quantize(t, values, data); err != nil {
			return err
		}
		tensors = append(tensors, safetensors.Tensor{Name: bindings[i].Hub, Type: t, Shape: p.Tensor.Shape, Data: data})
	}
	if err := safetensors.Write(filepath.Join(dir, "model.safetensors"), tensors, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	fields := f.Config(m.Spec)
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
