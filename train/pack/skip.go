package pack

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lian/train"
)

// ParseSkips reads the numbers of batches that are left out, as "1-3,10"; they come back ascending.
func ParseSkips(text string) (out []int, err error) {
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		first, err1 := strconv.Atoi(strings.TrimSpace(low))
		last, err2 := strconv.Atoi(strings.TrimSpace(high))
		if err1 != nil || err2 != nil || first < 0 || last < first || last-first > 1<<24 {
			return nil, fmt.Errorf("skip_batches: %q, expected numbers from 0 on and ranges, as 1-3,10", part)
		}
		for n := first; n <= last; n++ {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Without is a source with batches left out: those after them take their places.
func Without(s train.Source, skipped []int) train.Source {
	if len(skipped) == 0 {
		return s
	}
	return without{s, skipped}
}

type without struct {
	train.Source
	skipped []int // ascending
}

// Step implements train.Source.
func (w without) Step(batch int) ([]train.Sequence, error) {
	for _, s := range w.skipped {
		if s <= batch {
			batch++
		}
	}
	return w.Source.Step(batch)
}
