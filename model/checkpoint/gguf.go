package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/format"
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
	if err := c.fromGGUF(path, file, b, o); err != nil {
		file.Close()
		return nil, err
	}
	return c, nil
}

func (c *Checkpoint) fromGGUF(path string, file *gguf.File, b compute.Backend, o Options) error {
	if kind, _ := file.String("general.type"); kind == "adapter" {
		return fmt.Errorf("%s: an adapter, not a model; name its base too: BASE+%s", path, path)
	}
	if len(file.Names()) == 0 {
		return fmt.Errorf("%s: holds a vocabulary and no tensors, so it is no model; lian tokenizer reads it", path)
	}
	f, spec, config, err := ReadGGUF(path, file)
	if err != nil {
		return err
	}
	c.Family, c.Unread = f, config.Unread()
	err = c.bind(b, spec, file, o, nil, func(b model.Binding) model.View {
		if _, ok := file.Info(b.GGUF.Name); !ok && b.OlderGGUF.Name != "" {
			if _, ok := file.Info(b.OlderGGUF.Name); ok {
				return b.OlderGGUF
			}
		}
		return b.GGUF
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// ReadGGUF is ReadConfig for a GGUF file: the config.json is what its metadata mean.
func ReadGGUF(path string, file *gguf.File) (*family.Family, nn.Spec, *family.Config, error) {
	f, config, err := family.FromGGUF(path, file)
	if err != nil {
		return f, nn.Spec{}, nil, err
	}
	spec, err := f.Read(config)
	return f, spec, config, err
}

// TypeOf says as what type a weight is stored; it is asked for matrices and embeddings only, vectors stay float32.
type TypeOf func(b model.Binding, kind nn.Kind, shape []int) dtype.Type

// fileTypes are llama.cpp's numbers for general.file_type (llama.h, enum llama_ftype).
var fileTypes = map[dtype.Type]uint32{dtype.F32: 0, dtype.F16: 1, dtype.Q4_0: 2, dtype.Q4_1: 3, dtype.Q8_0: 7, dtype.Q5_0: 8, dtype.Q5_1: 9, dtype.BF16: 32}

// precise are tensors that llama.cpp computes with in float32 whatever type a file has: its converter (prepare_tensors in
// conversion/base.py) stores them so.
var precise = []string{"ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight", "position_embd.weight", "token_types.weight", "ssm_conv1d.weight", "shortconv.conv.weight"}

// staysFloat32 says whether GGUF keeps a tensor in float32 in files of any type.
func staysFloat32(name string, shape []int) bool {
	return len(shape) < 2 || strings.HasSuffix(name, "_norm.weight") || !strings.HasSuffix(name, ".weight") ||
		slices.ContainsFunc(precise, func(end string) bool { return name == end || strings.HasSuffix(name, "."+end) })
}

// GGUFOptions say how a model is written as GGUF.
type GGUFOptions struct {
	Name   string          // general.name
	Config map[string]any  // fields of the config.json that the model was opened with, nil if none
	Main   dtype.Type      // the type that most weights have
	TypeOf TypeOf          // that of each
	More   []gguf.KeyValue // further metadata: the tokenizer's
	File   gguf.Options
}

// SaveGGUF writes a model as GGUF, in several files if the options ask for it, and returns their names.
func SaveGGUF(path string, s compute.Stream, f *family.Family, m *nn.Decoder, o GGUFOptions) ([]string, error) {
	metadata, tensors, err := GGUFContents(s, f, m, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return gguf.Write(path, metadata, tensors, o.File)
}

// GGUFContents are what SaveGGUF writes.
func GGUFContents(s compute.Stream, f *family.Family, m *nn.Decoder, o GGUFOptions) ([]gguf.KeyValue, []gguf.Tensor, error) {
	own, err := f.ToGGUF(&m.Spec, o.Config)
	if err != nil {
		return nil, nil, err
	}
	bindings, err := f.Bindings(m.Spec)
	if err != nil {
		return nil, nil, err
	}
	metadata := []gguf.KeyValue{own[0], {Key: "general.type", Value: "model"}, {Key: "general.name", Value: o.Name}}
	if number, ok := fileTypes[o.Main]; ok {
		metadata = append(metadata, gguf.KeyValue{Key: "general.file_type", Value: number})
	}
	metadata = append(metadata, gguf.KeyValue{Key: "general.quantization_version", Value: uint32(2)})
	metadata = slices.Concat(metadata, own[1:], o.More)
	if !hasKey(metadata, "tokenizer.ggml.model") { // llama.cpp wants to be told that there is none, and how many ids there are
		metadata = append(metadata, gguf.KeyValue{Key: "tokenizer.ggml.model", Value: "none"})
		if key := f.GGUF().Architecture + ".vocab_size"; !hasKey(metadata, key) {
			metadata = append(metadata, gguf.KeyValue{Key: key, Value: uint32(m.Spec.Vocab)})
		}
	}
	tensors, err := computed(f, &m.Spec)
	if err != nil {
		return nil, nil, err
	}
	stored, err := storedTensors(s, m.Spec, bindings, m.Parameters().All(), ggufView, func(name string, shape []int, first member) dtype.Type {
		if staysFloat32(name, shape) {
			return dtype.F32
		}
		return o.TypeOf(first.binding, first.kind, shape)
	})
	return metadata, append(tensors, stored...), err
}

func hasKey(metadata []gguf.KeyValue, key string) bool {
	return slices.ContainsFunc(metadata, func(kv gguf.KeyValue) bool { return kv.Key == key })
}

// computed are the tensors that GGUF holds though they follow from the configuration.
func computed(f *family.Family, s *nn.Spec) ([]format.Tensor, error) {
	if f.GGUF().Extra == nil {
		return nil, nil
	}
	extra, err := f.GGUF().Extra(s)
	if err != nil {
		return nil, err
	}
	var out []format.Tensor
	for _, e := range extra {
		var data []byte
		for _, v := range e.Values {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		out = append(out, format.Tensor{Name: e.Name, Type: dtype.F32, Shape: []int{len(e.Values)}, Data: data})
	}
	return out, nil
}
