package model

import (
	"fmt"
	"strconv"

	"lian/compute"
)

// Recompute is what a backward pass makes again instead of keeping it: none, selective, full, or a share of the layers as a number between 0
// and 1. Gradients are the same bytes with all of them.
type Recompute string

// The ways to recompute. A share does the first layers fully and the others selectively.
const (
	RecomputeNone      Recompute = "none"      // everything is kept
	RecomputeSelective Recompute = "selective" // norms, gates and what else takes a hundredth of a product's time
	RecomputeFull      Recompute = "full"      // of a layer only what enters it is kept
)

// Check says what is wrong with a setting.
func (r Recompute) Check() error {
	switch r {
	case "", RecomputeNone, RecomputeSelective, RecomputeFull:
		return nil
	}
	if share, err := strconv.ParseFloat(string(r), 64); err != nil || !(share >= 0 && share <= 1) {
		return fmt.Errorf("recompute is %q, expected none, selective, full, or a share of the layers between 0 and 1", string(r))
	}
	return nil
}

// Of is the setting of one of so many layers.
func (r Recompute) Of(layer, layers int) Recompute {
	switch r {
	case "":
		return RecomputeNone
	case RecomputeNone, RecomputeSelective, RecomputeFull:
		return r
	}
	if share, err := strconv.ParseFloat(string(r), 64); err == nil && float64(layer) < share*float64(layers) {
		return RecomputeFull
	}
	return RecomputeSelective
}

// Keeps says whether what an operation of a layer writes stays.
func (r Recompute) Keeps(op compute.Op) bool {
	switch op.(type) {
	case *compute.RMSNorm, *compute.LayerNorm, *compute.Gated, *compute.Activation, *compute.Mul, *compute.Scale, *compute.Clip, *compute.Dropout, *compute.Cast:
		return false
	}
	return r != RecomputeFull
}
