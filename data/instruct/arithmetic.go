package instruct

import (
	"fmt"
	"strconv"
)

// expressions draws n different sums, differences and products of whole
// numbers; most are of a ten and a digit, such as 30 + 7, because a small
// model learns to copy those first. Those of the held-out side never occur on
// the other: a hash of the expression decides, not of the draw.
func expressions(n int, seed uint64, heldOut bool) []Facts {
	var out []Facts
	seen := map[string]bool{}
	for draw := 0; len(out) < n && draw < 50*n+1000; draw++ {
		r := mix(seed, "expression", strconv.Itoa(draw))
		a, b := int(r%90)+10, int(r>>16%90)+10
		if r>>40%4 != 0 { // mostly a ten and a digit: which is which shows without counting places
			a, b = a/10*10, b%9+1
		}
		operator := []string{"+", "-", "*"}[r>>32%3]
		result := a + b
		switch operator {
		case "-":
			if a < b {
				a, b = b, a
			}
			result = a - b
		case "*":
			b = (b-1)%9 + 1
			result = a * b
		}
		expression := fmt.Sprintf("%d %s %d", a, operator, b)
		if seen[expression] || heldOutSide(expression) != heldOut {
			continue
		}
		seen[expression] = true
		out = append(out, Facts{"expression": expression, "result": strconv.Itoa(result)})
	}
	return out
}

// mix hashes a seed and names to a number that looks random (FNV-1a, then the
// finaliser of splitmix64).
func mix(seed uint64, names ...string) uint64 {
	h := seed ^ 14695981039346656037
	for _, name := range names {
		for _, b := range []byte(name) {
			h = (h ^ uint64(b)) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
