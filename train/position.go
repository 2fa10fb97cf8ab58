package train

import (
	"slices"

	"lian/train/guard"
)

// position is where a run is: what the loop remembers from step to step, apart from tensors. It is part of every checkpoint.
type position struct {
	Step    int         `json:"step"`    // steps done
	Tokens  int64       `json:"tokens"`  // labels learnt from
	Skipped []int       `json:"skipped"` // numbers of the batches passed over, ascending
	Guard   guard.State `json:"guard"`
}

// batch is the number of the batch that the next step learns from: batches are taken in order, those passed over left out.
func (p position) batch() int {
	n := p.Step
	for _, s := range p.Skipped {
		if s <= n {
			n++
		}
	}
	return n
}

// pass takes batches out of those that steps learn from.
func (p *position) pass(batches []int) {
	all := append(slices.Clone(p.Skipped), batches...)
	slices.Sort(all)
	p.Skipped = slices.Compact(all)
}
