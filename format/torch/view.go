package torch

import (
	"fmt"

	"lian/format"
)

// view says how a tensor lies in its storage.
type view struct {
	from, to int // the storage's bytes in the file
	offset   int // in elements
	stride   []int
	width    int // bytes of an element
}

// bytes returns the elements in row-major order.
func (v view) bytes(file []byte, info format.Info) ([]byte, error) {
	if info.Bytes == 0 {
		return []byte{}, nil
	}
	from := v.from + v.offset*v.width
	if contiguous(info.Shape, v.stride) && from%v.width == 0 { // the mapping begins on a page
		to := from + int(info.Bytes)
		return file[from:to:to], nil
	}
	if info.Bytes > int64(v.to-v.from) {
		return nil, fmt.Errorf("shape %v with strides %v has %d bytes of elements in a storage of %d: an expanded view, which is not read; save it with .contiguous()", info.Shape, v.stride, info.Bytes, v.to-v.from)
	}
	return gather(file[v.from:v.to], v.offset, info.Shape, v.stride, v.width), nil
}

// contiguous reports whether elements follow each other in row-major order.
func contiguous(shape, stride []int) bool {
	_, leading := trailing(shape, stride)
	return leading == 0
}

// trailing returns how many elements lie together, and how many leading dimensions
// they do not cover.
func trailing(shape, stride []int) (run, leading int) {
	run = 1
	for d := len(shape); d > 0; d-- {
		if shape[d-1] != 1 && stride[d-1] != run {
			return run, d
		}
		run *= shape[d-1]
	}
	return run, 0
}

// gather copies a strided view. Every element lies in storage; the caller has checked.
func gather(storage []byte, offset int, shape, stride []int, width int) []byte {
	run, leading := trailing(shape, stride)
	elements := run
	for _, n := range shape[:leading] {
		elements *= n
	}
	out := make([]byte, elements*width)
	index := make([]int, leading)
	for to := 0; to < len(out); to += run * width {
		copy(out[to:to+run*width], storage[offset*width:])
		for d := leading - 1; d >= 0; d-- {
			index[d]++
			offset += stride[d]
			if index[d] < shape[d] {
				break
			}
			offset -= shape[d] * stride[d]
			index[d] = 0
		}
	}
	return out
}
