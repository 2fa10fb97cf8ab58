package checkpoint

import (
	"fmt"
	"maps"
	"slices"

	"lian/compute"
	"lian/dtype"
	"lian/format/gguf"
	"lian/model"
	"lian/model/family"
	"lian/model/nn"
)

func openGGUF(path string, b compute.Backend, o Options) (*Checkpoint, error) {
	file, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Path: path, close: file.Close}
	if err := c.fromGGUF(file, b, o); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (c *Checkpoint) fromGGUF(file *gguf.File, b compute.Backend, o Options) error {
	architecture, ok := file.String("general.architecture")
	if !ok {
		return fmt.Errorf("metadata general.architecture is missing")
	}
	f, err := family.ByGGUF(architecture)
	if err != nil {
		return err
	}
	spec, err := f.FromGGUF(file)
	if err != nil {
		return err
	}
	c.Family = f
	_, hasHead := file.Info("output.weight")
	spec.TiedEmbedding = !hasHead
	return c.bind(b, spec, file, o, ggufView)
}

// TypeOf says as what type a weight is stored; it is asked for matrices and embeddings only, vectors stay float32.
type TypeOf func(b model.Binding, kind nn.Kind, shape []int) dtype.Type

// fileTypes are llama.cpp's numbers for general.file_type (llama.h, enum llama_ftype).
var fileTypes = map[dtype.Type]uint32{dtype.F32: 0, dtype.F16: 1, dtype.Q4_0: 2, dtype.Q4_1: 3, dtype.Q8_0: 7, dtype.Q5_0: 8, dtype.Q5_1: 9, dtype.BF16: 32}

// SaveGGUF writes a model as one GGUF file. main is the type most weights have; more is further metadata (the tokenizer's).
func SaveGGUF(path string, s compute.Stream, f *family.Family, m *nn.Decoder, name string, main dtype.Type, typeOf TypeOf, more []gguf.KeyValue) error {
	bindings, err := f.Bindings(m.Spec)
	if err != nil {
		return err
	}
	metadata := []gguf.KeyValue{{Key: "general.architecture", Value: f.GGUF}, {Key: "general.name", Value: name}, {Key: "general.type", Value: "model"}}
	if number, ok := fileTypes[main]; ok {
		metadata = append(metadata, gguf.KeyValue{Key: "general.file_type", Value: number})
	}
	if main.Quantized() {
		metadata = append(metadata, gguf.KeyValue{Key: "general.quantization_version", Value: uint32(2)})
	}
	if f.ToGGUF == nil {
		return fmt.Errorf("%s: %s models are not written as GGUF", path, f.Name())
	}
	own := f.ToGGUF(&m.Spec)
	for _, key := range slices.Sorted(maps.Keys(own)) {
		metadata = append(metadata, gguf.KeyValue{Key: f.GGUF + "." + key, Value: own[key]})
	}
	metadata = append(metadata, more...)
	var tensors []gguf.Tensor
	weights := m.Spec.Weights()
	for i, p := range m.Parameters().All() {
		t, b := dtype.F32, bindings[i]
		if b.GGUF.Name == "" {
			return fmt.Errorf("%s: a %s model has no name for %s in GGUF", path, f.Name(), b.Parameter)
		}
		if len(p.Tensor.Shape) > 1 {
			t = typeOf(b, weights[i].Kind, p.Tensor.Shape)
		}
		tensors = append(tensors, gguf.Tensor{Name: b.GGUF.Name, Type: t, Shape: b.GGUF.FileShape(b.Shape), Make: func() ([]byte, error) {
			data, err := converted(s, p.Tensor, t, b.GGUF.Offset)
			if err != nil {
				return nil, err
			}
			out := make([]byte, len(data))
			return out, put(out, data, t, b.GGUF, b.Shape)
		}})
	}
	_, err = gguf.Write(path, metadata, tensors, gguf.Options{})
	return err
}
