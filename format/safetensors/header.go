package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"lian/dtype"
)

// maxHeader is the reference library's limit on the header's length.
const maxHeader = 100_000_000

// entry is one tensor of a header, offsets relative to the start of the file.
type entry struct {
	info Info
	from int
	to   int
}

// parse checks a whole file and returns its tensors in the order of their bytes.
// Its errors do not name the file.
func parse(file []byte) (entries []entry, metadata map[string]string, err error) {
	if len(file) < 8 {
		return nil, nil, fmt.Errorf("%d bytes are too few for a safetensors file; its first 8 are the header's length", len(file))
	}
	length := binary.LittleEndian.Uint64(file)
	if length > maxHeader || length > uint64(len(file)-8) {
		return nil, nil, fmt.Errorf("header of %d bytes in a file of %d (limit %d): not a safetensors file, or cut off", length, len(file), maxHeader)
	}
	header, body := file[8:8+length], file[8+length:]
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, errors.New("the header does not start with '{': not a safetensors file")
	}
	if !utf8.Valid(header) {
		return nil, nil, errors.New("the header is not UTF-8")
	}
	entries, metadata, err = parseHeader(header)
	if err != nil {
		return nil, nil, err
	}
	// A tensor of no bytes shares its offset with the next one and goes first.
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), cmp.Compare(a.info.Name, b.info.Name))
	})
	next := 0
	for i := range entries {
		e := &entries[i]
		switch {
		case e.from < next:
			return nil, nil, fmt.Errorf("tensor %s: bytes %d to %d overlap those of %s, which end at %d", e.info.Name, e.from, e.to, entries[i-1].info.Name, next)
		case e.from > next:
			return nil, nil, fmt.Errorf("tensor %s: starts at byte %d and leaves a hole after %d; the format allows none", e.info.Name, e.from, next)
		}
		next = e.to
		e.from, e.to = e.from+8+int(length), e.to+8+int(length)
	}
	if next != len(body) {
		return nil, nil, fmt.Errorf("the tensors take %d bytes, the file has %d after its header: cut off, or written on", next, len(body))
	}
	return entries, metadata, nil
}

// parseHeader reads the JSON. Offsets in the result are still relative to the
// end of the header.
func parseHeader(header []byte) (entries []entry, metadata map[string]string, err error) {
	metadata = map[string]string{}
	decoder := json.NewDecoder(bytes.NewReader(header))
	err = object(decoder, func(name string) error {
		if name == "__metadata__" {
			return object(decoder, func(key string) error {
				var value any
				if err := decoder.Decode(&value); err != nil {
					return err
				}
				text, ok := value.(string)
				if !ok {
					return fmt.Errorf("__metadata__: %s is not a string", key)
				}
				metadata[key] = text
				return nil
			})
		}
		e, err := parseTensor(decoder, name)
		if err != nil {
			return fmt.Errorf("tensor %s: %w", name, err)
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, nil, errors.New("header: text after the closing brace")
	}
	return entries, metadata, nil
}

func parseTensor(decoder *json.Decoder, name string) (entry, error) {
	e := entry{info: Info{Name: name}}
	var offsets []int
	seen := 0
	err := object(decoder, func(key string) (err error) {
		switch key {
		case "dtype":
			var value any
			if err := decoder.Decode(&value); err != nil {
				return err
			}
			text, _ := value.(string)
			t, ok := typeByName(text)
			if !ok {
				return fmt.Errorf("dtype %v is not one that Lian knows", value)
			}
			e.info.Type = t
			seen++
		case "shape":
			e.info.Shape, err = numbers(decoder)
			seen++
		case "data_offsets":
			offsets, err = numbers(decoder)
			seen++
		default:
			return fmt.Errorf("field %q is not part of the format", key)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return e, err
	}
	if seen != 3 {
		return e, errors.New("needs dtype, shape and data_offsets")
	}
	if len(offsets) != 2 || offsets[1] < offsets[0] {
		return e, fmt.Errorf("data_offsets %v are not a start and an end", offsets)
	}
	size, err := dtype.TensorBytes(e.info.Type, e.info.Shape)
	if err != nil {
		return e, err
	}
	e.from, e.to = offsets[0], offsets[1]
	if size != e.to-e.from {
		return e, fmt.Errorf("%v %v takes %d bytes, data_offsets span %d", e.info.Type, e.info.Shape, size, e.to-e.from)
	}
	e.info.Bytes = int64(size)
	return e, nil
}

// object reads a JSON object and calls member with each key; member reads the
// value. A key that comes twice is an error.
func object(decoder *json.Decoder, member func(key string) error) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return fmt.Errorf("found %v where an object is expected", token)
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		key := token.(string) // the decoder lets nothing else be a key
		if seen[key] {
			return fmt.Errorf("%q comes twice", key)
		}
		seen[key] = true
		if err := member(key); err != nil {
			return err
		}
	}
	_, err = decoder.Token()
	return err
}

// numbers reads a JSON array of whole numbers that are not negative.
func numbers(decoder *json.Decoder) ([]int, error) {
	var raw []json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, errors.New("found null where an array is expected")
	}
	out := make([]int, len(raw))
	for i, r := range raw {
		n, err := strconv.ParseUint(string(r), 10, strconv.IntSize-1)
		if err != nil {
			return nil, fmt.Errorf("%s is not a whole number that fits", r)
		}
		out[i] = int(n)
	}
	return out, nil
}
