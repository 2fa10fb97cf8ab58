// Package host is what backends that compute in this machine's memory share:
// buffers, typed views of tensors, and a stream that runs each operation at its
// launch through a table of functions.
//
// It guarantees that an operation is checked before it runs, that every output's
// version is counted, and that the first error sticks. It refuses an operation
// for which its backend has registered nothing.
package host

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"lian/compute"
	"lian/dtype"
)

// Buffer is memory of this process.
type Buffer struct {
	bytes []byte
	owner any // keeps imported memory alive

	mu    sync.Mutex
	forms []any
	last  int // number of the form that was asked for last
}

// Form is what a backend keeps of a constant content in a form of its own: the one that `is` knows, or a new one. It lives as long as the buffer.
func (b *Buffer) Form(is func(form any) bool, create func() any) any {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.forms { // forms are asked for in the same order again and again, a step of a model has hundreds
		at := (b.last + 1 + i) % len(b.forms)
		if is(b.forms[at]) {
			b.last = at
			return b.forms[at]
		}
	}
	form := create()
	b.forms, b.last = append(b.forms, form), len(b.forms)
	return form
}

// Size implements compute.Buffer.
func (b *Buffer) Size() int { return len(b.bytes) }

const align = 64

// Alloc returns zeroed memory whose first byte is aligned to a cache line.
func Alloc(bytes int) *Buffer {
	words := make([]uint64, (bytes+align+7)/8)
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
	Huge(raw)
	skip := int(-uintptr(unsafe.Pointer(&raw[0])) % align)
	return &Buffer{bytes: raw[skip : skip+bytes : skip+bytes]}
}

// Import wraps memory that owner keeps alive.
func Import(data []byte, owner any) *Buffer { return &Buffer{bytes: data, owner: owner} }

// Bytes is a tensor's content.
func Bytes(t *compute.Tensor) []byte {
	n := t.Bytes()
	return t.Buffer.(*Buffer).bytes[t.Offset : t.Offset+n : t.Offset+n]
}

// F32 is a float32 tensor's content; nil for a nil tensor.
func F32(t *compute.Tensor) []float32 { return view[float32](t, dtype.F32) }

// F64 is a float64 tensor's content; nil for a nil tensor.
func F64(t *compute.Tensor) []float64 { return view[float64](t, dtype.F64) }

// I32 is an int32 tensor's content; nil for a nil tensor.
func I32(t *compute.Tensor) []int32 { return view[int32](t, dtype.I32) }

func view[E any](t *compute.Tensor, want dtype.Type) []E {
	if t == nil {
		return nil
	}
	if t.Type != want {
		panic(fmt.Sprintf("host: a view as %v of %v", want, t))
	}
	b := Bytes(t)
	if len(b) == 0 {
		return []E{}
	}
	return unsafe.Slice((*E)(unsafe.Pointer(&b[0])), t.Elements())
}

// Table is the functions of a backend, one for each operation.
type Table map[reflect.Type]func(compute.Op) error

// Register adds the function for one operation.
func Register[O compute.Op](t Table, run func(O) error) {
	t[reflect.TypeFor[O]()] = func(op compute.Op) error { return run(op.(O)) }
}

// NewStream makes a stream that runs operations through a table.
func NewStream(b compute.Backend, t Table) compute.Stream { return &stream{backend: b, table: t} }

type stream struct {
	backend compute.Backend
	table   Table
	err     error
	written []*compute.Tensor // by the last operation
}

func (s *stream) Launch(op compute.Op) {
	if s.err != nil {
		return
	}
	run, ok := s.table[reflect.TypeOf(op)]
	if !ok {
		s.err = fmt.Errorf("backend %s has no operation %s", s.backend.Name(), op.Name())
		return
	}
	if s.err = op.Check(); s.err != nil {
		return
	}
	if s.err = run(op); s.err != nil {
		s.err = fmt.Errorf("%s: %w", op.Name(), s.err)
		return
	}
	s.written = op.Outputs(s.written[:0])
	for _, t := range s.written {
		t.Version++
	}
}

func (s *stream) Write(dst *compute.Tensor, src []byte) {
	if s.err != nil {
		return
	}
	b := Bytes(dst)
	if len(b) != len(src) {
		s.err = fmt.Errorf("write of %d bytes into %v of %d", len(src), dst, len(b))
		return
	}
	copy(b, src)
	dst.Version++
}

func (s *stream) Read(src *compute.Tensor, dst []byte) error {
	if s.err != nil {
		return s.err
	}
	b := Bytes(src)
	if len(b) != len(dst) {
		return fmt.Errorf("read of %d bytes from %v of %d", len(dst), src, len(b))
	}
	copy(dst, b)
	return nil
}

func (s *stream) Err() error { return s.err }

func (s *stream) Backend() compute.Backend { return s.backend }

// CheckIndex says whether every index lies in [0, entries).
func CheckIndex(index []int32, entries int) error {
	for i, v := range index {
		if v < 0 || int(v) >= entries {
			return fmt.Errorf("index %d at row %d is outside [0, %d)", v, i, entries)
		}
	}
	return nil
}
