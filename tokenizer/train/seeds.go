package train

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// seeds are the pieces that unigram training begins with: the characters, and of the
// texts that come at least twice and may be pieces those with the highest product of
// frequency and length. A text that is always followed by the same byte is left out,
// as the longer one stands for it: these are the inner nodes of a suffix tree of the
// sentences. Source: sentencepiece, unigram_model_trainer.cc, which builds a suffix
// array; here the places of a text are followed from one length to the next, by its
// first character in parallel, so that little is kept at a time.
func (c *corpus) seeds(o *SentencePieceOptions) []scored {
	text, starts := c.layOut()
	first := map[rune][]place{}
	for _, p := range starts {
		r, n := utf8.DecodeRune(text[p.start:])
		first[r] = append(first[r], place{p.start, p.start + int32(n), p.times, 0})
	}
	chars := make([]rune, 0, len(first))
	for r := range first {
		chars = append(chars, r)
	}
	slices.SortFunc(chars, func(a, b rune) int { return cmp.Compare(len(first[b]), len(first[a])) })
	shapes := newShapes(o)
	var lock sync.Mutex
	var found []candidatePiece
	next := 0
	var wait sync.WaitGroup
	for range o.Workers {
		wait.Go(func() {
			f := follower{text: text, shapes: &shapes}
			for {
				lock.Lock()
				if next == len(chars) {
					found = append(found, f.found...)
					lock.Unlock()
					return
				}
				places := first[chars[next]]
				first[chars[next]] = nil
				next++
				lock.Unlock()
				f.follow(places)
			}
		})
	}
	wait.Wait()
	slices.SortFunc(found, func(a, b candidatePiece) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.stop-b.start, a.stop-a.start),
			bytes.Compare(text[a.start:a.stop], text[b.start:b.stop]))
	})
	var out []scored
	for _, x := range c.kept {
		if x.count > 0 {
			out = append(out, scored{text: string(x.char), score: float32(x.count)})
		}
	}
	var all strings.Builder // one string for all pieces
	found = found[:min(len(found), o.SeedSize)]
	for _, p := range found {
		all.Write(text[p.start:p.stop])
	}
	rest := all.String()
	for _, p := range found {
		n := p.stop - p.start
		out = append(out, scored{text: rest[:n], score: p.score})
		rest = rest[n:]
	}
	sum := 0.0
	for _, p := range out {
		sum += float64(p.score)
	}
	for i := range out {
		out[i].score = float32(math.Log(float64(out[i].score)) - math.Log(sum))
	}
	return out
}

// place is where a text of some length stands.
type place struct {
	start, stop int32
	times       int64
	node        int32
}

type candidatePiece struct {
	start, stop int32
	score       float32
}

// layOut puts the words with their contexts one after the other, and gives the place
// of each character.
func (c *corpus) layOut() (text []byte, starts []place) {
	b := c.contexts
	for i, x := range b.items {
		key := b.text(i)
		at := int32(len(text))
		text = append(text, key...)
		for j := 0; key[j] != contextMark; {
			starts = append(starts, place{start: at + int32(j), times: x.times})
			_, n := utf8.DecodeRune(key[j:])
			j += n
		}
	}
	text = append(text, contextMark)
	c.contexts = nil
	return text, starts
}

// follower finds pieces among the texts that begin with one character.
type follower struct {
	text   []byte
	shapes *shapes
	found  []candidatePiece
	runes  []rune
	nodes  []node
	slots  []uint64 // an open hash table of children: node and character
	index  []int32
}

// node is a text that some places begin with.
type node struct {
	times    int64 // how often it comes
	ended    int64 // of these at the end of a sentence
	places   int32
	start    int32 // of one of them
	stop     int32
	next     int16 // the byte that comes after it, several if not always the same
	nextLine int16 // the same of what comes after the end of a sentence
}

const (
	several = -1
	nothing = -2
)

func meet(seen *int16, b int16) {
	switch *seen {
	case nothing:
		*seen = b
	case b:
	default:
		*seen = several
	}
}

func (f *follower) follow(places []place) {
	f.nodes = append(f.nodes[:0], node{next: nothing, nextLine: nothing, start: places[0].start, stop: places[0].stop})
	for _, p := range places {
		f.nodes[0].times += p.times
		f.nodes[0].places++
	}
	level := f.nodes
	for length := 1; len(places) > 0 && length <= f.shapes.longest; length++ {
		f.clear(len(places))
		var children []node
		kept := places[:0]
		for _, p := range places {
			n := &level[p.node]
			c := f.text[p.stop]
			if c == contextMark {
				after := f.text[p.stop+1]
				meet(&n.next, int16(after))
				if after == 0 {
					n.ended += p.times
					meet(&n.nextLine, int16(f.text[p.stop+2])) // contextMark of the next word at the very end
				}
				continue
			}
			meet(&n.next, int16(c))
			r, size := utf8.DecodeRune(f.text[p.stop:])
			p.stop += int32(size)
			p.node = f.child(p.node, r, &children)
			m := &children[p.node]
			m.times += p.times
			m.places++
			m.start, m.stop = p.start, p.stop
			kept = append(kept, p)
		}
		if length > 1 {
			for i := range level {
				f.emit(&level[i])
			}
		}
		// A text at one place only is always followed by the same.
		places = kept[:0]
		for _, p := range kept {
			if children[p.node].places > 1 {
				places = append(places, p)
			}
		}
		level = children
	}
}

func (f *follower) emit(n *node) {
	times := int64(0)
	if n.next == several {
		times = n.times
	}
	if n.nextLine == several {
		times += n.ended
	}
	if times < 2 {
		return
	}
	f.runes = f.runes[:0]
	for _, r := range string(f.text[n.start:n.stop]) {
		f.runes = append(f.runes, r)
	}
	if f.shapes.valid(f.runes) {
		f.found = append(f.found, candidatePiece{n.start, n.stop, float32(times) * float32(len(f.runes))})
	}
}

func (f *follower) clear(places int) {
	size := 1 << 8
	for size < 2*places {
		size *= 2
	}
	if len(f.slots) < size {
		f.slots, f.index = make([]uint64, size), make([]int32, size)
		return
	}
	f.slots, f.index = f.slots[:size:size], f.index[:size:size]
	clear(f.slots)
}

// child is the number of the node that a character leads to.
func (f *follower) child(parent int32, r rune, children *[]node) int32 {
	key := uint64(parent)<<21 | uint64(r) + 1
	mask := uint64(len(f.slots) - 1)
	i := key * 0x9e3779b97f4a7c15 >> 17 & mask
	for ; f.slots[i] != 0; i = (i + 1) & mask {
		if f.slots[i] == key {
			return f.index[i]
		}
	}
	f.slots[i] = key
	f.index[i] = int32(len(*children))
	*children = append(*children, node{next: nothing, nextLine: nothing})
	return f.index[i]
}
