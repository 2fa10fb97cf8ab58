package tokenizer

import "math/bits"

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
	cacheSlots = 1 << 14
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

// cached appends the ids of a piece, which encode makes unless they are remembered.
func (w *work) cached(dst []int32, piece string, encode func(dst []int32, piece string, w *work) []int32) []int32 {
	if len(piece) > cacheBytes || piece == "" {
		return encode(dst, piece, w)
	}
	key, hash := cacheKey(piece)
	e := &w.cache[hash%cacheSlots]
	if int(e.len) == len(piece) && e.key == key {
		if e.n == 1 {
			return append(dst, e.ids[0])
		}
		return append(dst, e.ids[:e.n]...)
	}
	from := len(dst)
	dst = encode(dst, piece, w)
	if n := len(dst) - from; n <= len(e.ids) {
		e.key, e.len, e.n = key, uint8(len(piece)), uint8(n)
		copy(e.ids[:], dst[from:])
	}
	return dst
}
