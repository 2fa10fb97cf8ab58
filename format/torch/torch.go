// Package torch reads PyTorch's checkpoints (.bin, .pt, .pth, .ckpt): the zip
// archives of torch.save since 1.6 and the plain files before it, whole or in the
// shards of a pytorch_model.bin.index.json. Source: torch/serialization.py
// (_save, _legacy_save, _load, _legacy_load) and torch/_utils.py (_rebuild_*).
//
// It guarantees that nothing in a file is executed: the pickle inside is read as
// data by package format/pickle with a short list of names (see globals.go).
// Every length, offset and stride is checked against the bytes that are there.
// A tensor that lies in the file as it is meant is a view of the mapping; views
// with other strides (transposed, sliced) are gathered into memory when asked for.
// It refuses by name, with the file and the byte, opcodes and globals outside the
// list, big-endian and compressed archives, TorchScript programs, and element
// types and layouts that Lian does not have (quantised, sparse, complex).
//
// Nested state dicts get dotted names ("model.layers.0.weight"); what is no tensor
// is Metadata under the same kind of name.
package torch

import (
	"errors"
	"fmt"

	"lian/dtype"
	"lian/format"
	"lian/format/mapped"
)

// Info describes a stored tensor.
type Info = format.Info

var _ format.Reader = (*File)(nil)

// File is an open checkpoint. It is safe for concurrent reading.
type File struct {
	parts    []*mapped.File
	names    []string
	tensors  map[string]place
	metadata []KeyValue
	roots    []root
	legacy   bool
}

// place says where a tensor's elements are.
type place struct {
	info Info
	part *mapped.File
	view view
}

// KeyValue is a value that is no tensor: nil, bool, int64, *big.Int, float64,
// string, []byte, or a []any of these.
type KeyValue struct {
	Key   string // dotted, as tensors' names are
	Value any
}

// Legacy reports whether the file is of the container before PyTorch 1.6.
func (f *File) Legacy() bool { return f.legacy }

// Names lists the tensors in the order of their bytes.
func (f *File) Names() []string { return f.names }

// Info describes one tensor.
func (f *File) Info(name string) (Info, bool) {
	p, ok := f.tensors[name]
	return p.info, ok
}

// Metadata lists what is no tensor, in the file's order.
func (f *File) Metadata() []KeyValue { return f.metadata }

// Value returns one piece of metadata.
func (f *File) Value(key string) (any, bool) {
	for _, kv := range f.metadata {
		if kv.Key == key {
			return kv.Value, true
		}
	}
	return nil, false
}

// Data returns a tensor's bytes, row-major: a read-only view of the file that is
// valid until Close where they lie there in that order and aligned to their type,
// otherwise a copy. A copy is never larger than the storage it is gathered from:
// an expanded view, which has more elements than are stored, is refused.
func (f *File) Data(name string) ([]byte, error) {
	p, ok := f.tensors[name]
	if !ok {
		return nil, fmt.Errorf("%s: no tensor %s among %d", f.where(), name, len(f.names))
	}
	file := p.part.Bytes()
	if p.view.to > len(file) {
		return nil, fmt.Errorf("%s: tensor %s read after the file was closed", p.part.Path(), name)
	}
	data, err := p.view.bytes(file, p.info)
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %s: %w", p.part.Path(), name, err)
	}
	return data, nil
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
		return "torch index without files"
	case 1:
		return f.parts[0].Path()
	}
	return fmt.Sprintf("%s and %d more", f.parts[0].Path(), len(f.parts)-1)
}
