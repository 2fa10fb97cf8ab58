package main

import "fmt"

// Weights lie row by row and stay as they are, but lanes of a register are outputs, that is rows. So rows are turned in
// registers, four bytes at a time, whatever these four bytes mean: one float32, two values of 16 bits, four of 8, eight of 4.
var _ = topic("transpose", func(a *assembly) { a.transposeRows() })

// rowChunks walks along rows of CX bytes (at least 16) from the pointers in bases on, 64 bytes and then 16 at a time: chunk(u)
// works on the 16 bytes from 16·u on, fetch comes before them, advance moves all pointers on. What is left of the rows at their
// ends is loaded again together with what stands before it: back moves the destination by CX, the bytes of that overlap (below 0).
func (a *assembly) rowChunks(bases []string, fetch func(), chunk func(u int), advance func(bytes int), back func()) {
	long, short, rest, last, done := a.label(), a.label(), a.label(), a.label(), a.label()
	a.op("SUBQ $64, CX")
	a.op("JLT %s", rest)
	a.mark(long)
	fetch()
	for u := range 4 {
		chunk(u)
	}
	advance(64)
	a.op("SUBQ $64, CX")
	a.op("JGE %s", long)
	a.mark(rest)
	a.op("ADDQ $64, CX")
	a.op("JZ %s", done)
	fetch()
	a.op("SUBQ $16, CX")
	a.op("JLT %s", last)
	a.mark(short)
	chunk(0)
	advance(16)
	a.op("SUBQ $16, CX")
	a.op("JGE %s", short)
	a.mark(last)
	a.op("ADDQ $16, CX")
	a.op("JZ %s", done)
	a.op("SUBQ $16, CX") // back by what the last 16 bytes overlap, 16 − CX
	for _, b := range bases {
		a.op("ADDQ CX, %s", b)
	}
	back()
	chunk(0)
	a.mark(done)
}

// transposeRows writes the function that turns as many rows as a register has lanes, bytes (a multiple of 4, at least 16) of
// each, into bytes/4 registers: the same four bytes of every row. Row 4l+j is loaded into the 128-bit lane l of register j,
// 16 bytes at a time; then four by four 32-bit values are transposed within the lanes: 24 instructions for 16 rows × 16 bytes
// and 16 for 8 rows. What is left of a row at its end is loaded again together with what stands before it.
//
// Meanwhile it asks for as many bytes as it reads from ahead on, in the order of memory: so many rows are more streams than the
// hardware follows, but a caller knows which memory comes next.
func (a *assembly) transposeRows() {
	a.function(fmt.Sprintf("transposeRows%d", a.lanes), fmt.Sprintf("writes for each 4 of the bytes of a row the %d × 4 bytes of as many rows, rowBytes apart, and asks for as many bytes from ahead on.", a.lanes),
		append(append(arguments("*byte", "dst", "src"), ints("rowBytes", "bytes")...), argument{"ahead", "*byte"}))
	quarters := a.lanes / 4
	bases := []string{"SI", "R10", "R11", "R12"}[:quarters]
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("src"))
	a.op("MOVQ %s, R8", a.arg("rowBytes"))
	a.op("MOVQ %s, CX", a.arg("bytes"))
	a.op("MOVQ %s, R13", a.arg("ahead"))
	a.op("LEAQ (R8)(R8*2), R9")
	for l := 1; l < quarters; l++ {
		a.op("LEAQ (%s)(R8*4), %s", bases[l-1], bases[l])
	}
	row := func(l, j, offset int) string {
		return fmt.Sprintf("%d(%s)", offset, bases[l]) + []string{"", "(R8*1)", "(R8*2)", "(R9*1)"}[j]
	}
	chunk := func(u int) {
		for i := range quarters {
			a.op("PREFETCHT1 %d(R13)", (u*quarters+i)*64)
		}
		first := u * 8 % 16 // the first half: VEX encodings are shorter
		in := a.transposeChunk(first, func(l, j int) string { return row(l, j, 16*u) })
		for i := range 4 {
			a.op("VMOVUPS %s, %d(DI)", a.r(in+i), (u*4+i)*a.bytes())
		}
	}
	advance := func(bytes int) {
		for _, b := range bases {
			a.op("ADDQ $%d, %s", bytes, b)
		}
		a.op("ADDQ $%d, DI", bytes/4*a.bytes())
		a.op("ADDQ $%d, R13", bytes*a.lanes)
	}
	a.rowChunks(bases, func() {}, chunk, advance, func() {
		a.op("IMULQ $%d, CX", a.bytes()/4)
		a.op("ADDQ CX, DI")
	})
	a.ret()
}

// transposeChunk loads 16 bytes of each row and makes four columns of them, in registers first, first+1, …; it uses eight from
// first on. The address of row 4l+j is row(l, j). It gives first back.
func (a *assembly) transposeChunk(first int, row func(l, j int) string) int {
	in, t := first, first+4
	for j := range 4 {
		a.op("VMOVDQU %s, X%d", row(0, j), in+j)
		a.op("VINSERTI128 $1, %s, Y%d, Y%d", row(1, j), in+j, in+j)
		for l := 2; l < a.lanes/4; l++ {
			a.op("VINSERTI32X4 $%d, %s, Z%d, Z%d", l, row(l, j), in+j, in+j)
		}
	}
	for i := range 2 {
		a.op("VUNPCKLPS %s, %s, %s", a.r(in+2*i+1), a.r(in+2*i), a.r(t+2*i))
		a.op("VUNPCKHPS %s, %s, %s", a.r(in+2*i+1), a.r(in+2*i), a.r(t+2*i+1))
	}
	for i := range 2 {
		a.op("VUNPCKLPD %s, %s, %s", a.r(t+2+i), a.r(t+i), a.r(in+2*i))
		a.op("VUNPCKHPD %s, %s, %s", a.r(t+2+i), a.r(t+i), a.r(in+2*i+1))
	}
	return first
}
