package main

import "fmt"

// The lattice formats: eight values are a point of a table of bytes (or two points of four), a step, and eight signs, which are
// a row of a table of sign bits. What is a table of ggml's lies in package dtype; cpu hands the addresses over. VEX encoded in both
// sets, eight values at a time: finding the points is scalar work.
var _ = topic("dequantize_iq", func(a *assembly) {
	for _, k := range []struct {
		name  string
		bytes int
		body  func(p *pointed)
	}{
		{"iq2XXS", 66, (*pointed).iq2XXS}, {"iq2XS", 74, (*pointed).iq2XS}, {"iq2S", 82, (*pointed).iq2S},
		{"iq3XXS", 98, (*pointed).iq3XXS}, {"iq3S", 110, (*pointed).iq3S}, {"iq1S", 50, (*pointed).iq1S}, {"iq1M", 56, (*pointed).iq1M},
	} {
		a.provideTo("latticeKernels", k.name, k.name)
		a.startOf(k.name, "dequantises blocks of 256; points and signs are tables.",
			[]argument{{"dst", "*float32"}, {"src", "*byte"}, {"blocks", "int"}, {"points", "*int8"}, {"signs", "*uint32"}, {"tables", "*float32"}})
		// DI SI | DX blocks | R8 points | R9 signs | R10 tables
		p := &pointed{a}
		loop, done := a.label(), a.label()
		a.op("TESTQ DX, DX")
		a.op("JZ %s", done)
		a.mark(loop)
		k.body(p)
		a.op("ADDQ $1024, DI")
		a.op("ADDQ $%d, SI", k.bytes)
		a.op("DECQ DX")
		a.op("JNZ %s", loop)
		a.mark(done)
		a.ret()
	}
})

// pointed writes the kernels. Y7 is d, Y6 the step, Y0 the values, Y5 IQ1's shift. AX is a code, BX signs, CX, R11 and R12 what
// they come from.
type pointed struct{ *assembly }

// Where cpu's tables are, in bytes: ½+s, 1+2s, and ⅛ and −⅛.
const (
	tableHalves = 0
	tableOdd    = 64
	tableShift  = 128
)

func (p *pointed) d(offset int) {
	p.op("VPBROADCASTW %d(SI), X7", offset)
	p.op("VCVTPH2PS X7, Y7")
}

// step makes d · table[CX], then · by: rounded twice where by is not 1, as dtype does it.
func (p *pointed) step(table int, by float32) {
	p.op("VBROADCASTSS %d(R10)(CX*4), Y6", table)
	p.op("VMULPS Y7, Y6, Y6")
	if by != 1 {
		p.op("VMULPS %s, Y6, Y6", p.consts.value(fmt.Sprintf("by%d", int(by*100)), by))
	}
}

// nibble puts a scale's four bits into CX: those of byte `offset`, the high ones if odd.
func (p *pointed) nibble(offset, odd int) {
	p.op("MOVBLZX %d(SI), CX", offset)
	if odd%2 == 0 {
		p.op("ANDL $15, CX")
	} else {
		p.op("SHRL $4, CX")
	}
}

// signed stores eight values of bytes in Y0 as whole numbers, times the step, with row BX of the signs.
func (p *pointed) signed(at int) {
	p.op("VCVTDQ2PS Y0, Y0")
	p.op("VMULPS Y6, Y0, Y0")
	p.op("SHLL $5, BX")
	p.op("VXORPS (R9)(BX*1), Y0, Y0")
	p.op("VMOVUPS Y0, %d(DI)", at*4)
}

func (p *pointed) iq2XXS() {
	p.d(0)
	for g := range 8 {
		p.op("MOVL %d(SI), R11", 2+8*g+4)
		p.op("MOVL R11, CX")
		p.op("SHRL $28, CX")
		p.step(tableHalves, 0.25)
		for l := range 4 {
			p.op("MOVBLZX %d(SI), AX", 2+8*g+l)
			p.op("VPMOVZXBD (R8)(AX*8), Y0")
			p.op("MOVL R11, BX")
			if l > 0 {
				p.op("SHRL $%d, BX", 7*l)
			}
			p.op("ANDL $127, BX")
			p.signed(32*g + 8*l)
		}
	}
}

func (p *pointed) iq2XS() {
	p.d(0)
	for l := range 32 {
		if l%2 == 0 {
			p.nibble(66+l/4, l/2)
			p.step(tableHalves, 0.25)
		}
		p.op("MOVWLZX %d(SI), AX", 2+2*l)
		p.op("MOVL AX, BX")
		p.op("ANDL $511, AX")
		p.op("SHRL $9, BX")
		p.op("VPMOVZXBD (R8)(AX*8), Y0")
		p.signed(8 * l)
	}
}

