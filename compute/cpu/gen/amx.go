package main

import "fmt"

// Multiplication of bfloat16 by the tile unit (AMX-BF16). A tile register holds 16 rows of 64 bytes; one instruction
// multiplies 16 rows of 32 values of k with 32 values of k of 16 columns. Go's assembler of 1.26 does not know the
// instructions; they are encoded as bytes.
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, sections 2.3 (VEX) and the instructions.
var _ = topic("amx", func(a *assembly) {
	if a.set != avx512 {
		return
	}
	a.amxMultiply()
	a.amxPeak()
	a.amxPackRows()
	a.amxPackPairs()
	a.amxTurnPairs()
	a.amxTurnRows()
})

// Offsets in cpu.amxTile, which the assembly reads; kept in step by TestStructsMatchTheAssembly.
const (
	amxA        = 0
	amxB        = 8
	amxBegin    = 16
	amxEnd      = 24
	amxC        = 32
	amxResidual = 40
	amxBias     = 48
	amxConfig   = 56
	amxSpace    = 64
	amxSteps    = 72
	amxRows     = 80
	amxStride   = 88
	amxColumns  = 96
	amxAlpha    = 104
	amxFlags    = 108
)

const (
	amxUnit = 2048 // bytes of a step of 32 k: two tiles of 16 rows (or columns)
	amxHalf = 1024
)

// Registers of instructions that are encoded as bytes, by number.
const (
	regDX = 2
	regBX = 3
	regSI = 6
	regDI = 7
	regR8 = 8
)

var prefixes = map[string]byte{"": 0, "66": 1, "F3": 2, "F2": 3}

// vexTile writes an instruction of map 0F38, W0, 128 bits. r, x and b say whether a register number of that field is over 7.
func (a *assembly) vexTile(prefix string, opcode byte, second int, r, x, b bool, rest ...byte) {
	high := byte(0xe0) // R, X and B are stored inverted
	for i, v := range []bool{b, x, r} {
		if v {
			high &^= 1 << (5 + i)
		}
	}
	a.bytes5(append([]byte{0xc4, high | 2, byte(^second&15)<<3 | prefixes[prefix], opcode}, rest...))
}

func (a *assembly) bytes5(code []byte) {
	for i, v := range code {
		if i > 0 {
			a.body.WriteString("; ")
		} else {
			a.body.WriteString("\t")
		}
		fmt.Fprintf(&a.body, "BYTE $0x%02x", v)
	}
	a.body.WriteString("\n")
}

// tileMemory is one of the three moves between a tile and memory: rows at base + offset, stride (a register) bytes apart.
func (a *assembly) tileMemory(prefix string, tile, base, stride, offset int) {
	d := uint32(int32(offset))
	a.vexTile(prefix, 0x4b, 0, false, stride > 7, base > 7, 0b10<<6|byte(tile)<<3|0b100, byte(stride&7)<<3|byte(base&7), byte(d), byte(d>>8), byte(d>>16), byte(d>>24))
}

func (a *assembly) tileLoad(tile, base, stride, offset int) {
	a.tileMemory("F2", tile, base, stride, offset)
}

// tileLoadPast loads past the level-1 cache: what streams through does not push out what stays.
func (a *assembly) tileLoadPast(tile, base, stride, offset int) {
	a.tileMemory("66", tile, base, stride, offset)
}
func (a *assembly) tileStore(tile, base, stride, offset int) {
	a.tileMemory("F3", tile, base, stride, offset)
}
func (a *assembly) tileZero(tile int) {
	a.vexTile("F2", 0x49, 0, false, false, false, 0xc0|byte(tile)<<3)
}
func (a *assembly) tileConfigure(base int) {
	a.vexTile("", 0x49, 0, false, false, base > 7, byte(base&7))
}
func (a *assembly) tileRelease() { a.vexTile("", 0x49, 0, false, false, false, 0xc0) }

// tileDot is TDPBF16PS: sum[16, 16] += x[16, 32] · y[32, 16], y as pairs of k.
func (a *assembly) tileDot(sum, x, y int) {
	a.vexTile("F3", 0x5c, y, false, false, false, 0xc0|byte(sum)<<3|byte(x))
}

// roundTwo is VCVTNE2PS2BF16: low and high become the halves of `to`, which may be either.
func (a *assembly) roundTwo(low, high, to int) {
	bit := func(v int, mask int, at uint) byte {
		if v&mask == 0 {
			return 1 << at
		}
		return 0
	}
	p0 := bit(to, 8, 7) | bit(low, 16, 6) | bit(low, 8, 5) | bit(to, 16, 4) | 0b010
	p1 := byte(^high&15)<<3 | 1<<2 | 0b11
	p2 := byte(0b10<<5) | bit(high, 16, 3)
	a.bytes5([]byte{0x62, p0, p1, p2, 0x72, 0xc0 | byte(to&7)<<3 | byte(low&7)})
}

