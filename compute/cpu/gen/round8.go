package main

import "math"

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
