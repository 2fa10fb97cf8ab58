package dedup

import (
	"context"
	"math/bits"
	"slices"
	"sort"
	"sync"

	"lian/data/rule"
)

// Bands times Rows hashes of word 5-grams: the parameters of FineWeb
// (datatrove), whose threshold (1/14)^(1/8) is 0.72. A pair of similarity 0.8
// becomes a candidate with probability 0.92.
const (
	Bands    = 14
	Rows     = 8
	shingle  = 5
	hashes   = Bands * Rows
	sameBits = 1<<61 - 1 // the Mersenne prime of the hash family
)

// Options of near-duplicate search.
type Options struct {
	Similarity float64 // Jaccard similarity from which two texts are near duplicates
	Workers    int
	Progress   func(done int)
}

// Near clusters near duplicates: for each text the index of the first text of
// its cluster. Clusters are connected components of pairs whose sets of word
// 5-grams (lower case, punctuation left out, digits as 0; Han by character)
// have at least the given Jaccard similarity. Texts shorter than 5 words have
// no 5-grams and are nobody's near duplicate.
func Near(ctx context.Context, texts []string, o Options) ([]int, error) {
	signatures := make([]*[hashes]uint64, len(texts))
	if err := parallel(ctx, len(texts), o.Workers, func(i int) {
		signatures[i] = signature(shingles(texts[i]))
	}, o.Progress); err != nil {
		return nil, err
	}
	pairs := candidates(signatures)
	// Sets are made again for candidates only: holding them all costs more
	// memory than the texts do.
	var members []int
	seen := make([]bool, len(texts))
	for _, p := range pairs {
		for _, i := range p {
			if !seen[i] {
				seen[i] = true
				members = append(members, i)
			}
		}
	}
	sets := make([][]uint64, len(texts))
	if err := parallel(ctx, len(members), o.Workers, func(k int) {
		sets[members[k]] = shingles(texts[members[k]])
	}, nil); err != nil {
		return nil, err
	}
	similar := make([]bool, len(pairs))
	if err := parallel(ctx, len(pairs), o.Workers, func(k int) {
		similar[k] = Jaccard(sets[pairs[k][0]], sets[pairs[k][1]]) >= o.Similarity
	}, nil); err != nil {
		return nil, err
	}
	u := newUnion(len(texts))
	for k, p := range pairs {
		if similar[k] {
			u.join(p[0], p[1])
		}
	}
	first := make([]int, len(texts))
	for i := range first {
		first[i] = u.find(i)
	}
	return first, nil
}

// shingles gives the sorted set of hashes of a text's word 5-grams.
func shingles(text string) []uint64 {
	words := normalised(text)
	if len(words) < shingle {
		return nil
	}
	set := make([]uint64, 0, len(words)-shingle+1)
	for i := 0; i+shingle <= len(words); i++ {
		h := uint64(0x9e3779b97f4a7c15)
		for _, w := range words[i : i+shingle] {
			h = (bits.RotateLeft64(h, 23) ^ w) * 0xff51afd7ed558ccd
			h ^= h >> 32
		}
		set = append(set, h)
	}
	slices.Sort(set)
	return slices.Compact(set)
}

// normalised gives the hashes of a text's words: lower case, digits as one 0,
// accents kept, punctuation left out.
func normalised(text string) []uint64 {
	var out []uint64
	for _, w := range rule.Words(text) {
		if w.Symbol {
			continue
		}
		h := uint64(14695981039346656037)
		digit := false
		for _, b := range []byte(text[w.Start:w.End]) {
			switch {
			case b >= '0' && b <= '9':
				if digit {
					continue
				}
				digit, b = true, '0'
			case b >= 'A' && b <= 'Z':
				digit, b = false, b+'a'-'A'
			default:
				digit = false
			}
			h = (h ^ uint64(b)) * 1099511628211
		}
		out = append(out, h)
	}
	return out
}

