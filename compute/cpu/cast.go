package cpu

import (
	"sync/atomic"
	"unsafe"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// castKernels are the kernels of Cast, for n a multiple of 16; nil where there are none.
type castKernels struct {
	toBF16, toF16     func(dst *uint16, src *float32, n int)
	fromBF16, fromF16 func(dst *float32, src *uint16, n int)
}

var _ = provides((*backend).cast)

func (b *backend) cast(o *compute.Cast) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, out, n := host.Bytes(o.X), host.Bytes(o.Out), o.X.Elements()
	var failed atomic.Pointer[error]
	b.stretches(n, func(_ *scratch, from, n int) {
		if err := b.castPart(o, x, out, from, from+n); err != nil {
			first := err // err itself would be an allocation for each part
			failed.Store(&first)
		}
	})
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// castPart casts the values [from, to).
func (c *kernels) castPart(o *compute.Cast, x, out []byte, from, to int) error {
	if o.X.Type == dtype.F32 {
		t := o.Out.Type
		return c.fromFloats(t, host.F32(o.X)[from:to], out[t.Bytes(from):t.Bytes(to)])
	}
	t := o.X.Type
	return c.toFloats(t, x[t.Bytes(from):t.Bytes(to)], host.F32(o.Out)[from:to])
}

// halves is bytes as 16-bit numbers.
func halves(x []byte) *uint16 { return (*uint16)(unsafe.Pointer(unsafe.SliceData(x))) }

// fromFloats is dtype.Quantize with the kernels there are.
func (c *kernels) fromFloats(t dtype.Type, src []float32, dst []byte) error {
	var f func(dst *uint16, src *float32, n int)
	switch t {
	case dtype.F32:
		copy(dst, compute.HostBytes(src))
		return nil
	case dtype.F16:
		f = c.toF16
	case dtype.BF16:
		f = c.toBF16
	}
	whole := 0
	if f != nil {
		whole = len(src) &^ 15
		f(halves(dst), at(src, 0), whole)
	}
	return dtype.Quantize(t, src[whole:], dst[t.Bytes(whole):])
}

// toFloats is dtype.Dequantize with the kernels there are.
func (c *kernels) toFloats(t dtype.Type, src []byte, dst []float32) error {
	var f func(dst *float32, src *uint16, n int)
	switch t {
	case dtype.F16:
		f = c.fromF16
	case dtype.BF16:
		f = c.fromBF16
	}
	whole := 0
	if f != nil {
		whole = len(dst) &^ 15
		f(at(dst, 0), halves(src), whole)
	}
	return dtype.Dequantize(t, src[t.Bytes(whole):], dst[whole:])
}
