package dtype_test

import (
	"math"
	"slices"
	"testing"

	"lian/dtype"
)

func TestMapsAreAscendingAndReachOne(t *testing.T) {
	for signed, first := range map[bool]float32{true: -0.99296874, false: 0} {
		m := dtype.DynamicMap(signed)
		if len(m) != 256 || !slices.IsSorted(m) || m[255] != 1 || m[0] != first {
			t.Errorf("signed %v: %d values from %v to %v, expected 256 ascending ones from %v to 1", signed, len(m), m[0], m[255], first)
		}
	}
}

// TestCodesAreNear: a value comes back within half a step of the map and half a step of the grid.
func TestCodesAreNear(t *testing.T) {
	for name, c := range map[string]*dtype.Codes8{"signed": dtype.DynamicCodes(true), "unsigned": dtype.DynamicCodes(false)} {
		values, codes := make([]float32, 200), make([]byte, 200)
		for i := range values {
			values[i] = float32(math.Pow(0.93, float64(i)))
			if name == "signed" && i%2 == 1 {
				values[i] = -values[i]
			}
		}
		if scale := c.Encode(codes, values); scale != 1 {
			t.Fatalf("%s: the scale is %v, expected 1", name, scale)
		}
		for i, code := range codes {
			got, want, gap := c.Values[code], values[i], float32(0)
			if code > 0 {
				gap = got - c.Values[code-1]
			}
			if code < 255 {
				gap = max(gap, c.Values[code+1]-got)
			}
			if d := max(got-want, want-got); d > gap/2+1.6e-5 {
				t.Errorf("%s: %v came back as %v, the map has steps of %v there", name, want, got, gap)
			}
		}
	}
}

func TestBlocksOfZerosAndOddValues(t *testing.T) {
	c := dtype.DynamicCodes(true)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, x := range []struct {
		values []float32
		scale  func(float32) bool
		why    string
	}{
		{[]float32{0, 0, 0}, func(s float32) bool { return s == 0 }, "zeros have scale 0"},
		{[]float32{1e-45, 0}, func(s float32) bool { return s == 0 }, "what has no inverse is 0"},
		{[]float32{1, nan, 2}, func(s float32) bool { return s != s }, "NaN spreads"},
		{[]float32{1, inf}, func(s float32) bool { return s > math.MaxFloat32 }, "infinite stays"},
		{nil, func(s float32) bool { return s == 0 }, "nothing"},
	} {
		if s := c.Encode(make([]byte, len(x.values)), x.values); !x.scale(s) {
			t.Errorf("%v has scale %v: %s", x.values, s, x.why)
		}
	}
}