// coefficients a and b of the hash family (a·x + b) mod (2^61-1), fixed for
// good: signatures of different runs can be compared.
var coefficients = func() (c [hashes][2]uint64) {
	state := uint64(1)
	next := func() uint64 { // splitmix64
		state += 0x9e3779b97f4a7c15
		z := state
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	for i := range c {
		c[i] = [2]uint64{next()%(sameBits-1) + 1, next() % sameBits}
	}
	return c
}()

func signature(set []uint64) *[hashes]uint64 {
	if len(set) == 0 {
		return nil
	}
	var s [hashes]uint64
	for k := range s {
		s[k] = ^uint64(0)
	}
	for _, x := range set {
		x &= sameBits
		for k := range s {
			high, low := bits.Mul64(coefficients[k][0], x)
			// mod 2^61-1: the product is high·2^64 + low.
			v := low&sameBits + (low>>61 | high<<3) + coefficients[k][1]
			v = v&sameBits + v>>61
			if v < s[k] {
				s[k] = v
			}
		}
	}
	return &s
}

// candidates are pairs that agree in all rows of a band. Of a bucket of many,
// each is paired with the bucket's first few, which keeps the number of pairs
// linear; the cluster is the same unless those few are dissimilar to the rest.
func candidates(signatures []*[hashes]uint64) [][2]int {
	const few = 8
	found := map[[2]int]struct{}{}
	for band := range Bands {
		buckets := map[[Rows]uint64][]int{}
		for i, s := range signatures {
			if s != nil {
				key := [Rows]uint64(s[band*Rows : (band+1)*Rows])
				buckets[key] = append(buckets[key], i)
			}
		}
		for _, bucket := range buckets {
			for j := 1; j < len(bucket); j++ {
				for _, i := range bucket[:min(j, few)] {
					found[[2]int{i, bucket[j]}] = struct{}{}
				}
				found[[2]int{bucket[j-1], bucket[j]}] = struct{}{}
			}
		}
	}
	pairs := make([][2]int, 0, len(found))
	for p := range found {
		pairs = append(pairs, p)
	}
	sort.Slice(pairs, func(a, b int) bool {
		return pairs[a][0] < pairs[b][0] || pairs[a][0] == pairs[b][0] && pairs[a][1] < pairs[b][1]
	})
	return pairs
}

// Jaccard is the size of the intersection of two sorted sets over that of their union.
func Jaccard(a, b []uint64) float64 {
	i, j, both := 0, 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			both++
			i++
			j++
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	if all := len(a) + len(b) - both; all > 0 {
		return float64(both) / float64(all)
	}
	return 0
}

// parallel calls f(0) … f(n-1), in chunks taken by any worker.
func parallel(ctx context.Context, n, workers int, f func(int), progress func(int)) error {
	const chunk = 64
	var mutex sync.Mutex
	next := 0
	var wait sync.WaitGroup
	for range max(workers, 1) {
		wait.Go(func() {
			for ctx.Err() == nil {
				mutex.Lock()
				start := next
				next = min(next+chunk, n)
				end := next
				if progress != nil && start < n {
					progress(start)
				}
				mutex.Unlock()
				if start >= n {
					return
				}
				for i := start; i < end; i++ {
					f(i)
				}
			}
		})
	}
	wait.Wait()
	return ctx.Err()
}

// union is a disjoint-set forest whose roots are the smallest members.
type union struct{ parent []int }

func newUnion(n int) *union {
	u := &union{make([]int, n)}
	for i := range u.parent {
		u.parent[i] = i
	}
	return u
}

func (u *union) find(i int) int {
	for u.parent[i] != i {
		u.parent[i] = u.parent[u.parent[i]]
		i = u.parent[i]
	}
	return i
}

func (u *union) join(a, b int) {
	a, b = u.find(a), u.find(b)
	u.parent[max(a, b)] = min(a, b)
}
