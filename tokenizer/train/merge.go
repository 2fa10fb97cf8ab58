package train

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"lian/tokenizer"
)

// trainer holds the different pieces ("words") of the texts as ids and how often
// each pair of neighbours comes, kept up to date with every merge.
type trainer struct {
	surface []string         // by id
	length  []int32          // by id, bytes
	ids     map[string]int32 // by surface form
	merges  [][2]string

	symbols []int32 // all words, one after the other
	start   []int32 // by word: where its symbols begin
	size    []int32 // by word: how many symbols are left
	times   []int64 // by word: how often it comes

	pairs map[uint64]int64 // pair → count
	queue queue
	limit int32 // longest token, bytes
}

// candidate is a pair to merge and the words that may hold it.
type candidate struct {
	pair  uint64
	count int64
	words []int32
}

func key(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

// queue is a heap: highest count first, then smallest pair.
type queue []*candidate

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].count > q[j].count || q[i].count == q[j].count && q[i].pair < q[j].pair
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*candidate)) }
func (q *queue) Pop() any {
	old := *q
	top := old[len(old)-1]
	*q = old[:len(old)-1]
	return top
}

func newTrainer(words map[string]int64, o Options) (*trainer, error) {
	t := &trainer{ids: map[string]int32{}, limit: math.MaxInt32}
	if o.MaxTokenBytes > 0 {
		t.limit = int32(min(o.MaxTokenBytes, math.MaxInt32))
	}
	for i, text := range o.Special {
		if _, twice := t.ids[text]; twice || text == "" || !utf8.ValidString(text) {
			return nil, fmt.Errorf("special token %d: %q is empty, not UTF-8 or given twice", i, text)
		}
		t.add(text, 0)
	}
	// Sorted, so that memory layout (never the result) is the same each time.
	list := make([]string, 0, len(words))
	total := 0
	for w := range words {
		list = append(list, w)
		total += len(w)
	}
	if total > math.MaxInt32 {
		return nil, fmt.Errorf("the texts hold %d bytes of different pieces, more than %d; train on a sample", total, math.MaxInt32)
	}
	slices.Sort(list)
	seen := [256]bool{}
	for _, w := range list {
		for i := range len(w) {
			seen[w[i]] = true
		}
	}
	byID := [256]int32{}
	for _, symbol := range tokenizer.Alphabet() {
		b, _ := tokenizer.FromByteLevel(symbol)
		if o.SeenBytesOnly && !seen[b[0]] {
			continue
		}
		id, taken := t.ids[symbol]
		if !taken {
			id = t.add(symbol, 1)
		}
		byID[b[0]] = id
	}
	if o.VocabSize < len(t.surface) {
		return nil, fmt.Errorf("a vocabulary of %d is too small: %d special tokens and the bytes are %d", o.VocabSize, len(o.Special), len(t.surface))
	}
	t.symbols = make([]int32, 0, total)
	for _, w := range list {
		t.start = append(t.start, int32(len(t.symbols)))
		t.size = append(t.size, int32(len(w)))
		t.times = append(t.times, words[w])
		for i := range len(w) {
			t.symbols = append(t.symbols, byID[w[i]])
		}
	}
	t.countPairs()
	return t, nil
}

func (t *trainer) add(surface string, length int32) int32 {
	id := int32(len(t.surface))
	t.ids[surface] = id
	t.surface = append(t.surface, surface)
	t.length = append(t.length, length)
	return id
}

func (t *trainer) word(w int32) []int32 { return t.symbols[t.start[w] : t.start[w]+t.size[w]] }

func (t *trainer) countPairs() {
	t.pairs = map[uint64]int64{}
	places := map[uint64]*candidate{}
	for w := range int32(len(t.start)) {
		s := t.word(w)
		for i := 0; i+1 < len(s); i++ {
			note(places, key(s[i], s[i+1]), w, t.times[w])
		}
	}
	for pair, c := range places {
		t.pairs[pair] = c.count
		t.queue = append(t.queue, c)
	}
	heap.Init(&t.queue)
}

// note counts a pair in a word; a word's pairs are noted one after the other.
func note(places map[uint64]*candidate, pair uint64, w int32, times int64) {
	c := places[pair]
	if c == nil {
		c = &candidate{pair: pair}
		places[pair] = c
	}
	c.count += times
	if n := len(c.words); n == 0 || c.words[n-1] != w {
		c.words = append(c.words, w)
	}
}

// merge makes merges until the vocabulary has the size asked for or no pair is left.
func (t *trainer) merge(ctx context.Context, o Options) error {
	fresh := map[uint64]*candidate{} // pairs that this merge brought about
	for len(t.surface) < o.VocabSize && len(t.queue) > 0 {
		if len(t.merges)%64 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if o.Progress != nil {
				o.Progress(len(t.surface), o.VocabSize)
			}
		}
		top := t.queue[0]
		if now := t.pairs[top.pair]; now != top.count {
			// Merges since have used some of its places.
			if top.count = now; now > 0 {
				heap.Fix(&t.queue, 0)
			} else {
				heap.Pop(&t.queue)
			}
			continue
		}
		if top.count < max(o.MinFrequency, 1) {
			break
		}
		heap.Pop(&t.queue)
		left, right := int32(top.pair>>32), int32(uint32(top.pair))
		text := t.surface[left] + t.surface[right]
		whole, known := t.ids[text] // two ways to the same token
		if !known {
			whole = t.add(text, t.length[left]+t.length[right])
		}
		t.merges = append(t.merges, [2]string{t.surface[left], t.surface[right]})
		for _, w := range top.words {
			t.apply(w, left, right, whole, fresh)
		}
		for pair, c := range fresh {
			if c.count = t.pairs[pair]; c.count > 0 {
				heap.Push(&t.queue, c)
			}
			delete(fresh, pair)
		}
	}
	if o.Progress != nil {
		o.Progress(len(t.surface), o.VocabSize)
	}
	t.lastOnly()
	return nil
}

// lastOnly keeps the last of equal merges. A pair is merged a second time when the
// same token arose in two ways in different words; the reference numbers it anew.
func (t *trainer) lastOnly() {
	seen := make(map[[2]string]bool, len(t.merges))
	slices.Reverse(t.merges)
	t.merges = slices.DeleteFunc(t.merges, func(m [2]string) bool {
		twice := seen[m]
		seen[m] = true
		return twice
	})
	slices.Reverse(t.merges)
}

// apply merges a pair in one word and keeps the counts of its neighbours.
func (t *trainer) apply(w, left, right, whole int32, fresh map[uint64]*candidate) {
	s := t.word(w)
	times := t.times[w]
	out := 0
	for i := 0; i < len(s); i++ {
		if i+1 == len(s) || s[i] != left || s[i+1] != right {
			s[out] = s[i]
			out++
			continue
		}
		if out > 0 {
			before := s[out-1]
			t.pairs[key(before, left)] -= times
			t.gain(key(before, whole), t.length[before]+t.length[whole], w, times, fresh)
		}
		if i+2 < len(s) {
			after := s[i+2]
			t.pairs[key(right, after)] -= times
			t.gain(key(whole, after), t.length[whole]+t.length[after], w, times, fresh)
		}
		s[out] = whole
		out++
		i++
	}
	t.size[w] = int32(out)
}

func (t *trainer) gain(pair uint64, length int32, w int32, times int64, fresh map[uint64]*candidate) {
	if length >= t.limit {
		return
	}
	t.pairs[pair] += times
	note(fresh, pair, w, times)
}
