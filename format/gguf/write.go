package gguf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"slices"

	"lian/store/atomicfile"
)

// maxName is the loader's limit on a tensor's name: ggml keeps 64 bytes with a
// terminating zero.
const maxName = 63

// maxKey is the format's limit on a key.
const maxKey = 65535

// Write writes a version 3 file as path, whole or not at all. Metadata and
// tensors keep the order given. alignment is a power of two; 0 takes what
// metadata's general.alignment says, or 32. Another one than 32 is recorded in
// general.alignment.
func Write(path string, metadata []KeyValue, tensors []Tensor, alignment int) error {
	if err := write(path, metadata, tensors, alignment); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func write(path string, metadata []KeyValue, tensors []Tensor, alignment int) error {
	metadata, alignment, err := settleAlignment(metadata, alignment)
	if err != nil {
		return err
	}
	header, sizes, err := encodeHeader(metadata, tensors, alignment)
	if err != nil {
		return err
	}
	file, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer file.Abort()
	out := bufio.NewWriterSize(file, 1<<20)
	padding := make([]byte, alignment)
	pad := func(n int) error {
		_, err := out.Write(padding[:align(n, alignment)-n])
		return err
	}
	if _, err := out.Write(header); err != nil {
		return err
	}
	if len(tensors) > 0 {
		if err := pad(len(header)); err != nil {
			return err
		}
	}
	for i, t := range tensors {
		data, err := t.Content()
		if err != nil {
			return err
		}
		if _, err := out.Write(data); err != nil {
			return err
		}
		if err := pad(sizes[i]); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return file.Commit()
}

// settleAlignment makes the argument and the metadata agree.
func settleAlignment(metadata []KeyValue, alignment int) ([]KeyValue, int, error) {
	values := map[string]any{}
	for _, kv := range metadata {
		values[kv.Key] = kv.Value
	}
	said, err := alignmentOf(values)
	_, explicit := values[alignmentKey]
	switch {
	case err != nil:
		return nil, 0, err
	case alignment == 0 || alignment == said:
		return metadata, said, nil
	case explicit:
		return nil, 0, fmt.Errorf("alignment %d is asked for, but metadata's %s is %d", alignment, alignmentKey, said)
	}
	metadata = append(slices.Clone(metadata), KeyValue{alignmentKey, uint32(alignment)})
	if alignment < 0 {
		return nil, 0, fmt.Errorf("alignment %d is negative", alignment)
	}
	_, err = alignmentOf(map[string]any{alignmentKey: uint32(alignment)})
	return metadata, alignment, err
}

// encodeHeader returns everything before the data, and the tensors' sizes.
func encodeHeader(metadata []KeyValue, tensors []Tensor, alignment int) (header []byte, sizes []int, err error) {
	le := binary.LittleEndian
	out := append([]byte("GGUF"), 3, 0, 0, 0)
	out = le.AppendUint64(out, uint64(len(tensors)))
	out = le.AppendUint64(out, uint64(len(metadata)))
	seen := map[string]bool{}
	for _, kv := range metadata {
		if kv.Key == "" || len(kv.Key) > maxKey || seen[kv.Key] {
			return nil, nil, fmt.Errorf("metadata key %.80q: is empty, longer than %d bytes, or comes twice", kv.Key, maxKey)
		}
		seen[kv.Key] = true
		if out, err = appendValue(appendString(out, kv.Key), kv.Value); err != nil {
			return nil, nil, fmt.Errorf("metadata %q: %w", kv.Key, err)
		}
	}
	clear(seen)
	offset := 0
	for _, t := range tensors {
		size, err := t.Size()
		if err != nil {
			return nil, nil, err
		}
		id, ok := ggmlType(t.Type)
		switch {
		case !ok:
			return nil, nil, fmt.Errorf("tensor %s: GGUF has no element type %v", t.Name, t.Type)
		case len(t.Name) > maxName:
			return nil, nil, fmt.Errorf("tensor %s: the name has %d bytes; %d are allowed", t.Name, len(t.Name), maxName)
		case len(t.Shape) > maxDimensions:
			return nil, nil, fmt.Errorf("tensor %s: %d dimensions; the format allows %d", t.Name, len(t.Shape), maxDimensions)
		case seen[t.Name]:
			return nil, nil, fmt.Errorf("tensor %s: the name is taken", t.Name)
		}
		seen[t.Name] = true
		out = appendString(out, t.Name)
		out = le.AppendUint32(out, uint32(len(t.Shape)))
		for i := range t.Shape {
			out = le.AppendUint64(out, uint64(t.Shape[len(t.Shape)-1-i]))
		}
		out = le.AppendUint32(out, id)
		out = le.AppendUint64(out, uint64(offset))
		sizes = append(sizes, size)
		if offset = align(offset+size, alignment); offset < 0 {
			return nil, nil, fmt.Errorf("tensor %s: the file would be too large to address", t.Name)
		}
	}
	return out, sizes, nil
}
