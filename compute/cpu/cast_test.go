package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
	"lian/random"
)

func TestCastsHaveTheBitsOfDtype(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	floats := make([]float32, 100_016)
	for i := range floats {
		floats[i] = math.Float32frombits(r.Uint32()) // NaN of every kind, denormals, infinities
		if i%3 == 0 {
			floats[i] = float32(r.NormFloat64())
		}
	}
	every := make([]uint16, 1<<16)
	for i := range every {
		every[i] = uint16(i)
	}
	for _, k := range available {
		b := newBackend(k, 2)
		for _, kind := range []dtype.Type{dtype.F16, dtype.BF16} {
			run := func(from dtype.Type, in []byte, to dtype.Type, n int) []byte {
				x, out := compute.NewTensor(b, from, n), compute.NewTensor(b, to, n)
				copy(host.Bytes(x), in)
				s := b.NewStream()
				s.Launch(&compute.Cast{X: x, Out: out})
				if err := s.Err(); err != nil {
					t.Fatal(err)
				}
				return host.Bytes(out)
			}
			want := make([]byte, 2*len(floats))
			if err := dtype.Quantize(kind, floats, want); err != nil {
				t.Fatal(err)
			}
			got := run(dtype.F32, compute.HostBytes(floats), kind, len(floats))
			for i := range floats {
				if got[2*i] != want[2*i] || got[2*i+1] != want[2*i+1] {
					t.Fatalf("%s: %x to %v is %x, dtype says %x", k.level, math.Float32bits(floats[i]), kind, got[2*i:2*i+2], want[2*i:2*i+2])
				}
			}
			wide := make([]float32, len(every))
			if err := dtype.Dequantize(kind, compute.HostBytes(every), wide); err != nil {
				t.Fatal(err)
			}
			back := run(kind, compute.HostBytes(every), dtype.F32, len(every))
			for i, w := range wide {
				g := math.Float32frombits(uint32(back[4*i]) | uint32(back[4*i+1])<<8 | uint32(back[4*i+2])<<16 | uint32(back[4*i+3])<<24)
				if math.Float32bits(g) != math.Float32bits(w) && !(g != g && w != w) {
					t.Fatalf("%s: %v %x is %v, dtype says %v", k.level, kind, i, g, w)
				}
			}
		}
	}
}

func TestAnySplitOfATensorHasTheSameMask(t *testing.T) {
	const n, rate = 1001, 0.3
	for _, k := range available {
		b := newBackend(k, 2)
		x := compute.NewTensor(b, dtype.F32, n)
		for i := range host.F32(x) {
			host.F32(x)[i] = 1
		}
		run := func(from, to int) []float32 {
			out := compute.NewTensor(b, dtype.F32, to-from)
			s := b.NewStream()
			s.Launch(&compute.Dropout{X: x.Slice(from, to), Out: out, Key: random.New(3, "dropout"), First: from, Rate: rate})
			if err := s.Err(); err != nil {
				t.Fatal(err)
			}
			return host.F32(out)
		}
		whole, dropped := run(0, n), 0
		for _, v := range whole {
			if v == 0 {
				dropped++
			}
		}
		if share := float64(dropped) / n; math.Abs(share-rate) > 0.05 {
			t.Errorf("%s: %v of the elements are dropped, expected %v", k.level, share, rate)
		}
		for _, cut := range []int{1, 2, 7, 500, 999} {
			for i, v := range append(append([]float32{}, run(0, cut)...), run(cut, n)...) {
				if v != whole[i] {
					t.Fatalf("%s: split at %d, element %d is %v, whole it is %v", k.level, cut, i, v, whole[i])
				}
			}
		}
	}
}
