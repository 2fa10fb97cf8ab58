package nn_test

import (
	"bytes"
	"maps"
	"testing"

	"lian/compute"
	"lian/compute/autograd"
	"lian/compute/cpu"
	"lian/model"
	"lian/model/nn"
)

// TestWhatIsMadeAgainGivesTheSameGradients: byte by byte, whatever the layers are made of, and in less memory.
func TestWhatIsMadeAgainGivesTheSameGradients(t *testing.T) {
	b := cpu.New(2)
	all := odd()
	maps.Copy(all, parts())
	all["llama"] = small(t, b).Spec
	for name, spec := range all {
		t.Run(name, func(t *testing.T) {
			d, err := nn.Initialise(b, spec, 5, 0.4)
			if err != nil {
				t.Fatal(err)
			}
			kept, most := gradientsWith(t, b, d, model.RecomputeNone)
			for _, way := range []model.Recompute{model.RecomputeSelective, model.RecomputeFull, "0.5"} {
				again, memory := gradientsWith(t, b, d, way)
				for name, g := range kept {
					if !bytes.Equal(g, again[name]) {
						t.Errorf("recompute %s: the gradient of %s has other bytes", way, name)
					}
				}
				if memory > most && spec.Layers > 2 {
					t.Errorf("recompute %s takes %d bytes, none %d", way, memory, most)
				}
			}
		})
	}
}

// gradientsWith are the bytes of all gradients of a small batch, twice so that nothing is left over, and the memory that the passes took.
func gradientsWith(t *testing.T, b compute.Backend, d *nn.Decoder, way model.Recompute) (map[string][]byte, int) {
	t.Helper()
	stream, arena := b.NewStream(), compute.NewArena(b, 1<<16)
	g := autograd.NewGradients(b, d.Parameters().Tensors())
	batch := &model.Batch{}
	batch.Add([]int32{3, 1, 20, 7, 7, 11, 2}, 0, nil)
	batch.Add([]int32{19, 5, 13, 8}, 0, nil)
	targets := []int32{1, 20, 7, 7, 11, 2, -1, 5, 13, 8, -1}
	for range 2 {
		arena.Reset()
		g.Reset()
		p := &model.Pass{Stream: stream, Arena: arena, Precision: model.Exact, Recompute: way, Tape: autograd.NewTape(stream, arena, g)}
		hidden, err := d.Forward(p, batch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.CrossEntropy(p, d, hidden, targets, nil, 1.0/9, nil); err != nil {
			t.Fatal(err)
		}
		if err := p.Tape.Backward(); err != nil {
			t.Fatal(err)
		}
	}
	out := map[string][]byte{}
	for _, p := range d.Parameters().All() {
		x := g.Of(p.Tensor)
		out[p.Name] = make([]byte, x.Bytes())
		if err := stream.Read(x, out[p.Name]); err != nil {
			t.Fatal(err)
		}
	}
	return out, arena.Bytes()
}
