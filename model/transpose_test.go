package model

import (
	"fmt"
	"slices"
	"testing"

	"lian/dtype"
)

func TestATurnedMatrixHasEveryElementInItsPlace(t *testing.T) {
	for _, kind := range []dtype.Type{dtype.I8, dtype.BF16, dtype.F32, dtype.F64} {
		for _, shape := range [][]int{{0, 3}, {1, 1}, {1, 70}, {33, 31}, {64, 97}, {2, 3, 5}, {3, 40, 33}, {700, 900}} {
			t.Run(fmt.Sprint(kind, shape), func(t *testing.T) {
				n, size := len(shape), kind.Bytes(1)
				rows, columns := shape[n-2], shape[n-1]
				total := size
				for _, x := range shape {
					total *= x
				}
				data := make([]byte, total)
				for i := range data {
					data[i] = byte(i*7 + i>>8)
				}
				got, err := transpose(data, kind, shape)
				if err != nil {
					t.Fatal(err)
				}
				want := make([]byte, total)
				for base := 0; base < total; base += rows * columns * size {
					for i := range rows {
						for j := range columns {
							copy(want[base+(j*rows+i)*size:][:size], data[base+(i*columns+j)*size:])
						}
					}
				}
				if !slices.Equal(got, want) {
					t.Error("differs")
				}
				if n != 2 || columns < 3 {
					return
				}
				if part := turnColumns(data, size, rows, columns, 1, columns-2); !slices.Equal(part, want[rows*size:len(want)-rows*size]) {
					t.Error("a part differs")
				}
			})
		}
	}
}

func BenchmarkTurningAMatrix(b *testing.B) {
	data := make([]byte, 4096*4096*2)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := transpose(data, dtype.BF16, []int{4096, 4096}); err != nil {
			b.Fatal(err)
		}
	}
}
