package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

var _ = provides(rope)

func rope(o *compute.RoPE) error {
	x, positions, frequencies := host.F32(o.X), host.I32(o.Positions), host.F32(o.Frequencies)
	heads, head, half := o.X.Shape[1], o.X.Shape[2], o.Frequencies.Columns()
	scale := float64(o.Scale)
	if scale == 0 {
		scale = 1
	}
	for row, position := range positions {
		set := 0
		if o.Sets != nil {
			set = int(host.I32(o.Sets)[row])
		}
		for p, f := range frequencies[set*half : (set+1)*half] {
			sin, cos := math.Sincos(float64(position) * float64(f))
			s, c := float64(float32(sin)*float32(scale)), float64(float32(cos)*float32(scale))
			if o.Inverse {
				s = -s
			}
			i, j := p, p+half
			if o.Interleaved {
				i, j = 2*p, 2*p+1
			}
			for h := range heads {
				v := x[(row*heads+h)*head:]
				a, b := float64(v[i]), float64(v[j])
				v[i], v[j] = float32(a*c-b*s), float32(b*c+a*s)
			}
		}
	}
	return nil
}
