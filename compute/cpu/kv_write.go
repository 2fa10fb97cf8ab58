package cpu

import (
	"math"
	"unsafe"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// narrowKernels make rows of a cache from float32. n is a multiple of lanes; of twice as many for 4-bit codes.
type narrowKernels struct {
	narrowBrain, narrowHalf    func(dst *byte, src *float32, n int)
	rowExtent                  func(out, src *float32, n int) // −min, max, and 0 or NaN if a value is not finite
	narrowCodes8, narrowCodes4 func(dst *byte, src *float32, n int, minimum, inverse float32)
}

// kvWriting is a KVWrite on its way.
type kvWriting struct {
	b     *backend
	o     *compute.KVWrite
	index []int32
}

var _ = provides((*backend).kvWrite)

// kvWrite splits the rows.
func (b *backend) kvWrite(o *compute.KVWrite) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	index := host.I32(o.Index)
	if err := host.CheckIndex(index, o.Out.Shape[0]); err != nil {
		return err
	}
	w := frame[kvWriting](b)
	*w = kvWriting{b, o, index}
	b.spansOf(len(index), 8, w)
	return nil
}

// span implements spanner.
func (w *kvWriting) span(_ *scratch, from, to int) {
	o := w.o
	x, out, scales := host.F32(o.X), host.Bytes(o.Out), host.F32(o.Scales)
	heads, head := o.X.Shape[1], o.X.Shape[2]
	size, bits := o.Out.Type.Bytes(o.Out.Shape[2]), o.Bits()
	for i := from; i < to; i++ {
		slot := int(w.index[i])
		row := x[i*heads*head : (i+1)*heads*head]
		if bits == 0 {
			w.b.narrow(out[slot*heads*size:(slot+1)*heads*size], row, o.Out.Type)
			continue
		}
		for h := range heads {
			at := slot*heads + h
			scales[2*at], scales[2*at+1] = w.b.narrowCodes(out[at*size:(at+1)*size], row[h*head:(h+1)*head], bits)
		}
	}
}

// narrow rounds values to a plain type.
func (c *kernels) narrow(dst []byte, src []float32, kind dtype.Type) {
	n := len(src) / c.lanes * c.lanes
	switch kind {
	case dtype.F32:
		copy(dst, unsafe.Slice(bytesAt(src, 0), 4*len(src)))
	case dtype.BF16:
		c.narrowBrain(unsafe.SliceData(dst), at(src, 0), n)
		for i := n; i < len(src); i++ {
			h := dtype.F32ToBF16(src[i])
			dst[2*i], dst[2*i+1] = byte(h), byte(h>>8)
		}
	default:
		c.narrowHalf(unsafe.SliceData(dst), at(src, 0), n)
		for i := n; i < len(src); i++ {
			h := dtype.F32ToF16(src[i])
			dst[2*i], dst[2*i+1] = byte(h), byte(h>>8)
		}
	}
}

// narrowCodes writes the codes of one head and returns its scale and minimum.
func (c *kernels) narrowCodes(dst []byte, src []float32, bits int) (scale, minimum float32) {
	n, unit := len(src), c.lanes
	extent, narrow := c.rowExtent, c.narrowCodes8
	if bits == 4 {
		unit, narrow = 2*c.lanes, c.narrowCodes4
	}
	if n%unit != 0 {
		extent, narrow = genericExtent, genericCodes8
		if bits == 4 {
			narrow = genericCodes4
		}
	}
	var out [3]float32
	if n > 0 {
		extent(&out[0], at(src, 0), n)
	}
	minimum = -out[0]
	width := out[1] - minimum
	scale = width / float32(int(1)<<bits-1)
	switch {
	case out[2] != 0 || !finite(width):
		clear(dst)
		return float32(math.NaN()), 0
	case scale < 0x1p-126:
		clear(dst)
		return 0, minimum
	}
	narrow(unsafe.SliceData(dst), at(src, 0), n, minimum, 1/scale)
	return scale, minimum
}

func (k *narrowKernels) addGeneric() {
	k.narrowBrain = func(dst *byte, src *float32, n int) {
		for i, v := range slice(src, n) {
			*(*uint16)(unsafe.Add(unsafe.Pointer(dst), 2*i)) = dtype.F32ToBF16(v)
		}
	}
	k.narrowHalf = func(dst *byte, src *float32, n int) {
		for i, v := range slice(src, n) {
			*(*uint16)(unsafe.Add(unsafe.Pointer(dst), 2*i)) = dtype.F32ToF16(v)
		}
	}
	k.rowExtent, k.narrowCodes8, k.narrowCodes4 = genericExtent, genericCodes8, genericCodes4
}

func genericExtent(out, src *float32, n int) {
	low, high, bad := float32(math.Inf(-1)), float32(math.Inf(-1)), float32(0)
	for _, v := range slice(src, n) {
		if v-v != 0 {
			bad = float32(math.NaN())
			continue
		}
		low, high = max(low, -v), max(high, v)
	}
	copy(slice(out, 3), []float32{low, high, bad})
}

func genericCode(v, minimum, inverse float32) byte {
	return byte(math.RoundToEven(float64(float32(v-minimum) * inverse)))
}

func genericCodes8(dst *byte, src *float32, n int, minimum, inverse float32) {
	out := unsafe.Slice(dst, n)
	for i, v := range slice(src, n) {
		out[i] = genericCode(v, minimum, inverse)
	}
}

func genericCodes4(dst *byte, src *float32, n int, minimum, inverse float32) {
	half := (n + 1) / 2
	out, x := unsafe.Slice(dst, half), slice(src, n)
	for i := range out {
		out[i] = genericCode(x[i], minimum, inverse)
		if i+half < n {
			out[i] |= genericCode(x[i+half], minimum, inverse) << 4
		}
	}
}
