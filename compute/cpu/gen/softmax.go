package main

var _ = topic("softmax", (*assembly).softmaxes)

// softmaxes writes the kernels of Softmax, Scale and Mul.
func (a *assembly) softmaxes() {
	var s string
	kernel := func(name, about string, ptrs []string, scalar string, body func(v *vector)) {
		var others []argument
		var setup func(v *vector)
		if scalar != "" {
			others, setup = floats(scalar), func(v *vector) { s = v.scalar(scalar) }
		}
		a.each(name, about, ptrs, others, nil, setup, body, nil)
		a.provide(name, name)
	}
	kernel("shift", "is out = x − by.", []string{"out", "x"}, "by", func(v *vector) {
		x := v.load("x")
		v.op("VSUBPS %s, %s, %s", s, x, x)
		v.store(x, "out")
	})
	kernel("scaleTo", "is out = x·by.", []string{"out", "x"}, "by", func(v *vector) {
		x := v.load("x")
		v.op("VMULPS %s, %s, %s", s, x, x)
		v.store(x, "out")
	})
	kernel("axpy", "is sum += x·by.", []string{"sum", "x"}, "by", func(v *vector) {
		x, o := v.load("x"), v.load("sum")
		v.op("VFMADD231PS %s, %s, %s", x, s, o)
		v.store(o, "sum")
	})
	kernel("mul", "is out = a·b.", []string{"out", "a", "b"}, "", func(v *vector) {
		x, y := v.load("a"), v.load("b")
		v.op("VMULPS %s, %s, %s", y, x, x)
		v.store(x, "out")
	})
	kernel("softmaxBack", "is dx = y·(d − mean).", []string{"dx", "y", "d"}, "mean", func(v *vector) {
		y, d := v.load("y"), v.load("d")
		v.op("VSUBPS %s, %s, %s", s, d, d)
		v.op("VMULPS %s, %s, %s", y, d, d)
		v.store(d, "dx")
	})
	kernel("logSoftmaxBack", "is dx = d − exp(y)·sum.", []string{"dx", "y", "d"}, "sum", func(v *vector) {
		y, d := v.load("y"), v.load("d")
		v.exp(y)
		v.op("VFNMADD231PS %s, %s, %s", s, y, d)
		v.store(d, "dx")
	})
}
