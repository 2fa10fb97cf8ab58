package main

import "fmt"

var _ = topic("activation", (*assembly).activations)

// shape writes an activation of x, whose register it may use up: the value in a register, and the slope in another if wanted.
type shape struct {
	name, kind, about string
	gated, limited    bool
	write             func(v *vector, x string, slope bool) (y, dy string)
}

var shapes = []shape{
	{"silu", "SiLU", "x·sigmoid(x)", true, true, func(v *vector, x string, slope bool) (y, dy string) {
		s, rest := v.sigmoid(x, slope)
		v.op("VMULPS %s, %s, %s", s, x, x)
		if !slope {
			v.drop(s)
			return x, ""
		}
		v.op("VFMADD231PS %s, %s, %s", rest, x, s) // s + y·(1 − s)
		v.drop(rest)
		return x, s
	}},
	{"gelu", "GELU", "x·Φ(x)", true, false, (*vector).gelu},
	{"geluTanh", "GELUTanh", "x·sigmoid(2·√(2/π)·(x + 0.044715·x³)), which is the form with tanh", true, false, func(v *vector, x string, slope bool) (y, dy string) {
		// Beyond ±10 the sigmoid is 0 or 1; clamped there, nothing overflows.
		c := v.clamp(x, "geluTanhFar", 10)
		u, z := v.new(), v.new()
		v.op("VMULPS %s, %s, %s", c, c, z)
		v.op("VMOVUPS %s, %s", v.consts.value("geluTanhLinear", 1.5957691216057308), u)
		if slope {
			dy = v.new()
			v.op("VMOVAPS %s, %s", u, dy)
			v.op("VFMADD231PS %s, %s, %s", v.consts.value("geluTanhSlope", 1.5957691216057308*3*0.044715), z, dy)
		}
		v.op("VFMADD231PS %s, %s, %s", v.consts.value("geluTanhCube", 1.5957691216057308*0.044715), z, u)
		v.op("VMULPS %s, %s, %s", c, u, u)
		v.drop(z, c)
		s, rest := v.sigmoid(u, slope)
		v.op("VMULPS %s, %s, %s", s, x, x)
		if slope { // s + y·(1 − s)·u′
			v.op("VMULPS %s, %s, %s", x, rest, rest)
			v.op("VFMADD213PS %s, %s, %s", s, rest, dy)
			v.drop(rest)
		}
		v.drop(s, u)
		return x, dy
	}},
	{"quickGelu", "QuickGELU", "x·sigmoid(1.702·x)", true, true, func(v *vector, x string, slope bool) (y, dy string) {
		u := v.new()
		v.op("VMULPS %s, %s, %s", v.consts.value("quickGelu", 1.702), x, u)
		s, rest := v.sigmoid(u, slope)
		v.op("VMULPS %s, %s, %s", s, x, x)
		v.drop(u)
		if !slope {
			v.drop(s)
			return x, ""
		}
		v.op("VMULPS %s, %s, %s", v.consts.value("quickGelu", 1.702), rest, rest)
		v.op("VFMADD231PS %s, %s, %s", rest, x, s) // s + 1.702·y·(1 − s)
		v.drop(rest)
		return x, s
	}},
	{"relu", "ReLU", "max(x, 0)", true, false, func(v *vector, x string, slope bool) (y, dy string) {
		if slope {
			dy = v.new()
			v.aboveZero(x, dy)
		}
		v.positive(x)
		return x, dy
	}},
	{"relu2", "ReLU2", "max(x, 0)²", true, false, func(v *vector, x string, slope bool) (y, dy string) {
		v.positive(x)
		if slope {
			dy = v.new()
			v.op("VADDPS %s, %s, %s", x, x, dy)
		}
		v.op("VMULPS %s, %s, %s", x, x, x)
		return x, dy
	}},
	{"sigmoid", "Sigmoid", "1/(1 + exp(−x))", true, false, func(v *vector, x string, slope bool) (y, dy string) {
		y, dy = v.sigmoid(x, slope)
		if slope {
			v.op("VMULPS %s, %s, %s", y, dy, dy)
		}
		v.drop(x)
		return y, dy
	}},
	{"tanh", "Tanh", "tanh(x)", false, false, func(v *vector, x string, slope bool) (y, dy string) {
		return x, v.tanh(x, slope)
	}},
	{"softplus", "Softplus", "log(1 + exp(x))", false, false, (*vector).softplus},
}

