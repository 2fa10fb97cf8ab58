package grammar

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// ranges is a set of code points: pairs of first and last, rising and not touching.
type ranges [][2]rune

var allRunes = ranges{{0, utf8.MaxRune}}

// normal sorts and joins pairs in any order.
func normal(list ranges) ranges {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	var out ranges
	for _, r := range sorted {
		if r[0] > r[1] {
			continue
		}
		if n := len(out); n > 0 && r[0] <= out[n-1][1]+1 {
			out[n-1][1] = max(out[n-1][1], r[1])
			continue
		}
		out = append(out, r)
	}
	return out
}

func (s ranges) union(t ranges) ranges { return normal(append(slices.Clone(s), t...)) }

// complement is the code points outside the set.
func (s ranges) complement() ranges {
	var out ranges
	next := rune(0)
	for _, r := range normal(s) {
		if r[0] > next {
			out = append(out, [2]rune{next, r[0] - 1})
		}
		next = r[1] + 1
	}
	if next <= utf8.MaxRune {
		out = append(out, [2]rune{next, utf8.MaxRune})
	}
	return out
}

func (s ranges) intersect(t ranges) ranges {
	return s.complement().union(t.complement()).complement()
}

func (s ranges) contains(r rune) bool {
	_, ok := slices.BinarySearchFunc(s, r, func(p [2]rune, r rune) int {
		switch {
		case p[1] < r:
			return -1
		case p[0] > r:
			return 1
		}
		return 0
	})
	return ok
}

// folded adds the other cases of each letter.
func (s ranges) folded() ranges {
	out := slices.Clone(s)
	for _, p := range s {
		for r := p[0]; r <= min(p[1], 0x1FFFF); r++ {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				out = append(out, [2]rune{f, f})
			}
		}
	}
	return normal(out)
}

// ofTable is the set of a table of package unicode.
func ofTable(table *unicode.RangeTable) ranges {
	var out ranges
	add := func(low, high, stride rune) {
		if stride == 1 {
			out = append(out, [2]rune{low, high})
			return
		}
		for r := low; r <= high; r += stride {
			out = append(out, [2]rune{r, r})
		}
	}
	for _, r := range table.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range table.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return normal(out)
}
