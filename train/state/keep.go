package state

import "slices"

// Retention says which states stay when a new one is whole.
type Retention struct {
	Last  int // the newest so many; at least 1
	Every int // those whose step is a multiple; 0 none
	Back  int // the newest that is at least so many steps older than the newest of all, to go back to; 0 none
}

// Superfluous are the steps of which a state is not needed. Keep are steps that stay in any case, such as that of the best.
func (r Retention) Superfluous(steps []int, keep ...int) (out []int) {
	if len(steps) == 0 {
		return nil
	}
	steps = slices.Sorted(slices.Values(steps))
	newest, back := steps[len(steps)-1], -1
	for _, s := range steps {
		if r.Back > 0 && newest-s >= r.Back {
			back = s
		}
	}
	for i, s := range steps {
		switch {
		case len(steps)-i <= max(r.Last, 1):
		case r.Every > 0 && s%r.Every == 0 && s > 0:
		case s == back || slices.Contains(keep, s):
		default:
			out = append(out, s)
		}
	}
	return out
}
