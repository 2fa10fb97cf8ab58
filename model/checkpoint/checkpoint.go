// Package checkpoint opens models from files and writes them: a folder in the
// hub's layout (config.json and safetensors) or a GGUF file.
//
// It guarantees that every tensor of a file goes to the parameter its family
// declares, in its shape, and that what is written opens again. Weights stay in
// the file's mapping where the backend can use them there. It refuses a file
// with a missing, extra or misshapen tensor, naming it and both shapes.
package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/format"
	"lian/format/safetensors"
	"lian/model"
	"lian/model/family"
	"lian/model/nn"
)

// Checkpoint is an open model. Close it when no stream uses it any more.
type Checkpoint struct {
	Path     string
	Family   *family.Family
	Model    *nn.Decoder
	Bindings []model.Binding
	// Unread are config.json fields that Lian did not need.
	Unread []string
	close  func() error
}

// Options say how weights are brought in.
type Options struct {
	// Float32 converts every weight to float32 in memory of its own, which training needs. Otherwise matrices stay as
	// stored, in the file's mapping, and are frozen.
	Float32 bool
}

// Close releases the files. The model's weights are gone with them unless they were converted.
func (c *Checkpoint) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
}

// source is a file of tensors, whatever its format.
type source interface {
	Names() []string
	Info(name string) (format.Info, bool)
	Data(name string) ([]byte, error)
	Close() error
}

// Open opens a model folder or a GGUF file.
func Open(path string, b compute.Backend, o Options) (*Checkpoint, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", path, err)
	}
	if !info.IsDir() {
		if strings.HasSuffix(path, ".gguf") {
			return openGGUF(path, b, o)
		}
		return nil, fmt.Errorf("model %s: expected a folder with config.json and safetensors, or a .gguf file", path)
	}
	return openFolder(path, b, o)
}

// ReadConfig reads the config.json of a model folder.
func ReadConfig(dir string) (*family.Family, nn.Spec, *family.Config, error) {
	file := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nn.Spec{}, nil, fmt.Errorf("%s: there is no config.json, so this folder is not a model in the hub's layout", dir)
	}
	if err != nil {
		return nil, nn.Spec{}, nil, err
	}
	c, err := family.ParseConfig(file, data)
	if err != nil {
		return nil, nn.Spec{}, nil, err
	}
	f, err := family.ByArchitecture(c.Strings("architectures"))
	if err != nil {
		return nil, nn.Spec{}, nil, fmt.Errorf("%s: %w", file, err)
	}
	s, err := f.Spec(c)
	if err != nil {
		return nil, s, c, fmt.Errorf("%s: %w", file, err)
	}
	return f, s, c, nil
}

func openFolder(dir string, b compute.Backend, o Options) (*Checkpoint, error) {
	f, spec, config, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	file, err := safetensors.Open(dir)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Path: dir, Family: f, Unread: config.Unread(), close: file.Close}
	if err := c.bind(b, spec, file, o, func(b model.Binding) string { return b.Hub }, false); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return c, nil
}

// harmless are tensors that files carry though they are computed, not learnt.
var harmless = []string{"rotary_emb.inv_freq", "rope_freqs.weight"}

// bind makes the model of a source's tensors.
func (c *Checkpoint) bind(b compute.Backend, spec nn.Spec, src source, o Options, nameOf func(model.Binding) string, interleaved bool) error {
	bindings, err := c.Family.Bindings(spec)
	if err != nil {
		return err
	}
	left := map[string]bool{}
	for _, n := range src.Names() {
		left[n] = !slices.ContainsFunc(harmless, func(h string) bool { return strings.HasSuffix(n, h) })
	}
	stream, weights := b.NewStream(), map[string]*compute.Tensor{}
	for i, w := range spec.Weights() {
		name := nameOf(bindings[i])
		info, ok := src.Info(name)
		if !ok {
			return fmt.Errorf("tensor %s %v is missing", name, w.Shape)
		}
		delete(left, name)
		if !slices.Equal(info.Shape, w.Shape) {
			return fmt.Errorf("tensor %s is %v, expected %v from the configuration; the file and the configuration are of different models", name, info.Shape, w.Shape)
		}
		data, err := src.Data(name)
		if err != nil {
			return err
		}
		t, err := c.weight(b, stream, src, info, data, o)
		if err != nil {
			return fmt.Errorf("tensor %s: %w", name, err)
		}
		if interleaved && bindings[i].Pairs > 0 {
			if t, err = reorder(b, stream, t, bindings[i].Pairs, fromInterleaved); err != nil {
				return fmt.Errorf("tensor %s: %w", name, err)
			}
		}
		weights[w.Name] = t
	}
	for _, n := range src.Names() {
		if left[n] && !(spec.TiedEmbedding && strings.HasPrefix(n, "lm_head.")) {
			return fmt.Errorf("tensor %s is not part of a %s model of this configuration", n, c.Family.ModelType)
		}
	}
	if err := stream.Err(); err != nil {
		return err
	}
	c.Bindings = bindings
	c.Model, err = nn.New(b, spec, weights)
	if err == nil && !o.Float32 {
		c.Model.Parameters().Freeze()
	}
	return err
}

// weight brings one tensor in: vectors and everything under Float32 as float32 of its own, matrices as they lie in the file.
func (c *Checkpoint) weight(b compute.Backend, s compute.Stream, src source, info format.Info, data []byte, o Options) (*compute.Tensor, error) {
	if !o.Float32 && (len(info.Shape) > 1 || info.Type == dtype.F32) {
		return &compute.Tensor{Type: info.Type, Shape: slices.Clone(info.Shape), Buffer: b.Import(data, src)}, nil
	}
	t := compute.NewTensor(b, dtype.F32, info.Shape...)
	values := make([]float32, t.Elements())
	if err := dtype.Dequantize(info.Type, data, values); err != nil {
		return nil, err
	}
	s.Write(t, compute.HostBytes(values))
	return t, nil
}

// Floats are a parameter's values.
func Floats(s compute.Stream, t *compute.Tensor) ([]float32, error) {
	raw := make([]byte, t.Bytes())
	if err := s.Read(t, raw); err != nil {
		return nil, err
	}
	values := make([]float32, t.Elements())
	return values, dtype.Dequantize(t.Type, raw, values)
}
