package quant

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/format/gguf"
	"lian/store"
)

// Keys and names in llama.cpp's GGUF files of importance. Source: llama.cpp tools/imatrix/imatrix.cpp, common/imatrix-loader.cpp.
const (
	keyDatasets   = "imatrix.datasets"
	keyChunkCount = "imatrix.chunk_count"
	keyChunkSize  = "imatrix.chunk_size"
	suffixSums    = ".in_sum2"
	suffixCounts  = ".counts"
)

// mostImatrixBytes bounds an older file, which is read whole: 70B models have 60 MB.
const mostImatrixBytes = 4 << 30

// ReadImatrix reads an importance matrix: GGUF, or the older form, usually called .dat.
func ReadImatrix(path string) (*Imatrix, error) {
	head := make([]byte, 4)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("importance matrix: %w", err)
	}
	n, _ := f.Read(head)
	info, err := f.Stat()
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("importance matrix: %w", err)
	}
	var m *Imatrix
	if string(head[:n]) == "GGUF" {
		m, err = readImatrixGGUF(path)
	} else if info.Size() > mostImatrixBytes {
		return nil, fmt.Errorf("%s: %d bytes are no importance matrix", path, info.Size())
	} else {
		raw, bad := os.ReadFile(path)
		if err = bad; err == nil {
			m, err = parseImatrix(raw)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range m.names() {
		for i, v := range m.Entries[name].Sums {
			if !(v >= 0) || math.IsInf(float64(v), 0) {
				return nil, fmt.Errorf("%s: %s: value %d is %v; expected a finite number from 0 on", path, name, i, v)
			}
		}
	}
	return m, nil
}

func readImatrixGGUF(path string) (*Imatrix, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if kind, _ := f.String("general.type"); kind != "imatrix" {
		return nil, fmt.Errorf("holds no importance matrix: general.type is %q, expected imatrix", kind)
	}
	m := &Imatrix{Entries: map[string]*Squares{}}
	m.Datasets, _ = f.Strings(keyDatasets)
	m.Datasets = slices.Clone(m.Datasets)
	for i, d := range m.Datasets {
		m.Datasets[i] = strings.Clone(d)
	}
	chunks, ok := f.Uint(keyChunkCount)
	size, ok2 := f.Uint(keyChunkSize)
	if !ok || !ok2 {
		return nil, fmt.Errorf("lacks %s or %s, by which its numbers are understood", keyChunkCount, keyChunkSize)
	}
	m.Chunks, m.ChunkSize = int(chunks), int(size)
	for _, stored := range f.Names() {
		name, ok := strings.CutSuffix(stored, suffixSums)
		if !ok {
			continue
		}
		sums, err := float32s(f, stored)
		if err != nil {
			return nil, err
		}
		counts, err := float32s(f, name+suffixCounts)
		if err != nil {
			return nil, err
		}
		if len(counts) == 0 || len(sums) == 0 || len(sums)%len(counts) != 0 {
			return nil, fmt.Errorf("%s: %d sums with %d counts", name, len(sums), len(counts))
		}
		e := &Squares{Sums: sums}
		for _, c := range counts {
			if !(c >= 0) || c > 1<<53 {
				return nil, fmt.Errorf("%s: a count of %v rows", name, c)
			}
			e.Counts = append(e.Counts, int64(math.Round(float64(c))))
		}
		m.Entries[name] = e
	}
	if len(m.Entries) == 0 {
		return nil, fmt.Errorf("holds no tensors whose names end in %s", suffixSums)
	}
	return m, nil
}

func float32s(f *gguf.File, name string) ([]float32, error) {
	info, ok := f.Info(name)
	if !ok || info.Type != dtype.F32 {
		return nil, fmt.Errorf("tensor %s: expected float32, found %v", name, info.Type)
	}
	return f.Float32s(name)
}

// parseImatrix reads the older form: int32 entries; for each int32 length, name, int32 calls, int32 values, float32 each; then, if
// there is more, int32 chunks, int32 length and the name of the text.
func parseImatrix(raw []byte) (*Imatrix, error) {
	at, m := 0, &Imatrix{Entries: map[string]*Squares{}, means: true}
	take := func(n int, what string) ([]byte, error) {
		if n < 0 || n > len(raw)-at {
			return nil, fmt.Errorf("byte %d: %s of %d bytes, the file has %d more; no importance matrix, or a damaged one", at, what, n, len(raw)-at)
		}
		at += n
		return raw[at-n : at], nil
	}
	number := func(what string) (int, error) {
		b, err := take(4, what)
		if err != nil {
			return 0, err
		}
		return int(int32(binary.LittleEndian.Uint32(b))), nil
	}
	entries, err := number("the number of entries")
	if err != nil {
		return nil, err
	}
	if entries < 1 {
		return nil, fmt.Errorf("%d entries; no importance matrix", entries)
	}
	for range entries {
		length, err := number("the length of a name")
		if err != nil {
			return nil, err
		}
		name, err := take(length, "a name")
		if err != nil {
			return nil, err
		}
		calls, err := number("the calls of an entry")
		if err != nil {
			return nil, err
		}
		count, err := number("the values of an entry")
		if err != nil {
			return nil, err
		}
		if count < 1 || calls < 0 || count > (len(raw)-at)/4 {
			return nil, fmt.Errorf("byte %d: %d values of %d calls for %q, the file has %d more bytes", at, count, calls, name, len(raw)-at)
		}
		data, _ := take(4*count, "values")
		e := &Squares{Sums: make([]float32, count), Counts: []int64{int64(calls)}}
		copy(compute.HostBytes(e.Sums), data)
		m.Entries[string(name)] = e
	}
	if at == len(raw) {
		return m, nil
	}
	if m.Chunks, err = number("the number of chunks"); err != nil {
		return nil, err
	}
	if at < len(raw) {
		length, err := number("the length of the text's name")
		if err != nil {
			return nil, err
		}
		name, err := take(length, "the text's name")
		if err != nil {
			return nil, err
		}
		m.Datasets = []string{string(name)}
	}
	return m, nil
}

// Write writes the matrix as llama-imatrix does: in the older form if the name ends in .dat, else as GGUF. Entries that nothing
// came to are left out of the older form, which cannot say so.
func (m *Imatrix) Write(path string) error {
	if strings.HasSuffix(path, ".dat") {
		return store.WriteFile(path, m.older())
	}
	metadata := []gguf.KeyValue{{Key: "general.type", Value: "imatrix"}, {Key: keyDatasets, Value: m.Datasets},
		{Key: keyChunkCount, Value: uint32(m.Chunks)}, {Key: keyChunkSize, Value: uint32(m.ChunkSize)}}
	var tensors []gguf.Tensor
	for _, name := range m.names() {
		e := m.Entries[name]
		counts, experts := make([]float32, len(e.Counts)), len(e.Counts)
		for i, c := range e.Counts {
			counts[i] = float32(c)
		}
		shape, one := []int{experts, len(e.Sums) / experts}, []int{experts, 1}
		if experts == 1 {
			shape, one = shape[1:], one[1:]
		}
		tensors = append(tensors,
			gguf.Tensor{Name: name + suffixSums, Type: dtype.F32, Shape: shape, Data: compute.HostBytes(e.Sums)},
			gguf.Tensor{Name: name + suffixCounts, Type: dtype.F32, Shape: one, Data: compute.HostBytes(counts)})
	}
	_, err := gguf.Write(path, metadata, tensors, gguf.Options{})
	return err
}

func (m *Imatrix) older() []byte {
	var out []byte
	number := func(n int) { out = binary.LittleEndian.AppendUint32(out, uint32(int32(n))) }
	names := slices.DeleteFunc(m.names(), func(name string) bool { return slices.Max(m.Entries[name].Counts) == 0 })
	number(len(names))
	for _, name := range names {
		e := m.Entries[name]
		calls, columns := (int(slices.Max(e.Counts))+m.ChunkSize-1)/max(m.ChunkSize, 1), len(e.Sums)/len(e.Counts)
		number(len(name))
		out = append(out, name...)
		number(calls)
		number(len(e.Sums))
		for i, sum := range e.Sums {
			count := float32(e.Counts[i/columns])
			if count == 0 {
				sum, count = 1, 1
			}
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(sum/count*float32(calls)))
		}
	}
	number(m.Chunks)
	text := ""
	if len(m.Datasets) > 0 {
		text = m.Datasets[len(m.Datasets)-1]
	}
	number(len(text))
	return append(out, text...)
}
