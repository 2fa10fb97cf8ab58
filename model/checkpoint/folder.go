package checkpoint

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"lian/compute"
	"lian/dtype"
	"lian/format"
	"lian/format/safetensors"
	"lian/model/family"
	"lian/model/nn"
	"lian/store/atomicfile"
)

// FolderOptions say how a model folder is written.
type FolderOptions struct {
	Type dtype.Type // of every weight: float32, float16 or bfloat16
	// Config are the fields of the config.json that the model was opened with; nil: the family makes them of the Spec.
	Config map[string]any
	Extra  map[string]any // further fields of config.json (bos_token_id …), which take the place of others
	// Replaced are tensors that are written as others, by name: those of weights that were quantised.
	Replaced map[string][]format.Tensor
	// ShardBytes is what one file of weights holds at most; 0 is safetensors.ShardBytes.
	ShardBytes int64
}

// torchNames are the types that config.json's torch_dtype (dtype, since transformers 5) names.
var torchNames = map[dtype.Type]string{dtype.F32: "float32", dtype.F16: "float16", dtype.BF16: "bfloat16"}

// SaveFolder writes config.json and the weights of a model into dir.
func SaveFolder(dir string, s compute.Stream, f *family.Family, m *nn.Decoder, o FolderOptions) error {
	if torchNames[o.Type] == "" {
		return fmt.Errorf("%s: a model folder holds f32, f16 or bf16 weights, not %v", dir, o.Type)
	}
	var fields map[string]any
	if o.Config != nil {
		fields = f.Typed(&m.Spec, o.Config)
	} else {
		if f.Config == nil {
			return fmt.Errorf("%s: a config.json of a %s model is not made from nothing", dir, f.Name())
		}
		fields = f.Config(&m.Spec)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	bindings, err := f.Bindings(m.Spec)
	if err != nil {
		return err
	}
	tensors, err := storedTensors(s, m.Spec, bindings, m.Parameters().All(), hubView, func(string, []int, member) dtype.Type { return o.Type })
	if err != nil {
		return err
	}
	if len(o.Replaced) > 0 {
		var all []format.Tensor
		for _, t := range tensors {
			if others, ok := o.Replaced[t.Name]; ok {
				all = append(all, others...)
			} else {
				all = append(all, t)
			}
		}
		tensors = all
	}
	if _, err := safetensors.WriteFolder(dir, tensors, map[string]string{"format": "pt"}, o.ShardBytes); err != nil {
		return err
	}
	delete(fields, "quantization_config") // what is written is not quantised
	name := "torch_dtype"
	if _, ok := fields["dtype"]; ok {
		name = "dtype"
	}
	fields[name] = torchNames[o.Type]
	if _, ok := fields["vocab_size"]; ok {
		fields["vocab_size"] = m.Spec.Vocab // it may have grown
	}
	maps.Copy(fields, o.Extra)
	data, err := json.MarshalIndent(fields, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, configFile), append(data, '\n'))
}
