package main

var _ = topic("loss", (*assembly).losses)

// lossAhead is how far ahead expInPlace fetches, in bytes: the stretch whose largest value is asked for next, which does little but read.
const lossAhead = 16384

// losses writes the kernels that LinearCrossEntropy has beside those of softmax.
func (a *assembly) losses() {
	var cap, inverse, shift, sum string
	a.each("expInPlace", "is x = exp(x − shift) and their sum: one chain for each lane, then a tree.", []string{"x"}, floats("shift"), floats("ret"), func(v *vector) {
		shift, sum = v.scalar("shift"), v.zero()
	}, func(v *vector) {
		v.op("PREFETCHT1 %d(%s)", lossAhead, v.pointer["x"])
		x := v.load("x")
		v.op("VSUBPS %s, %s, %s", shift, x, x)
		v.exp(x)
		v.zeroRest(x)
		v.op("VADDPS %s, %s, %s", x, sum, sum)
		v.store(x, "x")
	}, func(v *vector) {
		v.sum(sum)
		v.op("VMOVSS X%s, %s", sum[1:], v.arg("ret"))
	})
	a.provide("expInPlace", "expInPlace")
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
