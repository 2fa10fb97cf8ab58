package safetensors

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"lian/dtype"
	"lian/format"
)

// maxHeader is the reference library's limit on the header's length.
const maxHeader = 100_000_000

// metadataKey is the name that no tensor can have.
const metadataKey = "__metadata__"

// entry is one tensor of a header, offsets relative to the start of the file.
type entry struct {
	info Info
	from int
	to   int
}

// parse checks a whole file and returns its tensors in the order of their bytes.
// Its errors do not name the file.
func parse(file []byte) (entries []entry, metadata map[string]string, err error) {
	if format.IsPointer(file) {
		return nil, nil, format.ErrPointer
	}
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
	entries, metadata, err = parseHeader(string(header))
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
func parseHeader(header string) (entries []entry, metadata map[string]string, err error) {
	s := &scanner{text: header}
	seen := map[string]bool{}
	tensors := &tensorParser{scanner: s}
	err = s.object(func(name string) error {
		if seen[name] {
			return fmt.Errorf("%q comes twice", name)
		}
		seen[name] = true
		if name == metadataKey {
			if metadata, err = texts(s); err != nil {
				return fmt.Errorf("%s: %w", metadataKey, err)
			}
			return nil
		}
		e, err := tensors.parse(name)
		if err != nil {
			return fmt.Errorf("tensor %s: %w", name, err)
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	if s.next() != 0 || s.at != len(header) {
		return nil, nil, errors.New("header: text after the closing brace")
	}
	return entries, metadata, nil
}

// texts reads an object of strings.
func texts(s *scanner) (map[string]string, error) {
	out := map[string]string{}
	err := s.object(func(key string) error {
		if _, ok := out[key]; ok {
			return fmt.Errorf("%q comes twice", key)
		}
		value, err := s.string()
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		out[key] = value
		return nil
	})
	return out, err
}

// tensorParser reads one tensor after the other into the same buffers; shapes
// are parts of a common piece of memory.
type tensorParser struct {
	*scanner
	info    Info
	offsets []int
	fields  [3]int // how often each was there
	shapes  []int
}

func (p *tensorParser) field(key string) (err error) {
	switch key {
	case "dtype":
		p.fields[0]++
		var text string
		if text, err = p.string(); err == nil {
			p.info.Type, err = typeByName(text)
		}
	case "shape":
		p.fields[1]++
		if cap(p.shapes)-len(p.shapes) < 8 {
			p.shapes = make([]int, 0, 1024)
		}
		from := len(p.shapes)
		p.shapes, err = p.numbers(p.shapes)
		p.info.Shape = p.shapes[min(from, len(p.shapes)):len(p.shapes):len(p.shapes)]
	case "data_offsets":
		p.fields[2]++
		p.offsets, err = p.numbers(p.offsets[:0])
	default:
		return fmt.Errorf("field %q is not part of the format", key)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func (p *tensorParser) parse(name string) (entry, error) {
	p.info, p.offsets, p.fields = Info{Name: name}, p.offsets[:0], [3]int{}
	if err := p.object(p.field); err != nil {
		return entry{}, err
	}
	if p.fields != [3]int{1, 1, 1} {
		return entry{}, errors.New("needs dtype, shape and data_offsets, none of them twice")
	}
	if len(p.offsets) != 2 || p.offsets[1] < p.offsets[0] {
		return entry{}, fmt.Errorf("data_offsets %v are not a start and an end", p.offsets)
	}
	size, err := dtype.TensorBytes(p.info.Type, p.info.Shape)
	if err != nil {
		return entry{}, err
	}
	e := entry{info: p.info, from: p.offsets[0], to: p.offsets[1]}
	if size != e.to-e.from {
		return entry{}, fmt.Errorf("%v %v takes %d bytes, data_offsets span %d", p.info.Type, p.info.Shape, size, e.to-e.from)
	}
	e.info.Bytes = int64(size)
	return e, nil
}
