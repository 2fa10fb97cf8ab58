package cpu

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"lian/compute"
	"lian/compute/computetest"
	"lian/compute/host"
	"lian/compute/ref"
	"lian/dtype"
)

// superKinds are the block types with kernels, in order.
func superKinds() []dtype.Type {
	var kinds []dtype.Type
	for t := range superTypes {
		kinds = append(kinds, t)
	}
	slices.Sort(kinds)
	return kinds
}

func TestTheSuperTileMatchesTheAssembly(t *testing.T) {
	var s superTile
	for i, at := range []uintptr{unsafe.Offsetof(s.panel), unsafe.Offsetof(s.values), unsafe.Offsetof(s.sums), unsafe.Offsetof(s.scales), unsafe.Offsetof(s.out),
		unsafe.Offsetof(s.blocks), unsafe.Offsetof(s.stride), unsafe.Offsetof(s.resume), unsafe.Offsetof(s.ahead), unsafe.Offsetof(s.aheadRow), unsafe.Offsetof(s.aheadBlock)} {
		if at != uintptr(i)*8 {
			t.Errorf("field %d of superTile is at %d, the assembly reads it at %d", i, at, i*8)
		}
	}
}

func TestSuperBlocksMeanWhatDequantizeSays(t *testing.T) {
	for _, kind := range superKinds() {
		w := computetest.NewBuild(newBackend(available[0], 1), 4).PackedAtRandom(kind, 40, superSize)
		want, size := make([]float32, 40*superSize), kind.BlockBytes()
		if err := dtype.Dequantize(kind, host.Bytes(w), want); err != nil {
			t.Fatal(err)
		}
		for row := range 40 {
			s := readSuper(kind, host.Bytes(w)[row*size:][:size])
			each := superSize / superTypes[kind].subs
			for i, q := range s.q {
				got := float64(s.d)*float64(s.scale[i/each]*(q-s.offset)) - float64(s.dmin)*float64(s.least[i/each])
				v := float64(want[row*superSize+i])
				if math.Abs(got-v) > 1e-6*(math.Abs(v)+math.Abs(float64(s.dmin)*63)) {
					t.Fatalf("%v: value %d of row %d is %v, dtype says %v", kind, i, row, got, v)
				}
			}
		}
	}
}

// A level's panels hold what the plain ones hold: scales may be wider, IQ4_XS's values are above their meaning where they are
// multiplied unsigned.
func TestEveryLevelUnpacksTheSamePanels(t *testing.T) {
	const blocks = 3
	for _, kind := range superKinds() {
		subs, size := superTypes[kind].subs, kind.BlockBytes()
		stride := blocks*size + 6
		raw := make([]byte, 15*stride+blocks*size)
		random := rand.New(rand.NewPCG(1, 2))
		for i := range raw {
			raw[i] = byte(random.Uint32())
		}
		elements := superElements(subs)
		for _, level := range available[1:] {
			lanes := level.superLanes
			got := make([]uint32, elements*lanes*blocks)
			level.superUnpack[kind]((*byte)(unsafe.Pointer(&got[0])), &raw[0], stride, blocks)
			want := make([]uint32, elements*genericSuperLanes*blocks)
			for first := 0; first < lanes; first += genericSuperLanes {
				available[0].superUnpack[kind]((*byte)(unsafe.Pointer(&want[0])), &raw[first*stride], stride, blocks)
				for i, w := range want {
					element, lane := i/genericSuperLanes, i%genericSuperLanes
					g := got[element*lanes+first+lane]
					switch e := element % elements; {
					case lanes == 16 && e >= 2 && e < 2+subs:
						g, w = uint32(int32(g)), uint32(int32(int16(w)))
					case lanes == 16 && kind == dtype.IQ4_XS && e >= 2+subs+subs/2:
						g ^= 0x80808080
					case e < 2 && isNaN(g) && isNaN(w):
						continue
					case e == 1 && superTypes[kind].shift > 0:
						continue // no minimum
					case level.superBegins && superTypes[kind].shift > 0 && e >= 2+subs && e < 2+subs+subs/2:
						continue // no pairs
					}
					if g != w {
						t.Fatalf("%v at %s: element %d of row %d is %#x, expected %#x", kind, level.level, element, first+lane, g, w)
					}
				}
			}
		}
	}
}

func isNaN(bits uint32) bool { f := math.Float32frombits(bits); return f != f }

