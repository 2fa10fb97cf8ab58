package sample

import (
	"math"

	"lian/compute/cpu"
)

// draw picks a candidate by inverse transform of u in [0, 1), walking the tokens by ascending id; −1 when there is none.
func (c *pool) draw(u float64) int32 {
	largest := c.largest()
	switch {
	case largest == minusInfinity:
		return -1
	case math.IsInf(float64(largest), 1): // +Inf forces: the first such token, no arithmetic with Inf
		for _, x := range c.all() {
			if x.logit == largest {
				return x.id
			}
		}
	}
	if !c.listed {
		return c.drawRow(u, largest)
	}
	rest := u * c.total(largest)
	for _, x := range c.list {
		if rest -= c.weight(x, largest); rest < 0 {
			return x.id
		}
	}
	return c.list[len(c.list)-1].id // rounding left a crumb
}

// drawRow is draw over a whole row: the part first, then the token in it.
func (c *pool) drawRow(u float64, largest float32) int32 {
	rest, in := u*c.wholes(largest), 0
	for i, s := range c.sums {
		in = i
		if i == len(c.sums)-1 || rest < float64(s) {
			break
		}
		rest -= float64(s)
	}
	found := int32(-1)
	for at := in * cpu.ScanPart; at < len(c.weights); at++ { // past the part's end if rounding left a crumb
		w := float64(c.weights[at])
		if w == 0 {
			continue
		}
		found = int32(at)
		if rest -= w; rest < 0 {
			return found
		}
		if found >= 0 && at >= (in+1)*cpu.ScanPart {
			return found
		}
	}
	if found < 0 { // the last part has nothing: the most likely token
		return argmax(c.row)
	}
	return found
}

// Sites of draws that are not the token's own.
const xtcSite = 0x5854432d73616d70

// uniform returns the number in [0, 1) that belongs to (seed, position).
func uniform(seed uint64, position int) float64 {
	return float64(mix(mix(seed)^uint64(position))>>11) / (1 << 53)
}

// Derive gives the seed of the n-th of several replies to one request; the first keeps the request's own.
func Derive(seed uint64, n int) uint64 {
	if n == 0 {
		return seed
	}
	return mix(seed ^ mix(uint64(n)))
}

// mix is the output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), a bijection with full avalanche.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
