package gguf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"lian/dtype"
)

// maxDimensions is the format's limit on a tensor's dimensions.
const maxDimensions = 4

// content is one parsed file.
type content struct {
	version   int
	alignment int
	keys      []string
	values    map[string]any
	tensors   []place // in listed order; part is not set
}

// parse checks a whole file. Its errors do not name the file.
func parse(file []byte) (*content, error) {
	if len(file) < 8 || string(file[:4]) != "GGUF" {
		return nil, errors.New("does not start with \"GGUF\": not a GGUF file")
	}
	version := binary.LittleEndian.Uint32(file[4:])
	if version != 0 && version&0xffff == 0 {
		return nil, errors.New("is a big-endian GGUF file; Lian reads little-endian ones, convert it with llama.cpp's gguf_convert_endian.py")
	}
	if version < 1 || version > 3 {
		return nil, fmt.Errorf("GGUF version %d; 1, 2 and 3 are known", version)
	}
	c := &cursor{data: file, at: 8, wide: version > 1}
	tensors, err := c.length()
	if err != nil {
		return nil, err
	}
	keys, err := c.length()
	if err != nil {
		return nil, err
	}
	out := &content{version: int(version), values: map[string]any{}}
	if least := uint64(c.least()); keys > uint64(c.left())/least || tensors > uint64(c.left())/least {
		return nil, fmt.Errorf("%d metadata keys and %d tensors are said to be in a file of %d bytes: cut off, or not sound", keys, tensors, len(file))
	}
	for range keys {
		if err := out.readKey(c); err != nil {
			return nil, err
		}
	}
	if out.alignment, err = alignmentOf(out.values); err != nil {
		return nil, err
	}
	for range tensors {
		p, err := readTensor(c)
		if err != nil {
			return nil, err
		}
		out.tensors = append(out.tensors, p)
	}
	return out, out.place(c)
}

func (out *content) readKey(c *cursor) error {
	key, err := c.string()
	if err != nil {
		return fmt.Errorf("metadata key %d: %w", len(out.keys), err)
	}
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("metadata key %d is no name: it has %d bytes, 1 to %d are allowed", len(out.keys), len(key), maxKey)
	}
	kind, err := c.uint32()
	if err != nil {
		return fmt.Errorf("metadata %q: %w", key, err)
	}
	value, err := c.value(kind)
	if err != nil {
		return fmt.Errorf("metadata %q: %w", key, err)
	}
	if _, ok := out.values[key]; ok {
		return fmt.Errorf("metadata %q comes twice", key)
	}
	out.values[key] = value
	out.keys = append(out.keys, key)
	return nil
}

// alignmentOf returns the alignment that metadata names, or the default.
func alignmentOf(values map[string]any) (int, error) {
	value, ok := values[alignmentKey]
	if !ok {
		return DefaultAlignment, nil
	}
	n, ok := value.(uint32)
	if !ok || n == 0 || n&(n-1) != 0 || n > 1<<20 {
		return 0, fmt.Errorf("%s is %v (%T); a uint32 power of two up to %d is allowed", alignmentKey, value, value, 1<<20)
	}
	return int(n), nil
}

// readTensor reads one tensor's description; from is still relative to the start
// of the data.
func readTensor(c *cursor) (place, error) {
	name, err := c.string()
	if err != nil {
		return place{}, fmt.Errorf("tensor name: %w", err)
	}
	if name == "" || len(name) > maxKey {
		return place{}, fmt.Errorf("a tensor has no name: it has %d bytes, 1 to %d are allowed", len(name), maxKey)
	}
	p, err := readTensorBody(c, name)
	if err != nil {
		return place{}, fmt.Errorf("tensor %q: %w", name, err)
	}
	return p, nil
}

func readTensorBody(c *cursor, name string) (place, error) {
	dimensions, err := c.uint32()
	if err != nil {
		return place{}, err
	}
	if dimensions > maxDimensions {
		return place{}, fmt.Errorf("%d dimensions; the format allows %d", dimensions, maxDimensions)
	}
	shape := make([]int, dimensions)
	for i := range shape {
		n, err := c.length()
		if err != nil {
			return place{}, err
		}
		if n > 1<<62 || int(n) < 0 || uint64(int(n)) != n {
			return place{}, fmt.Errorf("dimension %d is %d, too large to address", i, n)
		}
		shape[len(shape)-1-i] = int(n) // ggml lists the fastest first
	}
	id, err := c.uint32()
	if err != nil {
		return place{}, err
	}
	t, ok := ggmlTypes[id]
	if !ok {
		return place{}, unknownType(id)
	}
	offset, err := c.uint64()
	if err != nil {
		return place{}, err
	}
	size, err := dtype.TensorBytes(t, shape)
	if err != nil {
		return place{}, err
	}
	if offset > uint64(len(c.data)) || uint64(size) > uint64(len(c.data))-offset {
		return place{}, fmt.Errorf("%d bytes at offset %d do not lie in a file of %d: cut off, or not sound", size, offset, len(c.data))
	}
	return place{
		info: Info{Name: name, Type: t, Shape: shape, Bytes: int64(size)},
		from: int(offset), to: int(offset) + size,
	}, nil
}

// place turns offsets into places in the file and checks that tensors are
// aligned, lie inside and share no byte. c is at the end of the descriptions.
func (out *content) place(c *cursor) error {
	start := align(c.at, out.alignment)
	seen := map[string]bool{}
	for i := range out.tensors {
		p := &out.tensors[i]
		if seen[p.info.Name] {
			return fmt.Errorf("tensor %q comes twice", p.info.Name)
		}
		seen[p.info.Name] = true
		if p.from%out.alignment != 0 {
			return fmt.Errorf("tensor %q: offset %d is not a multiple of the alignment %d", p.info.Name, p.from, out.alignment)
		}
		p.from, p.to = p.from+start, p.to+start
		if p.from > len(c.data) && p.to == p.from {
			p.from, p.to = len(c.data), len(c.data) // no bytes: padding may be missing
		}
		if p.to > len(c.data) {
			return fmt.Errorf("tensor %q: ends at byte %d of a file of %d: cut off", p.info.Name, p.to, len(c.data))
		}
	}
	return out.covered(start, len(c.data))
}

// covered checks that tensors share no byte and leave none that is nobody's,
// save padding: what else a file of size bytes holds was lost from its header.
func (out *content) covered(start, size int) error {
	byOffset := slices.SortedFunc(slices.Values(out.tensors), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	end, last := start, ""
	for _, p := range byOffset {
		switch {
		case p.from < end && last != "":
			return fmt.Errorf("tensors %q and %q share bytes", last, p.info.Name)
		case p.from > align(end, out.alignment):
			return fmt.Errorf("tensor %q: starts at byte %d, and the %d bytes before it are of no tensor", p.info.Name, p.from, p.from-end)
		}
		end, last = p.to, p.info.Name
	}
	if size > align(end, out.alignment) {
		return fmt.Errorf("the last %d bytes of %d are of no tensor that the header lists", size-end, size)
	}
	return nil
}

func align(n, alignment int) int { return (n + alignment - 1) / alignment * alignment }
