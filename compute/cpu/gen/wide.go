package main

import "fmt"

// wide writes the kernel for quantised weights with a float32 scale for each 16 values and a minimum for each 32: Q4_1, Q5_1 and
// the K-quants. A block of a panel is `lanes` scales of the first half, of the second, minimums, then 8-bit values as in quant,
// unsigned and below 64, so that AVX2's 16-bit sums cannot overflow.
//
// For each block three terms go into the chain of float32: the halves' integers times their scales, and the minimum times the
// activations' sum. Products and sums are rounded separately, so every level has the same bits.
func (a *assembly) wide(rows int) {
	a.function(fmt.Sprintf("quantWide%d", rows), fmt.Sprintf("multiplies %d rows of int8 with a panel of weights with two scales and a minimum.", rows), []argument{{"t", "*quantTile"}})
	v := a.vector()
	a.op("MOVQ %s, DI", a.arg("t"))
	for i, r := range []string{"SI", "DX", "R8", "R9", "R10", "CX", "R11", "R12"} {
		a.op("MOVQ %d(DI), %s", i*8, r)
	}
	var sum, whole []string
	for range rows {
		sum = append(sum, v.zero())
		whole = append(whole, v.new())
	}
	scale, w, t := v.new(), v.new(), v.new()
	move := map[bool]string{false: "VMOVDQU", true: "VMOVDQU32"}[a.set == avx512]
	loop, done := a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	// times multiplies scale by a row's factor at the address, into t.
	times := func(at string) {
		if a.set == avx512 {
			a.op("VMULPS.BCST %s, %s, %s", at, scale, t)
		} else {
			a.op("VBROADCASTSS %s, %s", at, t)
			a.op("VMULPS %s, %s, %s", scale, t, t)
		}
	}
	a.mark(loop)
	for half := range 2 {
		a.op("VMOVUPS %d(SI), %s", half*a.bytes(), scale)
		for r := range rows {
			a.op("VPBROADCASTD %d(R9), %s", r*8+half*4, whole[r])
		}
		for g := half * 4; g < half*4+4; g++ {
			a.op("%s %d(SI), %s", move, (3+g)*a.bytes(), w)
			for r := range rows {
				at := fmt.Sprintf("%d(DX)", r*32+g*4)
				if a.set == avx512 {
					a.op("VPDPBUSD.BCST %s, %s, %s", at, w, whole[r])
					continue
				}
				a.op("VPBROADCASTD %s, %s", at, t)
				a.op("VPMADDUBSW %s, %s, %s", t, w, t)
				a.op("VPMADDWD %s, %s, %s", a.consts.bits("onesOf16", 0x00010001), t, t)
				a.op("VPADDD %s, %s, %s", t, whole[r], whole[r])
			}
		}
		for r := range rows {
			a.op("VCVTDQ2PS %s, %s", whole[r], whole[r])
			times(fmt.Sprintf("%d(R8)", r*4))
			a.op("VMULPS %s, %s, %s", t, whole[r], whole[r])
			a.op("VADDPS %s, %s, %s", whole[r], sum[r], sum[r])
		}
	}
	a.op("VMOVUPS %d(SI), %s", 2*a.bytes(), scale)
	for r := range rows {
		times(fmt.Sprintf("%d(R12)", r*4))
		a.op("VADDPS %s, %s, %s", t, sum[r], sum[r])
	}
	a.op("ADDQ $%d, SI", 11*a.bytes())
	a.op("ADDQ $%d, DX", rows*32)
	a.op("ADDQ $%d, R8", rows*4)
	a.op("ADDQ $%d, R9", rows*8)
	a.op("ADDQ $%d, R12", rows*4)
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	for r := range rows {
		a.op("VMOVUPS %s, (R10)", sum[r])
		if r+1 < rows {
			a.op("ADDQ R11, R10")
		}
	}
	a.ret()
}
