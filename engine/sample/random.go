package sample

import "math"

// draw picks a candidate by inverse transform of u in [0, 1), walking the list in its order; -1 when it is empty.
func draw(list []candidate, u float64) int32 {
	if len(list) == 0 {
		return -1
	}
	largest, total := softmaxSum(list)
	if math.IsInf(float64(largest), 1) { // +Inf forces: the first such candidate, no arithmetic with Inf
		for _, c := range list {
			if c.logit == largest {
				return c.id
			}
		}
	}
	rest := u * total
	for _, c := range list {
		rest -= math.Exp(float64(c.logit - largest))
		if rest < 0 {
			return c.id
		}
	}
	return list[len(list)-1].id // rounding left a crumb
}

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
