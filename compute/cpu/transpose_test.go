package cpu

import (
	"bytes"
	"fmt"
	"testing"
)

func TestTransposedRowsAreTheRows(t *testing.T) {
	for _, k := range available {
		lanes := k.transposeLanes
		for _, n := range []int{1, 3, 4, 8, 12, 16, 20, 22, 28, 32, 36, 60, 64, 65, 66, 68, 80, 100, 128, 144, 148, 210, 256, 272, 1024} {
			for _, rows := range []int{1, 5, lanes} {
				for _, gap := range []int{0, 1, 18, 34} {
					stride := n + gap
					src := make([]byte, (rows-1)*stride+n)
					for i := range src {
						src[i] = byte(i*7 + i>>8)
					}
					const guard = 64
					size := (n + 3) / 4 * 4 * lanes
					dst := bytes.Repeat([]byte{0xee}, size+guard)
					k.transposeRows(dst, src, stride, rows, n, nil)
					for i, got := range dst {
						want, column, lane := byte(0), i/(4*lanes)*4+i%4, i/4%lanes
						switch {
						case i >= size:
							want = 0xee
						case lane < rows && column < n:
							want = src[lane*stride+column]
						}
						if got != want {
							t.Fatalf("%s, %d rows of %d bytes, %d apart: byte %d (lane %d, byte %d of the row) is %d, expected %d", k.level, rows, n, stride, i, lane, column, got, want)
						}
					}
				}
			}
		}
	}
}

// BenchmarkTransposeRows turns 256 MB of rows in units of some bytes, beside reading them.
func BenchmarkTransposeRows(b *testing.B) {
	src := make([]byte, 256<<20)
	for i := range src {
		src[i] = byte(i)
	}
	for _, k := range available {
		for _, unit := range []int{144, 210, 1024} {
			rowBytes := 4096 / unit * unit
			b.Run(fmt.Sprintf("%s/unit%d", k.level, unit), func(b *testing.B) {
				be := newBackend(k, 2)
				lanes := k.transposeLanes
				groups := len(src) / (rowBytes * lanes)
				b.SetBytes(int64(groups * rowBytes * lanes))
				for b.Loop() {
					be.spans(groups, 1, func(s *scratch, from, to int) {
						dst := bytesOf(s.need(slotA, 1024*16/4))
						for g := from; g < to; g++ {
							for at := 0; at < rowBytes; at += unit {
								k.transposeRows(dst, src[g*rowBytes*lanes+at:], rowBytes, lanes, unit, &src[g*rowBytes*lanes])
							}
						}
					})
				}
			})
		}
	}
}
