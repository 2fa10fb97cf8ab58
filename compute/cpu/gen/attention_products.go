package main

import "fmt"

var _ = topic("attention_products", func(a *assembly) {
	for vecs := 1; vecs <= 2; vecs++ {
		for rows := 1; rows <= a.tileRows; rows++ {
			a.strip(rows, vecs, false, false)
			a.strip(rows, vecs, true, false)
			if a.set == avx512 {
				a.strip(rows, vecs, false, true)
				a.strip(rows, vecs, true, true)
			}
		}
	}
})

// Offsets in cpu.strip, which the assembly reads; kept in step by TestStructsMatchTheAssembly.
const (
	stripA       = 0
	stripB       = 8
	stripC       = 16
	stripOld     = 24
	stripNew     = 32
	stripK       = 40
	stripAStride = 48
	stripBStride = 56
	stripCStride = 64
	stripFlags   = 72
	stripAhead   = 80
)

// strip writes a product that reads A where it lies: rows × lanes of C, k ascending, one fused multiply-add for each output.
// An element of A is broadcast to a register and multiplied with the lanes of B, so A needs no packing: its rows stand
// aStride apart with k along memory, or (byColumns) its steps of k stand aStride apart with the rows along memory.
//
// A step of k has rows + vecs loads for rows·vecs multiply-adds: with 12 × 2 the ports for loads have time to spare.
//
// With pairs, an element is two bfloat16 of neighbouring k, and one instruction multiplies and adds both.
func (a *assembly) strip(rows, vecs int, byColumns, pairs bool) {
	name, about := "stripRows", "k along memory"
	if byColumns {
		name, about = "stripColumns", "rows along memory"
	}
	if pairs {
		name, about = name+"Pairs", about+", pairs of bfloat16"
	}
	a.function(fmt.Sprintf("%s%dx%d", name, rows, vecs*a.lanes), fmt.Sprintf("multiplies %d rows of A, %s, with rows of %d lanes.", rows, about, vecs*a.lanes), []argument{{"t", "*strip"}})
	acc := func(i, j int) string { return a.r(i*vecs + j) }
	spare := a.registers - rows*vecs
	lane := func(u, j int) int {
		if spare >= 4*vecs+2 {
			return rows*vecs + u%2*vecs + j
		}
		return rows*vecs + j
	}
	b := func(u, j int) string { return a.r(lane(u, j)) }
	first := rows*vecs + vecs
	if spare >= 4*vecs+2 {
		first += vecs
	}
	x := func(i int) int { return first + i%(a.registers-first) }
	a.op("MOVQ %s, DI", a.arg("t"))
	a.op("MOVQ %d(DI), SI", stripA)
	a.op("MOVQ %d(DI), DX", stripB)
	a.op("MOVQ %d(DI), BX", stripC)
	a.op("MOVQ %d(DI), CX", stripK)
	a.op("MOVQ %d(DI), R9", stripAStride)
	a.op("MOVQ %d(DI), R10", stripBStride)
	a.op("MOVQ %d(DI), AX", stripCStride)
	a.op("LEAQ (R10)(R10*2), R11")
	bases := []string{"SI", "R8", "R12", "R13"}[:(rows+2)/3]
	if byColumns {
		bases = bases[:1]
		a.op("LEAQ (R9)(R9*2), R12")
	} else {
		for i := 1; i < len(bases); i++ {
			a.op("LEAQ (%s)(R9*2), %s", bases[i-1], bases[i])
			a.op("ADDQ R9, %s", bases[i])
		}
	}
	element := func(u, i int) string {
		if byColumns {
			return fmt.Sprintf("%d(SI)%s", i*4, []string{"", "(R9*1)", "(R9*2)", "(R12*1)"}[u])
		}
		return fmt.Sprintf("%d(%s)%s", u*4, bases[i/3], []string{"", "(R9*1)", "(R9*2)"}[i%3])
	}
	lanes := func(u, j int) string {
		return fmt.Sprintf("%d(DX)%s", j*a.bytes(), []string{"", "(R10*1)", "(R10*2)", "(R11*1)"}[u])
	}
	eachRow := func(f func(i int)) {
		a.op("MOVQ BX, R14")
		for i := range rows {
			f(i)
			if i+1 < rows {
				a.op("ADDQ AX, R14")
			}
		}
	}
	zero, start := a.label(), a.label()
	a.op("MOVL %d(DI), R15", stripFlags)
	a.op("TESTL $%d, R15", flagAccumulate)
	a.op("JZ %s", zero)
	eachRow(func(i int) {
		for j := range vecs {
			a.op("VMOVUPS %d(R14), %s", j*a.bytes(), acc(i, j))
		}
	})
	a.op("JMP %s", start)
	a.mark(zero)
	for i := range rows {
		for j := range vecs {
			a.op("VXORPS %s, %s, %s", acc(i, j), acc(i, j), acc(i, j))
		}
	}
	a.mark(start)
	step := func(u int) {
		for j := range vecs {
			a.op("VMOVUPS %s, %s", lanes(u, j), b(u, j))
		}
		for i := range rows {
			a.op("VBROADCASTSS %s, %s", element(u, i), a.r(x(i)))
			for j := range vecs {
				if pairs {
					a.dotPairsRegister(i*vecs+j, lane(u, j), x(i))
				} else {
					a.op("VFMADD231PS %s, %s, %s", a.r(x(i)), b(u, j), acc(i, j))
				}
			}
		}
	}
	const unroll = 4
	loop, rest, done, one := a.label(), a.label(), a.label(), a.label()
	a.op("SUBQ $%d, CX", unroll)
	a.op("JLT %s", rest)
	a.op("PCALIGN $32")
	a.mark(loop)
	for u := range unroll {
		step(u)
	}
	a.op("LEAQ (DX)(R10*4), DX")
	if byColumns {
		a.op("LEAQ (SI)(R9*4), SI")
	} else {
		for _, r := range bases {
			a.op("ADDQ $%d, %s", unroll*4, r)
		}
	}
	a.op("SUBQ $%d, CX", unroll)
	a.op("JGE %s", loop)
	a.mark(rest)
	a.op("ADDQ $%d, CX", unroll)
	a.op("JZ %s", done)
	a.mark(one)
	step(0)
	a.op("ADDQ R10, DX")
	if byColumns {
		a.op("ADDQ R9, SI")
	} else {
		for _, r := range bases {
			a.op("ADDQ $4, %s", r)
		}
	}
	a.op("DECQ CX")
	a.op("JNZ %s", one)
	a.mark(done)

	// C = C·old + sum·new, lane by lane, or the sum alone.
	plain, end := a.label(), a.label()
	a.op("MOVQ %d(DI), R8", stripOld)
	a.op("TESTQ R8, R8")
	a.op("JZ %s", plain)
	a.op("MOVQ %d(DI), R9", stripNew)
	for j := range vecs {
		a.op("VMOVUPS %d(R9), %s", j*a.bytes(), b(0, j))
	}
	for i := range rows {
		for j := range vecs {
			a.op("VMULPS %s, %s, %s", b(0, j), acc(i, j), acc(i, j))
		}
	}
	for j := range vecs {
		a.op("VMOVUPS %d(R8), %s", j*a.bytes(), b(0, j))
	}
	eachRow(func(i int) {
		for j := range vecs {
			a.op("VFMADD231PS %d(R14), %s, %s", j*a.bytes(), b(0, j), acc(i, j))
			a.op("VMOVUPS %s, %d(R14)", acc(i, j), j*a.bytes())
		}
	})
	a.op("JMP %s", end)
	a.mark(plain)
	eachRow(func(i int) {
		for j := range vecs {
			a.op("VMOVUPS %s, %d(R14)", acc(i, j), j*a.bytes())
		}
	})
	a.mark(end)
	a.ret()
}
