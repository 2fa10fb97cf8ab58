package main

import "math"

// roundSuper writes the function that rounds rows to int8 in blocks of 256, as ggml's Q8_K does but with ggml's Q8_0's scale:
// max|x|/127, as float32, halves away from zero. It also gives the sums of sub-blocks. VEX encoded in both sets, with the bits of
// the Go version.
//
// Halves go away from zero by adding the float32 before ½ with the value's sign and cutting: what is just below a half stays
// there, because the sum is rounded to even.
func (a *assembly) roundSuper() {
	args := append([]argument{{"dst", "*int8"}, {"scales", "*float32"}, {"sums", "*byte"}}, pointers("src")...)
	a.function("roundSuper", "rounds 256·blocks values to int8: dst, scales and sums of one block to the next are their strides apart, in bytes; there are subs, 8 or 16, sums in a block; with shift they are 32-bit and times −1<<shift; a block with NaN or ∞ gets the scale NaN.",
		append(args, ints("blocks", "dstStride", "scaleStride", "sumStride", "subs", "shift")...))
	for i, name := range []string{"dst", "scales", "sums", "src", "blocks", "dstStride", "scaleStride", "sumStride", "subs"} {
		a.op("MOVQ %s, %s", a.arg(name), []string{"DI", "R8", "R9", "SI", "CX", "R10", "R11", "R12", "BX"}[i])
	}
	c := a.consts
	a.op("VMOVUPS %s, Y15", c.bits("magnitude", 0x7fffffff))
	a.op("VMOVUPS %s, Y13", c.bits("sign", 0x80000000))
	a.op("VMOVUPS %s, Y12", c.bits("belowHalf", 0x3effffff))
	a.op("VMOVUPS %s, Y11", c.bits("onesOf8", 0x01010101))
	var order [16]uint32
	copy(order[:], []uint32{0, 4, 1, 5, 2, 6, 3, 7})
	a.op("VMOVUPS %s, Y10", c.table("unpackOrder", order))
	loop, done, bad, next, zero, eight := a.label(), a.label(), a.label(), a.label(), a.label(), a.label()
	wide, wideEight, badWide := a.label(), a.label(), a.label()
	a.op("MOVQ %s, R13", a.arg("shift"))
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	for i := range 32 { // as whole numbers, magnitudes have the order of floats, ∞ and NaN on top
		to := i % 4
		if i >= 4 {
			to = 4 + i%4
		}
		a.op("VPAND %d(SI), Y15, Y%d", i*32, to)
		if i >= 4 {
			a.op("VPMAXUD Y%d, Y%d, Y%d", to, i%4, i%4)
		}
	}
	a.op("VPMAXUD Y1, Y0, Y0")
	a.op("VPMAXUD Y3, Y2, Y2")
	a.op("VPMAXUD Y2, Y0, Y0")
	a.op("VEXTRACTI128 $1, Y0, X1")
	a.op("VPMAXUD X1, X0, X0")
	a.op("VPSHUFD $0x4e, X0, X1")
	a.op("VPMAXUD X1, X0, X0")
	a.op("VPSHUFD $0xb1, X0, X1")
	a.op("VPMAXUD X1, X0, X0")
	a.op("VMOVD X0, AX")
	a.op("CMPL AX, $%#x", math.Float32bits(float32(math.Inf(1))))
	a.op("JCC %s", bad)
	a.op("VDIVSS %s, X0, X0", c.value("steps127", 127))
	a.op("VMOVSS X0, (R8)")
	a.op("VXORPS X14, X14, X14")
	a.op("VUCOMISS X14, X0")
	a.op("JEQ %s", zero)
	a.op("VMOVSS %s, X14", c.value("exp7", 1))
	a.op("VDIVSS X0, X14, X14")
	a.op("VMINSS %s, X14, X14", c.value("largestFloat", math.MaxFloat32)) // the inverse of a denormal is infinite
	a.mark(zero)
	a.op("VBROADCASTSS X14, Y14")
	for i := range 8 {
		for j := range 4 {
			a.op("VMULPS %d(SI), Y14, Y%d", i*128+j*32, j)
			a.op("VANDPS Y13, Y%d, Y8", j)
			a.op("VORPS Y12, Y8, Y8")
			a.op("VADDPS Y8, Y%d, Y%d", j, j)
			a.op("VCVTTPS2DQ Y%d, Y%d", j, j)
		}
		a.op("VPACKSSDW Y1, Y0, Y0")
		a.op("VPACKSSDW Y3, Y2, Y2")
		a.op("VPACKSSWB Y2, Y0, Y0")
		a.op("VPERMD Y0, Y10, Y0")
		a.op("VMOVDQU Y0, %d(DI)", i*32)
		d := 4 + i%4
		a.op("VPMADDUBSW Y0, Y11, Y%d", d)
		a.op("VPMADDWD %s, Y%d, Y%d", c.bits("onesOf16", 0x00010001), d, d)
		if i%4 == 3 { // sums of 16 values: even ones in the low half, odd ones in the high half
			a.op("VPHADDD Y5, Y4, Y4")
			a.op("VPHADDD Y7, Y6, Y6")
			if i == 3 {
				a.op("VPHADDD Y6, Y4, Y9")
			} else {
				a.op("VPHADDD Y6, Y4, Y4")
			}
		}
	}
	a.op("VPACKSSDW Y4, Y9, Y0")
	a.op("VEXTRACTI128 $1, Y0, X1")
	a.op("CMPQ BX, $8")
	a.op("JEQ %s", eight)
	a.op("VPUNPCKLWD X1, X0, X2")
	a.op("VPUNPCKHWD X1, X0, X3")
	a.op("TESTQ R13, R13")
	a.op("JNZ %s", wide)
	a.op("VMOVDQU X2, (R9)")
	a.op("VMOVDQU X3, 16(R9)")
	a.op("JMP %s", next)
	a.mark(eight)
	a.op("VPADDW X1, X0, X0")
	a.op("TESTQ R13, R13")
	a.op("JNZ %s", wideEight)
	a.op("VMOVDQU X0, (R9)")
	a.mark(next)
	a.op("ADDQ $1024, SI")
	a.op("ADDQ R10, DI")
	a.op("ADDQ R11, R8")
	a.op("ADDQ R12, R9")
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.ret()
	widen := func(from, at int) {
		a.op("VPMOVSXWD X%d, Y4", from)
		a.op("VPSLLD X1, Y4, Y4")
		a.op("VPXOR X5, X5, X5")
		a.op("VPSUBD Y4, Y5, Y4")
		a.op("VMOVDQU Y4, %d(R9)", at)
	}
	a.mark(wide)
	a.op("VMOVQ R13, X1")
	widen(2, 0)
	widen(3, 32)
	a.op("JMP %s", next)
	a.mark(wideEight)
	a.op("VMOVQ R13, X1")
	widen(0, 0)
	a.op("JMP %s", next)
	a.mark(bad)
	a.op("MOVL $%#x, AX", math.Float32bits(float32(math.NaN())))
	a.op("MOVL AX, (R8)")
	a.op("VPXOR Y0, Y0, Y0")
	for i := range 8 {
		a.op("VMOVDQU Y0, %d(DI)", i*32)
	}
	a.op("TESTQ R13, R13")
	a.op("JNZ %s", badWide)
	a.op("VMOVDQU X0, (R9)")
	a.op("CMPQ BX, $8")
	a.op("JEQ %s", next)
	a.op("VMOVDQU X0, 16(R9)")
	a.op("JMP %s", next)
	a.mark(badWide)
	a.op("VMOVDQU Y0, (R9)")
	a.op("CMPQ BX, $8")
	a.op("JEQ %s", next)
	a.op("VMOVDQU Y0, 32(R9)")
	a.op("JMP %s", next)
}