// activations writes the kernels of activations and of gates.
func (a *assembly) activations() {
	for _, f := range shapes {
		a.each(f.name, "is out = "+f.about+".", []string{"out", "x"}, nil, nil, nil, func(v *vector) {
			y, _ := f.write(v, v.load("x"), false)
			v.store(y, "out")
		}, nil)
		a.provide("activate[compute."+f.kind+"]", f.name)
		a.each(f.name+"Grad", "is dx = d times the slope of "+f.name+" at x.", []string{"dx", "x", "d"}, nil, nil, nil, func(v *vector) {
			_, dy := f.write(v, v.load("x"), true)
			d := v.load("d")
			v.op("VMULPS %s, %s, %s", dy, d, d)
			v.store(d, "dx")
		}, nil)
		a.provide("activateGrad[compute."+f.kind+"]", f.name+"Grad")
		if f.gated {
			a.gate(f, false)
		}
		if f.limited {
			a.gate(f, true)
		}
	}
}

// gate writes f(gate)·up and its gradient; limited, with gate ≤ limit, |up| ≤ limit and up + offset.
func (a *assembly) gate(f shape, limited bool) {
	name, field, others := f.name+"Gate", "gate", []argument(nil)
	about := "is out = " + f.name + "(gate)·up"
	var limit, low, offset string
	var setup func(v *vector)
	if limited {
		name, field, others = name+"Limited", "gateLimited", floats("limit", "offset")
		about += ", gate and up clamped to limit, up + offset"
		setup = func(v *vector) {
			limit, offset = v.scalar("limit"), v.scalar("offset")
			low = v.new()
			v.op("VXORPS %s, %s, %s", v.consts.bits("signBit", 0x80000000), limit, low)
		}
	}
	clampGate := func(v *vector, g string) {
		if limited {
			v.op("VMINPS %s, %s, %s", g, limit, g) // NaN of g stays
		}
	}
	clampUp := func(v *vector, u string) {
		if limited {
			v.op("VMINPS %s, %s, %s", u, limit, u)
			v.op("VMAXPS %s, %s, %s", u, low, u)
			v.op("VADDPS %s, %s, %s", offset, u, u)
		}
	}
	a.each(name, about+".", []string{"out", "gate", "up"}, others, nil, setup, func(v *vector) {
		g := v.load("gate")
		clampGate(v, g)
		y, _ := f.write(v, g, false)
		u := v.load("up")
		clampUp(v, u)
		v.op("VMULPS %s, %s, %s", u, y, y)
		v.store(y, "out")
	}, nil)
	a.provide(fmt.Sprintf("%s[compute.%s]", field, f.kind), name)

	a.each(name+"Grad", "is the gradient of "+name+".", []string{"dgate", "dup", "gate", "up", "d"}, others, nil, setup, func(v *vector) {
		g := v.load("gate")
		clampGate(v, g)
		y, dy := f.write(v, g, true)
		d, u := v.load("d"), v.load("up")
		v.op("VMULPS %s, %s, %s", d, y, y)
		if limited {
			g, m := v.load("gate"), v.new()
			v.zeroWhere(v.set, y, u, limit, m, 14) // greater
			v.zeroWhere(v.set, y, u, low, m, 1)    // less
			v.zeroWhere(v.set, dy, g, limit, m, 14)
			v.drop(g, m)
		}
		clampUp(v, u)
		v.store(y, "dup")
		v.op("VMULPS %s, %s, %s", d, u, u)
		v.op("VMULPS %s, %s, %s", dy, u, u)
		v.store(u, "dgate")
	}, nil)
	a.provide(fmt.Sprintf("%sGrad[compute.%s]", field, f.kind), name+"Grad")
}

// zeroWhere clears the lanes of r where `x predicate limit` holds.
func (v *vector) zeroWhere(s *set, r, x, limit, temporary string, predicate int) {
	if s == avx512 {
		v.op("VCMPPS $%d, %s, %s, K2", predicate, limit, x)
		v.op("VXORPS %s, %s, K2, %s", r, r, r)
		return
	}
	v.op("VCMPPS $%d, %s, %s, %s", predicate, limit, x, temporary)
	v.op("VANDNPS %s, %s, %s", r, temporary, r)
}

