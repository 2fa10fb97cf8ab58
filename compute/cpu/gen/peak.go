package main

import (
	"fmt"
	"math/rand/v2"
)

var _ = topic("peak", func(a *assembly) {
	a.readMemory()
	a.copyMemory()
	chains := a.registers - 4
	a.ceiling("peakFMA", "fused multiply-adds of float32 registers", chains, func(sum, x, y int) {
		a.op("VFMADD231PS %s, %s, %s", a.r(x), a.r(y), a.r(sum))
	})
	if a.set == avx512 {
		a.ceiling("peakInt8", "VPDPBUSD of registers", chains, func(sum, x, y int) {
			a.op("VPDPBUSD %s, %s, %s", a.r(x), a.r(y), a.r(sum))
		})
		a.ceiling("peakPairs", "VDPBF16PS of registers", chains, func(sum, x, y int) { a.dotPairsRegister(sum, y, x) })
		return
	}
	a.ceiling("peakInt8", "VPMADDUBSW, VPMADDWD and VPADDD of registers", 8, func(sum, x, y int) {
		t := a.r(sum)
		a.op("VPMADDUBSW %s, %s, %s", a.r(x), a.r(y), t)
		a.op("VPMADDWD %s, %s, %s", a.r(x), t, t)
		a.op("VPADDD %s, %s, %s", a.r(y), t, t)
	})
})

// ceiling writes a function that repeats one step on independent registers: what the processor could do if nothing had to be
// loaded or stored. Operands change from step to step and have bits like those of real ones: multiplying zeros again and again
// takes less power, and the clock would be higher than any product of numbers can have.
func (a *assembly) ceiling(name, about string, chains int, step func(sum, x, y int)) {
	a.function(name, "runs "+about+": `times` rounds of one step for each register that the loop has.", ints("times"))
	const sources = 4
	for i := range a.registers - sources {
		a.op("VXORPS %s, %s, %s", a.r(i), a.r(i), a.r(i))
	}
	source := func(i int) int { return a.registers - 1 - i }
	for i := range sources {
		a.op("VMOVUPS %s, %s", a.consts.table(fmt.Sprintf("peakSource%d", i), peakOperands(i)), a.r(source(i)))
	}
	a.op("MOVQ %s, CX", a.arg("times"))
	loop, done := a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.op("PCALIGN $32")
	a.mark(loop)
	for i := range chains {
		step(i, source(i%2), source(2+i/2%2))
	}
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.ret()
}

// peakOperands are words that are numbers of size 0.5 to 2 and of either sign, read as float32 or as two bfloat16, and bytes of
// all kinds.
func peakOperands(seed int) (t [16]uint32) {
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	half := func() uint32 { return random.Uint32N(2)<<15 | 0x3f00 | random.Uint32N(256) }
	for i := range t {
		t[i] = half()<<16 | half()
	}
	return t
}

// aheadOfReading is how many bytes ahead lines are asked for.
const aheadOfReading = 4096

// readMemory measures reading: loads only, eight independent chains.
func (a *assembly) readMemory() {
	a.function("readMemory", "loads n bytes, a multiple of 1024, and combines them so that no load can be left out.", append(pointers("p"), ints("n")...), argument{"ret", "int"})
	a.op("MOVQ %s, SI", a.arg("p"))
	a.op("MOVQ %s, CX", a.arg("n"))
	const unroll = 8
	for i := range unroll {
		a.op("VXORPS %s, %s, %s", a.r(i), a.r(i), a.r(i))
	}
	loop, done := a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	for i := range 1024 / a.bytes() {
		if i*a.bytes()%64 == 0 {
			a.op("PREFETCHT0 %d(SI)", i*a.bytes()+aheadOfReading)
		}
		a.op("VORPS %d(SI), %s, %s", i*a.bytes(), a.r(i%unroll), a.r(i%unroll))
	}
	a.op("ADDQ $1024, SI")
	a.op("SUBQ $1024, CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	for i := 1; i < unroll; i++ {
		a.op("VORPS %s, %s, %s", a.r(i), a.r(0), a.r(0))
	}
	a.op("VMOVQ X0, AX")
	a.op("MOVQ AX, %s", a.arg("ret"))
	a.ret()
}

// copyMemory stores past the caches: a copy that is larger than they are has no use for reading what it overwrites.
func (a *assembly) copyMemory() {
	a.function("copyMemory", "copies n bytes, a multiple of 1024; both sides begin at a multiple of 64.", append(pointers("dst", "src"), ints("n")...))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("src"))
	a.op("MOVQ %s, CX", a.arg("n"))
	loop, done := a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	for i := range 1024 / a.bytes() {
		a.op("VMOVUPS %d(SI), %s", i*a.bytes(), a.r(i%8))
		a.op("VMOVNTPS %s, %d(DI)", a.r(i%8), i*a.bytes())
	}
	a.op("ADDQ $1024, SI")
	a.op("ADDQ $1024, DI")
	a.op("SUBQ $1024, CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.op("SFENCE") // such stores are not ordered with others
	a.op("SFENCE")
	a.ret()
}
