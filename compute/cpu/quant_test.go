package cpu

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"lian/compute"
	"lian/compute/computetest"
	"lian/compute/host"
	"lian/dtype"
)

// levelsOfQuants are the available levels and what this processor's newer instructions would hide.
func levelsOfQuants() []*kernels {
	return append(append([]*kernels(nil), available...), older()...)
}

// packed is a weight in a block type; for types that dtype cannot write, its bytes are random with small scales.
func packed(b *computetest.Build, kind dtype.Type, n, k int) *compute.Tensor {
	if dtype.CanQuantize(kind) {
		return b.Packed(kind, 1, n, k)
	}
	return b.PackedAtRandom(kind, n, k)
}

func TestQuantisedProductsHaveTheSameBitsAtEveryLevel(t *testing.T) {
	for kind, q := range available[0].quants {
		for _, m := range []int{1, 2, 5, 8, 19, 40} {
			for _, shape := range [][2]int{{77, q.block * 3}, {5, q.block}, {32, q.block * 18}, {16, q.block * 4}, {40, q.block * 35}, {700, q.block * 9}} {
				n, k := shape[0], shape[1]
				var first []float32
				for _, level := range levelsOfQuants() {
					be := newBackend(level, 2)
					b := computetest.NewBuild(be, 11)
					o := &compute.MatMul{A: b.Normal(1, m, k), B: packed(b, kind, n, k), Out: b.Normal(1, m, n), TransB: true, Fast: true}
					if m > 2 {
						o.A, o.Outliers, o.B.Constant = b.Spread(m, k), true, m == 5
					}
					if m%2 == 1 {
						o.Alpha, o.Accumulate, o.Residual, o.Bias = 0.7, true, b.Normal(1, m, n), b.Normal(1, n)
					}
					st := be.NewStream()
					st.Launch(o)
					if err := st.Err(); err != nil {
						t.Fatal(err)
					}
					got := host.F32(o.Out)
					if first == nil {
						first = got
						continue
					}
					for i := range got {
						if math.Float32bits(got[i]) != math.Float32bits(first[i]) {
							t.Fatalf("%v, %d × %d × %d: value %d is %v at level %s (%s), %v at %s", kind, m, n, k, i, got[i], level.level, level.quantName, first[i], available[0].level)
						}
					}
				}
			}
		}
	}
}

func TestUnpackedBlocksMeanWhatDequantizeSays(t *testing.T) {
	for kind, layout := range layouts32 {
		b := computetest.NewBuild(newBackend(available[0], 1), 4)
		w := packed(b, kind, 3, 768)
		want := make([]float32, 3*768)
		if err := dtype.Dequantize(kind, host.Bytes(w), want); err != nil {
			t.Fatal(err)
		}
		for i, v := range want {
			q, scale, minimum := unpack32(kind, host.Bytes(w)[i/quantBlock*kind.BlockBytes():])
			if got := float32(scale*float32(int8(q[i%quantBlock]))) + minimum; got != v || minimum != 0 && !layout.minimum {
				t.Fatalf("%v: value %d is %v, dtype says %v", kind, i, got, v)
			}
		}
	}
}

func TestAQuantisedProductAllocatesNothing(t *testing.T) {
	for _, level := range available[1:] {
		for _, workers := range []int{1, 2} {
			be := newBackend(level, workers)
			b := computetest.NewBuild(be, 1)
			for kind := range level.quants {
				for _, m := range []int{1, 30} {
					o := &compute.MatMul{A: b.Spread(m, 512), B: packed(b, kind, 96, 512), Out: b.Zero(dtype.F32, m, 96), TransB: true, Fast: true, Outliers: m == 1}
					o.B.Constant = true
					run := func() {
						if err := be.matmul(o); err != nil {
							t.Fatal(err)
						}
					}
					if n := testing.AllocsPerRun(20, run); n > 0 {
						t.Errorf("%s, %v, %d rows, %d workers: %v allocations a product", level.level, kind, m, workers, n)
					}
				}
			}
		}
	}
}

func TestARowWithNaNIsNaNAndTheOthersAreNot(t *testing.T) {
	for _, level := range levelsOfQuants() {
		be := newBackend(level, 2)
		for kind, q := range level.quants {
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				b := computetest.NewBuild(be, 1)
				const m, n, where = 9, 37, 4
				k := q.block * 3
				a := b.Normal(1, m, k)
				host.F32(a)[where*k+q.block+7] = float32(bad)
				o := &compute.MatMul{A: a, B: packed(b, kind, n, k), Out: b.Zero(dtype.F32, m, n), TransB: true, Fast: true, Outliers: true}
				st := be.NewStream()
				st.Launch(o)
				if err := st.Err(); err != nil {
					t.Fatal(err)
				}
				for i, v := range host.F32(o.Out) {
					if (v != v) != (i/n == where) {
						t.Fatalf("%s, %v: row %d of A has %v; value %d of row %d is %v", level.level, kind, where, bad, i%n, i/n, v)
					}
				}
			}
		}
	}
}

func TestARowAloneHasTheBitsItHasAmongOthers(t *testing.T) {
	const many, n = 513, 45
	for _, level := range available {
		for kind, q := range level.quants {
			k := q.block * 5
			var whole []float32
			for _, c := range []struct{ rows, workers int }{{many, 2}, {many, 1}, {many, 3}, {many, 8}, {1, 1}, {1, 8}, {2, 3}, {7, 2}, {8, 2}, {64, 3}} {
				be := newBackend(level, c.workers)
				b := computetest.NewBuild(be, 1)
				w, a := packed(b, kind, n, k), b.Spread(many, k)
				for _, from := range []int{0, many - c.rows} {
					o := &compute.MatMul{A: a.Slice(from, from+c.rows), B: w, Out: b.Zero(dtype.F32, c.rows, n), TransB: true, Fast: true, Outliers: true}
					st := be.NewStream()
					st.Launch(o)
					got := host.F32(o.Out)
					if whole == nil {
						whole = got
					}
					for i, v := range got {
						if math.Float32bits(v) != math.Float32bits(whole[from*n+i]) {
							t.Fatal(fmt.Sprintf("%s, %v: %d rows from %d on, %d workers: value %d of row %d is %v, among %d it is %v", level.level, kind, c.rows, from, c.workers, i%n, i/n, v, many, whole[from*n+i]))
						}
					}
				}
			}
		}
	}
}

func TestFusedMultiplyAddRoundsOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	number := func() float32 {
		return math.Float32frombits(random.Uint32()&0x807fffff | uint32(115+random.IntN(24))<<23)
	}
	big32 := func(v float32) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(float64(v)) }
	for range 200000 {
		x, y, z := number(), number(), number()
		if random.IntN(2) == 0 { // where float32(x·y + z) has much to round: few bits of x·y stand out
			x, y = float32(random.IntN(1<<12)), float32(random.IntN(1<<13))/(1<<30)
		}
		exact := new(big.Float).SetPrec(200).Mul(big32(x), big32(y))
		want, _ := exact.Add(exact, big32(z)).Float32()
		if got := fusedMultiplyAdd(x, y, z); got != want {
			t.Fatalf("%v · %v + %v is %v, expected %v", x, y, z, got, want)
		}
	}
}
