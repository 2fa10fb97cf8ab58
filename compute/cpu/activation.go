package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// activationKernels are the kernels of activations, by kind; an activation that no gate has is nil there.
type activationKernels struct {
	activate        [compute.ActivationKinds]func(out, x *float32, n int)
	activateGrad    [compute.ActivationKinds]func(dx, x, d *float32, n int)                                       // dx = d·slope(x)
	gate            [compute.ActivationKinds]func(out, gate, up *float32, n int)                                  // out = f(gate)·up
	gateGrad        [compute.ActivationKinds]func(dgate, dup, gate, up, d *float32, n int)                        //
	gateLimited     [compute.ActivationKinds]func(out, gate, up *float32, n int, limit, offset float32)           // clamped, up + offset
	gateLimitedGrad [compute.ActivationKinds]func(dgate, dup, gate, up, d *float32, n int, limit, offset float32) //
}

var _ = provides((*backend).activation)

func (b *backend) activation(o *compute.Activation) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.Out.Elements(), stretch, o, (*backend).activationSpan)
	return nil
}

func (b *backend) activationSpan(o *compute.Activation, s *scratch, from, to int) {
	x, out, f := host.F32(o.X), host.F32(o.Out), b.activate[o.Kind]
	k := sinkOf(out, slotF, x)
	for ; from < to; from += stretch {
		n := min(stretch, to-from)
		f(k.at(s, from, n), at(x, from), n)
		k.done(b.kernels, s, from, n)
	}
}

var _ = provides((*backend).activationBackward)

func (b *backend) activationBackward(o *compute.ActivationBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.DX.Elements(), stretch, o, (*backend).activationBackwardSpan)
	return nil
}

func (b *backend) activationBackwardSpan(o *compute.ActivationBackward, s *scratch, from, to int) {
	x, d, dx, f := host.F32(o.X), host.F32(o.DOut), host.F32(o.DX), b.activateGrad[o.Kind]
	k := sinkOf(dx, slotF, x, d)
	for ; from < to; from += stretch {
		n := min(stretch, to-from)
		f(k.at(s, from, n), at(x, from), at(d, from), n)
		k.done(b.kernels, s, from, n)
	}
}

var _ = provides((*backend).gated)

func (b *backend) gated(o *compute.Gated) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.Out.Elements(), stretch, o, (*backend).gatedSpan)
	return nil
}

// gateColumns is gatedSpan for a few values, written as they come.
func (b *backend) gateColumns(o *compute.Gated, from, to int) {
	gate, up, out := at(host.F32(o.Gate), from), at(host.F32(o.Up), from), at(host.F32(o.Out), from)
	if o.Limit == 0 && o.Offset == 0 {
		b.gate[o.Kind](out, gate, up, to-from)
	} else {
		b.gateLimited[o.Kind](out, gate, up, to-from, limitOf(o.Limit), o.Offset)
	}
}

func (b *backend) gatedSpan(o *compute.Gated, s *scratch, from, to int) {
	gate, up, out := host.F32(o.Gate), host.F32(o.Up), host.F32(o.Out)
	f, g, limit := b.gate[o.Kind], b.gateLimited[o.Kind], limitOf(o.Limit)
	k := sinkOf(out, slotF, gate, up)
	for ; from < to; from += stretch {
		n := min(stretch, to-from)
		if dst := k.at(s, from, n); o.Limit == 0 && o.Offset == 0 {
			f(dst, at(gate, from), at(up, from), n)
		} else {
			g(dst, at(gate, from), at(up, from), n, limit, o.Offset)
		}
		k.done(b.kernels, s, from, n)
	}
}

// limitOf is a limit of Gated with its default.
func limitOf(limit float32) float32 {
	if limit == 0 {
		return float32(math.Inf(1))
	}
	return limit
}

var _ = provides((*backend).gatedBackward)

func (b *backend) gatedBackward(o *compute.GatedBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.DOut.Elements(), stretch, o, (*backend).gatedBackwardSpan)
	return nil
}

