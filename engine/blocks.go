package engine

import "fmt"

// blocks are the cache's blocks: who holds which, in each cache group. It knows numbers only, neither keys nor models.
type blocks struct {
	windows []int // of each group, 0: everything is kept
	step    int   // most rows of a step
	pools   []pool
	tree    *tree
}

// pool counts the holders of the blocks of one group.
type pool struct {
	free    []int32
	holders []int32
	inTree  []bool // the tree is one of the holders
	spare   int    // blocks that only the tree holds: free memory, as soon as it is asked for
}

func newBlocks(step int, windows []int, counts ...int) *blocks {
	b := &blocks{windows: windows, step: step, pools: make([]pool, len(counts))}
	for g, n := range counts {
		p := &b.pools[g]
		p.holders, p.inTree = make([]int32, n), make([]bool, n)
		for i := n - 1; i >= 0; i-- { // low numbers first: memory is touched from the beginning
			p.free = append(p.free, int32(i))
		}
	}
	b.tree = newTree(b)
	return b
}

// available is how many blocks can be had.
func (p *pool) available() int { return len(p.free) + p.spare }

// hold counts one more holder.
func (p *pool) hold(block int32) {
	if p.holders[block] == 0 {
		panic(fmt.Sprintf("engine: cache block %d is held, but it is free", block))
	}
	if p.holders[block] == 1 && p.inTree[block] {
		p.spare--
	}
	p.holders[block]++
}

// release counts one holder less.
func (p *pool) release(block int32) {
	switch p.holders[block]--; {
	case p.holders[block] < 0:
		panic(fmt.Sprintf("engine: cache block %d is freed twice", block))
	case p.holders[block] == 0:
		p.free = append(p.free, block)
	case p.holders[block] == 1 && p.inTree[block]:
		p.spare++
	}
}

// plant gives the tree a share in a block; uproot takes it back.
func (p *pool) plant(block int32) {
	p.hold(block)
	p.inTree[block] = true
}

func (p *pool) uproot(block int32) {
	if p.holders[block] == 1 {
		p.spare--
	}
	p.inTree[block] = false
	p.release(block)
}

// take hands out a block of a group, at the expense of the tree if no other is free.
func (b *blocks) take(group int) (int32, bool) {
	p := &b.pools[group]
	if len(p.free) == 0 && !b.tree.evict(group) {
		return 0, false
	}
	block := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.holders[block] = 1
	return block, true
}

// need is the number of blocks that so many tokens take.
func need(tokens int) int { return (tokens + blockSize - 1) / blockSize }

// firstSeen is the number of the first block that a row at a position sees in a group.
func (b *blocks) firstSeen(group, position int) int {
	if b.windows[group] == 0 {
		return 0
	}
	return max(position+1-b.windows[group], 0) / blockSize
}

// table is which blocks a sequence has in each group, in order of position; −1 for one that its window has passed.
type table struct {
	blocks [][]int32
	passed []int // blocks before this one are given back, in each group
	leaf   *node // the tree's node of the last block that was planted, or a root; nil for a sequence that has not begun
}

// missing is how many blocks of a group a table lacks to compute rows from position `from` up to so many tokens.
func (b *blocks) missing(t *table, group, from, tokens int) int {
	have := 0
	if t.blocks != nil {
		have = len(t.blocks[group])
	}
	missing := max(need(tokens)-max(have, b.firstSeen(group, from)), 0)
	if window := b.windows[group]; window > 0 { // what it passes it gives back, step after step
		missing = min(missing, windowBlocks(window, b.step))
	}
	return missing
}

// windowBlocks is the most blocks that a sequence needs at a time in a group with a window.
func windowBlocks(window, step int) int { return need(window+step) + 1 }

// fits says whether a table can be grown.
func (b *blocks) fits(t *table, from, tokens int) bool {
	for g := range b.pools {
		if b.missing(t, g, from, tokens) > b.pools[g].available() {
			return false
		}
	}
	return true
}

// grow extends a table to compute rows from position `from` up to so many tokens; false, and nothing taken, if there are too few
// blocks.
func (b *blocks) grow(t *table, from, tokens int) bool {
	if !b.fits(t, from, tokens) {
		return false
	}
	b.begin(t)
	for g := range b.pools {
		for len(t.blocks[g]) < need(tokens) {
			block := int32(-1)
			if len(t.blocks[g]) >= b.firstSeen(g, from) {
				var ok bool
				if block, ok = b.take(g); !ok {
					panic("engine: the tree does not give what it counts as spare")
				}
			}
			t.blocks[g] = append(t.blocks[g], block)
		}
	}
	return true
}

func (b *blocks) begin(t *table) {
	if t.blocks == nil {
		t.blocks, t.passed = make([][]int32, len(b.pools)), make([]int, len(b.pools))
	}
}

// slide gives back what no row at or after a position sees.
func (b *blocks) slide(t *table, position int) {
	for g := range t.blocks {
		for first := min(b.firstSeen(g, position), len(t.blocks[g])); t.passed[g] < first; t.passed[g]++ {
			if block := &t.blocks[g][t.passed[g]]; *block >= 0 {
				b.pools[g].release(*block)
				*block = -1
			}
		}
	}
}

// release gives everything back that a table has; what the tree knows of it stays there as long as nothing else needs the room.
func (b *blocks) release(t *table) {
	if t.leaf != nil {
		b.tree.touch(t.leaf)
	}
	for g, list := range t.blocks {
		for _, block := range list {
			if block >= 0 {
				b.pools[g].release(block)
			}
		}
	}
	b.tree.leave(t)
	*t = table{}
}

// fork is a table that shares the blocks of another one, whose keys up to `computed` are there. Blocks that are not full are copied
// by the caller: pairs of group, from and to. false, and nothing taken, if there are too few blocks.
func (b *blocks) fork(t *table, computed int) (other table, copies [][3]int32, ok bool) {
	b.begin(t)
	for g := range b.pools { // at most one block is not full
		if computed%blockSize > 0 && b.pools[g].available() == 0 {
			return other, nil, false
		}
	}
	b.begin(&other)
	for g, list := range t.blocks {
		other.passed[g] = t.passed[g]
		for i, block := range list[:min(need(computed), len(list))] {
			if block >= 0 && (i+1)*blockSize > computed {
				own, got := b.take(g)
				if !got {
					panic("engine: the tree does not give what it counts as spare")
				}
				copies, block = append(copies, [3]int32{int32(g), block, own}), own
			} else if block >= 0 {
				b.pools[g].hold(block)
			}
			other.blocks[g] = append(other.blocks[g], block)
		}
	}
	other.leaf = b.tree.enter(t.leaf)
	return other, copies, true
}
