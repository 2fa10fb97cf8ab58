package compute

import (
	"fmt"
	"slices"

	"lian/dtype"
)

// Buffer is memory that a backend owns. Only its backend knows what is behind it.
type Buffer interface {
	// Size is the number of bytes.
	Size() int
}

// Tensor is an element type, a shape and a place in a buffer, row-major and
// contiguous. Quantised types hold whole blocks along the last axis.
//
// Version counts the operations that have written it, for a backend that keeps
// forms of the content (another layout in its own memory); cpu reads weights
// where they lie and keeps none. Constant says that the content is not expected
// to change.
type Tensor struct {
	Type     dtype.Type
	Shape    []int
	Buffer   Buffer
	Offset   int // bytes from the start of Buffer
	Version  uint64
	Constant bool
	// Packed is a weight [outputs, inputs] that another program quantised, in tensors of its own: Type is dtype.Invalid and there is
	// no Buffer. PackedMatMul multiplies with it, Unpack gives its values.
	Packed *PackedWeight

	arena *Arena // where its views come from; nil: the heap
}

// NewTensor allocates a zeroed tensor of its own on a backend.
func NewTensor(b Backend, t dtype.Type, shape ...int) *Tensor {
	x := &Tensor{Type: t, Shape: append([]int(nil), shape...)}
	x.Buffer = b.Alloc(x.Bytes())
	return x
}

// Elements is the product of the shape.
func (t *Tensor) Elements() int {
	n := 1
	for _, s := range t.Shape {
		n *= s
	}
	return n
}

// Bytes is the size of the content.
func (t *Tensor) Bytes() int {
	if t.Packed == nil {
		return t.Type.Bytes(t.Elements())
	}
	n := 0
	for _, part := range t.Packed.Tensors() {
		n += part.Bytes()
	}
	return n
}

// Columns is the length of the last axis, 1 for a scalar.
func (t *Tensor) Columns() int {
	if len(t.Shape) == 0 {
		return 1
	}
	return t.Shape[len(t.Shape)-1]
}

// Rows is the number of vectors along the last axis.
func (t *Tensor) Rows() int {
	n := 1
	for i := 0; i+1 < len(t.Shape); i++ {
		n *= t.Shape[i]
	}
	return n
}

// View is the same content under another shape with as many elements; the tensor itself if that is its shape.
func (t *Tensor) View(shape ...int) *Tensor {
	if slices.Equal(t.Shape, shape) {
		return t
	}
	v := t.like(shape)
	if v.Elements() != t.Elements() {
		panic(fmt.Sprintf("compute: view %v of a tensor of shape %v", v.Shape, t.Shape))
	}
	return v
}

// like is a tensor at the same place with another shape.
func (t *Tensor) like(shape []int) *Tensor {
	var v *Tensor
	if t.arena != nil {
		v = t.arena.header(t.Type, shape)
	} else {
		v = &Tensor{Type: t.Type, Shape: append([]int(nil), shape...)}
	}
	v.Buffer, v.Offset = t.Buffer, t.Offset
	return v
}

// Slice is rows [from, to) of the first axis, sharing the content.
func (t *Tensor) Slice(from, to int) *Tensor {
	if from < 0 || to < from || len(t.Shape) == 0 || to > t.Shape[0] {
		panic(fmt.Sprintf("compute: slice [%d:%d) of a tensor of shape %v", from, to, t.Shape))
	}
	row := 1
	for _, s := range t.Shape[1:] {
		row *= s
	}
	v := t.like(t.Shape)
	v.Shape[0] = to - from
	v.Offset += t.Type.Bytes(from * row)
	return v
}

// String shows type and shape, for error messages.
func (t *Tensor) String() string {
	if t == nil {
		return "nil"
	}
	if t.Packed != nil {
		return fmt.Sprintf("%v%v", t.Packed.Layout, t.Shape)
	}
	return fmt.Sprintf("%v%v", t.Type, t.Shape)
}
