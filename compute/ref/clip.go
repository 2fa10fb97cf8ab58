package ref

import (
	"lian/compute"
	"lian/compute/host"
)

var _ = provides(clip)

func clip(o *compute.Clip) error {
	out := host.F32(o.Out)
	for i, v := range host.F32(o.X) {
		switch {
		case v < o.Low:
			v = o.Low
		case v > o.High:
			v = o.High
		}
		out[i] = v
	}
	return nil
}

var _ = provides(clipBackward)

func clipBackward(o *compute.ClipBackward) error {
	d, dx := host.F32(o.DOut), host.F32(o.DX)
	for i, v := range host.F32(o.X) {
		slope := float32(1)
		if v < o.Low || v > o.High {
			slope = 0
		}
		dx[i] = d[i] * slope
	}
	return nil
}
