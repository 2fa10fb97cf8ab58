package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// maxDepth bounds arrays in arrays; no known file nests them at all.
const maxDepth = 8

// array is where a file keeps an array that was checked and not yet read. A
// vocabulary has a hundred thousand texts: who asks for its size, or for another
// key, should not wait until each is a string of its own.
type array struct {
	kind     uint32
	count    int
	from, to int // of the elements, in the file
}

// array checks an array and steps over it.
func (c *cursor) array(depth int) (array, error) {
	if depth >= maxDepth {
		return array{}, fmt.Errorf("at byte %d: arrays nested more than %d deep", c.at, maxDepth)
	}
	kind, err := c.uint32()
	if err != nil {
		return array{}, err
	}
	count, err := c.length()
	if err != nil {
		return array{}, err
	}
	least := kindWidth(kind)
	switch {
	case kind == kindString:
		least = 4
	case kind == kindArray:
		least = 8
	case least == 0:
		return array{}, fmt.Errorf("at byte %d: no array has elements of kind %d", c.at, kind)
	}
	if count > uint64(c.left()/least) {
		return array{}, fmt.Errorf("at byte %d: an array of %d values of %d bytes or more does not fit in the %d bytes left", c.at, count, least, c.left())
	}
	a := array{kind: kind, count: int(count), from: c.at}
	switch kind {
	case kindString:
		err = c.skipStrings(a.count)
	case kindArray:
		for i := 0; i < a.count && err == nil; i++ {
			_, err = c.array(depth + 1)
		}
	case kindBool:
		for i := 0; i < a.count && err == nil; i++ {
			_, err = boolean(c.data[c.at+i])
		}
		c.at += a.count
	default:
		c.at += a.count * least // fits: checked above
	}
	a.to = c.at
	return a, err
}

// skipStrings steps over texts: the loop that opening a large vocabulary waits for.
func (c *cursor) skipStrings(count int) error {
	if !c.wide {
		for range count {
			n, err := c.uint32()
			if err == nil {
				_, err = c.take(uint64(n))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	data, at := c.data, c.at
	for range count {
		if len(data)-at < 8 {
			c.at = at
			_, err := c.take(8)
			return err
		}
		n := binary.LittleEndian.Uint64(data[at:])
		if at += 8; n > uint64(len(data)-at) {
			c.at = at
			_, err := c.take(n)
			return err
		}
		at += int(n)
	}
	c.at = at
	return nil
}

// read makes Go values of an array of a file; its bytes have been checked.
func (a array) read(file []byte, wide bool) any {
	b, n, le := file[a.from:a.to], a.count, binary.LittleEndian
	switch a.kind {
	case kindString:
		return a.texts(string(b), wide)
	case kindArray:
		return a.arrays(file, wide)
	case kindBool:
		return unpack(n, func(i int) bool { return b[i] == 1 })
	case kindUint8:
		return append(make([]uint8, 0, n), b...)
	case kindInt8:
		return unpack(n, func(i int) int8 { return int8(b[i]) })
	case kindUint16:
		return unpack(n, func(i int) uint16 { return le.Uint16(b[2*i:]) })
	case kindInt16:
		return unpack(n, func(i int) int16 { return int16(le.Uint16(b[2*i:])) })
	case kindUint32:
		return unpack(n, func(i int) uint32 { return le.Uint32(b[4*i:]) })
	case kindInt32:
		return unpack(n, func(i int) int32 { return int32(le.Uint32(b[4*i:])) })
	case kindFloat32:
		return unpack(n, func(i int) float32 { return math.Float32frombits(le.Uint32(b[4*i:])) })
	case kindUint64:
		return unpack(n, func(i int) uint64 { return le.Uint64(b[8*i:]) })
	case kindInt64:
		return unpack(n, func(i int) int64 { return int64(le.Uint64(b[8*i:])) })
	}
	return unpack(n, func(i int) float64 { return math.Float64frombits(le.Uint64(b[8*i:])) })
}

// texts cuts an array's bytes, copied once, into its elements.
func (a array) texts(all string, wide bool) []string {
	out, at := make([]string, a.count), 0
	for i := range out {
		n := 0
		if wide {
			n, at = int(uint64(le32(all, at))|uint64(le32(all, at+4))<<32), at+8
		} else {
			n, at = int(le32(all, at)), at+4
		}
		out[i] = all[at : at+n]
		at += n
	}
	return out
}

func le32(s string, at int) uint32 {
	return uint32(s[at]) | uint32(s[at+1])<<8 | uint32(s[at+2])<<16 | uint32(s[at+3])<<24
}

func (a array) arrays(file []byte, wide bool) []any {
	c := &cursor{data: file[:a.to], at: a.from, wide: wide}
	out := make([]any, 0, a.count)
	for range a.count {
		inner, err := c.array(0)
		if err != nil { // checked when the file was opened; another program wrote on it since
			return out
		}
		out = append(out, inner.read(file, wide))
	}
	return out
}

func unpack[T any](n int, at func(i int) T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = at(i)
	}
	return out
}