// amxSums loads the four (two) tiles of sums that chains go on from, or clears them.
func (a *assembly) amxSums(tiles int) {
	zero, done := a.label(), a.label()
	a.op("MOVQ %d(DI), AX", amxBegin)
	a.op("TESTQ AX, AX")
	a.op("JZ %s", zero)
	a.op("ADDQ R13, AX")
	for i := range tiles {
		a.tileLoad(i, 0, regR8, i*amxHalf)
	}
	a.op("JMP %s", done)
	a.mark(zero)
	for i := range tiles {
		a.tileZero(i)
	}
	a.mark(done)
}

// amxLoop multiplies all steps: 2 × 2 tiles of sums for four loads, or 1 × 2 for three.
func (a *assembly) amxLoop(tiles int) {
	loop, done := a.label(), a.label()
	a.op("MOVQ %d(DI), DX", amxB)
	a.op("MOVQ %d(DI), CX", amxSteps)
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.op("PCALIGN $32")
	a.mark(loop)
	a.tileLoadPast(4, regSI, regR8, 0)
	a.tileLoad(6, regDX, regR8, 0)
	a.tileDot(0, 4, 6)
	a.tileLoad(7, regDX, regR8, amxHalf)
	a.tileDot(1, 4, 7)
	if tiles == 4 {
		a.tileLoadPast(5, regSI, regR8, amxHalf)
		a.tileDot(2, 5, 6)
		a.tileDot(3, 5, 7)
	}
	a.op("ADDQ $%d, SI", amxUnit)
	a.op("ADDQ $%d, DX", amxUnit)
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
}

// amxMultiply writes the kernel of a panel of 32 columns and any number of rows: for each 32 rows, all steps of k, then the
// sums go to memory as they are, or become outputs. Tile registers live within one call: the runtime knows nothing of them.
//
// A tile instruction takes 16 cycles, and a load of a tile 8 from the level-1 cache: 2 × 2 tiles are bound by multiplying as
// long as B's panel stays in the level-1 cache. A comes from the level-2 cache.
func (a *assembly) amxMultiply() {
	a.function("amxMultiply", "multiplies packed rows with a packed panel of 32 columns.", []argument{{"t", "*amxTile"}})
	a.op("MOVQ %s, DI", a.arg("t"))
	a.op("MOVQ %d(DI), AX", amxConfig)
	a.tileConfigure(0)
	a.op("MOVQ %d(DI), SI", amxA)
	a.op("MOVL $64, R8")
	a.op("MOVQ %d(DI), R9", amxStride)
	a.op("MOVQ %d(DI), R10", amxC)
	a.op("MOVQ %d(DI), R11", amxResidual)
	a.op("MOVQ %d(DI), R12", amxRows)
	a.op("XORL R13, R13") // bytes into the sums
	a.op("MOVQ %d(DI), CX", amxColumns)
	a.op("MOVL $1, AX")
	a.op("SHLQ CX, AX")
	a.op("DECQ AX")
	a.op("KMOVW AX, K1")
	a.op("SHRQ $16, AX")
	a.op("KMOVW AX, K2")
	a.op("VBROADCASTSS %d(DI), Z4", amxAlpha)
	noBias := a.label()
	a.op("MOVQ %d(DI), AX", amxBias)
	a.op("TESTQ AX, AX")
	a.op("JZ %s", noBias)
	a.op("VMOVUPS.Z (AX), K1, Z5")
	a.op("VMOVUPS.Z 64(AX), K2, Z6")
	a.mark(noBias)
	next, few, summed, outputs, after := a.label(), a.label(), a.label(), a.label(), a.label()
	done := a.label()
	a.op("TESTQ R12, R12")
	a.op("JLE %s", done)
	a.mark(next)
	a.op("CMPQ R12, $16")
	a.op("JLE %s", few)
	a.amxSums(4)
	a.amxLoop(4)
	a.op("MOVQ %d(DI), AX", amxEnd)
	a.op("TESTQ AX, AX")
	a.op("JZ %s", outputs)
	a.op("ADDQ R13, AX")
	for i := range 4 {
		a.tileStore(i, 0, regR8, i*amxHalf)
	}
	a.op("JMP %s", after)

	a.mark(few)
	a.amxSums(2)
	a.amxLoop(2)
	a.op("MOVQ %d(DI), AX", amxEnd)
	a.op("TESTQ AX, AX")
	a.op("JZ %s", summed)
	a.op("ADDQ R13, AX")
	for i := range 2 {
		a.tileStore(i, 0, regR8, i*amxHalf)
	}
	a.op("JMP %s", done)

	// Whole tiles without anything to add go straight to C.
	direct := a.label()
	a.mark(outputs)
	a.op("MOVL %d(DI), AX", amxFlags)
	a.op("TESTL $%d, AX", amxFlagDirect)
	a.op("JZ %s", direct)
	a.op("CMPQ R12, $32")
	a.op("JLT %s", direct)
	const regR9, regR10 = 9, 10
	a.tileStore(0, regR10, regR9, 0)
	a.tileStore(1, regR10, regR9, 64)
	a.op("MOVQ R9, BX")
	a.op("SHLQ $4, BX")
	a.op("ADDQ R10, BX")
	a.tileStore(2, regBX, regR9, 0)
	a.tileStore(3, regBX, regR9, 64)
	a.op("MOVQ R9, BX")
	a.op("SHLQ $5, BX")
	a.op("ADDQ BX, R10")
	a.op("JMP %s", after)

	a.mark(direct)
	a.op("MOVQ %d(DI), BX", amxSpace)
	a.tileStore(2, regBX, regR8, 2*amxHalf)
	a.tileStore(3, regBX, regR8, 3*amxHalf)
	both := a.label()
	a.op("JMP %s", both)
	a.mark(summed)
	a.op("MOVQ %d(DI), BX", amxSpace)
	a.mark(both)
	a.tileStore(0, regBX, regR8, 0)
	a.tileStore(1, regBX, regR8, amxHalf)
	a.amxOutputs()

	a.mark(after)
	a.op("ADDQ $%d, R13", 2*amxUnit)
	a.op("SUBQ $32, R12")
	a.op("JG %s", next)
	a.mark(done)
	a.tileRelease()
	a.ret()
}

