package main

import "fmt"

// Go's assembler of 1.26 does not know AVX512-BF16; these instructions are encoded as bytes.
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, sections 2.7 (EVEX) and the instructions.

// Prefixes of an instruction as EVEX encodes them.
const prefixF3, prefixF2 = 0b10, 0b11

// evex writes an instruction of map 0F38, W0, 512 bits. reg and second are register numbers.
func (a *assembly) evex(prefix, opcode byte, reg, second int, x, b bool, rest ...byte) {
	bit := func(v bool, at uint) byte {
		if v {
			return 1 << at
		}
		return 0
	}
	// R, X, B, R', vvvv and V' are stored inverted.
	p0 := bit(reg&8 == 0, 7) | bit(!x, 6) | bit(!b, 5) | bit(reg&16 == 0, 4) | 0b010
	p1 := byte(^second&15)<<3 | 1<<2 | prefix
	p2 := byte(0b10<<5) | bit(second&16 == 0, 3)
	for i, v := range append([]byte{0x62, p0, p1, p2, opcode}, rest...) {
		if i > 0 {
			a.body.WriteString("; ")
		} else {
			a.body.WriteString("\t")
		}
		fmt.Fprintf(&a.body, "BYTE $0x%02x", v)
	}
	a.body.WriteString("\n")
}

// dotPairsRegister is VDPBF16PS Z third, Z second, Z sum.
func (a *assembly) dotPairsRegister(sum, second, third int) {
	a.evex(prefixF3, 0x52, sum, second, third&16 != 0, third&8 != 0, byte(0b11<<6|sum&7<<3|third&7))
}

// toPairs is VCVTNEPS2BF16 Z from, Y to: 16 float32 rounded to nearest even.
func (a *assembly) toPairs(from, to int) {
	a.evex(prefixF3, 0x72, to, 0, from&16 != 0, from&8 != 0, byte(0b11<<6|to&7<<3|from&7))
}

// bothToPairs is VCVTNE2PS2BF16 Z low, Z high, Z to: the roundings of 16 float32 and, above them, of 16 more.
func (a *assembly) bothToPairs(low, high, to int) {
	a.evex(prefixF2, 0x72, to, high, low&16 != 0, low&8 != 0, byte(0b11<<6|to&7<<3|low&7))
}

// loadPairsOrder loads the order in which VPERMW makes pairs of what bothToPairs leaves.
func (a *assembly) loadPairsOrder(register string) {
	var order [16]uint32
	for i := range uint32(16) {
		order[i] = i | (16+i)<<16
	}
	a.op("VMOVDQU64 %s, %s", a.consts.table("pairsOfHalves", order), register)
}

// transposePairs writes the function that rounds 8 rows of 16·blocks values and packs them as 8·blocks groups of 8 pairs.
func (a *assembly) transposePairs() {
	a.function("transposePairs8", "rounds 8 rows of src, srcStride bytes apart, 16·blocks values each, to bfloat16 and packs pairs of neighbours to groups dstStride bytes apart.",
		append(pointers("dst"), append(ints("dstStride"), append(pointers("src"), ints("srcStride", "blocks")...)...)...))
	a.transposeBody(8, func(base string, first int) {
		for i, at := range []string{"(%s)", "(%s)(R9*1)", "(%s)(R9*2)", "(%s)(R10*1)"} {
			a.op("VMOVUPS "+at+", Z%d", base, first+i)
			a.toPairs(first+i, first+i)
		}
	}, 64)
}

// pairRows writes the function that rounds rows of `width` values to bfloat16 and packs neighbouring rows as pairs.
func (a *assembly) pairRows(width int) {
	a.function(fmt.Sprintf("pairRows%d", width), fmt.Sprintf("rounds rows of %d values, srcStride bytes apart in src, to bfloat16 and packs two rows as one of pairs.", width),
		append(pointers("dst", "src"), ints("srcStride", "pairs")...))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("src"))
	a.op("MOVQ %s, R9", a.arg("srcStride"))
	a.op("MOVQ %s, CX", a.arg("pairs"))
	if width%16 != 0 {
		a.op("MOVL $%#x, AX", 1<<(width%16)-1)
		a.op("KMOVW AX, K1")
	}
	a.loadPairsOrder("Z2")
	loop, done := a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	for at := 0; at < width; at += 16 {
		suffix, mask := "", ""
		if width-at < 16 {
			suffix, mask = ".Z", "K1, "
		}
		a.op("VMOVUPS%s %d(SI), %sZ0", suffix, at*4, mask)
		a.op("VMOVUPS%s %d(SI)(R9*1), %sZ1", suffix, at*4, mask)
		a.bothToPairs(0, 1, 0)
		a.op("VPERMW Z0, Z2, Z0")
		a.op("VMOVUPS Z0, %s%d(DI)", mask, at*4)
	}
	a.op("LEAQ (SI)(R9*2), SI")
	a.op("ADDQ $%d, DI", width*4)
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.ret()
}

// pairLanes is pairRows for any number of values up to 16, which is also the width of the panel.
func (a *assembly) pairLanes() {
	a.function("pairLanes", "rounds rows of 1 to 16 values, srcStride bytes apart in src, to bfloat16 and packs two rows as one of pairs.",
		append(pointers("dst", "src"), ints("srcStride", "pairs", "width")...))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("src"))
	a.op("MOVQ %s, R9", a.arg("srcStride"))
	a.op("MOVQ %s, DX", a.arg("pairs"))
	a.op("MOVQ %s, CX", a.arg("width"))
	a.op("MOVL $1, AX")
	a.op("SHLL CX, AX")
	a.op("DECL AX")
	a.op("KMOVW AX, K1")
	a.loadPairsOrder("Z2")
	loop, done := a.label(), a.label()
	a.op("TESTQ DX, DX")
	a.op("JZ %s", done)
	a.mark(loop)
	a.op("VMOVUPS.Z (SI), K1, Z0")
	a.op("VMOVUPS.Z (SI)(R9*1), K1, Z1")
	a.bothToPairs(0, 1, 0)
	a.op("VPERMW Z0, Z2, Z0")
	a.op("VMOVUPS Z0, K1, (DI)")
	a.op("LEAQ (SI)(R9*2), SI")
	a.op("LEAQ (DI)(CX*4), DI")
	a.op("DECQ DX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.ret()
}
