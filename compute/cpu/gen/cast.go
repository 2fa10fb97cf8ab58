package main

var _ = topic("cast", (*assembly).casts)

// casts writes the kernels between float32 and 16 bits, 16 values at a time, with the bits of package dtype.
func (a *assembly) casts() {
	a.castLoop("fromBF16", "is dst = src, bfloat16 to float32.", false, func(v *vector, x string) {
		v.op("VPMOVZXWD (SI), %s", x)
		v.op("VPSLLD $16, %s, %s", x, x)
	})
	a.castLoop("fromF16", "is dst = src, float16 to float32.", false, func(v *vector, x string) {
		v.op("VCVTPH2PS (SI), %s", x)
	})
	a.castLoop("toF16", "is dst = src, float32 to float16, to nearest even.", true, func(v *vector, x string) {
		v.op("VCVTPS2PH $0, %s, (DI)", x)
	})
	a.castLoop("toBF16", "is dst = src, float32 to bfloat16, to nearest even; NaN keeps its upper bits and is made quiet.", true, func(v *vector, x string) {
		r, q := v.new(), v.new()
		v.op("VPSRLD $16, %s, %s", x, r)
		if v.set == avx512 {
			v.op("VPORD %s, %s, %s", v.consts.bits("quietBF16", 0x40), r, q)
			v.op("VPANDD %s, %s, %s", v.consts.bits("integer1", 1), r, r)
			v.op("VPADDD %s, %s, %s", v.consts.bits("roundBF16", 0x7fff), r, r)
			v.op("VPADDD %s, %s, %s", x, r, r)
			v.op("VPSRLD $16, %s, %s", r, r)
			v.op("VCMPPS $3, %s, %s, K2", x, x)
			v.op("VMOVDQA32 %s, K2, %s", q, r)
			v.op("VPMOVDW %s, (DI)", r)
		} else {
			v.op("VPOR %s, %s, %s", v.consts.bits("quietBF16", 0x40), r, q)
			v.op("VPAND %s, %s, %s", v.consts.bits("integer1", 1), r, r)
			v.op("VPADDD %s, %s, %s", v.consts.bits("roundBF16", 0x7fff), r, r)
			v.op("VPADDD %s, %s, %s", x, r, r)
			v.op("VPSRLD $16, %s, %s", r, r)
			v.op("VCMPPS $3, %s, %s, %s", x, x, x)
			v.op("VPBLENDVB %s, %s, %s, %s", x, q, r, r)
			v.op("VPACKUSDW %s, %s, %s", r, r, r)
			v.op("VPERMQ $0x08, %s, %s", r, r)
			v.op("VMOVDQU X%s, (DI)", r[1:])
		}
		v.drop(r, q)
	})
}

// castLoop writes a loop over n values, a multiple of 16; narrow says which side has 16 bits.
func (a *assembly) castLoop(name, about string, narrow bool, body func(v *vector, x string)) {
	args := []argument{{"dst", "*float32"}, {"src", "*uint16"}, {"n", "int"}}
	in, out := a.lanes*2, a.lanes*4
	if narrow {
		args[0].kind, args[1].kind = "*uint16", "*float32"
		in, out = out, in
	}
	a.function(name, about, args)
	v := a.vector()
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("src"))
	a.op("MOVQ %s, CX", a.arg("n"))
	loop, done := a.label(), a.label()
	a.op("SUBQ $%d, CX", a.lanes)
	a.op("JLT %s", done)
	a.mark(loop)
	x := v.new()
	if narrow {
		a.op("VMOVUPS (SI), %s", x)
	}
	body(v, x)
	if !narrow {
		a.op("VMOVUPS %s, (DI)", x)
	}
	a.op("ADDQ $%d, SI", in)
	a.op("ADDQ $%d, DI", out)
	a.op("SUBQ $%d, CX", a.lanes)
	a.op("JGE %s", loop)
	a.mark(done)
	a.ret()
	a.provide(name, name)
}
