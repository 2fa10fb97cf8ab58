package main

import "fmt"

var _ = topic("attention_rows", func(a *assembly) {
	a.widen("widenRows", "float32", 4, func(at, to string) {
		a.op("VMOVUPS %s, %s", at, to)
	})
	a.widen("widenBrain", "bfloat16", 2, func(at, to string) {
		a.op("VPMOVZXWD %s, %s", at, to)
		a.op("VPSLLD $16, %s, %s", to, to)
	})
	a.widen("widenHalf", "float16", 2, func(at, to string) {
		a.op("VCVTPH2PS %s, %s", at, to)
	})
	if a.set == avx2 {
		a.prefetch()
	}
	a.widenCodes("widenInt8", 8)
	a.widenCodes("widenInt4", 4)
})

// widen writes the function that makes dense float32 rows, times a factor, of rows of another type.
func (a *assembly) widen(name, kind string, size int, load func(at, to string)) {
	a.function(name, fmt.Sprintf("writes `rows` rows of n %s values, times by. n is a multiple of %d; strides are bytes.", kind, a.lanes),
		append(append(append(append(pointers("dst"), ints("dstStride")...), argument{"src", "*byte"}), ints("srcStride", "rows", "n")...), floats("by")...))
	for i, n := range []string{"dst", "dstStride", "src", "srcStride", "rows", "n"} {
		a.op("MOVQ %s, %s", a.arg(n), []string{"DI", "R8", "SI", "R9", "CX", "DX"}[i])
	}
	a.op("VBROADCASTSS %s, %s", a.arg("by"), a.r(15))
	a.op("SHRQ $%d, DX", map[int]int{8: 3, 16: 4}[a.lanes])
	a.op("TESTQ DX, DX")
	done := a.label()
	a.op("JZ %s", done)
	a.countdown("CX", func() {
		a.op("MOVQ DI, R10")
		a.op("MOVQ SI, R11")
		a.op("MOVQ DX, AX")
		a.countdown("AX", func() {
			load("(R11)", a.r(0))
			a.op("VMULPS %s, %s, %s", a.r(15), a.r(0), a.r(0))
			a.op("VMOVUPS %s, (R10)", a.r(0))
			a.op("ADDQ $%d, R10", a.bytes())
			a.op("ADDQ $%d, R11", a.lanes*size)
		})
		a.op("ADDQ R8, DI")
		a.op("ADDQ R9, SI")
	})
	a.mark(done)
	a.ret()
}

// widenCodes writes the function that makes float32 rows of unsigned codes: scale · code + minimum. Codes of 4 bits lie in two
// halves: the low bits of a byte belong to the first half of the row.
func (a *assembly) widenCodes(name string, bits int) {
	unit := a.lanes
	if bits == 4 {
		unit = 2 * a.lanes
	}
	args := append(append(pointers("dst"), ints("dstStride")...), argument{"src", "*byte"})
	args = append(append(append(args, ints("srcStride")...), pointers("scales")...), ints("scaleStride", "rows", "n")...)
	a.function(name, fmt.Sprintf("writes rows of n codes of %d bits, with a scale and a minimum each, as float32. n is a multiple of %d; strides are bytes.", bits, unit), args)
	for i, n := range []string{"dst", "dstStride", "src", "srcStride", "scales", "scaleStride", "rows", "n"} {
		a.op("MOVQ %s, %s", a.arg(n), []string{"DI", "R8", "SI", "R9", "BX", "R12", "CX", "DX"}[i])
	}
	scale, minimum, mask := a.r(12), a.r(13), a.r(14)
	if bits == 4 {
		a.op("VMOVUPS %s, %s", a.consts.bits("nibble32", 15), mask)
		a.op("LEAQ (DX*2), R13") // bytes of half a row of float32
	}
	a.op("SHRQ $%d, DX", map[int]int{8: 3, 16: 4, 32: 5}[unit])
	done := a.label()
	a.op("TESTQ DX, DX")
	a.op("JZ %s", done)
	a.countdown("CX", func() {
		a.op("VBROADCASTSS (BX), %s", scale)
		a.op("VBROADCASTSS 4(BX), %s", minimum)
		a.op("MOVQ DI, R10")
		a.op("MOVQ SI, R11")
		a.op("MOVQ DX, AX")
		finish := func(r, at string) {
			a.op("VCVTDQ2PS %s, %s", r, r)
			a.op("VFMADD213PS %s, %s, %s", minimum, scale, r)
			a.op("VMOVUPS %s, %s", r, at)
		}
		a.countdown("AX", func() {
			a.op("VPMOVZXBD (R11), %s", a.r(0))
			if bits == 4 {
				a.op("VPSRLD $4, %s, %s", a.r(0), a.r(1))
				a.op("V%s %s, %s, %s", map[bool]string{true: "PANDD", false: "ANDPS"}[a.set == avx512], mask, a.r(0), a.r(0))
				finish(a.r(1), "(R10)(R13*1)")
			}
			finish(a.r(0), "(R10)")
			a.op("ADDQ $%d, R10", a.bytes())
			a.op("ADDQ $%d, R11", a.lanes)
		})
		a.op("ADDQ R8, DI")
		a.op("ADDQ R9, SI")
		a.op("ADDQ R12, BX")
	})
	a.mark(done)
	a.ret()
}

// prefetch writes the function that asks for lines to be brought into the level-2 cache. It uses no vector registers.
func (a *assembly) prefetch() {
	a.function("prefetchLines", "asks for lines of 64 bytes from p on, for the level-2 cache.", []argument{{"p", "*byte"}, {"lines", "int"}})
	a.op("MOVQ %s, DI", a.arg("p"))
	a.op("MOVQ %s, CX", a.arg("lines"))
	a.countdown("CX", func() {
		a.op("PREFETCHT1 (DI)")
		a.op("ADDQ $64, DI")
	})
	a.op("RET")
}