func (b *backend) gatedBackwardSpan(o *compute.GatedBackward, s *scratch, from, to int) {
	gate, up, d := host.F32(o.Gate), host.F32(o.Up), host.F32(o.DOut)
	dgate, dup := host.F32(o.DGate), host.F32(o.DUp)
	f, g, limit := b.gateGrad[o.Kind], b.gateLimitedGrad[o.Kind], limitOf(o.Limit)
	toGate, toUp := sinkOf(dgate, slotF, gate, up, d), sinkOf(dup, slotG, gate, up, d)
	for ; from < to; from += stretch {
		n := min(stretch, to-from)
		dg, du := toGate.at(s, from, n), toUp.at(s, from, n)
		if o.Limit == 0 && o.Offset == 0 {
			f(dg, du, at(gate, from), at(up, from), at(d, from), n)
		} else {
			g(dg, du, at(gate, from), at(up, from), at(d, from), n, limit, o.Offset)
		}
		toGate.done(b.kernels, s, from, n)
		toUp.done(b.kernels, s, from, n)
	}
}

// curve is an activation and its slope, in float64.
func curve(kind compute.ActivationKind, x float64) (y, slope float64) {
	switch kind {
	case compute.SiLU:
		s := 1 / (1 + math.Exp(-x))
		return x * s, s + x*s*(1-s)
	case compute.GELU:
		phi := math.Erfc(-x/math.Sqrt2) / 2
		return x * phi, phi + x*math.Exp(-x*x/2)*(1/(math.Sqrt2*math.SqrtPi))
	case compute.GELUTanh:
		const c = 1.5957691216057308 // 2·√(2/π); (1 + tanh(u))/2 = sigmoid(2u)
		s := 1 / (1 + math.Exp(-c*(x+0.044715*x*x*x)))
		return x * s, s + x*s*(1-s)*c*(1+3*0.044715*x*x)
	case compute.QuickGELU:
		s := 1 / (1 + math.Exp(-compute.QuickGELUAlpha*x))
		return x * s, s + compute.QuickGELUAlpha*x*s*(1-s)
	case compute.ReLU, compute.ReLU2:
		switch {
		case x <= 0:
			return 0, 0
		case kind == compute.ReLU:
			return x, 1
		}
		return x * x, 2 * x
	case compute.Sigmoid:
		s := 1 / (1 + math.Exp(-x))
		return s, s * (1 - s)
	case compute.Tanh:
		t := math.Tanh(x)
		return t, 1 - t*t
	case compute.Softplus:
		return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))), 1 / (1 + math.Exp(-x))
	}
	return x, 1
}

var _ = kernelsOf("generic", func(k *kernels) {
	for kind := compute.SiLU; kind < compute.ActivationKinds; kind++ {
		k.activate[kind] = func(out, x *float32, n int) {
			o := slice(out, n)
			for i, v := range slice(x, n) {
				y, _ := curve(kind, float64(v))
				o[i] = float32(y)
			}
		}
		k.activateGrad[kind] = func(dx, x, d *float32, n int) {
			o, e := slice(dx, n), slice(d, n)
			for i, v := range slice(x, n) {
				_, slope := curve(kind, float64(v))
				o[i] = e[i] * float32(slope)
			}
		}
		k.gate[kind] = func(out, gate, up *float32, n int) {
			o, u := slice(out, n), slice(up, n)
			for i, v := range slice(gate, n) {
				y, _ := curve(kind, float64(v))
				o[i] = float32(y) * u[i]
			}
		}
		k.gateGrad[kind] = func(dgate, dup, gate, up, d *float32, n int) {
			dg, du, u, e := slice(dgate, n), slice(dup, n), slice(up, n), slice(d, n)
			for i, v := range slice(gate, n) {
				y, slope := curve(kind, float64(v))
				du[i], dg[i] = e[i]*float32(y), e[i]*u[i]*float32(slope)
			}
		}
		k.gateLimited[kind] = func(out, gate, up *float32, n int, limit, offset float32) {
			o, u := slice(out, n), slice(up, n)
			for i, v := range slice(gate, n) {
				y, _ := curve(kind, float64(min(v, limit)))
				o[i] = float32(y) * (max(min(u[i], limit), -limit) + offset)
			}
		}
		k.gateLimitedGrad[kind] = func(dgate, dup, gate, up, d *float32, n int, limit, offset float32) {
			dg, du, u, e := slice(dgate, n), slice(dup, n), slice(up, n), slice(d, n)
			for i, v := range slice(gate, n) {
				y, slope := curve(kind, float64(min(v, limit)))
				w := u[i]
				if v > limit {
					slope = 0
				}
				if w > limit || w < -limit {
					y = 0
				}
				du[i], dg[i] = e[i]*float32(y), e[i]*(max(min(w, limit), -limit)+offset)*float32(slope)
			}
		}
	}
})
