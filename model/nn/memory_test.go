package nn_test

import (
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/model"
	"lian/model/nn"
)

// TestAForwardTakesTheMemoryOfOneLayer: layers give back what they needed, so twenty take as much as two.
func TestAForwardTakesTheMemoryOfOneLayer(t *testing.T) {
	b := cpu.New(2)
	taken := func(layers int) int {
		spec := small(t, b).Spec
		spec.Layers = layers
		d, err := nn.Initialise(b, spec, 3, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		batch := &model.Batch{}
		batch.Add(make([]int32, 100), 0, nil)
		pass := &model.Pass{Stream: b.NewStream(), Arena: compute.NewArena(b, 1<<16), Precision: model.Fast}
		if _, err := d.Forward(pass, batch); err != nil {
			t.Fatal(err)
		}
		if err := pass.Stream.Err(); err != nil {
			t.Fatal(err)
		}
		return pass.Arena.Bytes()
	}
	if two, twenty := taken(2), taken(20); two != twenty {
		t.Errorf("2 layers take %d bytes, 20 layers %d", two, twenty)
	}
}
