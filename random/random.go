// Package random is counter-based randomness: a number is a function of a seed
// and of what it is for (step, sample, site, index), never of what was drawn
// before it or of which worker asks.
//
// It guarantees the same numbers on every machine and for any order of asking.
// It is not for secrets.
package random

import (
	"hash/fnv"
	"math"
)

// Key names a stream of numbers.
type Key uint64

// New is the key of a seed and of the places and counters that follow it:
// strings, ints, int32s, int64s or uint64s.
func New(seed uint64, parts ...any) Key {
	k := Key(mix(seed + 0x9e3779b97f4a7c15))
	for _, p := range parts {
		k = k.With(p)
	}
	return k
}

// With is a key for one part of what k is for.
func (k Key) With(part any) Key {
	var v uint64
	switch part := part.(type) {
	case string:
		h := fnv.New64a()
		h.Write([]byte(part))
		v = h.Sum64()
	case int:
		v = uint64(part)
	case int32:
		v = uint64(part)
	case int64:
		v = uint64(part)
	case uint64:
		v = part
	default:
		panic("random: a key part must be a string or an integer")
	}
	return Key(mix(uint64(k) ^ mix(v+0x9e3779b97f4a7c15)))
}

// Uint64 is the i-th number.
func (k Key) Uint64(i int) uint64 { return mix(uint64(k) + uint64(i+1)*0x9e3779b97f4a7c15) }

// Float64 is the i-th number in [0, 1).
func (k Key) Float64(i int) float64 { return float64(k.Uint64(i)>>11) / (1 << 53) }

// Int is the i-th number in [0, n).
func (k Key) Int(i, n int) int { return int(k.Uint64(i) % uint64(n)) }

// Normal is the i-th number of a standard normal distribution (Box–Muller).
func (k Key) Normal(i int) float64 {
	u := 1 - k.Float64(2*i) // (0, 1]
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*k.Float64(2*i+1))
}

// Permutation is an order of n things (Fisher–Yates).
func (k Key) Permutation(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := k.Int(i, i+1)
		p[i], p[j] = p[j], p[i]
	}
	return p
}

// mix is the finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
