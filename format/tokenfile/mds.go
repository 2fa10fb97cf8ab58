package tokenfile

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// MDS of mosaicml-streaming, version 2: index.json lists shards; a shard is the number of samples, their offsets (uint32, one more
// than samples) from the start of the file, a copy of its description, and the samples. A sample is the sizes (uint32) of its columns
// without a fixed size, then the columns' bytes. Source: streaming/base/format/mds/{writer,reader,encodings}.py.
type mdsIndex struct {
	Version int        `json:"version"`
	Shards  []mdsShard `json:"shards"`
}

type mdsShard struct {
	Format      string   `json:"format"`
	Version     int      `json:"version"`
	Compression *string  `json:"compression"`
	Samples     int      `json:"samples"`
	Encodings   []string `json:"column_encodings"`
	Names       []string `json:"column_names"`
	Sizes       []*int   `json:"column_sizes"`
	Raw         *mdsFile `json:"raw_data"`
	Zip         *mdsFile `json:"zip_data"`
}

type mdsFile struct {
	Basename string `json:"basename"`
	Bytes    int64  `json:"bytes"`
}

// mdsLargest bounds a shard in memory; mosaicml-streaming makes them of 64 MiB.
const mdsLargest = 4 << 30

func readMDSIndex(dir string) (x mdsIndex, err error) {
	path := filepath.Join(dir, "index.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return x, err
	}
	if err := json.Unmarshal(raw, &x); err != nil {
		return x, fmt.Errorf("%s: %w", path, err)
	}
	if x.Version != 2 {
		return x, fmt.Errorf("%s: version %d of mosaicml-streaming's index, expected 2", path, x.Version)
	}
	for i, s := range x.Shards {
		if err := s.check(); err != nil {
			return x, fmt.Errorf("%s: shard %d: %w", path, i, err)
		}
	}
	return x, nil
}

func (s mdsShard) check() error {
	switch {
	case s.Format != "mds":
		return fmt.Errorf("format %q, expected mds", s.Format)
	case s.Raw == nil:
		return fmt.Errorf("has no raw_data")
	case len(s.Names) != len(s.Encodings) || len(s.Names) != len(s.Sizes):
		return fmt.Errorf("%d column names, %d encodings, %d sizes", len(s.Names), len(s.Encodings), len(s.Sizes))
	case s.Compression != nil && !strings.HasPrefix(*s.Compression, "zstd"):
		return fmt.Errorf("packed with %s; zstd is known", *s.Compression)
	case s.Samples < 0 || s.Raw.Bytes < 0 || s.Raw.Bytes > mdsLargest:
		return fmt.Errorf("%d samples in %d bytes", s.Samples, s.Raw.Bytes)
	}
	for _, f := range []*mdsFile{s.Raw, s.Zip} {
		if f != nil && (f.Basename == "" || f.Basename != filepath.Base(f.Basename)) {
			return fmt.Errorf("file name %q is not of this folder", f.Basename)
		}
	}
	return nil
}

// mdsRecords reads all shards of a folder.
func mdsRecords(dir string, o Options, emit func(Record) bool) error {
	x, err := readMDSIndex(dir)
	if err != nil {
		return err
	}
	document := 0
	for _, s := range x.Shards {
		path, data, err := s.load(dir)
		if err != nil {
			return err
		}
		column, isText := s.column(o.Field)
		if column < 0 {
			return fmt.Errorf("%s: %w", path, noField(o.Field, s.Names))
		}
		for i := range s.Samples {
			value, at, err := s.sample(data, i, column)
			if err != nil {
				return fmt.Errorf("%s: sample %d of %d: %w", path, i, s.Samples, err)
			}
			r := Record{IsText: isText, Text: string(value), Where: Place{File: path, Byte: int64(at)}}
			if !isText {
				found, err := mdsArray(s.Encodings[column], value)
				if err != nil {
					return fmt.Errorf("%s: sample %d of %d: column %s: %w", path, i, s.Samples, s.Names[column], err)
				}
				if r, err = record(found, document, r.Where, o); err != nil {
					return err
				}
			}
			document++
			if !emit(r) {
				return nil
			}
		}
	}
	return nil
}

// load reads a shard, unpacked where it lies so, else packed.
func (s mdsShard) load(dir string) (path string, data []byte, err error) {
	path = filepath.Join(dir, s.Raw.Basename)
	data, err = os.ReadFile(path)
	if os.IsNotExist(err) && s.Zip != nil {
		path = filepath.Join(dir, s.Zip.Basename)
		packed, err := os.ReadFile(path)
		if err != nil {
			return path, nil, err
		}
		if int64(len(packed)) != s.Zip.Bytes {
			return path, nil, size(path, s.Zip.Bytes, int64(len(packed)), "index.json")
		}
		z, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(max(s.Raw.Bytes, 1))), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return path, nil, err
		}
		defer z.Close()
		if data, err = z.DecodeAll(packed, nil); err != nil {
			return path, nil, fmt.Errorf("%s: %w", path, err)
		}
	} else if err != nil {
		return path, nil, err
	}
	if int64(len(data)) != s.Raw.Bytes {
		return path, nil, size(path, s.Raw.Bytes, int64(len(data)), "index.json")
	}
	if need := 4 * (int64(s.Samples) + 2); int64(len(data)) < need {
		return path, nil, size(path, need, int64(len(data)), "offsets of the samples")
	}
	if n := binary.LittleEndian.Uint32(data); int64(n) != int64(s.Samples) {
		return path, nil, fmt.Errorf("%s: has %d samples, expected %d from index.json", path, n, s.Samples)
	}
	return path, data, nil
}

