package gguf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lian/dtype"
	"lian/format/mapped"
)

// maxDimensions is the format's limit on a tensor's dimensions.
const maxDimensions = 4

// maxSplits bounds the files of one model; their names have five digits.
const maxSplits = 99999

// content is one parsed file.
type content struct {
	version   int
	alignment int
	metadata  []KeyValue
	values    map[string]any
	tensors   []place // in listed order; part is not set
}

// Open opens a GGUF file. Of a model that is split ("name-00001-of-00003.gguf")
// it opens every file, whichever is named; the metadata is the first one's.
func Open(path string) (*File, error) {
	f := &File{tensors: map[string]place{}}
	if err := f.open(path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *File) open(path string) error {
	first, err := mapped.Open(path)
	if err != nil {
		return err
	}
	c, err := parse(first.Bytes())
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", path, err), first.Close())
	}
	paths, err := splits(path, c)
	if err != nil {
		return errors.Join(err, first.Close())
	}
	for i, path := range paths {
		part := first
		if len(paths) > 1 {
			if part, err = mapped.Open(path); err != nil {
				return errors.Join(err, first.Close())
			}
			if c, err = parse(part.Bytes()); err != nil {
				return errors.Join(fmt.Errorf("%s: %w", path, err), part.Close(), first.Close())
			}
			if number, ok := whole(c.values["split.no"]); !ok || number != int64(i) {
				err := fmt.Errorf("%s: split.no is %v, the name says %d", path, c.values["split.no"], i)
				return errors.Join(err, part.Close(), first.Close())
			}
		}
		f.parts = append(f.parts, part) // closed by Close, also when what follows fails
		if i == 0 {
			f.version, f.alignment, f.metadata, f.values = c.version, c.alignment, c.metadata, c.values
		}
		for _, p := range c.tensors {
			if other, ok := f.tensors[p.info.Name]; ok {
				return fmt.Errorf("%s: tensor %s is also in %s", path, p.info.Name, other.part.Path())
			}
			p.part = part
			f.tensors[p.info.Name] = p
			f.names = append(f.names, p.info.Name)
		}
	}
	if len(paths) == 1 {
		return nil
	}
	if total, ok := f.Int("split.tensors.count"); ok && total != int64(len(f.names)) {
		return errors.Join(fmt.Errorf("%s: its files hold %d tensors, split.tensors.count says %d", path, len(f.names), total), first.Close())
	}
	return first.Close()
}

// splits returns the names of all files of a model that is split, in order, or
// the one name of a model that is not. Source: llama.cpp tools/gguf-split: keys
// split.no (from 0) and split.count in every file.
func splits(path string, c *content) ([]string, error) {
	count, ok := whole(c.values["split.count"])
	if !ok || count <= 1 {
		return []string{path}, nil
	}
	number, ok := whole(c.values["split.no"])
	suffix := func(i int64) string { return fmt.Sprintf("-%05d-of-%05d.gguf", i+1, count) }
	if !ok || number < 0 || number >= count || count > maxSplits || !strings.HasSuffix(path, suffix(number)) {
		return nil, fmt.Errorf("%s: says it is file %v (split.no, from 0) of %d (split.count), which its name NAME%s should tell too; the others cannot be found", path, c.values["split.no"], count, suffix(number))
	}
	stem := strings.TrimSuffix(path, suffix(number))
	paths := make([]string, count)
	for i := range paths {
		paths[i] = stem + suffix(int64(i))
	}
	return paths, nil
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
		return fmt.Errorf("metadata key %d: %w", len(out.metadata), err)
	}
	kind, err := c.uint32()
	if err != nil {
		return fmt.Errorf("metadata %q: %w", key, err)
	}
	value, err := c.value(kind, 0)
	if err != nil {
		return fmt.Errorf("metadata %q: %w", key, err)
	}
	if _, ok := out.values[key]; ok {
		return fmt.Errorf("metadata %q comes twice", key)
	}
	out.values[key] = value
	out.metadata = append(out.metadata, KeyValue{key, value})
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
		return place{}, fmt.Errorf("ggml element type %d is not one that Lian knows", id)
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
	byOffset := slices.SortedFunc(slices.Values(out.tensors), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	for i := 1; i < len(byOffset); i++ {
		if before, p := byOffset[i-1], byOffset[i]; p.from < before.to {
			return fmt.Errorf("tensors %q and %q share bytes", before.info.Name, p.info.Name)
		}
	}
	return nil
}

func align(n, alignment int) int { return (n + alignment - 1) / alignment * alignment }
