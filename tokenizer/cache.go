package tokenizer

import (
	"math/bits"
	"strings"
)

// wordCache remembers the ids of short pieces: text repeats its words. An entry is
// one cache line; the table belongs to one goroutine at a time (see work), so it
// needs neither locks nor pointers, and a lost entry costs one more merge and never
// changes a result.
type wordCache []cacheEntry

type cacheEntry struct {
	key [3]uint64 // the piece, at most 24 bytes
	ids [8]int32
	n   uint8 // of ids
	len uint8 // of the piece, 0 for a free entry
}

const (
	cacheSlots = 1 << 15
	cacheBytes = 24
)

// cacheKey packs a piece of 1 to 24 bytes into three words; together with the length
// they are the piece.
func cacheKey(s string) (key [3]uint64, hash uint64) {
	switch n := len(s); {
	case n >= 8:
		key[0] = word64(s, 0)
		if n > 16 {
			key[1], key[2] = word64(s, 8), word64(s, n-8)
		} else {
			key[1] = word64(s, n-8)
		}
	case n >= 4:
		key[0] = uint64(word32(s, 0)) | uint64(word32(s, n-4))<<32
	default:
		key[0] = uint64(s[0]) | uint64(s[n/2])<<8 | uint64(s[n-1])<<16
	}
	hi, lo := bits.Mul64(key[0]^0x9e3779b97f4a7c15, key[1]^0xd1b54a32d192ed03^uint64(len(s))<<56)
	hi2, lo2 := bits.Mul64(hi^lo^key[2], 0x9e3779b97f4a7c15)
	return key, hi2 ^ lo2
}

func word64(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func word32(s string, i int) uint32 {
	s = s[i : i+4]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// Longer pieces that repeat are mostly rules and indentation, but they are dear to
// merge.
const (
	longBytes = 512
	longSlots = 4096
)

// findLong is find for a piece that no slot has room for.
func (w *work) findLong(dst []int32, piece string) ([]int32, bool) {
	ids, ok := w.long[piece]
	return append(dst, ids...), ok
}

// keepLong remembers the ids of such a piece.
func (w *work) keepLong(piece string, ids []int32) {
	if len(piece) > longBytes {
		return
	}
	if w.long == nil || len(w.long) >= longSlots {
		w.long = make(map[string][]int32)
	}
	w.long[strings.Clone(piece)] = append([]int32(nil), ids...)
}

// pairMemo remembers what two tokens become side by side, where their text tells it:
// looking a text up costs several times as much.
type pairMemo []pairEntry

type pairEntry struct {
	pair        uint64 // pairKey, 0 for a free entry
	rank, whole int32
}

const pairSlots = 1 << 13

// find gives what is remembered, or the entry to keep it in.
func (p pairMemo) find(left, right int32) (e *pairEntry, key uint64, ok bool) {
	key = pairKey(left, right)
	e = &p[hashPair(key)%pairSlots]
	return e, key, e.pair == key
}

// find appends the ids of a piece of 1 to cacheBytes bytes if they are remembered;
// if not, the slot is where to keep them.
func (w *work) find(dst []int32, piece string) (ids []int32, slot cacheSlot, ok bool) {
	key, hash := cacheKey(piece)
	e := &w.cache[hash%cacheSlots]
	if int(e.len) == len(piece) && e.key == key {
		if e.n == 1 {
			return append(dst, e.ids[0]), slot, true
		}
		return append(dst, e.ids[:e.n]...), slot, true
	}
	return dst, cacheSlot{e, key, uint8(len(piece))}, false
}

// cacheSlot is an entry that a piece may take.
type cacheSlot struct {
	e   *cacheEntry
	key [3]uint64
	len uint8
}

// keep remembers the ids of the piece.
func (c cacheSlot) keep(ids []int32) {
	if len(ids) <= len(c.e.ids) {
		c.e.key, c.e.len, c.e.n = c.key, c.len, uint8(len(ids))
		copy(c.e.ids[:], ids)
	}
}

// byParts encodes a piece by its parts, if it is not remembered.
func (w *work) byParts(dst []int32, piece string, m engine) []int32 {
	var slot cacheSlot
	if piece != "" && len(piece) <= cacheBytes {
		ids, s, ok := w.find(dst, piece)
		if ok {
			return ids
		}
		slot = s
	}
	from := len(dst)
	w.parts = m.parts(w.parts[:0], piece, w)
	for _, p := range w.parts {
		dst = append(dst, p.id)
	}
	if slot.e != nil {
		slot.keep(dst[from:])
	}
	return dst
}
