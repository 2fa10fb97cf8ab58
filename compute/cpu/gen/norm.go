package main

var _ = topic("norm", (*assembly).norms)

// norms writes the kernels of RMSNorm and LayerNorm.
func (a *assembly) norms() {
	var r, c, o, m, h, z, u string // scalars and sums
	result := floats("ret")
	answer := func(v *vector) {
		v.sum(z)
		v.op("VMOVSS X%s, %s", z[1:], v.arg("ret"))
	}
	kernel := func(name, about string, ptrs []string, others, results []argument, setup, body, finish func(v *vector)) {
		a.each(name, about, ptrs, others, results, setup, body, finish)
		a.provide(name, name)
	}
	// weight loads w + offset.
	weight := func(v *vector) string {
		w := v.load("w")
		v.op("VADDPS %s, %s, %s", o, w, w)
		return w
	}

	kernel("addSquares", "is out = a + b and Σ out²: one chain for each lane, then a tree.", []string{"out", "a", "b"}, nil, result, func(v *vector) { z = v.zero() }, func(v *vector) {
		x, y := v.load("a"), v.load("b")
		v.op("VADDPS %s, %s, %s", y, x, x)
		v.store(x, "out")
		v.op("VFMADD231PS %s, %s, %s", x, x, z)
	}, answer)
	kernel("normScale", "is out = x·r·(w + offset).", []string{"out", "x", "w"}, floats("r", "offset"), nil, func(v *vector) { r, o = v.scalar("r"), v.scalar("offset") }, func(v *vector) {
		x, w := v.load("x"), weight(v)
		v.op("VMULPS %s, %s, %s", r, x, x)
		v.op("VMULPS %s, %s, %s", w, x, x)
		v.store(x, "out")
	}, nil)
	kernel("normDot", "is Σ d·(w + offset)·x: one chain for each lane, then a tree.", []string{"d", "w", "x"}, floats("offset"), result, func(v *vector) { z, o = v.zero(), v.scalar("offset") }, func(v *vector) {
		d, w, x := v.load("d"), weight(v), v.load("x")
		v.op("VMULPS %s, %s, %s", w, d, d)
		v.op("VFMADD231PS %s, %s, %s", x, d, z)
	}, answer)
	kernel("normDots", "is Σ x² and Σ d·(w + offset)·x: one chain for each lane, then a tree.", []string{"d", "w", "x"}, floats("offset"), floats("squares", "dot"), func(v *vector) {
		z, u, o = v.zero(), v.zero(), v.scalar("offset")
	}, func(v *vector) {
		d, w, x := v.load("d"), weight(v), v.load("x")
		v.op("VMULPS %s, %s, %s", w, d, d)
		v.op("VFMADD231PS %s, %s, %s", x, x, z)
		v.op("VFMADD231PS %s, %s, %s", x, d, u)
	}, func(v *vector) {
		v.sum(z)
		v.sum(u)
		v.op("VMOVSS X%s, %s", z[1:], v.arg("squares"))
		v.op("VMOVSS X%s, %s", u[1:], v.arg("dot"))
	})
	for mode := range 4 {
		add, sum := mode&1 != 0, mode&2 != 0
		name, about, ptrs := "normGrad", "is dx = r·d·(w + offset) − c·x", []string{"d", "w", "x"}
		if add {
			name, about, ptrs = "normGradTo", "is dx = old + r·d·(w + offset) − c·x", append([]string{"old"}, ptrs...)
		}
		if sum {
			name, about, ptrs = name+"Sum", about+", sum += d·r·x", append([]string{"sum"}, ptrs...)
		}
		kernel(name, about+".", append([]string{"dx"}, ptrs...), floats("r", "c", "offset"), nil, func(v *vector) { r, c, o = v.scalar("r"), v.scalar("c"), v.scalar("offset") }, func(v *vector) {
			d, w, x := v.load("d"), weight(v), v.load("x")
			if sum {
				s, t := v.load("sum"), v.new()
				v.op("VMULPS %s, %s, %s", r, d, t)
				v.op("VFMADD231PS %s, %s, %s", x, t, s)
				v.store(s, "sum")
				v.drop(s, t)
			}
			v.op("VMULPS %s, %s, %s", w, d, d)
			v.op("VMULPS %s, %s, %s", r, d, d)
			v.op("VFNMADD231PS %s, %s, %s", c, x, d)
			if add {
				old := v.load("old")
				v.op("VADDPS %s, %s, %s", old, d, d)
			}
			v.store(d, "dx")
		}, nil)
	}
	kernel("mulAdd", "is sum += a·s·b.", []string{"sum", "a", "b"}, floats("s"), nil, func(v *vector) { r = v.scalar("s") }, func(v *vector) {
		x, y, s := v.load("a"), v.load("b"), v.load("sum")
		v.op("VMULPS %s, %s, %s", r, x, x)
		v.op("VFMADD231PS %s, %s, %s", y, x, s)
		v.store(s, "sum")
	}, nil)

	kernel("sum", "is Σ x: one chain for each lane, then a tree.", []string{"x"}, nil, result, func(v *vector) { z = v.zero() }, func(v *vector) {
		x := v.load("x")
		v.op("VADDPS %s, %s, %s", x, z, z)
	}, answer)
	kernel("addSum", "is out = a + b and Σ out: one chain for each lane, then a tree.", []string{"out", "a", "b"}, nil, result, func(v *vector) { z = v.zero() }, func(v *vector) {
		x, y := v.load("a"), v.load("b")
		v.op("VADDPS %s, %s, %s", y, x, x)
		v.store(x, "out")
		v.op("VADDPS %s, %s, %s", x, z, z)
	}, answer)
	kernel("centredSquares", "is Σ (x − mean)²: one chain for each lane, then a tree.", []string{"x"}, floats("mean"), result, func(v *vector) { z, m = v.zero(), v.scalar("mean") }, func(v *vector) {
		x := v.load("x")
		v.op("VSUBPS %s, %s, %s", m, x, x)
		v.zeroRest(x)
		v.op("VFMADD231PS %s, %s, %s", x, x, z)
	}, answer)
	kernel("layerScale", "is out = (x − mean)·r·w + bias.", []string{"out", "x", "w", "bias"}, floats("mean", "r"), nil, func(v *vector) { m, r = v.scalar("mean"), v.scalar("r") }, func(v *vector) {
		x, w, b := v.load("x"), v.load("w"), v.load("bias")
		v.op("VSUBPS %s, %s, %s", m, x, x)
		v.op("VMULPS %s, %s, %s", r, x, x)
		v.op("VFMADD231PS %s, %s, %s", w, x, b)
		v.store(b, "out")
	}, nil)
	kernel("layerDots", "is Σ d·w and Σ d·w·(x − mean): one chain for each lane, then a tree.", []string{"d", "w", "x"}, floats("mean"), floats("dots", "centred"), func(v *vector) {
		z, u, m = v.zero(), v.zero(), v.scalar("mean")
	}, func(v *vector) {
		d, w, x := v.load("d"), v.load("w"), v.load("x")
		v.op("VMULPS %s, %s, %s", w, d, d)
		v.op("VADDPS %s, %s, %s", d, z, z)
		v.op("VSUBPS %s, %s, %s", m, x, x)
		v.op("VFMADD231PS %s, %s, %s", x, d, u)
	}, func(v *vector) {
		v.sum(z)
		v.sum(u)
		v.op("VMOVSS X%s, %s", z[1:], v.arg("dots"))
		v.op("VMOVSS X%s, %s", u[1:], v.arg("centred"))
	})
	for _, add := range []bool{false, true} {
		name, about, ptrs := "layerGrad", "is dx = r·d·w − c·(x − mean) − shift.", []string{"dx", "d", "w", "x"}
		if add {
			name, about, ptrs = "layerGradTo", "is dx = old + r·d·w − c·(x − mean) − shift.", []string{"dx", "old", "d", "w", "x"}
		}
		kernel(name, about, ptrs, floats("mean", "r", "c", "shift"), nil, func(v *vector) {
			m, r, c, h = v.scalar("mean"), v.scalar("r"), v.scalar("c"), v.scalar("shift")
		}, func(v *vector) {
			d, w, x := v.load("d"), v.load("w"), v.load("x")
			v.op("VMULPS %s, %s, %s", w, d, d)
			v.op("VMULPS %s, %s, %s", r, d, d)
			v.op("VSUBPS %s, %s, %s", m, x, x)
			v.op("VFNMADD231PS %s, %s, %s", c, x, d)
			v.op("VSUBPS %s, %s, %s", h, d, d)
			if add {
				old := v.load("old")
				v.op("VADDPS %s, %s, %s", old, d, d)
			}
			v.store(d, "dx")
		}, nil)
	}
	kernel("mulAddCentred", "is sum += d·s·(x − mean).", []string{"sum", "d", "x"}, floats("mean", "s"), nil, func(v *vector) { m, r = v.scalar("mean"), v.scalar("s") }, func(v *vector) {
		d, x, s := v.load("d"), v.load("x"), v.load("sum")
		v.op("VSUBPS %s, %s, %s", m, x, x)
		v.op("VMULPS %s, %s, %s", r, d, d)
		v.op("VFMADD231PS %s, %s, %s", x, d, s)
		v.store(s, "sum")
	}, nil)
}
