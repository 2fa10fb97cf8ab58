package step

import (
	"math"
	"testing"

	"lian/model"
	"lian/train/figure"
)

// TestWhatIsComputedAgainIsAShareOfTheForward: all layers but not the head with full recomputation, half of that with half the layers, nothing that counts otherwise.
func TestWhatIsComputedAgainIsAShareOfTheForward(t *testing.T) {
	s, _, err := modelOptions(t, func(o *ModelOptions) {}).Spec(64)
	if err != nil {
		t.Fatal(err)
	}
	o := figure.NewOperations(s)
	all := o.Layers(s.Context) / (o.Layers(s.Context) + o.Head(s.Context))
	for r, want := range map[model.Recompute]float64{model.RecomputeFull: all, "0.5": all / 2, model.RecomputeSelective: 0, model.RecomputeNone: 0} {
		if got := repeated(s, o, r); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s repeats %v of a forward, expected %v", r, got, want)
		}
	}
}
