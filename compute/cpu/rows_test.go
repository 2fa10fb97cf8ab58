package cpu

import (
	"math"
	"testing"

	"lian/compute"
	"lian/compute/computetest"
	"lian/compute/host"
	"lian/dtype"
)

func TestFewRowsHaveTheBitsOfMany(t *testing.T) {
	for _, level := range available {
		be := newBackend(level, 2)
		for _, kind := range []dtype.Type{dtype.F32, dtype.BF16, dtype.F16} {
			for _, k := range []int{1, 7, 8, 19, 33, 256, 577, 1030, 4200} {
				const rows, n = 40, 75
				b := computetest.NewBuild(be, uint64(k))
				x, bias := b.Normal(1, rows, k), b.Normal(1, n)
				w := b.Normal(1, n, k)
				if kind != dtype.F32 {
					w = b.Packed(kind, 1, n, k)
				}
				run := func(from, to int) []float32 {
					o := &compute.MatMul{A: x.Slice(from, to), B: w, Out: b.Zero(dtype.F32, to-from, n), TransB: true, Bias: bias, Alpha: 0.5}
					st := be.NewStream()
					st.Launch(o)
					if err := st.Err(); err != nil {
						t.Fatal(err)
					}
					return host.F32(o.Out)
				}
				all := run(0, rows)
				for _, m := range []int{1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 17} {
					for i, v := range run(3, 3+m) {
						if want := all[3*n+i]; math.Float32bits(v) != math.Float32bits(want) {
							t.Fatalf("%s, %v, k %d: value %d of row %d is %v among %d rows, %v among %d", level.level, kind, k, i%n, 3+i/n, v, m, want, rows)
						}
					}
				}
			}
		}
	}
}
