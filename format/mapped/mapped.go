// Package mapped gives a file's bytes as a slice without reading them: by memory
// mapping where the system has it, by reading the file where it has not.
//
// It guarantees that the slice starts at an address aligned for every element
// type. The slice is read-only: writing to it stops the program. It refuses
// what is not a regular file. A file that another program shortens while it is
// mapped cannot be protected against; nothing of ours does that, because
// everything is written under a new name (see store/atomicfile).
package mapped

import (
	"errors"
	"fmt"
	"math"
	"os"
)

// File is a file's content in memory.
type File struct {
	path  string
	data  []byte
	unmap func([]byte) error
}

// Open maps the file.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file (%v)", path, info.Mode().Type())
	}
	size := info.Size()
	if size > math.MaxInt {
		return nil, fmt.Errorf("%s: %d bytes are more than this machine can address", path, size)
	}
	if size == 0 { // systems refuse to map nothing
		return &File{path: path}, nil
	}
	data, unmap, err := load(f, int(size))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &File{path, data, unmap}, nil
}

// Path returns the name the file was opened by.
func (f *File) Path() string { return f.path }

// Bytes returns the content: nil after Close.
func (f *File) Bytes() []byte { return f.data }

// Close releases the memory; views of it must not be used any more. A second
// Close does nothing.
func (f *File) Close() error {
	data, unmap := f.data, f.unmap
	f.data, f.unmap = nil, nil
	if data == nil || unmap == nil {
		return nil
	}
	if err := unmap(data); err != nil {
		return errors.Join(fmt.Errorf("%s: closing", f.path), err)
	}
	return nil
}
