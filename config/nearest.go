package config

import "strings"

// Nearest is the candidate that a misspelt name most likely meant, or "" when none
// is near: at most a third of its letters differ, or the last part after a dot is
// the same (a setting written at the wrong depth).
func Nearest(name string, candidates []string) string {
	best, bestDistance := "", len(name)/3+1
	if bestDistance < 2 {
		bestDistance = 2
	}
	plain := normal(name)
	for _, c := range candidates {
		d := distance(plain, normal(c))
		if d < bestDistance || (d == bestDistance && best == "" && d <= len(c)/2) {
			best, bestDistance = c, d
		}
	}
	if best != "" {
		return best
	}
	last := plain[strings.LastIndexByte(plain, '.')+1:]
	for _, c := range candidates { // right name, wrong group
		n := normal(c)
		if n[strings.LastIndexByte(n, '.')+1:] == last {
			return c
		}
	}
	for _, c := range candidates { // misspelt name, wrong group
		n := normal(c)
		if distance(last, n[strings.LastIndexByte(n, '.')+1:]) <= len(last)/4 {
			return c
		}
	}
	if len(plain) >= 3 { // an abbreviation
		for _, c := range candidates {
			if strings.HasPrefix(normal(c), plain) {
				return c
			}
		}
	}
	return ""
}

// normal makes learning-rate, learningRate and learning_rate the same.
func normal(name string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
}

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours that lead from a to b (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 { // no setting is that long; keep hostile input cheap
		return len(x) + len(y)
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(x)][len(y)]
}
