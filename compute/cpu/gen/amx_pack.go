package main

import "fmt"

// Packing for the tile unit: operands, rounded to bfloat16 if they are float32, in units of 32 lanes (rows of A, columns of B) × 32 k, two
// tiles of 16 lanes after each other. A tile of A holds a lane in 64 bytes; a tile of B a pair of k of all lanes. So an
// operand whose k is contiguous is rounded (A) or turned (B), one whose lanes are contiguous is interleaved (B) or
// interleaved and turned (A).

// amxSource is what is packed: float32 values, which are rounded, or bfloat16.
type amxSource struct {
	suffix, does string
	size         int // bytes of a value
}

var (
	amxFloats = amxSource{"", "rounds", 4}
	amxBrains = amxSource{"16", "packs", 2}
)

// values loads 32 values of a lane, at "(base)…", into register `to`, rounded.
func (a *assembly) amxValues(of amxSource, at string, to int) {
	a.op("VMOVUPS %s, Z%d", at, to)
	if of == amxFloats {
		a.op("VMOVUPS 64%s, Z30", at)
		a.roundTwo(to, 30, to)
	}
}

func (a *assembly) amxPacker(name, about string) {
	a.function(name, about, append(pointers("dst", "src"), ints("stride", "steps", "lanes")...))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("src"))
	a.op("MOVQ %s, R9", a.arg("stride"))
}

// amxPackRows: each lane's k are contiguous, and stay so.
func (a *assembly) amxPackRows(of amxSource) {
	a.amxPacker("amxPackRows"+of.suffix, of.does+" 16 or 32 rows of 32·steps values, stride bytes apart, to tiles of rows.")
	a.op("MOVQ %s, R8", a.arg("lanes"))
	lane, step, done := a.label(), a.label(), a.label()
	a.op("CMPQ %s, $0", a.arg("steps"))
	a.op("JLE %s", done)
	a.mark(lane)
	a.op("MOVQ SI, BX")
	a.op("MOVQ DI, DX")
	a.op("MOVQ %s, CX", a.arg("steps"))
	a.op("PCALIGN $32")
	a.mark(step)
	a.amxValues(of, "(BX)", 0)
	a.op("VMOVUPS Z0, (DX)")
	a.op("ADDQ $%d, BX", 32*of.size)
	a.op("ADDQ $%d, DX", amxUnit)
	a.op("DECQ CX")
	a.op("JNZ %s", step)
	a.op("ADDQ R9, SI")
	a.op("ADDQ $64, DI")
	a.op("DECQ R8")
	a.op("JNZ %s", lane)
	a.mark(done)
	a.ret()
}

// amxPackPairs: lanes are contiguous; two rows of k become one row of pairs.
func (a *assembly) amxPackPairs(of amxSource) {
	a.amxPacker("amxPackPairs"+of.suffix, of.does+" 32·steps rows of 16 or 32 values, stride bytes apart, to tiles of pairs.")
	a.op("MOVQ %s, CX", a.arg("steps"))
	a.op("VMOVUPS %s, Z31", a.interleave())
	step, few, one, done := a.label(), a.label(), a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JLE %s", done)
	a.op("CMPQ %s, $16", a.arg("lanes"))
	a.op("JLE %s", few)
	body := func(halves int) {
		for p := range 16 {
			for h := range halves {
				a.pairOfRows(of, h*16*of.size, h)
				a.op("VMOVUPS Z%d, %d(DI)", h, h*amxHalf+p*64)
			}
			a.op("LEAQ (SI)(R9*2), SI")
		}
		a.op("ADDQ $%d, DI", amxUnit)
		a.op("DECQ CX")
	}
	a.mark(step)
	body(2)
	a.op("JNZ %s", step)
	a.op("JMP %s", done)
	a.mark(few)
	a.mark(one)
	body(1)
	a.op("JNZ %s", one)
	a.mark(done)
	a.ret()
}

// interleave is the order of words that turns two halves into pairs.
func (a *assembly) interleave() string {
	var t [16]uint32
	for i := range t {
		t[i] = uint32(i | (16+i)<<16)
	}
	return a.consts.table("interleave", t)
}

// pairOfRows leaves in register `to` the pairs of 16 values of two rows at SI + offset. Z31 holds the order.
func (a *assembly) pairOfRows(of amxSource, offset, to int) {
	if of == amxFloats {
		a.op("VMOVUPS %d(SI), Z%d", offset, to)
		a.op("VMOVUPS %d(SI)(R9*1), Z30", offset)
		a.roundTwo(to, 30, to)
	} else {
		a.op("VMOVUPS %d(SI), Y%d", offset, to)
		a.op("VINSERTI64X4 $1, %d(SI)(R9*1), Z%d, Z%d", offset, to, to)
	}
	a.op("VPERMW Z%d, Z31, Z%d", to, to)
}

