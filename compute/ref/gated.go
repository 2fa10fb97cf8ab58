package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// limited clamps a gate and its factor.
func limited(gate, up, limit float32) (g, u float64) {
	g, u = float64(gate), float64(up)
	if limit > 0 && g > float64(limit) {
		g = float64(limit)
	}
	if limit > 0 && math.Abs(u) > float64(limit) {
		u = math.Copysign(float64(limit), u)
	}
	return g, u
}

var _ = provides(gated)

func gated(o *compute.Gated) error {
	gate, up, out := host.F32(o.Gate), host.F32(o.Up), host.F32(o.Out)
	for i := range out {
		g, u := limited(gate[i], up[i], o.Limit)
		y, _ := activate(o.Kind, g)
		out[i] = float32(y * (u + float64(o.Offset)))
	}
	return nil
}

var _ = provides(gatedBackward)

func gatedBackward(o *compute.GatedBackward) error {
	gate, up, d := host.F32(o.Gate), host.F32(o.Up), host.F32(o.DOut)
	dgate, dup := host.F32(o.DGate), host.F32(o.DUp)
	for i := range d {
		g, u := limited(gate[i], up[i], o.Limit)
		y, slope := activate(o.Kind, g)
		if o.Limit > 0 && gate[i] > o.Limit {
			slope = 0
		}
		if o.Limit > 0 && float32(math.Abs(float64(up[i]))) > o.Limit {
			y = 0
		}
		if dup != nil {
			dup[i] = float32(float64(d[i]) * y)
		}
		if dgate != nil {
			dgate[i] = float32(float64(d[i]) * (u + float64(o.Offset)) * slope)
		}
	}
	return nil
}
