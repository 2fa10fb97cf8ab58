package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"lian/store/atomicfile"
)

// Write writes tensors and metadata as path, whole or not at all. The bytes
// depend only on what is written: tensors are ordered as the reference library
// does, wider element types first (which keeps each tensor aligned to its type
// without holes) and by name among equals; metadata by key.
func Write(path string, tensors []Tensor, metadata map[string]string) error {
	if err := write(path, tensors, metadata); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func write(path string, tensors []Tensor, metadata map[string]string) error {
	file, err := create(path, tensors, metadata)
	if err != nil {
		return err
	}
	return file.Commit()
}

// create writes a file that is complete and has not its name yet.
func create(path string, tensors []Tensor, metadata map[string]string) (*atomicfile.File, error) {
	tensors = slices.Clone(tensors)
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(rank(b.Type), rank(a.Type)), cmp.Compare(a.Name, b.Name))
	})
	header, err := encodeHeader(tensors, metadata)
	if err != nil {
		return nil, err
	}
	file, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(header); err != nil {
		file.Abort()
		return nil, err
	}
	for _, t := range tensors {
		data, err := t.Content()
		if err == nil {
			_, err = file.Write(data)
		}
		if err != nil {
			file.Abort()
			return nil, err
		}
	}
	return file, nil
}

// encodeHeader returns the length, the JSON and the spaces that bring the data
// to a multiple of 8 bytes.
func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	out := bytes.NewBuffer(make([]byte, 8))
	out.WriteByte('{')
	if len(metadata) > 0 {
		out.WriteString(`"__metadata__":{`)
		for i, key := range slices.Sorted(maps.Keys(metadata)) {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := writeString(out, key); err != nil {
				return nil, fmt.Errorf("metadata key: %w", err)
			}
			out.WriteByte(':')
			if err := writeString(out, metadata[key]); err != nil {
				return nil, fmt.Errorf("metadata %s: %w", key, err)
			}
		}
		out.WriteByte('}')
	}
	seen := map[string]bool{metadataKey: true}
	offset := 0
	for i, t := range tensors {
		size, err := t.Size()
		if err != nil {
			return nil, err
		}
		kind := rank(t.Type)
		if kind < 0 {
			return nil, fmt.Errorf("tensor %s: safetensors has no element type %v; write a GGUF file, or dequantise first", t.Name, t.Type)
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %s: the name is taken", t.Name)
		}
		seen[t.Name] = true
		if i > 0 || len(metadata) > 0 {
			out.WriteByte(',')
		}
		if err := writeString(out, t.Name); err != nil {
			return nil, fmt.Errorf("tensor name: %w", err)
		}
		fmt.Fprintf(out, `:{"dtype":%q,"shape":[`, typeNames[kind].name)
		for j, d := range t.Shape {
			if j > 0 {
				out.WriteByte(',')
			}
			fmt.Fprint(out, d)
		}
		fmt.Fprintf(out, `],"data_offsets":[%d,%d]}`, offset, offset+size)
		if offset+size < offset {
			return nil, fmt.Errorf("tensor %s: the file would be too large to address", t.Name)
		}
		offset += size
	}
	out.WriteByte('}')
	for out.Len()%8 != 0 {
		out.WriteByte(' ')
	}
	if out.Len()-8 > maxHeader {
		return nil, fmt.Errorf("header of %d bytes: the format allows %d", out.Len()-8, maxHeader)
	}
	binary.LittleEndian.PutUint64(out.Bytes(), uint64(out.Len()-8))
	return out.Bytes(), nil
}

func writeString(out *bytes.Buffer, s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%q is not UTF-8", s)
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return err
	}
	out.Truncate(out.Len() - 1) // Encode ends with a newline
	return nil
}
