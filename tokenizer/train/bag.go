package train

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"math"
	"slices"
)

// bag counts texts. It holds no pointers to them, so that millions of texts cost the
// garbage collector nothing.
type bag struct {
	slots []uint64 // an open hash table; upper half: hash, lower half: index of the item + 1, 0 is free
	items []item
	bytes []byte // the texts, one after the other
}

// item is a text and how often it was put in.
type item struct {
	times int64
	from  int // in bytes
	size  int32
}

var bagSeed = maphash.MakeSeed()

func newBag() *bag { return &bag{slots: make([]uint64, 1<<10)} }

// text is the text of an item, valid until the next one is added.
func (b *bag) text(i int) []byte {
	x := &b.items[i]
	return b.bytes[x.from : x.from+int(x.size)]
}

// add puts a text in, so many times.
func (b *bag) add(text string, times int64) {
	h := maphash.String(bagSeed, text)
	mask := uint64(len(b.slots) - 1)
	i := h & mask
	for ; b.slots[i] != 0; i = (i + 1) & mask {
		if slot := b.slots[i]; slot>>32 == h>>32 {
			if k := int(uint32(slot) - 1); string(b.text(k)) == text {
				b.items[k].times += times
				return
			}
		}
	}
	b.append(text, times)
	b.slots[i] = h&^math.MaxUint32 | uint64(len(b.items))
	if 4*len(b.items) > 3*len(b.slots) {
		b.grow()
	}
}

// append adds a text without looking whether it is there.
func (b *bag) append(text string, times int64) {
	b.items = append(b.items, item{times, len(b.bytes), int32(len(text))})
	b.bytes = append(b.bytes, text...)
}

func (b *bag) grow() {
	old := b.slots
	b.slots = make([]uint64, 2*len(old))
	mask := uint64(len(b.slots) - 1)
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		i := maphash.Bytes(bagSeed, b.text(int(uint32(slot)-1))) & mask
		for b.slots[i] != 0 {
			i = (i + 1) & mask
		}
		b.slots[i] = slot
	}
}

// union puts the items of all bags into the largest of them, which it returns.
func union(bags []*bag) *bag {
	all := bags[0]
	for _, b := range bags {
		if len(b.items) > len(all.items) {
			all = b
		}
	}
	for i, b := range bags {
		if b == all {
			continue
		}
		for k, x := range b.items {
			all.add(string(b.text(k)), x.times) // does not escape: no copy
		}
		bags[i] = nil
	}
	return all
}

// sort puts the items in an order of their own: most frequent first, of equals by
// their bytes. No more can be added.
func (b *bag) sort() {
	b.slots = nil
	slices.SortFunc(b.items, func(x, y item) int {
		if x.times != y.times {
			return cmp.Compare(y.times, x.times)
		}
		return bytes.Compare(b.bytes[x.from:x.from+int(x.size)], b.bytes[y.from:y.from+int(y.size)])
	})
}
