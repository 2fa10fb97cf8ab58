package cpu

import "unsafe"

var _ = kernelsOf("generic", func(k *kernels) {
	k.packedKernels = packedKernels{1, genericGPTQRow, genericAWQRow, genericCodesRow, genericInt8Row, nil, nil, nil}
})

func genericGPTQRow(dst *float32, words, next *int32, scales, zeros *float32, n, right, left, mask int) {
	w, x, d, s, z := unsafe.Slice(words, n), unsafe.Slice(next, n), slice(dst, n), slice(scales, n), slice(zeros, n)
	for j := range d {
		v := (uint32(w[j])>>right | uint32(x[j])<<left) & uint32(mask)
		d[j] = (float32(v) - z[j]) * s[j]
	}
}

func genericAWQRow(dst *float32, words *int32, scales, zeros *float32, n int) {
	w, d, s, z := unsafe.Slice(words, (n+7)/8), slice(dst, n), slice(scales, n), slice(zeros, n)
	for j := range d {
		d[j] = (float32(awqNibble(w, j)) - z[j]) * s[j]
	}
}

func genericCodesRow(dst *float32, src *byte, codes, scales *float32, blocks, groups int) {
	n := blocks * groups * 16
	d, q, c, s := slice(dst, n), unsafe.Slice(src, n/2), slice(codes, 16), slice(scales, blocks)
	for i, v := range q {
		scale := s[2*i/(groups*16)]
		d[2*i], d[2*i+1] = c[v>>4]*scale, c[v&15]*scale
	}
}

func genericInt8Row(dst *float32, src *byte, n int, scale float32) {
	q := unsafe.Slice((*int8)(unsafe.Pointer(src)), n)
	for i, v := range q {
		slice(dst, n)[i] = float32(v) * scale
	}
}
