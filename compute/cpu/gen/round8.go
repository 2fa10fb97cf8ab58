package main

import (
	"fmt"
	"math"
)

// round8 writes the function that rounds a row to int8 in blocks of 32 with one scale each (ggml's Q8_0: scale = max|x|/127,
// kept as float16, halves away from zero). VEX encoded in both sets, with the bits of the Go version.
//
// Values of a block are written in the order that the weights' panels have: orders has for each block of a period two masks of
// 32 bytes for VPSHUFB, one for the block and one for the block with its halves exchanged.
func (a *assembly) round8() {
	args := append([]argument{{"dst", "*byte"}, {"scales", "*float32"}}, pointers("src")...)
	args = append(args, argument{"orders", "*byte"})
	a.function("round8", "rounds 32·blocks values to int8. Values and scales of one block to the next are stride bytes apart. sumAt bytes after a scale goes −offset × the sum of the block as int32, or scale × sum as float32 if offset is negative. A block with NaN or ∞ gets the scale NaN.",
		append(args, ints("blocks", "stride", "sumAt", "offset", "period")...))
	for i, r := range []string{"DI", "R8", "SI", "BX", "CX", "R10", "R9", "R12", "R13"} {
		names := []string{"dst", "scales", "src", "orders", "blocks", "stride", "sumAt", "offset", "period"}
		a.op("MOVQ %s, %s", a.arg(names[i]), r)
	}
	a.op("SHLQ $6, R13") // bytes of orders
	a.op("XORQ R11, R11")
	c := a.consts
	magnitude := c.bits("magnitude", 0x7fffffff)
	a.op("VMOVUPS %s, Y15", magnitude)
	a.op("VMOVUPS %s, Y14", c.value("half", 0.5))
	a.op("VMOVUPS %s, Y13", c.value("exp7", 1))
	a.op("VMOVSS %s, X12", c.value("steps127", 127))
	loop, done, bad, next, zero := a.label(), a.label(), a.label(), a.label(), a.label()
	if a.set == avx512 {
		a.round8Fours()
	}
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	for i := range 4 {
		a.op("VMOVUPS %d(SI), Y%d", i*32, i)
		a.op("VANDPS Y15, Y%d, Y%d", i, 4+i)
		a.op("VSUBPS Y%d, Y%d, Y%d", i, i, 8)
		if i == 0 {
			a.op("VMOVAPS Y8, Y9")
		} else {
			a.op("VORPS Y8, Y9, Y9") // 0, or NaN where a value is not finite
		}
	}
	a.op("VCMPPS $3, Y9, Y9, Y9")
	a.op("VMOVMSKPS Y9, AX")
	a.op("TESTL AX, AX")
	a.op("JNZ %s", bad)
	a.op("VMAXPS Y5, Y4, Y4")
	a.op("VMAXPS Y7, Y6, Y6")
	a.op("VMAXPS Y6, Y4, Y4")
	a.op("VEXTRACTF128 $1, Y4, X5")
	a.op("VMAXPS X5, X4, X4")
	a.op("VPERMILPS $0x4e, X4, X5")
	a.op("VMAXPS X5, X4, X4")
	a.op("VPERMILPS $0xb1, X4, X5")
	a.op("VMAXPS X5, X4, X4")
	a.op("VDIVSS X12, X4, X4")   // scale
	a.op("VCVTPS2PH $0, X4, X5") // to nearest even
	a.op("VCVTPH2PS X5, X5")     // as stored
	a.op("VMOVSS X5, (R8)")
	a.op("VXORPS X6, X6, X6")
	a.op("VUCOMISS X6, X4")
	a.op("JEQ %s", zero)
	a.op("VDIVSS X4, X13, X6")
	a.op("VMINSS %s, X6, X6", c.value("largestFloat", math.MaxFloat32)) // the inverse of a denormal is infinite
	a.mark(zero)
	a.op("VBROADCASTSS X6, Y6")
	a.op("VXORPS Y10, Y10, Y10")
	for i := range 4 {
		a.op("VMULPS Y6, Y%d, Y%d", i, i)
		a.op("VROUNDPS $3, Y%d, Y4", i) // towards zero
		a.op("VSUBPS Y4, Y%d, Y5", i)
		a.op("VANDPS Y15, Y5, Y7")
		a.op("VCMPPS $13, Y14, Y7, Y7") // |rest| ≥ ½
		a.op("VANDNPS Y5, Y15, Y5")     // its sign
		a.op("VORPS Y13, Y5, Y5")
		a.op("VANDPS Y7, Y5, Y5")
		a.op("VADDPS Y5, Y4, Y4")
		a.op("VADDPS Y4, Y10, Y10") // whole numbers: exact in any order
		a.op("VCVTTPS2DQ Y4, Y%d", i)
	}
	a.op("VPACKSSDW Y1, Y0, Y0")
	a.op("VPACKSSDW Y3, Y2, Y2")
	a.op("VPACKSSWB Y2, Y0, Y0")
	var order [16]uint32
	for i, v := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		order[i] = v
	}
	a.op("VMOVDQU %s, Y1", c.table("unpackOrder", order))
	a.op("VPERMD Y0, Y1, Y0")
	a.op("VPERM2I128 $1, Y0, Y0, Y1")
	a.op("VPSHUFB (BX)(R11*1), Y0, Y0")
	a.op("VPSHUFB 32(BX)(R11*1), Y1, Y1")
	a.op("VPOR Y1, Y0, Y0")
	a.op("VMOVDQU Y0, (DI)")
	a.op("VEXTRACTF128 $1, Y10, X1")
	a.op("VADDPS X1, X10, X10")
	a.op("VPERMILPS $0x4e, X10, X1")
	a.op("VADDPS X1, X10, X10")
	a.op("VPERMILPS $0xb1, X10, X1")
	a.op("VADDPS X1, X10, X10")
	minimum := a.label()
	a.op("TESTQ R12, R12")
	a.op("JLT %s", minimum)
	a.op("VCVTTSS2SI X10, AX")
	a.op("IMULL R12, AX")
	a.op("NEGL AX")
	a.op("MOVL AX, (R8)(R9*1)")
	a.op("JMP %s", next)
	a.mark(minimum)
	a.op("VMULSS (R8), X10, X10")
	a.op("VMOVSS X10, (R8)(R9*1)")
	a.mark(next)
	a.op("ADDQ $64, R11")
	a.op("CMPQ R11, R13")
	a.op("SBBQ AX, AX")
	a.op("ANDQ AX, R11") // 0 again after a period
	a.op("ADDQ $128, SI")
	a.op("ADDQ R10, DI")
	a.op("ADDQ R10, R8")
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.ret()
	a.mark(bad)
	a.op("MOVL $%#x, AX", math.Float32bits(float32(math.NaN())))
	a.op("MOVL AX, (R8)")
	a.op("VXORPS Y0, Y0, Y0")
	a.op("VMOVUPS Y0, (DI)")
	a.op("MOVL $0, (R8)(R9*1)")
	a.op("JMP %s", next)
}

