package dtype

import (
	"math"
	"sort"
	"sync"
)

// Values of one sign or both in 8 bits, as optimizers keep their states: a code stands for a value of a map, times the scale of its block.

// Block8 is the number of values that share a scale.
const Block8 = 256

// Blocks8 is the number of scales of so many values.
func Blocks8(n int) int { return (n + Block8 - 1) / Block8 }

// smallest8 is the smallest scale with an inverse; smaller blocks are zeros.
const smallest8 = 0x1p-126

// DynamicMap is the 256 values of an 8-bit state, ascending, in [−1, 1] signed and [0, 1] unsigned: seven decades, each with fewer values
// than the next. Source: Dettmers, arXiv 1511.04561; bitsandbytes, create_dynamic_map.
func DynamicMap(signed bool) []float32 {
	values := []float64{0, 1}
	for i := range 7 {
		n, decade := 1<<i, math.Pow(10, float64(i-6))
		if !signed {
			n *= 2
		}
		last := float32(0.1)
		for k := 1; k <= n; k++ {
			next := boundary(k, n)
			mean := float32(last+next) / 2
			values = append(values, float64(float32(decade)*mean))
			if signed {
				values = append(values, -float64(float32(decade)*mean))
			}
			last = next
		}
	}
	sort.Float64s(values)
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v)
	}
	return out
}

// boundary is point k of n+1 from 0.1 to 1, as torch.linspace rounds it: from the nearer end.
func boundary(k, n int) float32 {
	step := (1 - float32(0.1)) / float32(n)
	if k < (n+1)/2 {
		return float32(0.1) + float32(step*float32(k))
	}
	return 1 - float32(step*float32(n-k))
}

// Codes8 writes values in 8 bits: a map, and for each of 65536 points from −1 to 1 the code nearest to it.
type Codes8 struct {
	Values [256]float32
	grid   [1 << 16]uint8
}

// NewCodes8 makes the tables of a map, which must be ascending.
func NewCodes8(values []float32) *Codes8 {
	c := &Codes8{}
	copy(c.Values[:], values)
	code := 0
	for i := range c.grid {
		point := float32(float32(i)*(float32(2)/65535)) - 1
		for code < 255 && abs32(c.Values[code+1]-point) < abs32(point-c.Values[code]) {
			code++
		}
		c.grid[i] = uint8(code)
	}
	return c
}

var signed8, unsigned8 = sync.OnceValue(func() *Codes8 { return NewCodes8(DynamicMap(true)) }), sync.OnceValue(func() *Codes8 { return NewCodes8(DynamicMap(false)) })

// DynamicCodes are the codes of a dynamic map.
func DynamicCodes(signed bool) *Codes8 {
	if signed {
		return signed8()
	}
	return unsigned8()
}

// Encode writes a block of at most Block8 values and returns its scale. A value that is not a number makes the scale not a number, and with it
// the whole block.
func (c *Codes8) Encode(codes []byte, values []float32) (scale float32) {
	for _, v := range values {
		if v = abs32(v); v > scale {
			scale = v
		} else if v != v {
			clear(codes)
			return v
		}
	}
	if scale < smallest8 || scale > math.MaxFloat32 {
		clear(codes)
		return max(scale-smallest8, 0) // 0, or infinite
	}
	inverse := 1 / scale
	for i, v := range values {
		x := float32(float32(v*inverse)+1) * 32767.5
		codes[i] = c.grid[uint16(max(0, min(65535, int32(x+0.5))))]
	}
	return scale
}

func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
