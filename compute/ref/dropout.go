package ref

import (
	"lian/compute"
	"lian/compute/host"
)

var _ = provides(dropout)

func dropout(o *compute.Dropout) error {
	out := host.F32(o.Out)
	for i, x := range host.F32(o.X) {
		at := o.First + i
		draw := uint32(o.Key.Uint64(at/2) >> (32 * (at % 2)))
		if draw < o.Below() {
			out[i] = 0
		} else {
			out[i] = x * o.Scale()
		}
	}
	return nil
}
