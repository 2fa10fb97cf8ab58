package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// ropeOp splits the rows; each row's sines and cosines are made once and used for all its heads.
func (b *backend) ropeOp(o *compute.RoPE) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, positions, frequencies := host.F32(o.X), host.I32(o.Positions), host.F32(o.Frequencies)
	heads, head, half := o.X.Shape[1], o.X.Shape[2], len(frequencies)
	scale := o.Scale
	if scale == 0 {
		scale = 1
	}
	b.spans(len(positions), 16, func(s *scratch, from, to int) {
		cos, sin := s.need(slotA, 2*half), s.need(slotB, 2*half)
		for row := from; row < to; row++ {
			for p, f := range frequencies {
				sine, cosine := math.Sincos(float64(positions[row]) * float64(f))
				u, v := float32(sine)*scale, float32(cosine)*scale
				if o.Inverse {
					u = -u
				}
				if o.Interleaved {
					cos[2*p], cos[2*p+1], sin[2*p], sin[2*p+1] = v, v, -u, u
				} else {
					cos[p], sin[p] = v, u
				}
			}
			for h := range heads {
				first := (row*heads + h) * head
				if o.Interleaved {
					b.ropePairs(at(x, first), at(cos, 0), at(sin, 0), 2*half)
				} else {
					b.rope(at(x, first), at(x, first+half), at(cos, 0), at(sin, 0), half)
				}
			}
		}
	})
	return nil
}
