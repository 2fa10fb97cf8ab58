package cpu

import (
	"math"
	"slices"

	"lian/compute"
	"lian/compute/host"
)

// turns are the cosines and sines of one rotation for positions from 0 on, kept between operations: every layer asks for the same.
type turns struct {
	frequencies          []float32
	scale                float32
	interleaved, inverse bool
	positions            int
	cos, sin             []float32 // [positions, width]
}

const (
	mostTurns         = 8       // rotations kept at one time
	mostTurnedNumbers = 8 << 20 // cosines kept of one rotation: 32 MiB
)

// width is the number of cosines of one position: pairs, or both members of each.
func (t *turns) width() int {
	if t.interleaved {
		return 2 * len(t.frequencies)
	}
	return len(t.frequencies)
}

// fill writes the cosines and sines of one position, as the kernels want them.
func (t *turns) fill(cos, sin, frequencies []float32, position int32) {
	for p, f := range frequencies {
		sine, cosine := math.Sincos(float64(position) * float64(f))
		u, v := float32(sine)*t.scale, float32(cosine)*t.scale
		if t.inverse {
			u = -u
		}
		if t.interleaved {
			cos[2*p], cos[2*p+1], sin[2*p], sin[2*p+1] = v, v, -u, u
		} else {
			cos[p], sin[p] = v, u
		}
	}
}

// turnsFor finds or makes the table of a rotation, long enough for `positions` of them if that is not too many.
func (b *backend) turnsFor(want *turns, positions int) *turns {
	var t *turns
	for _, kept := range b.turns {
		if kept.scale == want.scale && kept.interleaved == want.interleaved && kept.inverse == want.inverse && slices.Equal(kept.frequencies, want.frequencies) {
			t = kept
		}
	}
	if t == nil {
		made := *want // the operation's own stays where it is: only a new rotation allocates
		made.frequencies = slices.Clone(want.frequencies)
		t = &made
		b.turns = append(b.turns, t)
		if len(b.turns) > mostTurns {
			b.turns = b.turns[1:]
		}
	}
	width := t.width()
	if positions <= t.positions || positions*width > mostTurnedNumbers {
		return t
	}
	from := t.positions
	t.positions = min(max(positions, 2*from, 256), mostTurnedNumbers/max(width, 1))
	t.cos = append(t.cos, make([]float32, (t.positions-from)*width)...)
	t.sin = append(t.sin, make([]float32, (t.positions-from)*width)...)
	b.spans(t.positions-from, 16, func(_ *scratch, first, last int) {
		for p := from + first; p < from+last; p++ {
			t.fill(t.cos[p*width:(p+1)*width], t.sin[p*width:(p+1)*width], t.frequencies, int32(p))
		}
	})
	return t
}

var _ = provides((*backend).ropeOp)

// ropeOp splits the rows; each row's sines and cosines are used for all its heads.
func (b *backend) ropeOp(o *compute.RoPE) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, positions := host.F32(o.X), host.I32(o.Positions)
	heads, head, half := o.X.Shape[1], o.X.Shape[2], o.Frequencies.Columns()
	if len(positions) == 0 || half == 0 {
		return nil
	}
	want := turns{frequencies: host.F32(o.Frequencies), scale: o.Scale, interleaved: o.Interleaved, inverse: o.Inverse}
	if want.scale == 0 {
		want.scale = 1
	}
	t := frame[ropeTask](b)
	*t = ropeTask{kernels: b.kernels, x: x, rows: positions, heads: heads, head: head, half: half}
	if o.Sets == nil {
		t.turns = b.turnsFor(&want, int(slices.Max(positions))+1)
	} else { // rotations of this launch only: no table
		t.turns, t.sets = frame[turns](b), host.I32(o.Sets)
		*t.turns = want
	}
	b.spansOf(len(positions), 16, t)
	return nil
}

// ropeTask is what a span of rows needs to know.
type ropeTask struct {
	*kernels
	*turns
	x           []float32
	rows        []int32 // positions by row
	heads, head int
	half        int
	sets        []int32 // of rows, if they turn differently
}

func (t *ropeTask) span(s *scratch, from, to int) {
	width := t.half
	if t.interleaved {
		width *= 2
	}
	for row := from; row < to; row++ {
		var cos, sin []float32
		if p := int(t.rows[row]); p >= 0 && p < t.positions {
			cos, sin = t.cos[p*width:], t.sin[p*width:]
		} else {
			cos, sin = s.need(slotA, width), s.need(slotB, width)
			frequencies := t.frequencies
			if t.sets != nil {
				frequencies = frequencies[int(t.sets[row])*t.half:][:t.half]
			}
			t.fill(cos, sin, frequencies, t.rows[row])
		}
		for h := range t.heads {
			first := (row*t.heads + h) * t.head
			if t.interleaved {
				t.ropePairs(at(t.x, first), at(cos, 0), at(sin, 0), width)
			} else {
				t.rope(at(t.x, first), at(t.x, first+t.half), at(cos, 0), at(sin, 0), t.half)
			}
		}
	}
}
