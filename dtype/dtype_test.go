package dtype

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNamesParseBack(t *testing.T) {
	for _, typ := range All() {
		for _, name := range []string{typ.String(), strings.ToUpper(typ.String())} {
			if got, err := Parse(name); err != nil || got != typ {
				t.Errorf("Parse(%q) = %v, %v", name, got, err)
			}
		}
		if typ.BlockBytes() == 0 {
			t.Errorf("%v has no size", typ)
		}
	}
	for _, bad := range []string{"", "invalid", "q4", "float12"} {
		if got, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", bad, got)
		}
	}
	if got, err := Parse("torch.bfloat16"); err != nil || got != BF16 {
		t.Errorf("torch.bfloat16 is %v, %v", got, err)
	}
}

func TestBytesRefusesWhatHasNoSize(t *testing.T) {
	cases := []struct {
		t    Type
		n    int
		want int
		why  string
	}{
		{F32, 3, 12, "plain"},
		{Q4_0, 64, 36, "two blocks"},
		{Q4_0, 0, 0, "nothing"},
		{Q4_0, 33, -1, "a part of a block"},
		{F32, -1, -1, "negative"},
		{F64, math.MaxInt, -1, "over an int"},
		{Invalid, 4, -1, "no type"},
		{Type(250), 4, -1, "no type"},
	}
	for _, c := range cases {
		if got := c.t.Bytes(c.n); got != c.want {
			t.Errorf("%v.Bytes(%d) = %d, want %d (%s)", c.t, c.n, got, c.want, c.why)
		}
	}
	if _, err := TensorBytes(Q4_0, []int{3, 48}); err == nil {
		t.Error("rows of 48 in blocks of 32 were accepted")
	}
	if _, err := TensorBytes(F32, []int{math.MaxInt, 4}); err == nil {
		t.Error("an overflowing shape was accepted")
	}
	if n, err := TensorBytes(F32, []int{0, math.MaxInt, 4}); err != nil || n != 0 {
		t.Errorf("an empty tensor is %d bytes, %v", n, err)
	}
}

func TestQuantizeRefusesBadInput(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	with := func(v float32) []float32 { x := make([]float32, 32); x[7] = v; return x }
	for _, typ := range All() {
		if !typ.Quantized() || !CanQuantize(typ) {
			continue
		}
		n := typ.BlockSize()
		for _, bad := range []float32{nan, inf, -inf} {
			x := slices.Repeat(with(bad), n/32)
			if err := Quantize(typ, x, make([]byte, typ.BlockBytes())); err == nil || !strings.Contains(err.Error(), "value 7 ") {
				t.Errorf("%v of %v: error %v does not name the value", typ, bad, err)
			}
		}
		wide := typ == Q8_K || typ == MXFP4 // scales of 8 bits of exponent
		if err := Quantize(typ, slices.Repeat(with(1e38), n/32), make([]byte, typ.BlockBytes())); err == nil && !wide {
			t.Errorf("%v: a scale over 65504 was accepted", typ)
		}
		if err := Quantize(typ, make([]float32, n+1), make([]byte, typ.BlockBytes())); err == nil {
			t.Errorf("%v: part of a block was accepted", typ)
		}
		if err := Quantize(typ, make([]float32, n), make([]byte, typ.BlockBytes()+1)); err == nil {
			t.Errorf("%v: a wrong number of bytes was accepted", typ)
		}
	}
	if err := Dequantize(I8, make([]byte, 4), make([]float32, 4)); err == nil {
		t.Error("integers were dequantised")
	}
	if err := Dequantize(Type(99), nil, nil); err == nil {
		t.Error("an unknown type was dequantised")
	}
}

