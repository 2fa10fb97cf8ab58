// Package gguf reads and writes GGUF, the one-file model format of ggml and
// llama.cpp. Source: ggml docs/gguf.md and src/gguf.cpp.
//
// It reads versions 1, 2 and 3, also split over several files, and writes
// versions 2 and 3. It guarantees that an open file is sound: every length is checked
// against the bytes that are there before anything is allocated, no key or
// tensor comes twice, tensors are aligned, lie in the file, do not overlap and
// leave nothing but padding between them, and a split model is complete.
// Tensor data is a view of the mapped file. What is written appears whole or not
// at all, and depends only on what is written. It refuses big-endian files and
// element types that Lian does not know, with the tensor's name.
//
// Shapes are row-major here, as everywhere in Lian: [rows, columns] is what ggml
// calls ne = {columns, rows}.
package gguf

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

// KeyValue is one piece of metadata. Value is a uint8, int8, uint16, int16,
// uint32, int32, uint64, int64, float32, float64, bool or string; a slice of one
// of these; or []any for an array of arrays, whose elements are such slices.
type KeyValue struct {
	Key   string
	Value any
}

// DefaultAlignment is the alignment of tensor data, in bytes, where a file names
// no other.
const DefaultAlignment = 32

// alignmentKey is the one key that the format itself gives a meaning.
const alignmentKey = "general.alignment"

// File is an open model. It is safe for concurrent reading.
type File struct {
	version   int
	alignment int
	keys      []string
	values    map[string]any // scalars and texts as KeyValue has them, else array
	parts     []*mapped.File
	names     []string
	tensors   map[string]place
}

// place says where a tensor's bytes are.
type place struct {
	info Info
	part *mapped.File
	from int
	to   int
}

// Version returns the format's version in the file: 1, 2 or 3.
func (f *File) Version() int { return f.version }

// Alignment returns the alignment of tensor data in bytes.
func (f *File) Alignment() int { return f.alignment }

// Names lists the tensors in the order in which the file lists them.
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
		return nil, fmt.Errorf("%s: no tensor %s among %d", f.parts[0].Path(), name, len(f.names))
	}
	bytes := p.part.Bytes()
	if p.to > len(bytes) {
		return nil, fmt.Errorf("%s: tensor %s read after the file was closed", p.part.Path(), name)
	}
	return bytes[p.from:p.to:p.to], nil
}

// Float32s returns a tensor's values as float32, dequantised where needed.
func (f *File) Float32s(name string) ([]float32, error) {
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

// Paths lists the files that are open: one, or all that the model is split into.
func (f *File) Paths() []string {
	paths := make([]string, len(f.parts))
	for i, p := range f.parts {
		paths[i] = p.Path()
	}
	return paths
}

// Close releases the file and every view of it.
func (f *File) Close() error {
	var errs []error
	for _, p := range f.parts {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
