package main

var _ = topic("attention", (*assembly).attention)

const keyTile = 64 // compute.KeyTile

// attention writes the kernels between the two products of attention, over rows of 64 scores.
func (a *assembly) attention() {
	vecs := keyTile / a.lanes

	a.function("softmaxRows", "takes the next 64 scores of each row into a running softmax: p becomes exp(p − most), sum and most go on, factor is what earlier sums shrink by.",
		append(append(pointers("p"), ints("rows")...), pointers("most", "sum", "factor")...))
	v := a.vector()
	a.op("MOVQ %s, DI", a.arg("p"))
	a.op("MOVQ %s, CX", a.arg("rows"))
	a.op("MOVQ %s, SI", a.arg("most"))
	a.op("MOVQ %s, DX", a.arg("sum"))
	a.op("MOVQ %s, R8", a.arg("factor"))
	loop, done := a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	old, now, x, z := v.new(), v.new(), v.new(), v.new()
	a.op("VBROADCASTSS (SI), %s", old)
	a.op("VMOVAPS %s, %s", old, now)
	for i := range vecs {
		a.op("VMOVUPS %d(DI), %s", i*a.bytes(), x)
		a.op("VMAXPS %s, %s, %s", now, x, now) // NaN is passed over
	}
	v.most(now)
	a.op("VMOVSS X%s, (SI)", now[1:])
	a.op("VSUBPS %s, %s, %s", now, old, old)
	v.exp(old)
	a.op("VMOVSS X%s, (R8)", old[1:])
	a.op("VXORPS %s, %s, %s", z, z, z)
	for i := range vecs {
		a.op("VMOVUPS %d(DI), %s", i*a.bytes(), x)
		a.op("VSUBPS %s, %s, %s", now, x, x)
		v.exp(x)
		a.op("VMOVUPS %s, %d(DI)", x, i*a.bytes())
		a.op("VADDPS %s, %s, %s", x, z, z)
	}
	v.sum(z)
	a.op("VMOVSS (DX), X%s", x[1:])
	a.op("VFMADD231SS X%s, X%s, X%s", old[1:], x[1:], z[1:])
	a.op("VMOVSS X%s, (DX)", z[1:])
	a.op("ADDQ $%d, DI", keyTile*4)
	for _, r := range []string{"SI", "DX", "R8"} {
		a.op("ADDQ $4, %s", r)
	}
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.ret()

	a.function("softmaxGradRows", "is p = exp(p − lse), dp = p·(dp − mean)·scale for rows of 64.",
		append(append(append(pointers("p", "dp"), ints("rows")...), pointers("lse", "mean")...), floats("scale")...))
	v = a.vector()
	a.op("MOVQ %s, DI", a.arg("p"))
	a.op("MOVQ %s, R8", a.arg("dp"))
	a.op("MOVQ %s, CX", a.arg("rows"))
	a.op("MOVQ %s, SI", a.arg("lse"))
	a.op("MOVQ %s, DX", a.arg("mean"))
	by := v.scalar("scale")
	loop, done = a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	lse, mean, x, y := v.new(), v.new(), v.new(), v.new()
	a.op("VBROADCASTSS (SI), %s", lse)
	a.op("VBROADCASTSS (DX), %s", mean)
	for i := range vecs {
		a.op("VMOVUPS %d(DI), %s", i*a.bytes(), x)
		a.op("VSUBPS %s, %s, %s", lse, x, x)
		v.exp(x)
		a.op("VMOVUPS %s, %d(DI)", x, i*a.bytes())
		a.op("VMOVUPS %d(R8), %s", i*a.bytes(), y)
		a.op("VSUBPS %s, %s, %s", mean, y, y)
		a.op("VMULPS %s, %s, %s", y, x, x)
		a.op("VMULPS %s, %s, %s", by, x, x)
		a.op("VMOVUPS %s, %d(R8)", x, i*a.bytes())
	}
	a.op("ADDQ $%d, DI", keyTile*4)
	a.op("ADDQ $%d, R8", keyTile*4)
	a.op("ADDQ $4, SI")
	a.op("ADDQ $4, DX")
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.ret()

	a.function("scaleRows", "multiplies each row of a dense tile by its factor.", append(append(pointers("x"), ints("rows")...), pointers("factor")...))
	a.op("MOVQ %s, DI", a.arg("x"))
	a.op("MOVQ %s, CX", a.arg("rows"))
	a.op("MOVQ %s, SI", a.arg("factor"))
	loop, done = a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	a.op("VBROADCASTSS (SI), %s", a.r(0))
	for j := range a.tileVecs {
		a.op("VMULPS %d(DI), %s, %s", j*a.bytes(), a.r(0), a.r(1))
		a.op("VMOVUPS %s, %d(DI)", a.r(1), j*a.bytes())
	}
	a.op("ADDQ $%d, DI", a.tileVecs*a.bytes())
	a.op("ADDQ $4, SI")
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.ret()
}
