package nn

import (
	"lian/compute"
	"lian/model"
)

// What a layer needs lies in the arena until its branch has joined the stream, then the next branch takes the same memory: a
// forward without a tape needs that of its largest branch, not of all layers. The stream goes to and fro between two tensors.

// reserve takes the two, before anything that is given back.
func (f *forward) reserve() {
	if f.Training() {
		return
	}
	for i := range f.stream {
		f.stream[i] = f.Tensor(f.rows, f.d.Spec.Hidden)
	}
	for i := range f.d.layers {
		if w := &f.d.layers[i]; w.latent != nil {
			f.countHeads(w.Attention.Heads)
			break
		}
	}
}

// beyond is where the stream goes on from x.
func (f *forward) beyond(x *compute.Tensor) *compute.Tensor {
	switch {
	case f.Training():
		return f.Tensor(x.Shape...)
	case x == f.stream[0]:
		return f.stream[1]
	}
	return f.stream[0]
}

// branch is where a branch begins; its end gives back all of its memory.
type branch struct {
	at    compute.Mark
	order headOrder
}

func (f *forward) branch() branch { return branch{f.Arena.Mark(), f.order} }

func (b branch) end(f *forward) {
	if !f.Training() {
		f.Arena.Release(b.at)
		f.order = b.order
	}
}

// kept is layer, with a tape that makes again what the pass does not keep.
func (d *Decoder) kept(f *forward, number int, x *compute.Tensor) *compute.Tensor {
	way := f.Recompute.Of(number, len(d.layers))
	if !f.Training() || way == model.RecomputeNone {
		return d.layer(f, number, x)
	}
	runs := 0
	return f.Tape.Segment(way.Keeps, func() *compute.Tensor {
		g := *f // a layer may note in it what is gone when the layer ends
		if runs++; runs > 1 {
			p := *f.Pass
			p.Taps = model.Taps{} // they have looked
			g.Pass = &p
		}
		return d.layer(&g, number, x)
	})
}
