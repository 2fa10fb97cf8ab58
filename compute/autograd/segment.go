package autograd

import "lian/compute"

// segment is a part of the forward pass whose tensors are not all kept.
type segment struct {
	run  func() *compute.Tensor
	keep func(op compute.Op) bool
	kept map[place]bool
	made []*compute.Tensor // what run asks the arena for; nil what is not kept
}

// Segment runs a part of the forward pass and keeps, of what it makes, only its result and what the operations write for which keep says so
// (nil: for none). The backward pass runs it again for the rest, right before it goes back through it: less memory for more
// time, and the same bits, because the same operations see the same operands.
//
// run launches through the tape, takes its tensors from the tape's arena, writes no others, and does and returns the same whenever it is
// called. A segment holds no other one.
func (t *Tape) Segment(keep func(op compute.Op) bool, run func() *compute.Tensor) *compute.Tensor {
	s := &segment{run: run, keep: keep, kept: map[place]bool{}}
	var out *compute.Tensor
	t.first = s
	s.made = t.arena.Note(func() { out = run() })
	t.first = nil
	result, own := placeOf(out), false
	s.kept[result] = true
	for i, x := range s.made {
		at := placeOf(x)
		if at == result {
			own = true
		} else {
			delete(t.wanted, at)
		}
		if !s.kept[at] {
			t.arena.Free(x)
			s.made[i] = nil
		}
	}
	if own && t.wanted[result] {
		t.ops = append(t.ops, note{part: s, made: len(t.made)})
		t.made = append(t.made, out)
	}
	return out
}

// launched is told of an operation of the first run.
func (s *segment) launched(t *Tape, op compute.Op, wanted bool) {
	keep := s.keep != nil && s.keep(op)
	t.list = op.Outputs(t.list[:0])
	for _, x := range t.list {
		if wanted {
			t.wanted[placeOf(x)] = true
		}
		if keep {
			s.kept[placeOf(x)] = true
		}
	}
}

// has says whether all that an operation writes is there from the first run.
func (s *segment) has(t *Tape, op compute.Op) bool {
	t.list = op.Outputs(t.list[:0])
	for _, x := range t.list {
		if !s.kept[placeOf(x)] {
			return false
		}
	}
	return true
}

// back runs the segment again, recording it, and goes back through it.
func (s *segment) back(t *Tape) {
	from := len(t.ops)
	t.again = s
	t.arena.Again(s.made, func() { s.run() })
	t.again = nil
	t.back(from)
}
