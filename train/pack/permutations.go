package pack

import (
	"sync"

	"lian/random"
)

// permutations are the orders of n things, one an epoch; the last one asked for is kept.
type permutations struct {
	seed  uint64
	n     int
	mu    sync.Mutex
	epoch int
	order []int
}

// at is the thing at a place of an epoch.
func (p *permutations) at(epoch, place int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch != epoch {
		p.epoch, p.order = epoch, random.New(p.seed, "order of rows", epoch).Permutation(p.n)
	}
	return p.order[place]
}