func TestEveryLevelRoundsSuperBlocksAlike(t *testing.T) {
	const blocks = 9
	x := make([]float32, blocks*superSize)
	random := rand.New(rand.NewPCG(3, 2))
	for i := range x {
		x[i] = float32(random.NormFloat64()) * float32(math.Pow(10, float64(i/superSize*5-20)))
	}
	for i := range superSize { // halves and their neighbours
		v := float32(i%127) + 0.5
		x[3*superSize+i] = []float32{v, -v, math.Nextafter32(v, 0), -math.Nextafter32(v, 0)}[i%4]
	}
	x[3*superSize] = 127
	clear(x[4*superSize : 5*superSize])
	x[5*superSize+77] = float32(math.NaN())
	x[6*superSize+255] = float32(math.Inf(-1))
	for i := range superSize {
		x[7*superSize+i] = math.Float32frombits(uint32(i) * 37) // denormals
	}
	for _, form := range [][2]int{{8, 0}, {16, 0}, {8, 7}, {16, 5}} {
		subs, shift, each := form[0], form[1], 2
		if shift > 0 {
			each = 4
		}
		type result struct {
			values []int8
			scales []float32
			sums   []byte
		}
		run := func(k *kernels) result {
			r := result{make([]int8, 2*len(x)), make([]float32, 2*blocks), make([]byte, 2*blocks*subs*each)}
			k.superRound(&r.values[0], &r.scales[0], &r.sums[0], &x[0], blocks, 2*superSize, 8, 2*subs*each, subs, shift)
			return r
		}
		want := run(available[0])
		for _, level := range available[1:] {
			got := run(level)
			for i := range want.values {
				if got.values[i] != want.values[i] {
					t.Fatalf("%s: value %d of block %d is %d, expected %d", level.level, i%(2*superSize), i/(2*superSize), got.values[i], want.values[i])
				}
			}
			if !bytes.Equal(got.sums, want.sums) {
				t.Errorf("%s: sums %v, expected %v", level.level, got.sums, want.sums)
			}
			for i, w := range want.scales {
				if math.Float32bits(got.scales[i]) != math.Float32bits(w) {
					t.Errorf("%s: scale %d is %v, expected %v", level.level, i, got.scales[i], w)
				}
			}
		}
	}
}

// runSuper runs MatMul with Fast and gives the result.
func runSuper(t *testing.T, be compute.Backend, kind dtype.Type, a []float32, w []byte, m, n, k int) []float32 {
	t.Helper()
	b := computetest.NewBuild(be, 1)
	o := &compute.MatMul{A: b.Set(b.Zero(dtype.F32, m, k), a), B: b.Zero(kind, n, k), Out: b.Zero(dtype.F32, m, n), TransB: true, Fast: true}
	copy(host.Bytes(o.B), w)
	st := be.NewStream()
	st.Launch(o)
	if err := st.Err(); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(host.F32(o.Out))
}

func TestSuperBlockProductsHaveTheSameBitsEverywhere(t *testing.T) {
	for _, kind := range superKinds() {
		for _, shape := range [][2]int{{77, 768}, {5, 256}, {16, 512}, {33, 2304}} {
			t.Run(fmt.Sprintf("%v/%dx%d", kind, shape[0], shape[1]), func(t *testing.T) {
				t.Parallel()
				n, k, most := shape[0], shape[1], 513
				if k > 512 {
					most = 64
				}
				b := computetest.NewBuild(newBackend(available[0], 1), 9)
				w := host.Bytes(b.PackedAtRandom(kind, n, k))
				a := host.F32(b.Normal(1, most, k))
				a[3*k+5] = float32(math.NaN())
				var want []float32
				for _, level := range slices.Backward(available) {
					for _, workers := range []int{1, 2, 3, 8} {
						plain := level == available[0] && len(available) > 1 // slow, and only to be compared
						if plain && workers != 2 {
							continue
						}
						for _, m := range []int{most, 1, 2, 7, 8, 64} {
							if plain && m > 8 {
								continue
							}
							got := runSuper(t, newBackend(level, workers), kind, a[:m*k], w, m, n, k)
							if want == nil {
								want = got
							}
							for i, v := range got {
								if math.Float32bits(v) != math.Float32bits(want[i]) && !(v != v && want[i] != want[i]) {
									t.Fatalf("%s, %d workers, %d rows: output %d of row %d is %v, expected %v", level.level, workers, m, i%n, i/n, v, want[i])
								}
							}
						}
					}
				}
				for i, v := range want {
					if (v != v) != (i/n == 3) {
						t.Fatalf("output %d of row %d is %v; the NaN is in row 3", i%n, i/n, v)
					}
				}
				exact := runSuper(t, ref.New(), kind, a[:2*k], w, 2, n, k)
				scale := 0.0
				for _, v := range exact {
					scale = max(scale, math.Abs(float64(v)))
				}
				for i, v := range exact {
					if d := math.Abs(float64(want[i] - v)); d > 2e-6*scale {
						t.Fatalf("output %d of row %d is %v, ref says %v", i%n, i/n, want[i], v)
					}
				}
			})
		}
	}
}

func TestTheLargestIntegersOfSuperBlocksFit(t *testing.T) {
	for _, kind := range superKinds() {
		for _, fill := range []byte{0xff, 0x7f, 0x80, 0x00} {
			w := bytes.Repeat([]byte{fill}, 3*kind.BlockBytes())
			for at := 0; at < len(w); at += kind.BlockBytes() {
				for _, f := range superFloats[kind] {
					w[at+f], w[at+f+1] = 0, 0x3c // 1
				}
			}
			a := make([]float32, 2*superSize)
			for i := range a {
				a[i] = float32(1 - 2*(i/superSize))
			}
			exact := runSuper(t, ref.New(), kind, a, w, 2, 3, superSize)
			for _, level := range available {
				for i, v := range runSuper(t, newBackend(level, 1), kind, a, w, 2, 3, superSize) {
					if d := math.Abs(float64(v - exact[i])); d > 1e-6*math.Abs(float64(exact[i])) {
						t.Errorf("%v of bytes %#x at %s: output %d is %v, ref says %v", kind, fill, level.level, i, v, exact[i])
					}
				}
			}
		}
	}
}

// superFloats is where the float16 numbers of a super-block are.
var superFloats = map[dtype.Type][]int{dtype.Q2_K: {80, 82}, dtype.Q3_K: {108}, dtype.Q4_K: {0, 2}, dtype.Q5_K: {0, 2}, dtype.Q6_K: {208}, dtype.IQ4_XS: {0}}
