package tokenizer

import (
	"encoding/binary"
	"fmt"
	"math"
)

// wireField is one field of a protocol buffer message: a number for varints and
// fixed sizes, the bytes for the rest.
type wireField struct {
	number int
	kind   int // 0 varint, 1 64 bits, 2 bytes, 5 32 bits
	value  uint64
	bytes  []byte
}

// wireFields calls yield with each field of a message. Source: protobuf's encoding
// specification.
func wireFields(data []byte, yield func(f wireField) error) error {
	for at := 0; at < len(data); {
		key, n := binary.Uvarint(data[at:])
		if n <= 0 || key>>3 == 0 || key>>3 > 1<<29 {
			return fmt.Errorf("byte %d: not the key of a field", at)
		}
		f := wireField{number: int(key >> 3), kind: int(key & 7)}
		begin := at
		at += n
		switch f.kind {
		case 0:
			if f.value, n = binary.Uvarint(data[at:]); n <= 0 {
				return fmt.Errorf("byte %d: field %d: not a number", begin, f.number)
			}
			at += n
		case 1, 5:
			if n = 8; f.kind == 5 {
				n = 4
			}
			if len(data)-at < n {
				return fmt.Errorf("byte %d: field %d: %d bytes expected, %d found", begin, f.number, n, len(data)-at)
			}
			for i := range n {
				f.value |= uint64(data[at+i]) << (8 * i)
			}
			at += n
		case 2:
			size, n := binary.Uvarint(data[at:])
			if n <= 0 || size > uint64(len(data)-at-n) {
				return fmt.Errorf("byte %d: field %d: its length does not fit in the %d bytes that follow", begin, f.number, len(data)-at)
			}
			f.bytes = data[at+n : at+n+int(size)]
			at += n + int(size)
		default:
			return fmt.Errorf("byte %d: field %d has the unknown kind %d", begin, f.number, f.kind)
		}
		if err := yield(f); err != nil {
			return err
		}
	}
	return nil
}

func (f *wireField) float() float64 { return float64(math.Float32frombits(uint32(f.value))) }

// want is an error if the field is not of the kind that its number should have.
func (f *wireField) want(kind int) error {
	if f.kind != kind {
		return fmt.Errorf("field %d is of kind %d, expected %d", f.number, f.kind, kind)
	}
	return nil
}