// sigmoid is s = 1/(1 + exp(−x)) in a new register; if wanted, 1 − s = exp(−x)·s in another, which does not cancel.
func (v *vector) sigmoid(x string, wantRest bool) (s, rest string) {
	e, one := v.new(), v.new()
	v.op("VXORPS %s, %s, %s", v.consts.bits("signBit", 0x80000000), x, e)
	v.exp(e)
	v.op("VMOVUPS %s, %s", v.consts.value("exp7", 1), one)
	if !wantRest {
		v.op("VADDPS %s, %s, %s", one, e, e)
		v.op("VDIVPS %s, %s, %s", e, one, e)
		v.drop(one)
		return e, ""
	}
	s = v.new()
	v.op("VADDPS %s, %s, %s", one, e, s)
	v.op("VDIVPS %s, %s, %s", s, one, s)
	v.op("VMULPS %s, %s, %s", s, e, e)
	v.drop(one)
	return s, e
}

// clamp is x within ±limit in a new register; NaN stays.
func (v *vector) clamp(x, name string, limit float32) string {
	c, t := v.new(), v.new()
	v.op("VMOVUPS %s, %s", v.consts.value(name, limit), c)
	v.op("VMINPS %s, %s, %s", x, c, c)
	v.op("VMOVUPS %s, %s", v.consts.value(name+"Low", -limit), t)
	v.op("VMAXPS %s, %s, %s", c, t, c)
	v.drop(t)
	return c
}

// positive is x = max(x, 0); NaN stays.
func (v *vector) positive(x string) {
	t := v.new()
	v.op("VXORPS %s, %s, %s", t, t, t)
	v.op("VMAXPS %s, %s, %s", x, t, x)
	v.drop(t)
}

// aboveZero is to = 0 where x ≤ 0, else 1, also for NaN.
func (v *vector) aboveZero(x, to string) {
	t := v.new()
	v.op("VXORPS %s, %s, %s", t, t, t)
	if v.set == avx512 {
		v.op("VCMPPS $6, %s, %s, K2", t, x) // not less or equal
		v.op("VMOVUPS.Z %s, K2, %s", v.consts.value("exp7", 1), to)
	} else {
		v.op("VCMPPS $6, %s, %s, %s", t, x, t)
		v.op("VANDPS %s, %s, %s", v.consts.value("exp7", 1), t, to)
	}
	v.drop(t)
}

// bySign is to = minus where x has its sign bit, else plus.
func (v *vector) bySign(x, minus, plus, to string) {
	if v.set == avx512 {
		v.op("VPMOVD2M %s, K2", x)
		v.op("VBLENDMPS %s, %s, K2, %s", minus, plus, to)
	} else {
		v.op("VBLENDVPS %s, %s, %s, %s", x, minus, plus, to)
	}
}

// polynomial is p = c[0] + c[1]·x + …, by Horner.
func (v *vector) polynomial(name, x, p string, c ...float32) {
	v.op("VMOVUPS %s, %s", v.consts.value(fmt.Sprintf("%s%d", name, len(c)-1), c[len(c)-1]), p)
	for i := len(c) - 2; i >= 0; i-- {
		v.op("VFMADD213PS %s, %s, %s", v.consts.value(fmt.Sprintf("%s%d", name, i), c[i]), x, p)
	}
}

// gelu is x·Φ(x). With a = |x| and t = 1/(1 + 0.305·a), Φ(−a) = exp(−a²/2)·t·Q(t), Q of degree 7 fitted for the smallest relative
// error (9.4e-8) on [0, 13.2]; beyond that Φ is 0 or 1. The rounding of a² makes the relative error of far tails up to 7e-7, where the
// value itself is small; the error relative to |x| stays below 2e-7.
func (v *vector) gelu(x string, slope bool) (y, dy string) {
	c := v.clamp(x, "geluFar", 13.2)
	a, t, one := v.new(), v.new(), v.new()
	v.op("VANDPS %s, %s, %s", v.consts.bits("magnitude", 0x7fffffff), c, a)
	v.op("VMOVUPS %s, %s", v.consts.value("exp7", 1), one)
	v.op("VMOVAPS %s, %s", one, t)
	v.op("VFMADD231PS %s, %s, %s", v.consts.value("geluT", 0.305), a, t)
	v.op("VDIVPS %s, %s, %s", t, one, t)
	v.op("VMULPS %s, %s, %s", a, a, a)
	v.op("VMULPS %s, %s, %s", v.consts.value("minusHalf", -0.5), a, a)
	v.exp(a)
	q := v.new()
	v.polynomial("gelu", t, q, 0.12163973294384925, 0.12246681744956779, 0.10342084103839011, 0.12102181482328334, -0.03797715764242452, 0.18571731642622147, -0.1529885757069421, 0.03669925766263711)
	v.op("VMULPS %s, %s, %s", t, q, q)
	v.op("VMULPS %s, %s, %s", a, q, q)
	v.op("VSUBPS %s, %s, %s", q, one, t)
	v.bySign(x, q, t, q)
	v.op("VMULPS %s, %s, %s", q, x, x)
	if slope { // Φ + x·exp(−x²/2)/√(2π)
		dy = t
		v.op("VMULPS %s, %s, %s", c, a, dy)
		v.op("VMOVUPS %s, %s", v.consts.value("geluDensity", 0.3989422804014327), a)
		v.op("VFMADD213PS %s, %s, %s", q, a, dy)
	} else {
		v.drop(t)
	}
	v.drop(q, one, a, c)
	return x, dy
}

