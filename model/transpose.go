package model

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"

	"lian/dtype"
)

// transpose swaps the last two axes.
func transpose(data []byte, t dtype.Type, shape []int) ([]byte, error) {
	if t.BlockSize() != 1 {
		return nil, fmt.Errorf("a matrix of %v cannot be turned", t)
	}
	n, size := len(shape), t.Bytes(1)
	rows, columns := shape[n-2], shape[n-1]
	one := rows * columns * size
	if n == 2 || one == 0 {
		return turnColumns(data, size, rows, columns, 0, columns), nil
	}
	out := make([]byte, 0, len(data))
	for base := 0; base < len(data); base += one {
		out = append(out, turnColumns(data[base:base+one], size, rows, columns, 0, columns)...)
	}
	return out, nil
}

// turnTile is the edge of the squares that a matrix is turned by: what is read and what is written of one stays in the first cache.
const turnTile = 64

// turnColumns are count columns from one on of a matrix [rows, columns] of elements of size bytes as rows [count, rows].
func turnColumns(data []byte, size, rows, columns, from, count int) []byte {
	out := make([]byte, rows*count*size)
	strips := (count + turnTile - 1) / turnTile
	workers := max(min(runtime.GOMAXPROCS(0), len(out)>>18, strips), 1)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			square := make([]byte, turnTile*turnTile*size)
			for first := w * strips / workers * turnTile; first < min((w+1)*strips/workers*turnTile, count); first += turnTile {
				for top := 0; top < rows; top += turnTile {
					turnSquare(out, data, square, size, rows, columns, top, min(top+turnTile, rows), from, first, min(first+turnTile, count))
				}
			}
		})
	}
	group.Wait()
	return out
}

// turnSquare turns rows top to bottom of columns from+left to from+right. They are gathered first: rows of a matrix whose width is a
// power of two fall on the same lines of a cache.
func turnSquare(out, data, square []byte, size, rows, columns, top, bottom, from, left, right int) {
	width := (right - left) * size
	for r := top; r < bottom; r++ {
		at := (r*columns + from + left) * size
		copy(square[(r-top)*width:], data[at:at+width])
	}
	for c := left; c < right; c++ {
		to := out[(c*rows+top)*size : (c*rows+bottom)*size]
		at := (c - left) * size
		switch size {
		case 2:
			for ; len(to) >= 2; to, at = to[2:], at+width {
				binary.LittleEndian.PutUint16(to, binary.LittleEndian.Uint16(square[at:]))
			}
		case 4:
			for ; len(to) >= 4; to, at = to[4:], at+width {
				binary.LittleEndian.PutUint32(to, binary.LittleEndian.Uint32(square[at:]))
			}
		default:
			for ; len(to) > 0; to, at = to[size:], at+width {
				copy(to[:size], square[at:])
			}
		}
	}
}
