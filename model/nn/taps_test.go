package nn_test

import (
	"slices"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/dtype"
	"lian/model"
)

func TestTapsSeeEveryLayerAndEveryProductAndChangeNothing(t *testing.T) {
	b := cpu.New(2)
	d := small(t, b)
	run := func(taps model.Taps) []float32 {
		s := b.NewStream()
		p := &model.Pass{Stream: s, Arena: compute.NewArena(b, 1<<16), Precision: model.Exact, Taps: taps}
		batch := &model.Batch{}
		batch.Add([]int32{3, 1, 4, 1, 5}, 0, nil)
		x, err := d.Forward(p, batch)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]float32, x.Elements())
		if err := s.Read(x, compute.HostBytes(out)); err != nil {
			t.Fatal(err)
		}
		return out
	}
	var layers []int
	var names []string
	with := run(model.Taps{
		Hidden: func(l int, x *compute.Tensor) {
			if x.Type != dtype.F32 || x.Rows() != 5 || x.Columns() != 288 {
				t.Errorf("layer %d gets %v", l, x.Shape)
			}
			layers = append(layers, l)
		},
		Input: func(name string, x *compute.Tensor) { names = append(names, name) },
	})
	if !slices.Equal(layers, []int{0, 1, 2, 3}) {
		t.Errorf("layers seen: %v", layers)
	}
	if len(names) != 3*7 || names[0] != "layers.0.attention.q" || !slices.Contains(names, "layers.2.feed_forward.down") {
		t.Errorf("products seen: %v", names)
	}
	if !slices.Equal(with, run(model.Taps{})) {
		t.Error("looking changed what was computed")
	}
}
