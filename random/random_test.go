package random

import (
	"math"
	"slices"
	"testing"
)

func TestNumbersDependOnTheirPurposeOnly(t *testing.T) {
	a, b := New(1, "init", 3), New(1).With("init").With(3)
	if a.Uint64(5) != b.Uint64(5) {
		t.Error("the same purpose gives different numbers")
	}
	for _, other := range []Key{New(2, "init", 3), New(1, "init", 4), New(1, "dropout", 3)} {
		if a.Uint64(5) == other.Uint64(5) {
			t.Error("different purposes give the same number")
		}
	}
}

func TestNormalHasUnitVariance(t *testing.T) {
	k, n := New(7, "normal"), 100000
	var sum, squares float64
	for i := range n {
		v := k.Normal(i)
		sum, squares = sum+v, squares+v*v
	}
	if mean, variance := sum/float64(n), squares/float64(n); math.Abs(mean) > .02 || math.Abs(variance-1) > .02 {
		t.Errorf("mean %v and variance %v, expected 0 and 1", mean, variance)
	}
}

func TestPermutationHoldsEverythingOnce(t *testing.T) {
	p := New(3, "shuffle").Permutation(97)
	if slices.IsSorted(p) {
		t.Error("nothing was moved")
	}
	slices.Sort(p)
	for i, v := range p {
		if i != v {
			t.Fatalf("%d is missing", i)
		}
	}
}