// tanh replaces x: below 0.625 by x + x³·P(x²), else by 1 − 2u/(1 + u), u = exp(−2|x|), with x's sign. Relative error below 2e-7.
// The slope is 4u/(1 + u)².
func (v *vector) tanh(x string, slope bool) (dy string) {
	a, e, one, r := v.new(), v.new(), v.new(), v.new()
	v.op("VANDPS %s, %s, %s", v.consts.bits("magnitude", 0x7fffffff), x, a)
	v.op("VMULPS %s, %s, %s", v.consts.value("minusTwo", -2), a, e)
	v.exp(e)
	v.op("VMOVUPS %s, %s", v.consts.value("exp7", 1), one)
	v.op("VADDPS %s, %s, %s", one, e, r)
	v.op("VDIVPS %s, %s, %s", r, one, r)
	v.op("VADDPS %s, %s, %s", e, e, e)
	v.op("VMULPS %s, %s, %s", r, e, e)
	if slope {
		v.op("VADDPS %s, %s, %s", r, r, r)
		v.op("VMULPS %s, %s, %s", e, r, r)
	}
	v.op("VSUBPS %s, %s, %s", e, one, e)
	sign := one
	v.op("VANDPS %s, %s, %s", v.consts.bits("signBit", 0x80000000), x, sign)
	v.op("VORPS %s, %s, %s", sign, e, e)
	z, p := v.new(), one
	v.op("VMULPS %s, %s, %s", x, x, z)
	v.polynomial("tanh", z, p, -0.3333328392358803, 0.13331491248454166, -0.05374349525699009, 0.02065057899084786, -0.005717036548161668)
	v.op("VMULPS %s, %s, %s", z, p, p)
	v.op("VFMADD213PS %s, %s, %s", x, x, p)
	if v.set == avx512 {
		v.op("VCMPPS $1, %s, %s, K2", v.consts.value("tanhNear", 0.625), a)
		v.op("VBLENDMPS %s, %s, K2, %s", p, e, x)
	} else {
		v.op("VCMPPS $1, %s, %s, %s", v.consts.value("tanhNear", 0.625), a, a)
		v.op("VBLENDVPS %s, %s, %s, %s", a, p, e, x)
	}
	v.drop(a, e, one, z)
	if !slope {
		v.drop(r)
	}
	return r
}

// softplus is max(x, 0) + log(1 + u), u = exp(−|x|), with log(1 + u) = 2·artanh(s), s = u/(2 + u) ≤ 1/3, as s + s³·P(s²).
func (v *vector) softplus(x string, slope bool) (y, dy string) {
	u, s, t := v.new(), v.new(), v.new()
	v.op("VORPS %s, %s, %s", v.consts.bits("signBit", 0x80000000), x, u)
	v.exp(u)
	if slope { // sigmoid: 1/(1 + u) where x ≥ 0, else u/(1 + u)
		dy = v.new()
		v.op("VMOVUPS %s, %s", v.consts.value("exp7", 1), t)
		v.op("VADDPS %s, %s, %s", t, u, s)
		v.op("VDIVPS %s, %s, %s", s, t, t)
		v.op("VMULPS %s, %s, %s", t, u, s)
		v.bySign(x, s, t, dy)
	}
	v.op("VADDPS %s, %s, %s", v.consts.value("two", 2), u, s)
	v.op("VDIVPS %s, %s, %s", s, u, s)
	v.op("VMULPS %s, %s, %s", s, s, u)
	v.polynomial("artanh", u, t, 0.3333320656480265, 0.20010849594464172, 0.13999569702037548, 0.14012232829747068)
	v.op("VMULPS %s, %s, %s", u, t, t)
	v.op("VFMADD213PS %s, %s, %s", s, s, t)
	v.positive(x)
	v.op("VFMADD231PS %s, %s, %s", v.consts.value("two", 2), t, x)
	v.drop(u, s, t)
	return x, dy
}
