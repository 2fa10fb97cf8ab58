package engine

import "fmt"

// blocks hands out the cache's blocks.
type blocks struct {
	free  []int32
	owned map[int32]bool
}

func newBlocks(n int) *blocks {
	b := &blocks{owned: map[int32]bool{}}
	for i := n - 1; i >= 0; i-- {
		b.free = append(b.free, int32(i))
	}
	return b
}

// need is the number of blocks that so many tokens take.
func need(tokens int) int { return (tokens + blockSize - 1) / blockSize }

// grow extends a sequence's blocks to hold so many tokens; false, and nothing taken, if there are too few free.
func (b *blocks) grow(have []int32, tokens int) ([]int32, bool) {
	missing := need(tokens) - len(have)
	if missing > len(b.free) {
		return have, false
	}
	for range missing {
		block := b.free[len(b.free)-1]
		b.free = b.free[:len(b.free)-1]
		b.owned[block] = true
		have = append(have, block)
	}
	return have, true
}

// release takes blocks back.
func (b *blocks) release(have []int32) {
	for _, block := range have {
		if !b.owned[block] {
			panic(fmt.Sprintf("engine: cache block %d is freed twice", block))
		}
		delete(b.owned, block)
		b.free = append(b.free, block)
	}
}