// column chooses what to read by name and encoding.
func (s mdsShard) column(field string) (int, bool) {
	index := func(name string) int {
		for i, n := range s.Names {
			if n == name {
				return i
			}
		}
		return -1
	}
	name, text := pick(field, func(name string) (has, text bool) {
		i := index(name)
		if i < 0 {
			return false, false
		}
		return true, s.Encodings[i] == "str"
	})
	return index(name), text
}

// sample is a column of sample i and where it starts in the shard.
func (s mdsShard) sample(data []byte, i, column int) ([]byte, int, error) {
	le := binary.LittleEndian
	from, to := uint64(le.Uint32(data[4+4*i:])), uint64(le.Uint32(data[8+4*i:]))
	if from > to || to > uint64(len(data)) {
		return nil, 0, fmt.Errorf("lies in bytes %d to %d of %d", from, to, len(data))
	}
	body, at := data[from:to], uint64(0)
	sizes := make([]uint64, len(s.Sizes))
	for c, fixed := range s.Sizes {
		if fixed != nil && *fixed > 0 {
			sizes[c] = uint64(*fixed)
			continue
		}
		if at+4 > uint64(len(body)) {
			return nil, 0, fmt.Errorf("has %d bytes, too few for the sizes of its columns", len(body))
		}
		sizes[c], at = uint64(le.Uint32(body[at:])), at+4
	}
	for c, n := range sizes {
		if n > uint64(len(body))-at {
			return nil, 0, fmt.Errorf("column %s has %d bytes, %d are left", s.Names[c], n, uint64(len(body))-at)
		}
		if c == column {
			return body[at : at+n], int(from + at), nil
		}
		at += n
	}
	return nil, 0, fmt.Errorf("column %d of %d", column, len(sizes))
}

// mdsTypes are the types of an array's values by the byte that stands before them where the encoding does not name one.
var mdsTypes = map[byte]string{8: "uint8", 9: "int8", 16: "uint16", 17: "int16", 32: "uint32", 33: "int32", 64: "uint64", 65: "int64"}

var mdsElements = map[string]element{"uint8": {1, false}, "int8": {1, true}, "uint16": {2, false}, "int16": {2, true}, "uint32": {4, false}, "int32": {4, true}, "uint64": {8, false}, "int64": {8, true}}

// mdsArray reads integers of one dimension: encoding "ndarray", "ndarray:TYPE" or "ndarray:TYPE:SHAPE"; or bare bytes of int64, as
// llm-foundry writes them.
func mdsArray(encoding string, value []byte) ([]int64, error) {
	name, shaped := "int64", true
	if encoding != "bytes" {
		kind, rest, _ := strings.Cut(encoding, ":")
		if kind != "ndarray" {
			return nil, fmt.Errorf("encoding %q; ids are ndarray, or bytes of int64", encoding)
		}
		var shape string
		name, shape, shaped = strings.Cut(rest, ":")
		if shaped && strings.Contains(shape, ",") {
			return nil, fmt.Errorf("encoding %q has several dimensions, expected one", encoding)
		}
		if name == "" {
			if len(value) == 0 {
				return nil, fmt.Errorf("is empty")
			}
			name, value = mdsTypes[value[0]], value[1:]
		}
	}
	e, ok := mdsElements[name]
	if !ok {
		return nil, fmt.Errorf("encoding %q (type %q): expected whole numbers", encoding, name)
	}
	want := -1
	if !shaped {
		if len(value) == 0 {
			return nil, fmt.Errorf("is empty")
		}
		dimensions, width := int(value[0]>>2), 1<<(value[0]&3)
		if dimensions != 1 || len(value) < 1+width {
			return nil, fmt.Errorf("an array of %d dimensions in %d bytes, expected one dimension", dimensions, len(value))
		}
		n := ids{value[1 : 1+width], element{width, false}}.at(0)
		if n < 0 || n > int64(len(value)) {
			return nil, fmt.Errorf("an array of %d values in %d bytes", n, len(value))
		}
		want, value = int(n), value[1+width:]
	}
	if len(value)%e.width != 0 || want >= 0 && want != len(value)/e.width {
		return nil, fmt.Errorf("%d bytes of %s, expected %s values", len(value), name, strconv.Itoa(max(want, 0)))
	}
	s := ids{value, e}
	out := make([]int64, s.len())
	for i := range out {
		out[i] = s.at(i)
	}
	return out, nil
}
