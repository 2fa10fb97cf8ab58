package cpu

import (
	"math"
	"testing"

	"lian/dtype"
	"lian/random"
)

// TestOneValueOfABlockIsTheDecoders: the short way to a value of a block has the bits of decoding the block.
func TestOneValueOfABlockIsTheDecoders(t *testing.T) {
	for _, kind := range []dtype.Type{dtype.Q4_0, dtype.Q4_1, dtype.Q8_0} {
		one, key := oneValue(kind), random.New(1, kind.String())
		if one == nil {
			t.Fatalf("%v has no short way", kind)
		}
		values, block := make([]float32, kind.BlockSize()), make([]byte, kind.BlockBytes())
		for round := range 50 {
			for i := range values {
				values[i] = float32(key.Normal(round*32+i) * 3)
			}
			if err := dtype.Quantize(kind, values, block); err != nil {
				t.Fatal(err)
			}
			if err := dtype.Dequantize(kind, block, values); err != nil {
				t.Fatal(err)
			}
			for i, want := range values {
				if got := one(block, i); math.Float32bits(got) != math.Float32bits(want) {
					t.Fatalf("%v, value %d: %v, the decoder has %v", kind, i, got, want)
				}
			}
		}
	}
}
