package main

var _ = topic("clip", (*assembly).clips)

// clips writes the kernels of Clip. VMINPS and VMAXPS return their second operand if one is NaN: in this order the value.
func (a *assembly) clips() {
	var low, high string
	bounds := func(v *vector) { low, high = v.scalar("low"), v.scalar("high") }
	a.each("clip", "is out = min(max(x, low), high); NaN stays NaN.", []string{"out", "x"}, floats("low", "high"), nil, bounds, func(v *vector) {
		x := v.load("x")
		v.op("VMINPS %s, %s, %s", x, high, x)
		v.op("VMAXPS %s, %s, %s", x, low, x)
		v.store(x, "out")
	}, nil)
	a.each("clipGrad", "is dx = d where low ≤ x ≤ high, d·0 elsewhere.", []string{"dx", "x", "d"}, floats("low", "high"), nil, bounds, func(v *vector) {
		x, d, one := v.load("x"), v.load("d"), v.new()
		clipped := v.new()
		v.op("VMINPS %s, %s, %s", x, high, clipped)
		v.op("VMAXPS %s, %s, %s", clipped, low, clipped)
		v.op("VMOVUPS %s, %s", v.consts.value("one", 1), one)
		if v.set == avx512 {
			v.op("VCMPPS $0x0c, %s, %s, K2", x, clipped) // different, and neither is NaN
			v.op("VXORPS %s, %s, K2, %s", one, one, one)
		} else {
			v.op("VCMPPS $0x0c, %s, %s, %s", x, clipped, clipped)
			v.op("VANDNPS %s, %s, %s", one, clipped, one)
		}
		v.op("VMULPS %s, %s, %s", one, d, d)
		v.store(d, "dx")
	}, nil)
	a.provideTo("clipKernels", "clip", "clip")
	a.provideTo("clipKernels", "clipGrad", "clipGrad")
}
