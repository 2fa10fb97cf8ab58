package train

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// cells holds the different words of the texts as ids, one after the other in one
// array, so that a place is one number.
//
// A word is followed by a cell that holds end. A token that covers n ≥ 2 cells has
// its id in the first, and −n in the second and in the last, by which its neighbours
// are found from either side; what is between does not matter, but is negative.
//
// Words stand in the order of how often they come, most frequent first, so that a
// place tells how often its word comes.
type cells struct {
	ids   []int32
	from  []int32 // by class: the first place
	times []int64 // by class: how often its words come
}

const end = math.MinInt32

// newCells lays out the words of a bag. symbols appends the ids of a word to a list.
func newCells(words *bag, symbols func(ids []int32, word []byte) []int32) (*cells, error) {
	size := map[int64]int{} // how many cells words of a frequency take
	var ids []int32
	total := 0
	for i, x := range words.items {
		ids = symbols(ids[:0], words.text(i))
		size[x.times] += len(ids) + 1
		total += len(ids) + 1
	}
	if total > math.MaxInt32 {
		return nil, fmt.Errorf("the different words of the texts hold %d symbols, more than %d; train on a sample", total, math.MaxInt32)
	}
	c := &cells{ids: make([]int32, total)}
	for times := range size {
		c.times = append(c.times, times)
	}
	slices.SortFunc(c.times, func(a, b int64) int { return int(b - a) })
	next := make(map[int64]int, len(size))
	at := 0
	for _, times := range c.times {
		c.from = append(c.from, int32(at))
		next[times] = at
		at += size[times]
	}
	for i, x := range words.items {
		at := next[x.times]
		ids = symbols(ids[:0], words.text(i))
		copy(c.ids[at:], ids)
		c.ids[at+len(ids)] = end
		next[x.times] = at + len(ids) + 1
	}
	return c, nil
}

// weight is how often the word at a place comes.
func (c *cells) weight(place int32) int64 {
	for k := len(c.from) - 1; k > len(c.from)-6 && k >= 0; k-- {
		if place >= c.from[k] {
			return c.times[k]
		}
	}
	k, found := slices.BinarySearch(c.from, place)
	if !found {
		k--
	}
	return c.times[k]
}

// after is the place behind the symbol at a place.
func (c *cells) after(place int32) int32 {
	if n := c.ids[place+1]; n < 0 && n != end {
		return place - n
	}
	return place + 1
}

// previous is the place of the symbol before a place, −1 at the beginning of a word.
func (c *cells) previous(place int32) int32 {
	if place == 0 {
		return -1
	}
	switch n := c.ids[place-1]; {
	case n == end:
		return -1
	case n < 0:
		return place + n
	}
	return place - 1
}

// join makes one symbol of those at place and next, which end before behind.
func (c *cells) join(place, next, behind, id int32) {
	c.ids[place] = id
	c.ids[next] = -1
	c.ids[place+1] = place - behind
	c.ids[behind-1] = place - behind
}

// word is the first place of the word that a place is in.
func (c *cells) word(place int32) int32 {
	for place > 0 && c.ids[place-1] != end {
		place--
	}
	return place
}

// split cuts a rising list of places into at most n parts, between words.
func (c *cells) split(places []int32, n int) [][]int32 {
	var parts [][]int32
	for ; n > 1 && len(places) > 0; n-- {
		k := len(places) / n
		// The part ends with the word of its last place.
		stop := places[max(k-1, 0)]
		for c.ids[stop] != end {
			stop++
		}
		k = sort.Search(len(places), func(i int) bool { return places[i] > stop })
		parts = append(parts, places[:k])
		places = places[k:]
	}
	if len(places) > 0 {
		parts = append(parts, places)
	}
	return parts
}
