//go:build !unix

package mapped

import (
	"io"
	"os"
	"unsafe"
)

// load reads the whole file. The memory is taken as 64-bit words, so that its
// start is aligned for every element type.
func load(f *os.File, size int) ([]byte, func([]byte) error, error) {
	data := alignedBytes(size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, nil, err
	}
	return data, nil, nil
}

// alignedBytes returns size bytes at an address that is a multiple of 8.
func alignedBytes(size int) []byte {
	words := make([]uint64, (size+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)[:size:size]
}
