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
	a.amxMultiply(amxStreamsRows)
	a.amxMultiply(amxStreamsColumns)
	a.amxPeak()
	for _, of := range []amxSource{amxFloats, amxBrains} {
		a.amxPackRows(of)
		a.amxPackPairs(of)
		a.amxTurnPairs(of)
		a.amxTurnRows(of)
	}
})

// Offsets in cpu.amxTile, which the assembly reads; kept in step by TestStructsMatchTheAssembly.
const (
	amxStreams  = 0
	amxStays    = 8
	amxBegin    = 16
	amxEnd      = 24
	amxC        = 32
	amxResidual = 40
	amxBias     = 48
	amxConfig   = 56
	amxSpace    = 64
	amxSteps    = 72
	amxRows     = 80
	amxColumns  = 88
	amxStride   = 96
	amxNext     = 104
	amxNextRow  = 112
	amxPerStep  = 120
	amxAlpha    = 128
	amxFlags    = 132
	amxMoved    = 136
	amxAdded    = 144
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

// amxSide says which operand streams through the kernel, block after block; the other stays in the level-1 cache.
type amxSide struct {
	name, about string
	streamsRows bool
}

var (
	amxStreamsRows    = amxSide{"amxRows", "multiplies blocks of 32 packed rows with one packed panel of 32 columns.", true}
	amxStreamsColumns = amxSide{"amxColumns", "multiplies 32 packed rows with packed panels of 32 columns.", false}
)

// amxMultiply writes a kernel that makes blocks of 32 × 32 sums, all steps of k at a time. Sums then go to memory as they are,
// or wait in `space` and become outputs, some rows in each step of the next block. Tile registers live within one call: the runtime
// knows nothing of them.
//
// A tile instruction takes 16 cycles, and a load of a tile 8 from the level-1 cache: 2 × 2 tiles are bound by multiplying as
// long as what stays is in the level-1 cache and what streams, from the level-2 cache, does not push it out (TILELOADDT1). In
// 64 cycles of a step there is room for a hundred other instructions: outputs, and lines to fetch for the next call.
//
// Registers: SI streams, DX stays, R13 bytes into the sums, R14 the lines to fetch, R15 rows of outputs that wait, from
// BX on, for R10 (C) with R11 (residual), masked by K1 and K2.
func (a *assembly) amxMultiply(side amxSide) {
	a.function(side.name, side.about, []argument{{"t", "*amxTile"}})
	const regR9 = 9
	a.op("MOVQ %s, DI", a.arg("t"))
	a.op("MOVQ %d(DI), AX", amxConfig)
	a.tileConfigure(0)
	a.op("MOVQ %d(DI), SI", amxStreams)
	a.op("MOVL $64, R8")
	a.op("MOVQ %d(DI), R10", amxC)
	a.op("MOVQ %d(DI), R11", amxResidual)
	a.op("MOVQ %d(DI), R14", amxNext)
	a.op("XORL R13, R13")
	a.op("XORL R15, R15")
	a.op("VBROADCASTSS %d(DI), Z4", amxAlpha)
	left := amxColumns
	if side.streamsRows {
		left = amxRows
		a.amxColumnsOfBlock()
	}
	next, few, fetching, multiplied, outputs, done := a.label(), a.label(), a.label(), a.label(), a.label(), a.label()
	flush, back := a.label(), a.label()
	a.mark(next)
	if side.streamsRows {
		a.op("CMPQ %d(DI), $16", left)
		a.op("JLE %s", few)
	}
	a.amxSums(4)
	a.op("TESTQ R14, R14")
	a.op("JNZ %s", fetching)
	a.amxLoop(side, 4, false)
	a.op("JMP %s", multiplied)
	a.mark(fetching)
	a.amxLoop(side, 4, true)
	a.op("JMP %s", multiplied)
	if side.streamsRows {
		a.mark(few)
		a.amxSums(2)
		a.amxLoop(side, 2, false)
	}

	a.mark(multiplied)
	a.op("MOVQ %d(DI), AX", amxEnd)
	a.op("TESTQ AX, AX")
	a.op("JZ %s", outputs)
	a.op("ADDQ R13, AX")
	for i := range 4 {
		a.tileStore(i, 0, regR8, i*amxHalf)
	}
	after := a.label()
	a.op("JMP %s", after)

	a.mark(outputs)
	a.op("TESTQ R15, R15") // what is left of the block before
	a.op("JNZ %s", flush)
	a.mark(back)
	a.op("MOVQ %d(DI), BX", amxSpace)
	a.op("MOVL $128, R9")
	a.tileStore(0, regBX, regR9, 0)
	a.tileStore(1, regBX, regR9, 64)
	a.tileStore(2, regBX, regR9, 2*amxHalf)
	a.tileStore(3, regBX, regR9, 2*amxHalf+64)
	a.op("MOVQ %d(DI), R15", amxRows)
	if side.streamsRows {
		a.op("MOVL $32, AX")
		a.op("CMPQ R15, AX")
		a.op("CMOVQGT AX, R15")
	} else {
		a.amxColumnsOfBlock()
		a.op("MOVQ %d(DI), AX", amxMoved)
		a.op("ADDQ $128, %d(DI)", amxMoved)
		a.op("MOVQ %d(DI), R11", amxResidual)
		a.op("ADDQ AX, R11")
		whole := a.label()
		a.op("TESTL $%d, %d(DI)", amxFlagBrain, amxFlags)
		a.op("JZ %s", whole)
		a.op("SHRQ $1, AX")
		a.mark(whole)
		a.op("MOVQ %d(DI), R10", amxC)
		a.op("ADDQ AX, R10")
	}
	a.mark(after)
	a.op("ADDQ $%d, R13", 2*amxUnit)
	a.op("SUBQ $32, %d(DI)", left)
	a.op("JG %s", next)
	a.mark(done)
	a.tileRelease()
	last, end := a.label(), a.label()
	a.mark(last)
	a.op("TESTQ R15, R15")
	a.op("JZ %s", end)
	a.amxOutputRow()
	a.op("JMP %s", last)
	a.mark(end)
	a.ret()

	a.mark(flush)
	a.amxOutputRow()
	a.op("TESTQ R15, R15")
	a.op("JNZ %s", flush)
	a.op("JMP %s", back)
}

// amxSums loads the tiles of sums that chains go on from, or clears them.
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

// amxLoop multiplies all steps: 2 × 2 tiles of sums for four loads, or 1 × 2 for three. With fetch, each step asks for 128 bytes of two
// rows that the next call's packing will read.
func (a *assembly) amxLoop(side amxSide, tiles int, fetch bool) {
	loop, done, outputs, row, back := a.label(), a.label(), a.label(), a.label(), a.label()
	a.op("MOVQ %d(DI), DX", amxStays)
	a.op("MOVQ %d(DI), CX", amxSteps)
	if fetch {
		a.op("MOVQ %d(DI), R12", amxNextRow)
	}
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.op("PCALIGN $32")
	a.mark(loop)
	lines := func(index string) {
		if fetch {
			a.op("PREFETCHT1 (R14)%s", index)
			a.op("PREFETCHT1 64(R14)%s", index)
		}
	}
	loadA, loadB, rows, columns := a.tileLoadPast, a.tileLoad, regSI, regDX
	if !side.streamsRows {
		loadA, loadB, rows, columns = a.tileLoad, a.tileLoadPast, regDX, regSI
	}
	loadA(4, rows, regR8, 0)
	loadB(6, columns, regR8, 0)
	a.tileDot(0, 4, 6)
	lines("")
	loadB(7, columns, regR8, amxHalf)
	a.tileDot(1, 4, 7)
	if tiles == 4 {
		loadA(5, rows, regR8, amxHalf)
		a.tileDot(2, 5, 6)
		lines("(R12*1)")
		a.tileDot(3, 5, 7)
	}
	a.op("ADDQ $%d, SI", amxUnit)
	a.op("ADDQ $%d, DX", amxUnit)
	if fetch {
		a.op("ADDQ $128, R14")
	}
	a.op("TESTQ R15, R15")
	a.op("JNZ %s", outputs)
	a.mark(back)
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	if fetch { // the next two rows
		a.op("MOVQ %d(DI), AX", amxSteps)
		a.op("SHLQ $7, AX")
		a.op("SUBQ AX, R14")
		a.op("LEAQ (R14)(R12*2), R14")
	}
	a.op("JMP %s", done)

	a.mark(outputs)
	a.op("MOVQ %d(DI), AX", amxPerStep)
	a.mark(row)
	a.amxOutputRow()
	a.op("JZ %s", back)
	a.op("DECQ AX")
	a.op("JNZ %s", row)
	a.op("JMP %s", back)
	a.mark(done)
}

// amxColumnsOfBlock sets the masks of the columns that a block has, and loads their bias.
func (a *assembly) amxColumnsOfBlock() {
	none := a.label()
	a.op("MOVQ %d(DI), CX", amxColumns)
	a.op("MOVL $32, AX")
	a.op("CMPQ CX, AX")
	a.op("CMOVQGT AX, CX")
	a.op("MOVL $1, AX")
	a.op("SHLQ CX, AX")
	a.op("DECQ AX")
	a.op("KMOVW AX, K1")
	a.op("KMOVD AX, K3")
	a.op("SHRQ $16, AX")
	a.op("KMOVW AX, K2")
	a.op("TESTL $%d, %d(DI)", amxFlagBias, amxFlags)
	a.op("JZ %s", none)
	a.op("MOVQ %d(DI), AX", amxBias)
	a.op("ADDQ %d(DI), AX", amxMoved)
	a.op("VMOVUPS.Z (AX), K1, Z5")
	a.op("VMOVUPS.Z 64(AX), K2, Z6")
	a.mark(none)
}

const (
	amxFlagAccumulate = 1
	amxFlagResidual   = 2
	amxFlagBias       = 4
	amxFlagBrain      = 8
)

// amxOutputRow turns a row of sums into outputs: alpha, the sum so far, residual, bias, in this order, rounded to bfloat16 if C holds those. It ends with the count of
// rows that wait, and the flags of it.
func (a *assembly) amxOutputRow() {
	noSum, noResidual, noBias, store, stored := a.label(), a.label(), a.label(), a.label(), a.label()
	a.op("VMULPS (BX), Z4, Z0")
	a.op("VMULPS 64(BX), Z4, Z1")
	a.op("CMPL %d(DI), $0", amxFlags)
	a.op("JEQ %s", store)
	a.op("TESTL $%d, %d(DI)", amxFlagAccumulate, amxFlags)
	a.op("JZ %s", noSum)
	a.op("VADDPS (R10), Z0, K1, Z0")
	a.op("VADDPS 64(R10), Z1, K2, Z1")
	a.mark(noSum)
	a.op("TESTL $%d, %d(DI)", amxFlagResidual, amxFlags)
	a.op("JZ %s", noResidual)
	a.op("VADDPS (R11), Z0, K1, Z0")
	a.op("VADDPS 64(R11), Z1, K2, Z1")
	a.op("ADDQ %d(DI), R11", amxAdded)
	a.mark(noResidual)
	a.op("TESTL $%d, %d(DI)", amxFlagBias, amxFlags)
	a.op("JZ %s", noBias)
	a.op("VADDPS Z5, Z0, Z0")
	a.op("VADDPS Z6, Z1, Z1")
	a.mark(noBias)
	a.op("TESTL $%d, %d(DI)", amxFlagBrain, amxFlags)
	a.op("JZ %s", store)
	a.roundTwo(0, 1, 0)
	a.op("VMOVDQU16 Z0, K3, (R10)")
	a.op("JMP %s", stored)
	a.mark(store)
	a.op("VMOVUPS Z0, K1, (R10)")
	a.op("VMOVUPS Z1, K2, 64(R10)")
	a.mark(stored)
	a.op("ADDQ %d(DI), R10", amxStride)
	a.op("ADDQ $128, BX")
	a.op("DECQ R15")
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
