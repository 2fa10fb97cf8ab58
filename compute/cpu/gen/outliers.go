package main

var _ = topic("outliers", (*assembly).outliers)

// outliers writes the kernels for values that stay float in products of int8.
func (a *assembly) outliers() {
	var most, mask, by, then string
	a.each("farthest", "is the largest magnitude, 0 of none; NaN is passed over.", []string{"x"}, nil, floats("ret"), func(v *vector) {
		most, mask = v.zero(), v.new()
		v.op("VMOVUPS %s, %s", v.consts.bits("magnitude", 0x7fffffff), mask)
	}, func(v *vector) {
		x := v.load("x")
		v.zeroRest(x)
		v.op("VANDPS %s, %s, %s", mask, x, x)
		v.op("VMAXPS %s, %s, %s", most, x, most)
	}, func(v *vector) {
		v.most(most)
		v.op("VMOVSS X%s, %s", most[1:], v.arg("ret"))
	})
	a.each("addTimes", "is y = y + x·by, rounded once.", []string{"y", "x"}, floats("by"), nil, func(v *vector) { by = v.scalar("by") }, func(v *vector) {
		x, y := v.load("x"), v.load("y")
		v.op("VFMADD231PS %s, %s, %s", by, x, y)
		v.store(y, "y")
	}, nil)
	a.each("addTwo", "is y = y + x·by, then + z·then, each rounded once.", []string{"y", "x", "z"}, floats("by", "then"), nil, func(v *vector) { by, then = v.scalar("by"), v.scalar("then") }, func(v *vector) {
		x, y := v.load("x"), v.load("y")
		v.op("VFMADD231PS %s, %s, %s", by, x, y)
		v.op("VFMADD231PS %s, %s, %s", then, v.load("z"), y)
		v.store(y, "y")
	}, nil)
	a.provideTo("outlierKernels", "farthest", "farthest")
	a.provideTo("outlierKernels", "addTimes", "addTimes")
	a.provideTo("outlierKernels", "addTwo", "addTwo")
}