// joined makes AX the byte at `offset` with the bits of R11 from `from` on, masked, above it.
func (p *pointed) joined(offset, from, mask int) {
	p.op("MOVBLZX %d(SI), AX", offset)
	p.op("MOVL R11, R12")
	if from > 8 {
		p.op("SHRL $%d, R12", from-8)
	} else if from < 8 {
		p.op("SHLL $%d, R12", 8-from)
	}
	p.op("ANDL $%#x, R12", mask<<8)
	p.op("ORL R12, AX")
}

func (p *pointed) iq2S() {
	p.d(0)
	for l := range 32 {
		if l%2 == 0 {
			p.nibble(74+l/4, l/2)
			p.step(tableHalves, 0.25)
		}
		if l%4 == 0 {
			p.op("MOVBLZX %d(SI), R11", 66+l/4)
		}
		p.joined(2+l, l%4*2, 3)
		p.op("MOVBLZX %d(SI), BX", 34+l)
		p.op("VPMOVZXBD (R8)(AX*8), Y0")
		p.signed(8 * l)
	}
}

func (p *pointed) iq3XXS() {
	p.d(0)
	for g := range 8 {
		p.op("MOVL %d(SI), R11", 66+4*g)
		p.op("MOVL R11, CX")
		p.op("SHRL $28, CX")
		p.step(tableHalves, 0.5)
		for l := range 4 {
			p.op("MOVBLZX %d(SI), AX", 2+8*g+2*l)
			p.op("VMOVD (R8)(AX*4), X0")
			p.op("MOVBLZX %d(SI), AX", 2+8*g+2*l+1)
			p.op("VPINSRD $1, (R8)(AX*4), X0, X0")
			p.op("VPMOVZXBD X0, Y0")
			p.op("MOVL R11, BX")
			if l > 0 {
				p.op("SHRL $%d, BX", 7*l)
			}
			p.op("ANDL $127, BX")
			p.signed(32*g + 8*l)
		}
	}
}

func (p *pointed) iq3S() {
	p.d(0)
	for l := range 32 { // of two points
		if l%4 == 0 {
			p.nibble(106+l/8, l/4)
			p.step(tableOdd, 1)
			p.op("MOVBLZX %d(SI), R11", 66+l/4)
		}
		p.joined(2+2*l, l%4*2, 1)
		p.op("VMOVD (R8)(AX*4), X0")
		p.joined(2+2*l+1, l%4*2+1, 1)
		p.op("VPINSRD $1, (R8)(AX*4), X0, X0")
		p.op("VPMOVZXBD X0, Y0")
		p.op("MOVBLZX %d(SI), BX", 74+l)
		p.signed(8 * l)
	}
}

// shifted stores eight values of point AX: step · (value + shift).
func (p *pointed) shifted(at int) {
	p.op("VPMOVSXBD (R8)(AX*8), Y0")
	p.op("VCVTDQ2PS Y0, Y0")
	p.op("VADDPS Y5, Y0, Y0")
	p.op("VMULPS Y6, Y0, Y0")
	p.op("VMOVUPS Y0, %d(DI)", at*4)
}

func (p *pointed) iq1S() {
	p.d(0)
	for g := range 8 {
		p.op("MOVWLZX %d(SI), R11", 34+2*g)
		p.op("MOVL R11, CX")
		p.op("SHRL $12, CX")
		p.op("ANDL $7, CX")
		p.step(tableOdd, 1)
		p.op("MOVL R11, CX")
		p.op("SHRL $15, CX")
		p.op("VBROADCASTSS %d(R10)(CX*4), Y5", tableShift)
		for l := range 4 {
			p.joined(2+4*g+l, 3*l, 7)
			p.shifted(32*g + 8*l)
		}
	}
}

// iq1M: a float16 in the high nibbles of four words.
func (p *pointed) iq1M() {
	p.op("XORL AX, AX")
	for i := range 4 {
		p.op("MOVWLZX %d(SI), CX", 48+2*i)
		p.op("ANDL $0xf000, CX")
		if i < 3 {
			p.op("SHRL $%d, CX", 12-4*i)
		}
		p.op("ORL CX, AX")
	}
	p.op("VMOVD AX, X7")
	p.op("VPBROADCASTW X7, X7")
	p.op("VCVTPH2PS X7, Y7")
	for l := range 32 {
		if l%2 == 0 {
			p.op("MOVWLZX %d(SI), CX", 48+l/8*2)
			if n := l / 2 % 4 * 3; n > 0 {
				p.op("SHRL $%d, CX", n)
			}
			p.op("ANDL $7, CX")
			p.step(tableOdd, 1)
			p.op("MOVBLZX %d(SI), R11", 32+l/2)
		}
		p.op("MOVL R11, CX")
		p.op("SHRL $%d, CX", 3+l%2*4)
		p.op("ANDL $1, CX")
		p.op("VBROADCASTSS %d(R10)(CX*4), Y5", tableShift)
		p.joined(l, l%2*4, 7)
		p.shifted(8 * l)
	}
}
