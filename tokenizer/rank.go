package tokenizer

import "math/bits"

// ranks maps a pair of ids to the rank of its merge and the merged id: a flat hash
// table with linear probing, because it is looked up for every pair of every piece.
type ranks struct {
	slots []rankSlot
	mask  uint64
}

type rankSlot struct {
	pair  uint64 // left<<32 | right, plus 1, so that 0 is free
	rank  int32
	whole int32
}

func newRanks(n int) *ranks {
	size := uint64(1) << bits.Len(uint(2*n+1))
	return &ranks{slots: make([]rankSlot, size), mask: size - 1}
}

func pairKey(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) + 1 }

func (r *ranks) put(left, right, rank, whole int32) {
	key := pairKey(left, right)
	i := hashPair(key) & r.mask
	for r.slots[i].pair != 0 && r.slots[i].pair != key {
		i = (i + 1) & r.mask
	}
	r.slots[i] = rankSlot{key, rank, whole}
}

// get gives the rank (noRank if the pair does not merge) and the merged id.
func (r *ranks) get(left, right int32) (rank, whole int32) {
	key := pairKey(left, right)
	for i := hashPair(key) & r.mask; ; i = (i + 1) & r.mask {
		s := &r.slots[i]
		if s.pair == key {
			return s.rank, s.whole
		}
		if s.pair == 0 {
			return noRank, 0
		}
	}
}

func hashPair(key uint64) uint64 {
	hi, lo := bits.Mul64(key, 0x9e3779b97f4a7c15)
	return hi ^ lo
}
