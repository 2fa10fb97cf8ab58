package cpu

import (
	"testing"

	"lian/compute"
	"lian/compute/computetest"
	"lian/dtype"
)

// TestAnyBytesOfAnyTypeMultiply: a file may hold any bit pattern, NaN scales included. Nothing panics, reads or writes outside; with
// and without Fast, forward, backward and in the loss.
func TestAnyBytesOfAnyTypeMultiply(t *testing.T) {
	for _, k := range available {
		be := newBackend(k, 2)
		for _, kind := range weightTypes() {
			for seed := range uint64(3) {
				b := computetest.NewBuild(be, seed)
				const n, deep = 45, 512
				w := b.Bytes(kind, randomBytes(kind, n*deep, seed), n, deep)
				st := be.NewStream()
				for _, m := range []int{1, 3, 21} {
					for _, fast := range []bool{false, true} {
						st.Launch(&compute.MatMul{A: b.Normal(1, m, deep), B: w, Out: b.Zero(dtype.F32, m, n), TransB: true, Fast: fast})
					}
					st.Launch(&compute.MatMul{A: b.Normal(1, m, n), B: w, Out: b.Zero(dtype.F32, m, deep)})
					st.Launch(&compute.LinearCrossEntropy{Hidden: b.Normal(1, m, deep), Weight: w, Targets: b.Ints(b.Below(m, -1, n)), Loss: b.Zero(dtype.F32, m), DHidden: b.Zero(dtype.F32, m, deep), Scale: 1})
				}
				st.Launch(&compute.Gather{Table: w, Index: b.Ints([]int32{44, 0, 7}), Out: b.Zero(dtype.F32, 3, deep)})
				if err := st.Err(); err != nil {
					t.Errorf("%s, %v: %v", k.level, kind, err)
				}
			}
		}
	}
}
