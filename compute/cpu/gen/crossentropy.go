package main

var _ = topic("loss", (*assembly).losses)

// losses writes the kernels that LinearCrossEntropy has beside those of softmax.
func (a *assembly) losses() {
	var cap, inverse string
	a.each("softcap", "is x = cap·tanh(x·inverse).", []string{"x"}, floats("cap", "inverse"), nil, func(v *vector) { cap, inverse = v.scalar("cap"), v.scalar("inverse") }, func(v *vector) {
		x := v.load("x")
		v.op("VMULPS %s, %s, %s", inverse, x, x)
		v.tanh(x, false)
		v.op("VMULPS %s, %s, %s", cap, x, x)
		v.store(x, "x")
	}, nil)
	a.provide("softcap", "softcap")
	a.each("softcapGrad", "is y = e·(1 − (y·inverse)²).", []string{"y", "e"}, floats("inverse"), nil, func(v *vector) { inverse = v.scalar("inverse") }, func(v *vector) {
		y, e, one := v.load("y"), v.load("e"), v.new()
		v.op("VMULPS %s, %s, %s", inverse, y, y)
		v.op("VMOVUPS %s, %s", v.consts.value("exp7", 1), one)
		v.op("VFNMADD231PS %s, %s, %s", y, y, one)
		v.op("VMULPS %s, %s, %s", e, one, one)
		v.store(one, "y")
	}, nil)
	a.provide("softcapGrad", "softcapGrad")
}
