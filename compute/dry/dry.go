// Package dry is a backend without memory and arithmetic: what would be launched is checked, what would be allocated is counted.
//
// It guarantees that a model, a tape and an optimizer run through it as through any other backend, in no time, so that what they take is
// known before it is taken. It refuses nothing that the others take; Read gives zeros.
package dry

import (
	"fmt"

	"lian/compute"
)

// Backend counts.
type Backend struct {
	bytes     int64
	workspace int64
	working   func(op compute.Op) int64
}

// New makes a backend. working says how many bytes another backend needs beside the operands while it computes an operation; nil is none.
func New(working func(op compute.Op) int64) *Backend { return &Backend{working: working} }

// Bytes is what was allocated so far.
func (b *Backend) Bytes() int64 { return b.bytes }

// Workspace is the most that an operation needed beside its operands.
func (b *Backend) Workspace() int64 { return b.workspace }

// Name implements compute.Backend.
func (*Backend) Name() string { return "dry" }

// buffer is memory that is not there.
type buffer struct{ size int }

func (b *buffer) Size() int { return b.size }

// Alloc implements compute.Backend.
func (b *Backend) Alloc(bytes int) compute.Buffer {
	b.bytes += int64(bytes)
	return &buffer{bytes}
}

// Import implements compute.Backend.
func (*Backend) Import(data []byte, _ any) compute.Buffer { return &buffer{len(data)} }

// NewStream implements compute.Backend.
func (b *Backend) NewStream() compute.Stream { return &stream{backend: b} }

type stream struct {
	backend *Backend
	err     error
}

func (s *stream) Launch(op compute.Op) {
	if s.err != nil {
		return
	}
	if s.err = op.Check(); s.err == nil && s.backend.working != nil {
		s.backend.workspace = max(s.backend.workspace, s.backend.working(op))
	}
}

func (s *stream) Write(dst *compute.Tensor, src []byte) {
	if s.err == nil && dst.Bytes() != len(src) {
		s.err = fmt.Errorf("write of %d bytes into %v of %d", len(src), dst, dst.Bytes())
	}
}

func (s *stream) Read(_ *compute.Tensor, dst []byte) error {
	clear(dst)
	return s.err
}

func (s *stream) Err() error { return s.err }

func (s *stream) Backend() compute.Backend { return s.backend }
