package mixture

import "sync"

// ramp is where steps start when their tokens change: sums that grow as they are asked for.
type ramp struct {
	tokens func(step int) int
	mu     sync.Mutex
	starts []int // of step i; starts[0] is 0
}

// start is the number of tokens before a step.
func (r *ramp) start(step int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.starts == nil {
		r.starts = []int{0}
	}
	for i := len(r.starts); i <= step; i++ {
		r.starts = append(r.starts, r.starts[i-1]+max(r.tokens(i-1), 1))
	}
	return r.starts[step]
}
