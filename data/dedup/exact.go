// Package dedup finds documents that say the same: exactly (a hash of the
// text) and nearly (MinHash with locality-sensitive hashing, every candidate
// pair checked by its true Jaccard similarity).
//
// It guarantees the same answer for any number of workers and any order of
// work: of each group the first document stays. It holds one signature a
// document in memory.
package dedup

import (
	"crypto/sha256"
	"strings"
)

// Exact gives, for each text, the index of the first text equal to it in all
// but blanks, letter case and line ends; its own index when it is the first.
func Exact(texts []string) []int {
	first := make(map[[16]byte]int, len(texts))
	of := make([]int, len(texts))
	for i, text := range texts {
		sum := sha256.Sum256([]byte(strings.ToLower(strings.Join(strings.Fields(text), " "))))
		key := [16]byte(sum[:16])
		if j, ok := first[key]; ok {
			of[i] = j
			continue
		}
		first[key], of[i] = i, i
	}
	return of
}
