package main

import "fmt"

var _ = topic("kv_write", func(a *assembly) {
	a.narrow16("narrowBrain", "bfloat16", a.brainOf)
	a.narrow16("narrowHalf", "float16", func(x, to string) {
		a.op("VCVTPS2PH $0, %s, %s", x, low(to))
	})
	a.rowExtent()
	a.narrowCodes(8)
	a.narrowCodes(4)
})

// narrow16 writes the function that rounds values to a type of 16 bits.
func (a *assembly) narrow16(name, kind string, round func(x, to string)) {
	a.function(name, fmt.Sprintf("rounds n values, a multiple of %d, to %s.", a.lanes, kind), []argument{{"dst", "*byte"}, {"src", "*float32"}, {"n", "int"}})
	a.start("dst", "src", "n")
	a.op("SHRQ $%d, CX", map[int]int{8: 3, 16: 4}[a.lanes])
	a.countdown("CX", func() {
		a.op("VMOVUPS (SI), %s", a.r(0))
		round(a.r(0), a.r(1))
		a.op("VMOVUPS %s, (DI)", low(a.r(1)))
		a.op("ADDQ $%d, SI", a.bytes())
		a.op("ADDQ $%d, DI", a.lanes*2)
	})
	a.ret()
}

// brainOf rounds to nearest even in whole numbers, as dtype.F32ToBF16: denormals stay, a NaN becomes quiet.
func (a *assembly) brainOf(x, to string) {
	one, half, quiet := a.consts.bits("int1", 1), a.consts.bits("brainHalf", 0x7fff), a.consts.bits("brainQuiet", 0x400000)
	y := a.r(2)
	a.op("VPSRLD $16, %s, %s", x, to)
	if a.set == avx512 {
		a.op("VPANDD %s, %s, %s", one, to, to)
		a.op("VPADDD %s, %s, %s", half, to, to)
		a.op("VPADDD %s, %s, %s", x, to, to)
		a.op("VCMPPS $3, %s, %s, K2", x, x)
		a.op("VPORD %s, %s, K2, %s", quiet, x, to)
		a.op("VPSRLD $16, %s, %s", to, to)
		a.op("VPMOVDW %s, %s", to, low(to))
		return
	}
	a.op("VPAND %s, %s, %s", one, to, to)
	a.op("VPADDD %s, %s, %s", half, to, to)
	a.op("VPADDD %s, %s, %s", x, to, to)
	a.op("VCMPPS $3, %s, %s, %s", x, x, y)
	a.op("VPOR %s, %s, %s", quiet, x, x)
	a.op("VBLENDVPS %s, %s, %s, %s", y, x, to, to)
	a.op("VPSRLD $16, %s, %s", to, to)
	a.op("VEXTRACTI128 $1, %s, X%s", to, y[1:])
	a.op("VPACKUSDW X%s, X%s, X%s", y[1:], to[1:], to[1:])
}

func (a *assembly) rowExtent() {
	a.function("rowExtent", fmt.Sprintf("writes −min, max, and 0 or NaN (where a value is not finite) of n values, a multiple of %d.", a.lanes), []argument{{"out", "*float32"}, {"src", "*float32"}, {"n", "int"}})
	a.start("out", "src", "n")
	v := a.vector()
	lowest, highest, bad, x, y := v.new(), v.new(), v.new(), v.new(), v.new()
	a.op("VMOVUPS %s, %s", a.consts.bits("minusInfinity", 0xff800000), lowest)
	a.op("VMOVAPS %s, %s", lowest, highest)
	a.op("VXORPS %s, %s, %s", bad, bad, bad)
	a.op("SHRQ $%d, CX", map[int]int{8: 3, 16: 4}[a.lanes])
	a.countdown("CX", func() {
		a.op("VMOVUPS (SI), %s", x)
		a.op("VSUBPS %s, %s, %s", x, x, y)
		a.op("VADDPS %s, %s, %s", y, bad, bad)
		a.op("VMAXPS %s, %s, %s", x, highest, highest)
		a.op("VXORPS %s, %s, %s", a.consts.bits("signBit", 0x80000000), x, x)
		a.op("VMAXPS %s, %s, %s", x, lowest, lowest)
		a.op("ADDQ $%d, SI", a.bytes())
	})
	v.most(lowest)
	v.most(highest)
	v.sum(bad)
	for i, r := range []string{lowest, highest, bad} {
		a.op("VMOVSS X%s, %d(DI)", r[1:], i*4)
	}
	a.ret()
}

// narrowCodes writes the function that makes codes: (x − minimum) · inverse to the nearest whole number.
func (a *assembly) narrowCodes(bits int) {
	name, unit := "narrowCodes8", a.lanes
	if bits == 4 {
		name, unit = "narrowCodes4", 2*a.lanes
	}
	a.function(name, fmt.Sprintf("makes codes of %d bits of n values, a multiple of %d.", bits, unit), append([]argument{{"dst", "*byte"}, {"src", "*float32"}, {"n", "int"}}, floats("minimum", "inverse")...))
	a.start("dst", "src", "n")
	minimum, inverse := a.r(4), a.r(5)
	a.op("VBROADCASTSS %s, %s", a.arg("minimum"), minimum)
	a.op("VBROADCASTSS %s, %s", a.arg("inverse"), inverse)
	if bits == 4 {
		a.op("LEAQ (SI)(CX*2), DX") // the second half
	}
	a.op("SHRQ $%d, CX", map[int]int{8: 3, 16: 4, 32: 5}[unit])
	code := func(at, r string) {
		a.op("VMOVUPS %s, %s", at, r)
		a.op("VSUBPS %s, %s, %s", minimum, r, r)
		a.op("VMULPS %s, %s, %s", inverse, r, r)
		a.op("VCVTPS2DQ %s, %s", r, r)
	}
	a.countdown("CX", func() {
		code("(SI)", a.r(0))
		if bits == 4 {
			code("(DX)", a.r(1))
			a.op("VPSLLD $4, %s, %s", a.r(1), a.r(1))
			a.op("VORPS %s, %s, %s", a.r(1), a.r(0), a.r(0))
			a.op("ADDQ $%d, DX", a.bytes())
		}
		if a.set == avx512 {
			a.op("VPMOVDB Z0, X0")
			a.op("VMOVUPS X0, (DI)")
		} else {
			a.op("VEXTRACTI128 $1, Y0, X2")
			a.op("VPACKUSDW X2, X0, X0")
			a.op("VPACKUSWB X0, X0, X0")
			a.op("VMOVQ X0, (DI)")
		}
		a.op("ADDQ $%d, SI", a.bytes())
		a.op("ADDQ $%d, DI", a.lanes)
	})
	a.ret()
}
