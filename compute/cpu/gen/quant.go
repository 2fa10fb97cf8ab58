package main

import "fmt"

var _ = topic("quant", func(a *assembly) {
	for rows := 1; rows <= a.quantRows(); rows++ {
		a.quant(8, rows)
		a.quant(4, rows)
		a.wide(rows)
	}
	a.round8()
})

// Offsets in cpu.quantTile, kept in step by TestStructsMatchTheAssembly.
const (
	quantWeights = 8 * iota
	quantValues
	quantScales
	quantSums
	quantOut
	quantBlocks
	quantStride
)

func (s *set) quantRows() int {
	if s == avx512 {
		return 8
	}
	return 4
}

// quant writes the kernel that multiplies up to eight rows of int8 activations with a panel of quantised weights: lanes are
// outputs, so there is no horizontal sum; the integers of a block are exact; then one float32 chain over blocks, product
// and sum rounded separately so that every level has the same bits.
//
// A block of a panel is `lanes` float16 scales, then for each four values of k one 32-bit element for each lane. With 4 bits,
// an element's low nibbles are the values of group g and its high ones those of group g+4.
//
// AVX-512 has VPDPBUSD (unsigned × signed, 4 products summed): 8-bit weights are stored + 128, and the sums of activations
// × −128 are where the integers begin. AVX2 multiplies |w| by a with w's sign, which cannot overflow 16 bits.
func (a *assembly) quant(bits, rows int) {
	a.function(fmt.Sprintf("quant%dx%d", bits, rows), fmt.Sprintf("multiplies %d rows of int8 with a panel of %d-bit weights.", rows, bits), []argument{{"t", "*quantTile"}})
	v := a.vector()
	a.op("MOVQ %s, DI", a.arg("t"))
	for i, r := range []string{"SI", "DX", "R8", "R9", "R10", "CX", "R11"} {
		a.op("MOVQ %d(DI), %s", i*8, r)
	}
	var sum, whole, half []string
	for range rows {
		sum = append(sum, v.zero())
		whole = append(whole, v.new())
	}
	split := a.set == avx512 && rows <= 4 // two integer chains each: one would wait for itself
	if split {
		for range rows {
			half = append(half, v.new())
		}
	}
	scale, w, x, t := v.new(), v.new(), v.new(), v.new()
	constant := v.new()
	switch {
	case bits == 4:
		a.op("VMOVUPS %s, %s", a.consts.bits("lowNibbles", 0x0f0f0f0f), constant)
	case a.set == avx2:
		a.op("VMOVUPS %s, %s", a.consts.bits("onesOf16", 0x00010001), constant)
	}
	loop, done := a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	a.op("VCVTPH2PS (SI), %s", scale)
	for r := range rows {
		if a.set == avx2 && bits == 8 {
			a.op("VPXOR %s, %s, %s", whole[r], whole[r], whole[r])
		} else {
			a.op("VPBROADCASTD %d(R9), %s", r*4, whole[r])
		}
		if split {
			a.op("VPXORD %s, %s, %s", half[r], half[r], half[r])
		}
	}
	// multiply adds the products of weights in `with` and group g of each row.
	multiply := func(with string, g int) {
		for r := range rows {
			at := fmt.Sprintf("%d(DX)", r*32+g*4)
			to := whole[r]
			if split && g%2 == 1 {
				to = half[r]
			}
			switch {
			case a.set == avx512:
				a.op("VPDPBUSD.BCST %s, %s, %s", at, with, to)
			case bits == 8:
				a.op("VPBROADCASTD %s, %s", at, t)
				a.op("VPSIGNB %s, %s, %s", w, t, t)
				a.op("VPMADDUBSW %s, %s, %s", t, with, t)
				a.op("VPMADDWD %s, %s, %s", constant, t, t)
				a.op("VPADDD %s, %s, %s", t, to, to)
			default:
				a.op("VPBROADCASTD %s, %s", at, t)
				a.op("VPMADDUBSW %s, %s, %s", t, with, t)
				a.op("VPMADDWD %s, %s, %s", a.consts.bits("onesOf16", 0x00010001), t, t)
				a.op("VPADDD %s, %s, %s", t, to, to)
			}
		}
	}
	head := a.lanes * 2
	and := map[bool]string{false: "VPAND", true: "VPANDD"}[a.set == avx512]
	move := map[bool]string{false: "VMOVDQU", true: "VMOVDQU32"}[a.set == avx512]
	size := head + a.bytes()*8
	if bits == 4 {
		size = head + a.bytes()*4
		for g := range 4 {
			a.op("%s %d(SI), %s", move, head+g*a.bytes(), w)
			a.op("%s %s, %s, %s", and, constant, w, x)
			multiply(x, g)
			a.op("VPSRLD $4, %s, %s", w, w)
			a.op("%s %s, %s, %s", and, constant, w, w)
			multiply(w, g+4)
		}
	} else {
		for g := range 8 {
			a.op("%s %d(SI), %s", move, head+g*a.bytes(), w)
			with := w
			if a.set == avx2 {
				a.op("VPABSB %s, %s", w, x)
				with = x
			}
			multiply(with, g)
		}
	}
	for r := range rows {
		if split {
			a.op("VPADDD %s, %s, %s", half[r], whole[r], whole[r])
		}
		a.op("VCVTDQ2PS %s, %s", whole[r], whole[r])
		if a.set == avx512 {
			a.op("VMULPS.BCST %d(R8), %s, %s", r*4, scale, t)
		} else {
			a.op("VBROADCASTSS %d(R8), %s", r*4, t)
			a.op("VMULPS %s, %s, %s", scale, t, t)
		}
		a.op("VMULPS %s, %s, %s", t, whole[r], whole[r])
		a.op("VADDPS %s, %s, %s", whole[r], sum[r], sum[r])
	}
	a.op("ADDQ $%d, SI", size)
	a.op("ADDQ $%d, DX", rows*32)
	a.op("ADDQ $%d, R8", rows*4)
	a.op("ADDQ $%d, R9", rows*4)
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
