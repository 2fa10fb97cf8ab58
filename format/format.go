// Package format holds what the file formats of weights have in common: how a
// stored tensor is described, how one is handed over to be written, and what a
// reader can be asked. The formats themselves are in the packages below it.
//
// It guarantees that a tensor means the same whichever file it came from: shapes
// are row-major, bytes little-endian, sizes checked. It refuses to know models:
// what a tensor is for is a matter of package model.
package format

import (
	"fmt"

	"lian/dtype"
)

// Info describes a stored tensor.
type Info struct {
	Name  string
	Type  dtype.Type
	Shape []int // row-major: the last dimension varies fastest; empty is a scalar
	Bytes int64 // size of the data, always what Type and Shape say
}

// Elements returns the number of values.
func (i Info) Elements() int {
	n, _ := dtype.Elements(i.Shape) // a reader has checked it
	return n
}

// String returns "name f32 [rows columns]".
func (i Info) String() string { return fmt.Sprintf("%s %v %v", i.Name, i.Type, i.Shape) }

// Tensor is a tensor to be written.
type Tensor struct {
	Name  string
	Type  dtype.Type
	Shape []int  // row-major
	Data  []byte // exactly the bytes of Type and Shape
	// Make is called instead of reading Data, once, when it is the tensor's turn
	// to be written: a conversion then holds one tensor in memory, not a model.
	Make func() ([]byte, error)
}

// Size returns the bytes that the tensor takes, or an error where its shape is
// impossible or Data has another length.
func (t Tensor) Size() (int, error) {
	if t.Name == "" {
		return 0, fmt.Errorf("a tensor of shape %v has no name", t.Shape)
	}
	if !t.Type.Valid() {
		return 0, fmt.Errorf("tensor %s: has no element type", t.Name)
	}
	size, err := dtype.TensorBytes(t.Type, t.Shape)
	if err != nil {
		return 0, fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	if t.Make == nil && len(t.Data) != size {
		return 0, fmt.Errorf("tensor %s: %v %v takes %d bytes, its data has %d", t.Name, t.Type, t.Shape, size, len(t.Data))
	}
	return size, nil
}

// Content returns the bytes to write, from Data or Make.
func (t Tensor) Content() ([]byte, error) {
	if t.Make == nil {
		return t.Data, nil
	}
	data, err := t.Make()
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	if size, err := dtype.TensorBytes(t.Type, t.Shape); err != nil || size != len(data) {
		return nil, fmt.Errorf("tensor %s: %v %v takes %d bytes, %d were made", t.Name, t.Type, t.Shape, size, len(data))
	}
	return data, nil
}

// Reader is an open file of tensors, whatever its format.
type Reader interface {
	// Names lists the tensors in the order of their bytes in the file.
	Names() []string
	// Info describes one tensor.
	Info(name string) (Info, bool)
	// Data returns a tensor's bytes: a read-only view of the file that is valid
	// until Close.
	Data(name string) ([]byte, error)
	// Close releases the file and every view of it.
	Close() error
}
