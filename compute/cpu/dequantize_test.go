package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"lian/dtype"
)

// weightTypes are the types that a matrix can be stored in.
func weightTypes() []dtype.Type {
	var types []dtype.Type
	for _, t := range dtype.All() {
		if dtype.CanDequantize(t) && (t.Quantized() || t == dtype.F16 || t == dtype.BF16) {
			types = append(types, t)
		}
	}
	return types
}

// randomBytes are every bit pattern of scales and codes, NaN and ∞ included.
func randomBytes(t dtype.Type, n int, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, uint64(t)))
	raw := make([]byte, t.Bytes(n))
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	return raw
}

// TestDequantizeHasTheBitsOfDtype compares every level with package dtype on random bytes, and looks for stores outside.
func TestDequantizeHasTheBitsOfDtype(t *testing.T) {
	for _, k := range available {
		for _, kind := range weightTypes() {
			for _, blocks := range []int{0, 1, 2, 3, 5, 40} {
				n := blocks * kind.BlockSize()
				raw, want := randomBytes(kind, n, 1), make([]float32, n)
				if err := dtype.Dequantize(kind, raw, want); err != nil {
					t.Fatal(err)
				}
				const guard = 17
				got := make([]float32, n+2*guard)
				for i := range got {
					got[i] = guard
				}
				if err := k.dequantize(kind, raw, got[guard:guard+n]); err != nil {
					t.Fatal(err)
				}
				for i, v := range got {
					if i < guard || i >= guard+n {
						if v != guard {
							t.Fatalf("%s %v: wrote %v outside of %d values, at %d", k.level, kind, v, n, i-guard)
						}
						continue
					}
					if w := want[i-guard]; math.Float32bits(v) != math.Float32bits(w) && (v == v || w == w) {
						t.Fatalf("%s %v: value %d of %d is %v (%#x), dtype says %v (%#x)", k.level, kind, i-guard, n, v, math.Float32bits(v), w, math.Float32bits(w))
					}
				}
			}
			if err := k.dequantize(kind, make([]byte, 3), make([]float32, kind.BlockSize())); err == nil {
				t.Errorf("%s %v: three bytes were accepted for a block", k.level, kind)
			}
		}
	}
}

func BenchmarkDequantize(b *testing.B) {
	const n = 8192
	for _, k := range available {
		for _, kind := range weightTypes() {
			raw, dst := make([]byte, kind.Bytes(n)), make([]float32, n)
			b.Run(fmt.Sprintf("%s/%v", k.level, kind), func(b *testing.B) {
				b.SetBytes(n) // MB/s are million values a second
				for b.Loop() {
					if err := k.dequantize(kind, raw, dst); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
