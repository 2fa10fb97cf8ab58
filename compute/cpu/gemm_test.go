package cpu

import (
	"math"
	"testing"

	"lian/compute"
	"lian/compute/computetest"
	"lian/compute/host"
	"lian/dtype"
)

// Cutting a product in other ways changes no bit.
func TestAProductHasTheSameBitsHoweverItIsCut(t *testing.T) {
	defer func(old int) { sharedBytes = old }(sharedBytes)
	for _, level := range available {
		for _, bf16 := range []bool{false, true} {
			for trans := range 3 {
				for _, shape := range [][3]int{{60, 70, 3100}, {90, 50, 2500}, {1100, 40, 130}, {30, 1300, 77}} {
					m, n, k := shape[0], shape[1], shape[2]
					var first []float32
					for cut, room := range []int{16 << 20, 64 << 10, 1 << 20} {
						sharedBytes = room
						be := newBackend(level, 1+cut)
						b := computetest.NewBuild(be, 5)
						o := &compute.MatMul{A: b.Normal(1, m, k), B: b.Normal(1, k, n), Out: b.Zero(dtype.F32, m, n), TransA: trans == 1, TransB: trans == 2, BF16: bf16}
						if o.TransA {
							o.A = o.A.View(k, m)
						}
						if o.TransB {
							o.B = o.B.View(n, k)
						}
						st := be.NewStream()
						st.Launch(o)
						if err := st.Err(); err != nil {
							t.Fatal(err)
						}
						got := host.F32(o.Out)
						if first == nil {
							first = got
						}
						for i := range got {
							if math.Float32bits(got[i]) != math.Float32bits(first[i]) {
								t.Fatalf("%s, bf16 %v, %v, transposed %d: value %d is %v with %d bytes of shared panels, %v with 16 MiB", level.level, bf16, shape, trans, i, got[i], room, first[i])
							}
						}
					}
				}
			}
		}
	}
}
func TestProductsAllocateNothingAfterTheFirst(t *testing.T) {
	be := newBackend(available[len(available)-1], 2)
	b := computetest.NewBuild(be, 3)
	st := be.NewStream()
	for _, m := range []int{1, 5, 64} {
		for _, kind := range []dtype.Type{dtype.F32, dtype.BF16} {
			w := b.Normal(1, 96, 130)
			if kind != dtype.F32 {
				w = b.Packed(kind, 1, 96, 130)
			}
			o := &compute.MatMul{A: b.Normal(1, m, 130), B: w, Out: b.Zero(dtype.F32, m, 96), TransB: true, Activation: compute.SiLU}
			if n := testing.AllocsPerRun(10, func() { st.Launch(o) }); n > 0 {
				t.Errorf("%d rows, %v: %v allocations", m, kind, n)
			}
		}
	}
	if err := st.Err(); err != nil {
		t.Fatal(err)
	}
}
