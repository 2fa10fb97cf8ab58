// Package autograd records operations and carries gradients back through them.
//
// A Tape is a compute.Launcher: what runs through it forward is exactly what
// runs through a plain stream, plus a note of each operation whose inputs lead
// to something that wants a gradient. Backward walks the notes in reverse; each
// operation says itself how (compute.Differentiable).
//
// It guarantees that gradients are made in the order of the forward pass, so
// the same pass gives the same bytes. It refuses an operation without a
// gradient between a wanted parameter and the loss.
package autograd

import (
	"fmt"

	"lian/compute"
	"lian/dtype"
)

// place identifies a tensor's content, so that views of it (other shapes) count as the same.
type place struct {
	buffer compute.Buffer
	offset int
}

func placeOf(t *compute.Tensor) place { return place{t.Buffer, t.Offset} }

// Gradients are the gradients of parameters, kept over the passes of one
// optimizer step.
type Gradients struct {
	of      map[place]*compute.Tensor
	written map[place]bool
}

// NewGradients allocates a gradient for every parameter.
func NewGradients(b compute.Backend, parameters []*compute.Tensor) *Gradients {
	g := &Gradients{of: map[place]*compute.Tensor{}, written: map[place]bool{}}
	for _, p := range parameters {
		g.of[placeOf(p)] = compute.NewTensor(b, dtype.F32, p.Shape...)
	}
	return g
}

// Of is the gradient of a parameter; nil if it is not one of them.
func (g *Gradients) Of(p *compute.Tensor) *compute.Tensor { return g.of[placeOf(p)] }

// Written says whether any pass since Reset has reached the parameter.
func (g *Gradients) Written(p *compute.Tensor) bool { return g.written[placeOf(p)] }

// Reset forgets what has been gathered: the next pass overwrites.
func (g *Gradients) Reset() { clear(g.written) }

// Tape records one forward pass.
type Tape struct {
	arena      *compute.Arena
	stream     compute.Stream
	parameters *Gradients
	ops        []note
	made       []*compute.Tensor // by the operations, in their order
	wanted     map[place]bool
	grads      map[place]*compute.Tensor
	err        error
	list       []*compute.Tensor // of the operation at hand
	passing    []*compute.Tensor // made by the backward rule at hand for itself
	first      *segment          // that runs for the first time
	again      *segment          // that runs again
}

// note is an operation, or a segment, and where what it made begins in made: the tensors that no operation before it has written.
type note struct {
	op   compute.Differentiable
	part *segment
	made int
}

// NewTape makes a tape over a stream. Gradients of intermediate tensors come
// from arena, which must not be reset before Backward has returned.
func NewTape(s compute.Stream, arena *compute.Arena, parameters *Gradients) *Tape {
	return &Tape{arena: arena, stream: s, parameters: parameters,
		wanted: map[place]bool{}, grads: map[place]*compute.Tensor{}}
}

// Tensor implements compute.Allocator: a tensor that is gone when the backward rule that asked for it has returned.
func (b backprop) Tensor(kind dtype.Type, shape ...int) *compute.Tensor {
	x := b.arena.Tensor(kind, shape...)
	b.passing = append(b.passing, x)
	return x
}

// Tensor implements compute.Allocator.
func (t *Tape) Tensor(kind dtype.Type, shape ...int) *compute.Tensor {
	return t.arena.Tensor(kind, shape...)
}

// Arena implements compute.Backprop.
func (t *Tape) Arena() *compute.Arena { return t.arena }

// Launch runs an operation and records it if a gradient can come through it.
func (t *Tape) Launch(op compute.Op) {
	wanted := false
	t.list = op.Inputs(t.list[:0])
	for _, x := range t.list {
		wanted = wanted || t.wants(x)
	}
	if t.first != nil {
		t.first.launched(t, op, wanted)
	} else if wanted {
		made := len(t.made)
		t.list = op.Outputs(t.list[:0])
		for _, x := range t.list {
			if at := placeOf(x); !t.wanted[at] {
				t.wanted[at] = true
				t.made = append(t.made, x)
			}
		}
		switch op := op.(type) {
		case compute.GradientInForward:
			t.made = t.made[:made] // its outputs are what others look at
			op.Prepare(backprop{t})
			t.passing = t.passing[:0]
		case compute.Differentiable:
			t.ops = append(t.ops, note{op: op, made: made})
		default:
			if t.err == nil {
				t.err = fmt.Errorf("operation %s has no gradient, but one must come through it", op.Name())
			}
		}
	}
	if t.again != nil && t.again.has(t, op) {
		return
	}
	t.stream.Launch(op)
}

func (t *Tape) wants(x *compute.Tensor) bool {
	return t.wanted[placeOf(x)] || t.parameters.Of(x) != nil
}

// Backward carries the gradients made in the forward pass to the parameters. What the recorded operations have made, and its gradients,
// go back to the arena as soon as nothing needs them: memory is that of the forward pass and a little more, and gradients
// lie where caches still hold what was there before.
func (t *Tape) Backward() error {
	if t.err != nil {
		return t.err
	}
	t.back(0)
	clear(t.wanted)
	clear(t.grads)
	return t.stream.Err()
}

// back goes back over the operations from the last one to number `from`.
func (t *Tape) back(from int) {
	for len(t.ops) > from {
		n := t.ops[len(t.ops)-1]
		t.ops = t.ops[:len(t.ops)-1]
		if n.part != nil {
			n.part.back(t)
		} else {
			n.op.Backward(backprop{t})
		}
		for _, x := range t.passing {
			t.arena.Free(x)
		}
		t.passing = t.passing[:0]
		for _, x := range t.made[n.made:] { // whoever read it came later, and is done
			at := placeOf(x)
			if g := t.grads[at]; g != nil {
				t.arena.Free(g)
				delete(t.grads, at)
			}
			delete(t.wanted, at)
			t.arena.Free(x)
		}
		t.made = t.made[:n.made]
	}
}

// Seed starts from a given gradient of an output, for losses made elsewhere.
func (t *Tape) Seed(output, grad *compute.Tensor) { t.grads[placeOf(output)] = grad }

// backprop is the tape as a backward rule sees it: launches are not recorded.
type backprop struct{ *Tape }

func (b backprop) Launch(op compute.Op) { b.stream.Launch(op) }

func (b backprop) Grad(output *compute.Tensor) *compute.Tensor {
	if g := b.grads[placeOf(output)]; g != nil {
		return g.View(output.Shape...)
	}
	return nil
}

func (b backprop) Into(input *compute.Tensor) (*compute.Tensor, bool) {
	at := placeOf(input)
	if g := b.parameters.of[at]; g != nil {
		again := b.parameters.written[at]
		b.parameters.written[at] = true
		return g.View(input.Shape...), again
	}
	if !b.wanted[at] {
		return nil, false
	}
	if g := b.grads[at]; g != nil {
		return g.View(input.Shape...), true
	}
	g := b.arena.Tensor(dtype.F32, input.Shape...)
	b.grads[at] = g
	return g, false
}
