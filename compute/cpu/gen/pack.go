package main

import "fmt"

var _ = topic("pack", func(a *assembly) {
	a.transpose(8)
	a.transpose(4)
	for _, width := range a.widths() {
		a.copyRows(width)
		if a.set == avx512 {
			a.pairRows(width)
		}
	}
	if a.set == avx512 {
		a.transposePairs()
		a.pairLanes()
	}
})

// transpose writes the function that turns `lanes` (8 or 4) rows of 8·blocks consecutive values into 8·blocks groups of
// `lanes` values, stride bytes apart. VEX encoded in both sets: 24 shuffles of 8 lanes for 64 values.
func (a *assembly) transpose(lanes int) {
	a.function(fmt.Sprintf("transpose%d", lanes), fmt.Sprintf("packs %d rows of src, srcStride bytes apart, 8·blocks values each, to groups dstStride bytes apart.", lanes),
		append(pointers("dst"), append(ints("dstStride"), append(pointers("src"), ints("srcStride", "blocks")...)...)...))
	a.transposeBody(lanes, func(base string, first int) {
		for i, at := range []string{"(%s)", "(%s)(R9*1)", "(%s)(R9*2)", "(%s)(R10*1)"} {
			a.op("VMOVUPS "+at+", Y%d", base, first+i)
		}
	}, 32)
}

// transposeBody turns eight 32-bit values of each row at a time; source loads four rows, step bytes are read of each.
func (a *assembly) transposeBody(lanes int, source func(base string, first int), step int) {
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, R8", a.arg("dstStride"))
	a.op("MOVQ %s, SI", a.arg("src"))
	a.op("MOVQ %s, R9", a.arg("srcStride"))
	a.op("MOVQ %s, CX", a.arg("blocks"))
	a.op("LEAQ (R9)(R9*2), R10")
	a.op("LEAQ (R8)(R8*2), R11")
	loop, done := a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	// four in, four out: t0 = a0b0a1b1.., then 4-float groups of columns
	quad := func(in int, tmp int) {
		a.op("VUNPCKLPS Y%d, Y%d, Y%d", in+1, in, tmp)      // a0 b0 a1 b1 | a4 b4 a5 b5
		a.op("VUNPCKHPS Y%d, Y%d, Y%d", in+1, in, tmp+1)    // a2 b2 a3 b3
		a.op("VUNPCKLPS Y%d, Y%d, Y%d", in+3, in+2, tmp+2)  // c0 d0 c1 d1
		a.op("VUNPCKHPS Y%d, Y%d, Y%d", in+3, in+2, tmp+3)  // c2 d2 c3 d3
		a.op("VUNPCKLPD Y%d, Y%d, Y%d", tmp+2, tmp, in)     // column 0 | 4
		a.op("VUNPCKHPD Y%d, Y%d, Y%d", tmp+2, tmp, in+1)   // column 1 | 5
		a.op("VUNPCKLPD Y%d, Y%d, Y%d", tmp+3, tmp+1, in+2) // column 2 | 6
		a.op("VUNPCKHPD Y%d, Y%d, Y%d", tmp+3, tmp+1, in+3) // column 3 | 7
	}
	source("SI", 0)
	targets := []string{"(DI)", "(DI)(R8*1)", "(DI)(R8*2)", "(DI)(R11*1)"}
	if lanes == 8 {
		a.op("LEAQ (SI)(R9*4), R12")
		source("R12", 4)
		quad(0, 8)
		quad(4, 12)
		a.op("LEAQ (DI)(R8*4), R13")
		for i := range 4 {
			a.op("VINSERTF128 $1, X%d, Y%d, Y%d", 4+i, i, 8+i)
			a.op("VMOVUPS Y%d, %s", 8+i, targets[i])
		}
		for i := range 4 {
			a.op("VPERM2F128 $0x31, Y%d, Y%d, Y%d", 4+i, i, 12+i)
			a.op("VMOVUPS Y%d, %s", 12+i, "(R13)"+targets[i][4:])
		}
	} else {
		quad(0, 4)
		a.op("LEAQ (DI)(R8*4), R13")
		for i := range 4 {
			a.op("VMOVUPS X%d, %s", i, targets[i])
		}
		for i := range 4 {
			a.op("VEXTRACTF128 $1, Y%d, %s", i, "(R13)"+targets[i][4:])
		}
	}
	a.op("LEAQ (DI)(R8*8), DI")
	a.op("ADDQ $%d, SI", step)
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.ret()
}

// copyRows writes the function that copies rows of `width` floats into a dense panel.
func (a *assembly) copyRows(width int) {
	a.function(fmt.Sprintf("copyRows%d", width), fmt.Sprintf("copies rows of %d values, srcStride bytes apart in src, to dst.", width),
		append(pointers("dst", "src"), ints("srcStride", "rows")...))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("src"))
	a.op("MOVQ %s, R9", a.arg("srcStride"))
	a.op("MOVQ %s, CX", a.arg("rows"))
	loop, done := a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	for at := 0; at < width; {
		left := width - at
		switch {
		case a.set == avx512 && left >= 16:
			a.op("VMOVUPS %d(SI), Z0", at*4)
			a.op("VMOVUPS Z0, %d(DI)", at*4)
			at += 16
		case left >= 8:
			a.op("VMOVUPS %d(SI), Y0", at*4)
			a.op("VMOVUPS Y0, %d(DI)", at*4)
			at += 8
		case left >= 4:
			a.op("VMOVUPS %d(SI), X0", at*4)
			a.op("VMOVUPS X0, %d(DI)", at*4)
			at += 4
		default:
			a.op("MOVQ %d(SI), AX", at*4)
			a.op("MOVQ AX, %d(DI)", at*4)
			at += 2
		}
	}
	a.op("ADDQ R9, SI")
	a.op("ADDQ $%d, DI", width*4)
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.ret()
}