// round8Fours rounds four blocks at a time, so that their largest magnitudes, scales and sums are found side by side; what is left
// over is done again together with the blocks before it, if that is a whole number of periods, or else block by block.
//
// Halves go away from zero by adding the float32 before ½ with the value's sign and cutting: what is just below a half stays
// there, because the sum is rounded to even. ∞ and NaN, which as whole numbers are above all other magnitudes, make the scale
// NaN; what the values then are does not matter.
func (a *assembly) round8Fours() {
	c := a.consts
	v := a.vector()
	v.free = v.free[:0]
	for i := 30; i >= 0; i-- {
		if i < 12 || i > 15 { // the block-by-block loop has constants there
			v.free = append(v.free, i)
		}
	}
	keep := func(operand string) string {
		r := v.new()
		a.op("VMOVUPS %s, %s", operand, r)
		return r
	}
	same := func(name string, bits uint32) string { return c.bits(name, bits) }
	var x [8]string // low registers: some of the instructions have short encodings only
	for i := range x {
		x[i] = v.new()
	}
	magnitude, sign, below := keep(same("magnitude", 0x7fffffff)), keep(same("signBit", 0x80000000)), keep(same("belowHalf", 0x3effffff))
	ones := keep(same("onesOf8", 0x01010101))
	var places [4]string
	for i := range places {
		places[i] = keep(same(fmt.Sprintf("place%d", i), uint32(i)))
	}
	var order, swapped [16]uint32
	for i := range 8 { // VPACKSSDW and VPACKSSWB leave 4 bytes of each half of each block in every 128 bits
		from := uint32(i%4*4 + i/4)
		order[i], order[8+i] = from, from+2
		swapped[(i+4)%8], swapped[8+(i+4)%8] = from, from+2
	}
	inOrder := keep(c.table("packedOrder", order))
	inSwapped := keep(c.table("packedSwapped", swapped))
	var masks [2][2]string
	for pair := range masks {
		for half := range 2 {
			r := v.new()
			a.op("VMOVDQU32 %d(BX), Y%s", pair*128+half*32, r[1:])
			a.op("VINSERTI64X4 $1, %d(BX), %s, %s", pair*128+64+half*32, r, r)
			masks[pair][half] = r
		}
	}
	t, y := v.new(), v.new()
	loop, rest, minimum, stored, end := a.label(), a.label(), a.label(), a.label(), a.label()
	a.op("SUBQ $4, CX")
	a.op("JLT %s", rest)
	a.mark(loop)
	for i := range 4 {
		a.op("VPANDD %d(SI), %s, %s", i*128, magnitude, x[i])
		a.op("VPANDD %d(SI), %s, %s", i*128+64, magnitude, x[4+i])
	}
	for i := range 4 {
		a.op("VPMAXUD %s, %s, %s", x[4+i], x[i], x[i])
	}
	// most combines pairs: elements of two registers side by side.
	most := func(lowOp, highOp, p, q, to, t string) {
		a.op("%s %s, %s, %s", highOp, q, p, t)
		a.op("%s %s, %s, %s", lowOp, q, p, to)
		a.op("VPMAXUD %s, %s, %s", t, to, to)
	}
	most("VPUNPCKLDQ", "VPUNPCKHDQ", x[0], x[1], x[4], x[5])
	most("VPUNPCKLDQ", "VPUNPCKHDQ", x[2], x[3], x[6], x[7])
	most("VPUNPCKLQDQ", "VPUNPCKHQDQ", x[4], x[6], x[0], x[1])
	X := func(r string) string { return "X" + r[1:] }
	Y := func(r string) string { return "Y" + r[1:] }
	a.op("VEXTRACTI64X4 $1, %s, %s", x[0], Y(x[1]))
	a.op("VPMAXUD %s, %s, %s", Y(x[1]), Y(x[0]), Y(x[0]))
	a.op("VEXTRACTI128 $1, %s, %s", Y(x[0]), X(x[1]))
	a.op("VPMAXUD %s, %s, %s", X(x[1]), X(x[0]), X(x[0]))
	a.op("VPCMPUD $5, %s, %s, K1", c.bits("infinity", 0x7f800000), X(x[0])) // not less than
	a.op("VDIVPS %s, %s, %s", c.value("steps127of4", 127), X(x[0]), X(x[0]))
	a.op("VCVTPS2PH $0, %s, %s", X(x[0]), X(x[1]))
	a.op("VCVTPH2PS %s, %s", X(x[1]), X(x[1]))
	a.op("VMOVDQU32 %s, K1, %s", c.bits("notANumber", 0x7fc00000)+"", X(x[1]))
	a.op("VMOVUPS %s, %s", c.value("exp7", 1), X(x[2]))
	a.op("VDIVPS %s, %s, %s", X(x[0]), X(x[2]), X(x[2]))
	a.op("VMINPS %s, %s, %s", c.value("largestFloat", math.MaxFloat32), X(x[2]), X(x[2])) // the inverse of 0 or a denormal is infinite
	a.op("VMOVAPS %s, %s", x[1], t)                                                       // scales
	a.op("VMOVAPS %s, %s", x[2], y)
	for i := range 4 {
		a.op("VPERMPS %s, %s, %s", y, places[i], x[6])
		for j := range 2 {
			r := x[i/2*2+j] // of two blocks after packing
			if i%2 == 1 {
				r = x[4+j]
			}
			a.op("VMULPS %d(SI), %s, %s", i*128+j*64, x[6], r)
			a.op("VMOVAPS %s, %s", below, x[7])
			a.op("VPTERNLOGD $0xf8, %s, %s, %s", sign, r, x[7]) // below | sign & r
			a.op("VADDPS %s, %s, %s", x[7], r, r)
			a.op("VCVTTPS2DQ %s, %s", r, r)
		}
		if i%2 == 0 {
			a.op("VPACKSSDW %s, %s, %s", x[i/2*2+1], x[i/2*2], x[i/2*2])
		} else {
			a.op("VPACKSSDW %s, %s, %s", x[5], x[4], x[4])
			a.op("VPACKSSWB %s, %s, %s", x[4], x[i/2*2], x[i/2*2])
		}
	}
	// x0 and x2 have two blocks each.
	for pair, r := range []string{x[0], x[2]} {
		a.op("VPERMD %s, %s, %s", r, inSwapped, x[4+pair])
		a.op("VPERMD %s, %s, %s", r, inOrder, r)
		a.op("VPSHUFB %s, %s, %s", masks[pair][0], r, r)
		a.op("VPSHUFB %s, %s, %s", masks[pair][1], x[4+pair], x[4+pair])
		a.op("VPORD %s, %s, %s", x[4+pair], r, r)
		a.op("VMOVDQU32 %s, (DI)", Y(r))
		a.op("VEXTRACTI64X4 $1, %s, (DI)(R10*1)", r)
		a.op("LEAQ (DI)(R10*2), DI")
		a.op("VPXORD %s, %s, %s", x[4+pair], x[4+pair], x[4+pair])
		a.op("VPDPBUSD %s, %s, %s", r, ones, x[4+pair])
	}
	a.op("VPUNPCKHDQ %s, %s, %s", x[5], x[4], x[1])
	a.op("VPUNPCKLDQ %s, %s, %s", x[5], x[4], x[0])
	a.op("VPADDD %s, %s, %s", x[1], x[0], x[0]) // blocks 0 and 2, or 1 and 3, alternating
	a.op("VPSHUFD $0x4e, %s, %s", x[0], x[1])
	a.op("VPADDD %s, %s, %s", x[1], x[0], x[0])
	a.op("VEXTRACTI64X4 $1, %s, %s", x[0], Y(x[1]))
	for _, r := range []string{x[0], x[1]} {
		a.op("VEXTRACTI128 $1, %s, %s", Y(r), X(x[2]))
		a.op("VPADDD %s, %s, %s", X(x[2]), X(r), X(r))
	}
	a.op("VPUNPCKLDQ %s, %s, %s", X(x[1]), X(x[0]), X(x[0])) // of blocks 0 to 3
	a.op("TESTQ R12, R12")
	a.op("JLT %s", minimum)
	a.op("VMOVD R12, %s", X(x[1]))
	a.op("VPBROADCASTD %s, %s", X(x[1]), X(x[1]))
	a.op("VPMULLD %s, %s, %s", X(x[1]), X(x[0]), X(x[0]))
	a.op("VPXOR %s, %s, %s", X(x[1]), X(x[1]), X(x[1]))
	a.op("VPSUBD %s, %s, %s", X(x[0]), X(x[1]), X(x[0]))
	a.op("JMP %s", stored)
	a.mark(minimum)
	a.op("VCVTDQ2PS %s, %s", X(x[0]), X(x[0]))
	a.op("VMULPS %s, %s, %s", X(t), X(x[0]), X(x[0]))
	a.mark(stored)
	a.op("VMOVAPS %s, %s", t, x[1])
	for i := range 4 {
		a.op("VPEXTRD $%d, %s, (R8)", i, X(x[1]))
		a.op("VPEXTRD $%d, %s, (R8)(R9*1)", i, X(x[0]))
		a.op("ADDQ R10, R8")
	}
	a.op("ADDQ $512, SI")
	a.op("SUBQ $4, CX")
	a.op("JGE %s", loop)
	a.op("CMPQ CX, $-4")
	a.op("JEQ %s", end)
	// CX − (−4) blocks are left: go back by −CX of them if that is a number of periods.
	a.op("MOVQ CX, AX")
	a.op("NEGQ AX")
	a.op("MOVQ R13, DX")
	a.op("SHRQ $6, DX")
	a.op("DECQ DX")
	a.op("TESTQ AX, DX") // periods are powers of two
	a.op("JNZ %s", rest)
	a.op("SHLQ $7, AX")
	a.op("SUBQ AX, SI")
	a.op("MOVQ CX, AX")
	a.op("IMULQ R10, AX")
	a.op("ADDQ AX, DI")
	a.op("ADDQ AX, R8")
	a.op("XORQ CX, CX")
	a.op("JMP %s", loop)
	a.mark(end)
	a.mark(rest)
	a.op("ADDQ $4, CX")
}