// amxTurnPairs: each lane's k are contiguous; 16 lanes of 16 pairs are turned.
func (a *assembly) amxTurnPairs(of amxSource) {
	a.amxPacker("amxTurnPairs"+of.suffix, of.does+" 16 or 32 rows of 32·steps values, stride bytes apart, to tiles of pairs.")
	half, step, done := a.label(), a.label(), a.label()
	a.op("LEAQ (R9)(R9*2), R10")
	a.op("CMPQ %s, $0", a.arg("steps"))
	a.op("JLE %s", done)
	a.op("MOVQ %s, R8", a.arg("lanes"))
	a.mark(half)
	a.op("MOVQ %s, CX", a.arg("steps"))
	a.op("MOVQ SI, R11")
	a.op("MOVQ DI, R13")
	a.mark(step)
	a.op("MOVQ R11, BX")
	for i := range 16 {
		at := []string{"(BX)", "(BX)(R9*1)", "(BX)(R9*2)", "(BX)(R10*1)"}[i%4]
		a.amxValues(of, at, i)
		if i%4 == 3 {
			a.op("LEAQ (BX)(R9*4), BX")
		}
	}
	a.turn16()
	for i := range 16 {
		a.op("VMOVUPS Z%d, %d(R13)", i, i*64)
	}
	a.op("ADDQ $%d, R11", 32*of.size)
	a.op("ADDQ $%d, R13", amxUnit)
	a.op("DECQ CX")
	a.op("JNZ %s", step)
	a.op("MOVQ R9, AX")
	a.op("SHLQ $4, AX")
	a.op("ADDQ AX, SI")
	a.op("ADDQ $%d, DI", amxHalf)
	a.op("SUBQ $16, R8")
	a.op("JG %s", half)
	a.mark(done)
	a.ret()
}

// amxTurnRows: lanes are contiguous; rows become pairs, which are turned.
func (a *assembly) amxTurnRows(of amxSource) {
	a.amxPacker("amxTurnRows"+of.suffix, of.does+" 32·steps rows of 16 or 32 values, stride bytes apart, to tiles of rows.")
	step, half, done := a.label(), a.label(), a.label()
	a.op("MOVQ %s, CX", a.arg("steps"))
	a.op("TESTQ CX, CX")
	a.op("JLE %s", done)
	a.op("MOVQ R9, R10")
	a.op("SHLQ $5, R10")
	a.mark(step)
	a.op("MOVQ SI, R11")
	a.op("LEAQ (SI)(R10*1), R12")
	a.op("MOVQ DI, R13")
	a.op("MOVQ %s, R8", a.arg("lanes"))
	a.mark(half)
	a.op("MOVQ R11, SI")
	a.op("VMOVUPS %s, Z31", a.interleave())
	for i := range 16 {
		a.pairOfRows(of, 0, i)
		a.op("LEAQ (SI)(R9*2), SI")
	}
	a.turn16()
	for i := range 16 {
		a.op("VMOVUPS Z%d, %d(R13)", i, i*64)
	}
	a.op("ADDQ $%d, R11", 16*of.size)
	a.op("ADDQ $%d, R13", amxHalf)
	a.op("SUBQ $16, R8")
	a.op("JG %s", half)
	a.op("MOVQ R12, SI")
	a.op("ADDQ $%d, DI", amxUnit)
	a.op("DECQ CX")
	a.op("JNZ %s", step)
	a.mark(done)
	a.ret()
}

// turn16 transposes 16 registers of 16 values in place, with the other 16 as space: pairs of rows, fours of rows, then
// lanes of 128 bits twice.
func (a *assembly) turn16() {
	z := func(i int) string { return fmt.Sprintf("Z%d", i) }
	for i := 0; i < 16; i += 2 {
		a.op("VUNPCKLPS %s, %s, %s", z(i+1), z(i), z(16+i))
		a.op("VUNPCKHPS %s, %s, %s", z(i+1), z(i), z(16+i+1))
	}
	for g := 0; g < 16; g += 4 {
		for c := range 4 {
			op := []string{"VUNPCKLPD", "VUNPCKHPD"}[c%2]
			a.op("%s %s, %s, %s", op, z(16+g+2+c/2), z(16+g+c/2), z(g+c))
		}
	}
	for c := range 4 {
		a.op("VSHUFF32X4 $0x88, %s, %s, %s", z(4+c), z(c), z(16+c))
		a.op("VSHUFF32X4 $0xdd, %s, %s, %s", z(4+c), z(c), z(20+c))
		a.op("VSHUFF32X4 $0x88, %s, %s, %s", z(12+c), z(8+c), z(24+c))
		a.op("VSHUFF32X4 $0xdd, %s, %s, %s", z(12+c), z(8+c), z(28+c))
	}
	for c := range 4 {
		a.op("VSHUFF32X4 $0x88, %s, %s, %s", z(24+c), z(16+c), z(c))
		a.op("VSHUFF32X4 $0x88, %s, %s, %s", z(28+c), z(20+c), z(4+c))
		a.op("VSHUFF32X4 $0xdd, %s, %s, %s", z(24+c), z(16+c), z(8+c))
		a.op("VSHUFF32X4 $0xdd, %s, %s, %s", z(28+c), z(20+c), z(12+c))
	}
}
