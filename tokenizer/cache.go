package tokenizer

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// cache remembers the ids of pieces: text repeats its words. It has a fixed number
// of slots, each an atomic pointer, so it needs no lock and no eviction; a lost race
// costs one more merge and never changes a result.
type cache struct {
	once  sync.Once
	slots []atomic.Pointer[cached]
}

type cached struct {
	piece string
	ids   []int32
}

const (
	cacheSlots = 1 << 15
	cacheBytes = 96 // longer pieces do not repeat
)

var cacheSeed = maphash.MakeSeed()

func (c *cache) slot(piece string) *atomic.Pointer[cached] {
	c.once.Do(func() { c.slots = make([]atomic.Pointer[cached], cacheSlots) })
	return &c.slots[maphash.String(cacheSeed, piece)%cacheSlots]
}
