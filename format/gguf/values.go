package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The stored kinds of metadata values.
const (
	kindUint8 uint32 = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

// cursor reads little-endian values and never past the end.
type cursor struct {
	data []byte
	at   int
	wide bool // lengths are 64-bit (version 2 and later)
}

func (c *cursor) left() int { return len(c.data) - c.at }

func (c *cursor) take(n uint64) ([]byte, error) {
	if n > uint64(c.left()) {
		return nil, fmt.Errorf("at byte %d: %d bytes expected, the file has %d more: cut off, or not sound", c.at, n, c.left())
	}
	b := c.data[c.at : c.at+int(n)]
	c.at += int(n)
	return b, nil
}

func (c *cursor) uint32() (uint32, error) {
	b, err := c.take(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (c *cursor) uint64() (uint64, error) {
	b, err := c.take(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// length reads a count: 32 bits in version 1, 64 later.
func (c *cursor) length() (uint64, error) {
	if c.wide {
		return c.uint64()
	}
	n, err := c.uint32()
	return uint64(n), err
}

// least is the fewest bytes that a key with its value, or a tensor's description, can take.
func (c *cursor) least() int {
	if c.wide {
		return 8 + 4 + 1
	}
	return 4 + 4 + 1
}

func (c *cursor) string() (string, error) {
	n, err := c.length()
	if err != nil {
		return "", err
	}
	b, err := c.take(n)
	return string(b), err
}

// value reads one value of a kind; of an array, where its elements are.
func (c *cursor) value(kind uint32) (any, error) {
	switch kind {
	case kindString:
		return c.string()
	case kindArray:
		return c.array(0)
	}
	width := kindWidth(kind)
	if width == 0 {
		return nil, fmt.Errorf("at byte %d: no value has kind %d", c.at, kind)
	}
	b, err := c.take(uint64(width))
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindUint8:
		return b[0], nil
	case kindInt8:
		return int8(b[0]), nil
	case kindUint16:
		return binary.LittleEndian.Uint16(b), nil
	case kindInt16:
		return int16(binary.LittleEndian.Uint16(b)), nil
	case kindUint32:
		return binary.LittleEndian.Uint32(b), nil
	case kindInt32:
		return int32(binary.LittleEndian.Uint32(b)), nil
	case kindFloat32:
		return math.Float32frombits(binary.LittleEndian.Uint32(b)), nil
	case kindUint64:
		return binary.LittleEndian.Uint64(b), nil
	case kindInt64:
		return int64(binary.LittleEndian.Uint64(b)), nil
	case kindFloat64:
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
	}
	return boolean(b[0])
}

func boolean(b byte) (bool, error) {
	if b > 1 {
		return false, fmt.Errorf("a truth value is stored as %d; 0 and 1 are allowed", b)
	}
	return b == 1, nil
}

// kindWidth returns a kind's bytes, 0 for strings, arrays and unknown kinds.
func kindWidth(kind uint32) int {
	switch kind {
	case kindUint8, kindInt8, kindBool:
		return 1
	case kindUint16, kindInt16:
		return 2
	case kindUint32, kindInt32, kindFloat32:
		return 4
	case kindUint64, kindInt64, kindFloat64:
		return 8
	}
	return 0
}