const (
	amxFlagAccumulate = 1
	amxFlagDirect     = 2
)

// amxOutputs writes up to 32 rows of sums from BX on to C: alpha, the sum so far, residual, bias, in this order.
func (a *assembly) amxOutputs() {
	rows, other, noSum, noResidual, noBias, store := a.label(), a.label(), a.label(), a.label(), a.label(), a.label()
	a.op("MOVQ R12, CX")
	a.op("CMPQ CX, $32")
	a.op("JLE %s", other)
	a.op("MOVL $32, CX")
	a.mark(other)
	a.op("MOVL $16, DX")
	a.mark(rows)
	a.op("VMULPS (BX), Z4, Z0")
	a.op("VMULPS %d(BX), Z4, Z1", amxHalf)
	a.op("MOVL %d(DI), AX", amxFlags)
	a.op("TESTL $%d, AX", amxFlagAccumulate)
	a.op("JZ %s", noSum)
	a.op("VADDPS (R10), Z0, K1, Z0")
	a.op("VADDPS 64(R10), Z1, K2, Z1")
	a.mark(noSum)
	a.op("TESTQ R11, R11")
	a.op("JZ %s", noResidual)
	a.op("VADDPS (R11), Z0, K1, Z0")
	a.op("VADDPS 64(R11), Z1, K2, Z1")
	a.op("ADDQ R9, R11")
	a.mark(noResidual)
	a.op("CMPQ %d(DI), $0", amxBias)
	a.op("JEQ %s", noBias)
	a.op("VADDPS Z5, Z0, Z0")
	a.op("VADDPS Z6, Z1, Z1")
	a.mark(noBias)
	a.op("VMOVUPS Z0, K1, (R10)")
	a.op("VMOVUPS Z1, K2, 64(R10)")
	a.op("ADDQ R9, R10")
	a.op("ADDQ $64, BX")
	a.op("DECQ DX")
	a.op("JNZ %s", store)
	a.op("ADDQ $%d, BX", amxHalf) // rows 16 to 31 follow the two tiles of rows 0 to 15
	a.mark(store)
	a.op("DECQ CX")
	a.op("JNZ %s", rows)
}

// amxPeak writes a loop over one step that stays in the level-1 cache.
func (a *assembly) amxPeak() {
	a.function("amxPeak", "multiplies two tiles with two tiles of space (4 KiB), again and again.",
		[]argument{{"config", "*byte"}, {"space", "*float32"}, {"times", "int"}})
	a.op("MOVQ %s, AX", a.arg("config"))
	a.op("MOVQ %s, SI", a.arg("space"))
	a.op("MOVQ %s, CX", a.arg("times"))
	a.tileConfigure(0)
	a.op("MOVL $64, R8")
	for i := range 4 {
		a.tileZero(i)
	}
	loop := a.label()
	a.op("PCALIGN $32")
	a.mark(loop)
	a.tileLoad(4, regSI, regR8, 0)
	a.tileLoad(6, regSI, regR8, 2*amxHalf)
	a.tileDot(0, 4, 6)
	a.tileLoad(7, regSI, regR8, 3*amxHalf)
	a.tileDot(1, 4, 7)
	a.tileLoad(5, regSI, regR8, amxHalf)
	a.tileDot(2, 5, 6)
	a.tileDot(3, 5, 7)
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.tileRelease()
	a.ret()
}
