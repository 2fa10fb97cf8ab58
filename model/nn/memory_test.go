package nn_test

import (
	"testing"

	"lian/compute"
	"lian/compute/autograd"
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

// TestABackwardTakesTheMemoryOfItsForward: gradients lie where the activations were that nothing needs any more.
func TestABackwardTakesTheMemoryOfItsForward(t *testing.T) {
	b := cpu.New(2)
	spec := small(t, b).Spec
	spec.Layers = 20
	d, err := nn.Initialise(b, spec, 3, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	batch, targets := &model.Batch{}, make([]int32, 100)
	batch.Add(make([]int32, 100), 0, nil)
	stream, arena := b.NewStream(), compute.NewArena(b, 1<<16)
	tape := autograd.NewTape(stream, arena, autograd.NewGradients(b, d.Parameters().Tensors()))
	pass := &model.Pass{Stream: stream, Arena: arena, Tape: tape, Precision: model.Exact}
	hidden, err := d.Forward(pass, batch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := model.CrossEntropy(pass, d, hidden, targets, nil, 1, nil); err != nil {
		t.Fatal(err)
	}
	forward := arena.Bytes()
	if err := tape.Backward(); err != nil {
		t.Fatal(err)
	}
	if all := arena.Bytes(); float64(all) > 1.15*float64(forward) {
		t.Errorf("forward takes %d bytes, backward brings them to %d", forward, all)
	}
}
