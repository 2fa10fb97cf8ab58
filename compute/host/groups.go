package host

import (
	"fmt"

	"lian/compute"
)

// Groups are the bounds of groups of rows, checked: ascending from 0 on and at most rows.
func Groups(starts *compute.Tensor, rows int) ([]int32, error) {
	bounds := I32(starts)
	last := int32(0)
	for e, at := range bounds {
		if at < last || int(at) > rows {
			return nil, fmt.Errorf("group %d begins at row %d, the one before at %d, of %d rows", e, at, last, rows)
		}
		last = at
	}
	return bounds, nil
}
