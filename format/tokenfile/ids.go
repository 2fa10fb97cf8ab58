package tokenfile

import (
	"encoding/binary"
	"fmt"
)

// element is how an id is stored.
type element struct {
	width  int // bytes
	signed bool
}

// ids are ids in a row, in a file's bytes.
type ids struct {
	data []byte
	element
}

func (s ids) len() int { return len(s.data) / s.width }

func (s ids) at(i int) int64 {
	b := s.data[i*s.width:]
	le := binary.LittleEndian
	switch s.element {
	case element{1, false}:
		return int64(b[0])
	case element{1, true}:
		return int64(int8(b[0]))
	case element{2, false}:
		return int64(le.Uint16(b))
	case element{2, true}:
		return int64(int16(le.Uint16(b)))
	case element{4, false}:
		return int64(le.Uint32(b))
	case element{4, true}:
		return int64(int32(le.Uint32(b)))
	}
	return int64(le.Uint64(b))
}

// read gives n ids from a position on, or the position and value of the first that is not valid.
func (s ids) read(from, n int, o Options) (out []int32, bad int, id int64) {
	out = make([]int32, n)
	for j := range out {
		id := s.at(from + j)
		if !o.valid(id) {
			return nil, j, id
		}
		out[j] = int32(id)
	}
	return out, -1, 0
}

// trim is a span of ids without the end mark before and after it.
func (s ids) trim(from, to int, end int32) (int, int) {
	if end >= 0 && from < to && s.at(from) == int64(end) {
		from++
	}
	if end >= 0 && from < to && s.at(to-1) == int64(end) {
		to--
	}
	return from, to
}

// size says that a file has not the bytes that it should.
func size(path string, expected, found int64, why string) error {
	what := "cut off"
	if found > expected {
		what = "longer than it says"
	}
	return fmt.Errorf("%s: %s: expected %d bytes (%s), found %d", path, what, expected, why, found)
}
