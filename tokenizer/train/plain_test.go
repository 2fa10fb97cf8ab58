package train

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// plain is the slow version of ranked and merger: it looks at every word for every
// merge. words are texts of one-byte symbols.
//
// As in the reference, each time that a pair gains places it becomes a candidate once
// more, for the words in which it gained them; a candidate whose count has changed
// goes back into the queue.
func plain(words map[string]int64, size int, least int64, limit int) [][2]string {
	type candidate struct {
		pair  [2]int
		count int64
		words []int
	}
	var surface []string
	ids := map[string]int{}
	add := func(s string) int {
		if _, ok := ids[s]; !ok {
			ids[s] = len(surface)
			surface = append(surface, s)
		}
		return ids[s]
	}
	list := slices.Sorted(func(yield func(string) bool) {
		for w := range words {
			if !yield(w) {
				return
			}
		}
	})
	for b := range 256 {
		for _, w := range list {
			if strings.IndexByte(w, byte(b)) >= 0 {
				add(string([]byte{byte(b)}))
			}
		}
	}
	symbols := make([][]int, len(list))
	counts := map[[2]int]int64{}
	where := map[[2]int][]int{}
	note := func(p [2]int, w int) {
		counts[p] += words[list[w]]
		if n := len(where[p]); n == 0 || where[p][n-1] != w {
			where[p] = append(where[p], w)
		}
	}
	for w, text := range list {
		for i := range len(text) {
			symbols[w] = append(symbols[w], ids[text[i:i+1]])
		}
		for i := 1; i < len(symbols[w]); i++ {
			note([2]int{symbols[w][i-1], symbols[w][i]}, w)
		}
	}
	var queue []candidate
	push := func() {
		for p, ws := range where {
			if counts[p] > 0 {
				queue = append(queue, candidate{p, counts[p], ws})
			}
		}
		clear(where)
	}
	push()
	var merges [][2]string
	for len(surface) < size && len(queue) > 0 {
		slices.SortFunc(queue, func(a, b candidate) int {
			if a.count != b.count {
				return int(b.count - a.count)
			}
			return slices.Compare(a.pair[:], b.pair[:])
		})
		top := queue[0]
		queue = queue[1:]
		if now := counts[top.pair]; now != top.count {
			top.count = now
			queue = append(queue, top)
			continue
		}
		if top.count < max(least, 1) {
			break
		}
		left, right := top.pair[0], top.pair[1]
		whole := add(surface[left] + surface[right])
		merges = append(merges, [2]string{surface[left], surface[right]})
		for _, w := range top.words {
			s := symbols[w]
			for i := 0; i+1 < len(s); i++ {
				if s[i] != left || s[i+1] != right {
					continue
				}
				if i > 0 {
					counts[[2]int{s[i-1], left}] -= words[list[w]]
					if len(surface[s[i-1]])+len(surface[whole]) < limit {
						note([2]int{s[i-1], whole}, w)
					}
				}
				if i+2 < len(s) {
					counts[[2]int{right, s[i+2]}] -= words[list[w]]
					if len(surface[s[i+2]])+len(surface[whole]) < limit {
						note([2]int{whole, s[i+2]}, w)
					}
				}
				s = slices.Delete(s, i+1, i+2)
				s[i] = whole
			}
			symbols[w] = s
		}
		push()
	}
	// Of equal merges the last counts.
	var out [][2]string
	for i, m := range merges {
		if !slices.Contains(merges[i+1:], m) {
			out = append(out, m)
		}
	}
	return out
}

// TestFastMergesEqualPlainOnes goes through many small sets of words, with runs of one
// character among them, from which tokens arise in two ways.
func TestFastMergesEqualPlainOnes(t *testing.T) {
	defer func(large, parallel int) { largeText, parallelFrom = large, parallel }(largeText, parallelFrom)
	parallelFrom = 2
	for seed := range uint64(400) {
		largeText = 1 << 20 * int(seed%2) // 0: pairs that come once are dropped
		r := rand.New(rand.NewPCG(seed, 7))
		letters := "ab-"[:1+r.IntN(3)]
		words := map[string]int64{}
		for range 1 + r.IntN(30) {
			var w strings.Builder
			for range 1 + r.IntN(14) {
				w.WriteString(strings.Repeat(letters[r.IntN(len(letters)):][:1], 1+r.IntN(3)))
			}
			words[w.String()] += int64(1 + r.IntN(4))
		}
		size, least, limit := 3+r.IntN(40), int64(r.IntN(4)), 1000
		if r.IntN(4) == 0 {
			limit = 2 + r.IntN(8)
		}
		want := plain(words, size, least, limit)
		for _, workers := range []int{1, 3} {
			b := newBag()
			for w, n := range words {
				b.add(w, n)
			}
			ranked, err := newRanked(Options{VocabSize: size, MinFrequency: least, MaxTokenBytes: limit})
			if err != nil {
				t.Fatal(err)
			}
			byID := ranked.alphabet(b, Options{SeenBytesOnly: true})
			err = ranked.learn(context.Background(), b, Options{Workers: workers}, func(ids []int32, word []byte) []int32 {
				for _, c := range word {
					ids = append(ids, byID[c])
				}
				return ids
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := ranked.list(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("seed %d, %d workers, size %d, least %d, limit %d, words %v\n got %v\nwant %v", seed, workers, size, least, limit, words, got, want)
			}
		}
	}
}
