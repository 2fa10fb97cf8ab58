package main

var _ = topic("attention_pairs", func(a *assembly) {
	if a.set == avx512 {
		a.roundRows()
		a.interleaveRows()
	}
})

// roundRows writes the function that rounds rows to bfloat16. A row is read 32 values at a time before they are written, so that
// rows may be rounded where they lie.
func (a *assembly) roundRows() {
	a.function("roundRows", "rounds rows of n values, a multiple of 16, to bfloat16; strides are bytes, and dst may be src.",
		append(append(append(pointers("dst"), ints("dstStride")...), pointers("src")...), ints("srcStride", "rows", "n")...))
	a.rowsOfPairs("rows", func() {
		a.op("VMOVUPS (R11), Z0")
		a.op("VMOVUPS 64(R11), Z1")
		a.bothToPairs(0, 1, 0)
		a.op("VMOVUPS Z0, (R10)")
		a.op("ADDQ $128, R11")
		a.op("ADDQ $64, R10")
	}, func() {
		a.op("VMOVUPS (R11), Z0")
		a.toPairs(0, 0)
		a.op("VMOVUPS Y0, (R10)")
	})
}

// interleaveRows writes the function that makes pairs of neighbouring rows.
func (a *assembly) interleaveRows() {
	a.function("interleaveRows", "rounds rows of n values, a multiple of 16, to bfloat16 and packs two rows as one of pairs; strides are bytes.",
		append(append(append(pointers("dst"), ints("dstStride")...), pointers("src")...), ints("srcStride", "pairs", "n")...))
	a.loadPairsOrder("Z4")
	pair := func(at string, first, second int) {
		a.op("VMOVUPS "+at+"(R11), Z%d", first)
		a.op("VMOVUPS "+at+"(R11)(BX*1), Z%d", second)
		a.bothToPairs(first, second, first)
		a.op("VPERMW Z%d, Z4, Z%d", first, first)
		a.op("VMOVUPS Z%d, "+at+"(R10)", first)
	}
	a.rowsOfPairs("pairs", func() {
		pair("", 0, 1)
		pair("64", 2, 3)
		a.op("ADDQ $128, R11")
		a.op("ADDQ $128, R10")
	}, func() { pair("", 0, 1) })
}

// rowsOfPairs goes over rows, or pairs of rows: some runs for each 32 values of them, rest for 16 left over. R11 and R10 are where
// it reads and writes, BX is from one row of src to the next.
func (a *assembly) rowsOfPairs(count string, some, rest func()) {
	for i, n := range []string{"dst", "dstStride", "src", "srcStride", count, "n"} {
		a.op("MOVQ %s, %s", a.arg(n), []string{"DI", "R8", "SI", "BX", "CX", "DX"}[i])
	}
	const unit = 32
	step := "BX"
	if count == "pairs" {
		a.op("LEAQ (BX)(BX*1), R9")
		step = "R9"
	}
	a.countdown("CX", func() {
		next := a.label()
		a.op("MOVQ DI, R10")
		a.op("MOVQ SI, R11")
		a.op("MOVQ DX, AX")
		loop, left := a.label(), a.label()
		a.op("SUBQ $%d, AX", unit)
		a.op("JLT %s", left)
		a.mark(loop)
		some()
		a.op("SUBQ $%d, AX", unit)
		a.op("JGE %s", loop)
		a.mark(left)
		a.op("ADDQ $%d, AX", unit)
		a.op("JZ %s", next)
		rest()
		a.mark(next)
		a.op("ADDQ R8, DI")
		a.op("ADDQ %s, SI", step)
	})
	a.ret()
}
