package tokenizer

import (
	"hash/maphash"
	"math/bits"
)

// index finds a token by its text: an open hash table of ids. It is a third of the
// size of a map and built in a quarter of the time, which is what opening a large
// vocabulary mostly is.
type index struct {
	slots []uint64 // upper half: hash; lower half: id + 1, 0 for a free slot
	mask  uint64
	text  func(id int32) string
}

var hashSeed = maphash.MakeSeed()

func hashText(s string) uint64 { return maphash.String(hashSeed, s) }

// newIndex makes a table for up to n texts; text gives that of an id.
func newIndex(n int, text func(id int32) string) index {
	size := uint64(1) << bits.Len(uint(2*n+1))
	return index{slots: make([]uint64, size), mask: size - 1, text: text}
}

// put adds an id. If its text is there already, the table keeps what it has, unless
// replace is set, and put gives that id.
func (x *index) put(id int32, replace bool) (other int32, taken bool) {
	s := x.text(id)
	h := hashText(s)
	for i := h & x.mask; ; i = (i + 1) & x.mask {
		slot := x.slots[i]
		if slot == 0 {
			x.slots[i] = h&^0xffffffff | uint64(uint32(id)+1)
			return 0, false
		}
		if slot>>32 == h>>32 {
			if other = int32(uint32(slot) - 1); x.text(other) == s {
				if replace {
					x.slots[i] = h&^0xffffffff | uint64(uint32(id)+1)
				}
				return other, true
			}
		}
	}
}

// get finds the id of a text.
func (x *index) get(s string) (id int32, ok bool) {
	h := hashText(s)
	for i := h & x.mask; ; i = (i + 1) & x.mask {
		slot := x.slots[i]
		if slot == 0 {
			return 0, false
		}
		if slot>>32 == h>>32 {
			if id = int32(uint32(slot) - 1); x.text(id) == s {
				return id, true
			}
		}
	}
}

// getBytes is get without a string.
func (x *index) getBytes(s []byte) (id int32, ok bool) {
	h := maphash.Bytes(hashSeed, s)
	for i := h & x.mask; ; i = (i + 1) & x.mask {
		slot := x.slots[i]
		if slot == 0 {
			return 0, false
		}
		if slot>>32 == h>>32 {
			if id = int32(uint32(slot) - 1); x.text(id) == string(s) {
				return id, true
			}
		}
	}
}
