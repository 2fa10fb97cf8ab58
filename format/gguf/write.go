package gguf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"lian/store/atomicfile"
)

// maxName is the loader's limit on a tensor's name: ggml keeps 64 bytes with a
// terminating zero.
const maxName = 63

// maxKey is the format's limit on a key.
const maxKey = 65535

// Options say how a file is laid out. The zero value is what llama.cpp writes.
type Options struct {
	// Version is 2 or 3, which differ in their number only; 0 is 3.
	Version int
	// Alignment is a power of two; 0 takes what metadata's general.alignment says,
	// or 32. Another one than 32 is recorded in general.alignment.
	Alignment int
	// MaxBytes and MaxTensors > 0 bound the tensors of one file: what does not fit
	// begins the next of "name-00001-of-00003.gguf". A tensor is never cut.
	MaxBytes   int64
	MaxTensors int
}

// Write writes a model as path, whole or not at all, or as several files where
// the options ask for it; it returns their names. Metadata and tensors keep the
// order given.
func Write(path string, metadata []KeyValue, tensors []Tensor, o Options) ([]string, error) {
	paths, err := write(path, metadata, tensors, o)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	return paths, nil
}

func write(path string, metadata []KeyValue, tensors []Tensor, o Options) ([]string, error) {
	if o.Version == 0 {
		o.Version = 3
	}
	if o.Version != 2 && o.Version != 3 {
		return nil, fmt.Errorf("GGUF version %d is not written; 2 and 3 are", o.Version)
	}
	metadata, alignment, err := settleAlignment(metadata, o.Alignment)
	if err != nil {
		return nil, err
	}
	for _, kv := range metadata {
		if slices.Contains(splitKeys, kv.Key) {
			return nil, fmt.Errorf("metadata %q says how files are split, which follows from the options; leave it out", kv.Key)
		}
	}
	groups, err := o.split(tensors)
	if err != nil {
		return nil, err
	}
	paths := []string{path}
	if len(groups) > 1 {
		stem, ok := strings.CutSuffix(path, ".gguf")
		if !ok {
			return nil, fmt.Errorf("a model in %d files needs a name that ends in .gguf", len(groups))
		}
		paths = splitPaths(stem, len(groups))
	}
	// No file gets its name before all are complete.
	files := make([]*atomicfile.File, len(groups))
	for i, group := range groups {
		own := metadata
		if len(groups) > 1 {
			own = splitMetadata(metadata, i, len(groups), len(tensors))
		}
		header, sizes, err := encodeHeader(o.Version, own, group, alignment)
		if err != nil {
			return nil, err
		}
		if files[i], err = atomicfile.Create(paths[i]); err != nil {
			return nil, err
		}
		defer files[i].Abort()
		if err := writeFile(files[i], header, group, sizes, alignment); err != nil {
			return nil, err
		}
	}
	for _, file := range files {
		if err := file.Commit(); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// Size is the number of bytes of a model written as one file. Tensors need not have Data.
func Size(metadata []KeyValue, tensors []Tensor, o Options) (int64, error) {
	metadata, alignment, err := settleAlignment(metadata, o.Alignment)
	if err != nil {
		return 0, err
	}
	header, sizes, err := encodeHeader(3, metadata, tensors, alignment)
	if err != nil {
		return 0, err
	}
	total := int64(align(len(header), alignment))
	for _, size := range sizes {
		total += int64(align(size, alignment))
	}
	return total, nil
}

// split parts tensors into files.
func (o Options) split(tensors []Tensor) ([][]Tensor, error) {
	if o.MaxBytes < 0 || o.MaxTensors < 0 {
		return nil, fmt.Errorf("at most %d bytes and %d tensors a file: a bound below 0", o.MaxBytes, o.MaxTensors)
	}
	groups, held := [][]Tensor{nil}, int64(0)
	names := map[string]bool{}
	for _, t := range tensors {
		if names[t.Name] {
			return nil, fmt.Errorf("tensor %s: the name is taken", t.Name)
		}
		names[t.Name] = true
		size, err := t.Size()
		if err != nil {
			return nil, err
		}
		last := len(groups) - 1
		full := o.MaxTensors > 0 && len(groups[last]) >= o.MaxTensors || o.MaxBytes > 0 && held+int64(size) > o.MaxBytes
		if full && len(groups[last]) > 0 {
			groups, held, last = append(groups, nil), 0, last+1
		}
		groups[last], held = append(groups[last], t), held+int64(size)
	}
	if len(groups) > maxSplits {
		return nil, fmt.Errorf("the model would take %d files; %d are allowed, so let one hold more", len(groups), maxSplits)
	}
	return groups, nil
}

// splitMetadata is the metadata of file number of count: the first has the
// model's, the others what their own reading needs.
func splitMetadata(metadata []KeyValue, number, count, tensors int) []KeyValue {
	own := []KeyValue{{splitNumber, uint16(number)}, {splitCount, uint16(count)}, {splitTensors, int32(tensors)}}
	if number == 0 {
		return append(slices.Clone(metadata), own...)
	}
	for _, kv := range metadata {
		if kv.Key == alignmentKey {
			own = append(own, kv)
		}
	}
	return own
}

func writeFile(file *atomicfile.File, header []byte, tensors []Tensor, sizes []int, alignment int) error {
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
	return out.Flush()
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
func encodeHeader(version int, metadata []KeyValue, tensors []Tensor, alignment int) (header []byte, sizes []int, err error) {
	le := binary.LittleEndian
	out := append([]byte("GGUF"), byte(version), 0, 0, 0)
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
		}
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
