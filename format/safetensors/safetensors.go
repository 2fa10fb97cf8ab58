// Package safetensors reads and writes Hugging Face's safetensors files, whole
// or in shards. Source: https://github.com/huggingface/safetensors (format
// section of its README and safetensors/src/tensor.rs).
//
// It guarantees that an open file is sound: every tensor's offsets lie in the
// file, do not overlap, leave no hole, and hold exactly the bytes of its type
// and shape; no name appears twice. Data is never copied: it is a view of the
// mapped file. What is written is what the reference library writes, byte for
// byte, and appears whole or not at all. It refuses everything else with the
// file's and the tensor's name, before allocating anything a header asks for.
package safetensors

import (
	"errors"
	"fmt"

	"lian/dtype"
	"lian/format"
	"lian/format/mapped"
)

// Info describes a stored tensor.
type Info = format.Info

// Tensor is a tensor to be written.
type Tensor = format.Tensor

var _ format.Reader = (*File)(nil)

// File is an open model: one file or all the shards of an index. It is safe for
// concurrent reading.
type File struct {
	parts    []*mapped.File
	names    []string
	tensors  map[string]place
	metadata map[string]string
}

// place says where a tensor's bytes are.
type place struct {
	info Info
	part *mapped.File
	from int
	to   int
}

// Names lists the tensors in the order of their bytes: by shard, then offset.
func (f *File) Names() []string { return f.names }

// Info describes one tensor.
func (f *File) Info(name string) (Info, bool) {
	p, ok := f.tensors[name]
	return p.info, ok
}

// Data returns a tensor's bytes: a read-only view that is valid until Close.
func (f *File) Data(name string) ([]byte, error) {
	p, ok := f.tensors[name]
	if !ok {
		return nil, fmt.Errorf("%s: no tensor %s among %d", f.where(), name, len(f.names))
	}
	bytes := p.part.Bytes()
	if p.to > len(bytes) {
		return nil, fmt.Errorf("%s: tensor %s read after the file was closed", p.part.Path(), name)
	}
	return bytes[p.from:p.to:p.to], nil
}

// Floats returns a tensor's values as float32, converted where it is of another
// floating-point type.
func (f *File) Floats(name string) ([]float32, error) {
	data, err := f.Data(name)
	if err != nil {
		return nil, err
	}
	p := f.tensors[name]
	values := make([]float32, p.info.Elements())
	if err := dtype.Dequantize(p.info.Type, data, values); err != nil {
		return nil, fmt.Errorf("%s: tensor %s: %w", p.part.Path(), name, err)
	}
	return values, nil
}

// Metadata returns the file's free text by key; of shards, the first that has a
// key gives its value.
func (f *File) Metadata() map[string]string { return f.metadata }

// Paths lists the files that are open.
func (f *File) Paths() []string {
	paths := make([]string, len(f.parts))
	for i, p := range f.parts {
		paths[i] = p.Path()
	}
	return paths
}

// Close releases the files and every view of them.
func (f *File) Close() error {
	var errs []error
	for _, p := range f.parts {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

func (f *File) where() string {
	switch len(f.parts) {
	case 0:
		return "safetensors index without files"
	case 1:
		return f.parts[0].Path()
	}
	return fmt.Sprintf("%s and %d more", f.parts[0].Path(), len(f.parts)-1)
}