// TestEveryHalfSurvives: a value that a small float holds converts there and
// back unchanged.
func TestEveryHalfSurvives(t *testing.T) {
	for c := range 1 << 16 {
		h := uint16(c)
		if f := F16ToF32(h); f == f && F32ToF16(f) != h {
			t.Fatalf("f16 %#04x → %g → %#04x", h, f, F32ToF16(f))
		}
		if f := BF16ToF32(h); f == f && F32ToBF16(f) != h {
			t.Fatalf("bf16 %#04x → %g → %#04x", h, f, F32ToBF16(f))
		}
	}
	for c := range 256 {
		if f := F8E4M3ToF32(uint8(c)); f == f && F32ToF8E4M3(f) != uint8(c) {
			t.Fatalf("f8_e4m3 %#02x → %g → %#02x", c, f, F32ToF8E4M3(f))
		}
		if f := F8E5M2ToF32(uint8(c)); f == f && F32ToF8E5M2(f) != uint8(c) {
			t.Fatalf("f8_e5m2 %#02x → %g → %#02x", c, f, F32ToF8E5M2(f))
		}
	}
	nan := float32(math.NaN())
	if f := F16ToF32(F32ToF16(nan)); f == f {
		t.Error("NaN did not survive f16")
	}
	if f := BF16ToF32(F32ToBF16(math.Float32frombits(0x7f800001))); f == f {
		t.Error("NaN did not survive bf16")
	}
}

// TestQuantizationErrorIsBounded: what comes back is within the format's step.
func TestQuantizationErrorIsBounded(t *testing.T) {
	// largest error as a share of the block's spread, with room for the f16 scale
	limits := map[Type]float64{Q4_0: 1.0 / 8, Q4_1: 1.0 / 29, Q5_0: 1.0 / 16, Q5_1: 1.0 / 60, Q8_0: 1.0 / 240}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float32Range(-100, 100), 32, 32).Draw(t, "x")
		low, high := bounds(x)
		spread := float64(max(abs(low), abs(high), high-low))
		for typ, limit := range limits {
			packed, back := make([]byte, typ.BlockBytes()), make([]float32, 32)
			if err := Quantize(typ, x, packed); err != nil {
				t.Fatal(err)
			}
			if err := Dequantize(typ, packed, back); err != nil {
				t.Fatal(err)
			}
			for i := range x {
				if e := math.Abs(float64(back[i] - x[i])); e > limit*spread*1.01+1e-5 {
					t.Fatalf("%v: %g came back as %g, spread %g", typ, x[i], back[i], spread)
				}
			}
		}
	})
}

// FuzzDequantize: no bytes make a decoder panic or write outside.
func FuzzDequantize(f *testing.F) {
	for _, typ := range All() {
		f.Add(uint8(typ), slices.Repeat([]byte{0xff}, 2*typ.BlockBytes())) // scales are NaN, codes the largest
		f.Add(uint8(typ), make([]byte, typ.BlockBytes()+1))
	}
	f.Fuzz(func(t *testing.T, code uint8, raw []byte) {
		typ := Type(code % uint8(typeCount))
		if !typ.Valid() {
			return
		}
		n := len(raw) / typ.BlockBytes() * typ.BlockSize()
		if err := Dequantize(typ, raw, make([]float32, n)); err == nil && len(raw)%typ.BlockBytes() != 0 {
			t.Errorf("%v: %d bytes were accepted for %d values", typ, len(raw), n)
		}
	})
}

func BenchmarkQuantize(b *testing.B) {
	x := make([]float32, 1<<14)
	for i := range x {
		x[i] = float32(math.Sin(float64(i * i)))
	}
	for _, typ := range []Type{F16, Q4_0, Q8_0, Q4_K, Q6_K} {
		packed := make([]byte, typ.Bytes(len(x)))
		b.Run("pack/"+typ.String(), func(b *testing.B) {
			b.SetBytes(int64(4 * len(x)))
			for b.Loop() {
				Quantize(typ, x, packed)
			}
		})
		b.Run("unpack/"+typ.String(), func(b *testing.B) {
			b.SetBytes(int64(4 * len(x)))
			for b.Loop() {
				Dequantize(typ, packed, x)
			}
		})
	}
}
