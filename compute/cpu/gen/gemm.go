package main

import "fmt"

var _ = topic("gemm", func(a *assembly) {
	for rows := 1; rows <= a.tileRows; rows++ {
		a.gemm(rows, false)
		if a.set == avx512 {
			a.gemm(rows, true)
		}
	}
})

// Offsets in cpu.tile, which the assembly reads; kept in step by TestTileOffsets.
const (
	tileA        = 0
	tileB        = 8
	tileC        = 16
	tilePartial  = 24
	tileResidual = 32
	tileBias     = 40
	tileK        = 48
	tileStride   = 56
	tileRStride  = 64
	tileAlpha    = 72
	tileFlags    = 76
	tileAhead    = 80
)

const flagAccumulate = 1

// gemm writes the micro-kernel of a tile of rows × tileColumns: for k ascending, one fused multiply-add for each output with
// a broadcast element of A and a register of B. All accumulators live in registers.
//
// With 12 rows of 2 registers a step has 24 independent chains, enough to hide the latency of 4 cycles on two ports, for
// 14 loads. Each element of A is broadcast into a register for its row: inside the multiply-adds it would be loaded twice, and
// 26 loads take 13 cycles on two ports where the multiply-adds take 12.
//
// With pairs, an element is two bfloat16 of neighbouring k, and one instruction multiplies and adds both.
func (a *assembly) gemm(rows int, pairs bool) {
	vecs := a.tileVecs
	name, about := "gemm", "float32"
	if pairs {
		name, about = "gemmPairs", "both of bfloat16 pairs"
	}
	a.function(fmt.Sprintf("%s%dx%d", name, rows, a.tileColumns()), fmt.Sprintf("multiplies %d rows of a packed panel of A with a packed panel of B (%s).", rows, about), []argument{{"t", "*tile"}})
	acc := func(i, j int) string { return a.r(i*vecs + j) }
	b := func(j int) string { return a.r(rows*vecs + j) }
	x := func(i int) int { return rows*vecs + vecs + i%min(4, a.registers-(rows+1)*vecs) } // broadcast
	a.op("MOVQ %s, DI", a.arg("t"))
	a.op("MOVQ %d(DI), SI", tileA)
	a.op("MOVQ %d(DI), DX", tileB)
	a.op("MOVQ %d(DI), CX", tileK)
	// The outputs' lines are fetched while the chains run.
	a.op("MOVQ %d(DI), R8", tileC)
	a.op("MOVQ %d(DI), R9", tileStride)
	for i := range rows {
		for at := 0; at < vecs*a.bytes(); at += 64 {
			a.op("PREFETCHT0 %d(R8)", at)
		}
		if i+1 < rows {
			a.op("ADDQ R9, R8")
		}
	}
	a.op("MOVQ %d(DI), AX", tilePartial)
	start, zero := a.label(), a.label()
	a.op("TESTQ AX, AX")
	a.op("JZ %s", zero)
	for i := range rows {
		for j := range vecs {
			a.op("VMOVUPS %d(AX), %s", (i*vecs+j)*a.bytes(), acc(i, j))
		}
	}
	a.op("JMP %s", start)
	a.mark(zero)
	for i := range rows {
		for j := range vecs {
			a.op("VXORPS %s, %s, %s", acc(i, j), acc(i, j), acc(i, j))
		}
	}
	a.mark(start)
	a.op("MOVQ %d(DI), AX", tileAhead) // a line of what comes next for each four steps
	a.op("TESTQ AX, AX")
	a.op("CMOVQEQ SI, AX")
	step := func(u int) {
		for j := range vecs {
			a.op("VMOVUPS %d(DX), %s", (u*vecs+j)*a.bytes(), b(j))
		}
		for i := range rows {
			a.op("VBROADCASTSS %d(SI), %s", (u*rows+i)*4, a.r(x(i)))
			for j := range vecs {
				if pairs {
					a.dotPairsRegister(i*vecs+j, rows*vecs+j, x(i))
				} else {
					a.op("VFMADD231PS %s, %s, %s", a.r(x(i)), b(j), acc(i, j))
				}
			}
		}
	}
	const unroll = 4
	loop, rest, done := a.label(), a.label(), a.label()
	a.op("SUBQ $%d, CX", unroll)
	a.op("JLT %s", rest)
	a.op("PCALIGN $32")
	a.mark(loop)
	for u := range unroll {
		if u == 0 {
			a.op("PREFETCHT1 (AX)")
			a.op("ADDQ $64, AX")
		}
		step(u)
	}
	a.op("ADDQ $%d, SI", unroll*rows*4)
	a.op("ADDQ $%d, DX", unroll*vecs*a.bytes())
	a.op("SUBQ $%d, CX", unroll)
	a.op("JGE %s", loop)
	a.mark(rest)
	a.op("ADDQ $%d, CX", unroll)
	a.op("JZ %s", done)
	one := a.label()
	a.mark(one)
	step(0)
	a.op("ADDQ $%d, SI", rows*4)
	a.op("ADDQ $%d, DX", vecs*a.bytes())
	a.op("DECQ CX")
	a.op("JNZ %s", one)
	a.mark(done)

	// Alpha, the sum so far, residual, bias, in this order.
	eachRow := func(pointer, stride string, f func(i int)) {
		for i := range rows {
			f(i)
			if i+1 < rows && stride != "" {
				a.op("ADDQ %s, %s", stride, pointer)
			}
		}
	}
	a.op("MOVQ %d(DI), R8", tileC)
	a.op("MOVQ %d(DI), R9", tileStride)
	a.op("VBROADCASTSS %d(DI), %s", tileAlpha, b(0))
	for i := range rows {
		for j := range vecs {
			a.op("VMULPS %s, %s, %s", b(0), acc(i, j), acc(i, j))
		}
	}
	noSum, noResidual, noBias := a.label(), a.label(), a.label()
	a.op("MOVL %d(DI), AX", tileFlags)
	a.op("TESTL $%d, AX", flagAccumulate)
	a.op("JZ %s", noSum)
	a.op("MOVQ R8, AX")
	eachRow("AX", "R9", func(i int) {
		for j := range vecs {
			a.op("VADDPS %d(AX), %s, %s", j*a.bytes(), acc(i, j), acc(i, j))
		}
	})
	a.mark(noSum)
	a.op("MOVQ %d(DI), AX", tileResidual)
	a.op("TESTQ AX, AX")
	a.op("JZ %s", noResidual)
	a.op("MOVQ %d(DI), R10", tileRStride)
	eachRow("AX", "R10", func(i int) {
		for j := range vecs {
			a.op("VADDPS %d(AX), %s, %s", j*a.bytes(), acc(i, j), acc(i, j))
		}
	})
	a.mark(noResidual)
	a.op("MOVQ %d(DI), AX", tileBias)
	a.op("TESTQ AX, AX")
	a.op("JZ %s", noBias)
	for j := range vecs {
		a.op("VMOVUPS %d(AX), %s", j*a.bytes(), b(j))
	}
	for i := range rows {
		for j := range vecs {
			a.op("VADDPS %s, %s, %s", b(j), acc(i, j), acc(i, j))
		}
	}
	a.mark(noBias)
	eachRow("R8", "R9", func(i int) {
		for j := range vecs {
			a.op("VMOVUPS %s, %d(R8)", acc(i, j), j*a.bytes())
		}
	})
	a.ret()
}
