package main

var _ = topic("updates", (*assembly).updates)

// updates writes the kernels of optimizers other than AdamW.
func (a *assembly) updates() {
	s := map[string]string{} // scalars
	kernel := func(name, about string, ptrs, scalars []string, body func(v *vector)) {
		a.each(name, about, ptrs, floats(scalars...), nil, func(v *vector) {
			for _, scalar := range scalars {
				s[scalar] = v.scalar(scalar)
			}
		}, body, nil)
		a.provideTo("updateKernels", name, name)
	}
	// gradient is grad·scale + decay·param.
	gradient := func(v *vector, p string) string {
		g := v.load("grad")
		v.op("VMULPS %s, %s, %s", s["scale"], g, g)
		v.op("VFMADD231PS %s, %s, %s", p, s["decay"], g)
		return g
	}
	kernel("sgd", "is one step of SGD without momentum.", []string{"param", "grad"}, []string{"scale", "decay", "rate"}, func(v *vector) {
		p := v.load("param")
		g := gradient(v, p)
		v.op("VFNMADD231PS %s, %s, %s", g, s["rate"], p)
		v.store(p, "param")
	})
	kernel("sgdM", "is one step of SGD: mean = old·mean + fresh·g, param −= rate·(direct·g + average·mean).", []string{"param", "grad", "mean"},
		[]string{"scale", "decay", "rate", "old", "fresh", "direct", "average"}, func(v *vector) {
			p := v.load("param")
			g, m := gradient(v, p), v.load("mean")
			v.op("VMULPS %s, %s, %s", s["old"], m, m)
			v.op("VFMADD231PS %s, %s, %s", g, s["fresh"], m)
			v.store(m, "mean")
			v.op("VMULPS %s, %s, %s", s["direct"], g, g)
			v.op("VFMADD231PS %s, %s, %s", m, s["average"], g)
			v.op("VFNMADD231PS %s, %s, %s", g, s["rate"], p)
			v.store(p, "param")
		})
	kernel("lion", "is one step of Lion.", []string{"param", "grad", "mean"}, []string{"scale", "beta1", "rest1", "beta2", "rest2", "keep", "rate"}, func(v *vector) {
		g, m, u := v.load("grad"), v.load("mean"), v.new()
		v.op("VMULPS %s, %s, %s", s["scale"], g, g)
		v.op("VMULPS %s, %s, %s", s["beta1"], m, u)
		v.op("VFMADD231PS %s, %s, %s", g, s["rest1"], u)
		v.op("VMULPS %s, %s, %s", s["beta2"], m, m)
		v.op("VFMADD231PS %s, %s, %s", g, s["rest2"], m)
		v.store(m, "mean")
		v.drop(m)
		p := v.load("param")
		v.op("VMULPS %s, %s, %s", s["keep"], p, p)
		v.op("VXORPS %s, %s, %s", g, g, g)
		if v.set == avx512 {
			v.op("VCMPPS $14, %s, %s, K2", g, u) // greater than 0
			v.op("VSUBPS %s, %s, K2, %s", s["rate"], p, p)
			v.op("VCMPPS $1, %s, %s, K2", g, u) // less
			v.op("VADDPS %s, %s, K2, %s", s["rate"], p, p)
		} else {
			above := v.new()
			v.op("VCMPPS $14, %s, %s, %s", g, u, above)
			v.op("VANDPS %s, %s, %s", s["rate"], above, above)
			v.op("VSUBPS %s, %s, %s", above, p, p)
			v.op("VCMPPS $1, %s, %s, %s", g, u, above)
			v.op("VANDPS %s, %s, %s", s["rate"], above, above)
			v.op("VADDPS %s, %s, %s", above, p, p)
		}
		v.store(p, "param")
	})
	kernel("momentum", "is mean = beta·mean + rest·grad·scale, out = direct·grad·scale + average·mean.", []string{"out", "grad", "mean"},
		[]string{"scale", "beta", "rest", "direct", "average"}, func(v *vector) {
			g, m := v.load("grad"), v.load("mean")
			v.op("VMULPS %s, %s, %s", s["scale"], g, g)
			v.op("VMULPS %s, %s, %s", s["beta"], m, m)
			v.op("VFMADD231PS %s, %s, %s", g, s["rest"], m)
			v.store(m, "mean")
			v.op("VMULPS %s, %s, %s", s["direct"], g, g)
			v.op("VFMADD231PS %s, %s, %s", m, s["average"], g)
			v.store(g, "out")
		})
	kernel("update", "is param = param·keep − rate·direction.", []string{"param", "direction"}, []string{"keep", "rate"}, func(v *vector) {
		p, d := v.load("param"), v.load("direction")
		v.op("VMULPS %s, %s, %s", s["keep"], p, p)
		v.op("VFNMADD231PS %s, %s, %s", d, s["rate"], p)
		v.store(p, "param")
	})
}
