package main

import "fmt"

var _ = topic("attention_few", func(a *assembly) {
	if a.set != avx512 {
		return // the strips of attention_products serve there
	}
	for rows := 1; rows <= fewRows; rows++ {
		a.keyScores(rows)
	}
	a.powerRow()
	a.joinRow()
})

// fewRows is how many queries these kernels take at a time.
const fewRows = 8

// keyScores writes the products of a few queries with 16 keys, a lane each: keys are transposed in registers, eight values of
// each at a time, so that every chain ascends over the head as in the strips. Shuffles and multiply-adds use different ports.
func (a *assembly) keyScores(rows int) {
	a.function(fmt.Sprintf("keyScores%d", rows), fmt.Sprintf("multiplies %d rows of A with 16 rows of B, k along memory in both: C has 16 lanes. k is a multiple of 8.", rows), []argument{{"t", "*strip"}})
	a.op("MOVQ %s, DI", a.arg("t"))
	a.op("MOVQ %d(DI), SI", stripA)
	a.op("MOVQ %d(DI), DX", stripB)
	a.op("MOVQ %d(DI), CX", stripK)
	a.op("MOVQ %d(DI), R9", stripAStride)
	a.op("MOVQ %d(DI), R10", stripBStride)
	a.op("LEAQ (R10)(R10*2), R11")
	queries := []string{"SI", "R8", "R14"}[:(rows+2)/3]
	for i := 1; i < len(queries); i++ {
		a.op("LEAQ (%s)(R9*2), %s", queries[i-1], queries[i])
		a.op("ADDQ R9, %s", queries[i])
	}
	keys := []string{"DX", "R12", "R13", "BX"}
	for i := 1; i < 4; i++ {
		a.op("LEAQ (%s)(R10*4), %s", keys[i-1], keys[i])
	}
	acc := func(i int) string { return a.r(16 + i) }
	for i := range rows {
		a.op("VXORPS %s, %s, %s", acc(i), acc(i), acc(i))
	}
	a.op("SHRQ $3, CX")
	key := func(i int) string {
		return fmt.Sprintf("(%s)%s", keys[i/4], []string{"", "(R10*1)", "(R10*2)", "(R11*1)"}[i%4])
	}
	a.countdown("CX", func() {
		// Register i holds two keys so that after the last shuffle lanes are in the order of the keys.
		for i := range 8 {
			lower := i + i/4*4
			a.op("VMOVUPS %s, Y%d", key(lower), i)
			a.op("VINSERTF64X4 $1, %s, Z%d, Z%d", key(lower+4), i, i)
		}
		quad := func(in, tmp int) {
			a.op("VUNPCKLPS Z%d, Z%d, Z%d", in+1, in, tmp)
			a.op("VUNPCKHPS Z%d, Z%d, Z%d", in+1, in, tmp+1)
			a.op("VUNPCKLPS Z%d, Z%d, Z%d", in+3, in+2, tmp+2)
			a.op("VUNPCKHPS Z%d, Z%d, Z%d", in+3, in+2, tmp+3)
			a.op("VUNPCKLPD Z%d, Z%d, Z%d", tmp+2, tmp, in)     // column 0 and 4 of four keys, twice
			a.op("VUNPCKHPD Z%d, Z%d, Z%d", tmp+2, tmp, in+1)   // 1 and 5
			a.op("VUNPCKLPD Z%d, Z%d, Z%d", tmp+3, tmp+1, in+2) // 2 and 6
			a.op("VUNPCKHPD Z%d, Z%d, Z%d", tmp+3, tmp+1, in+3) // 3 and 7
		}
		quad(0, 8)
		quad(4, 12)
		for x := range 8 {
			selected := "$0x88"
			if x >= 4 {
				selected = "$0xdd"
			}
			a.op("VSHUFF32X4 %s, Z%d, Z%d, Z%d", selected, 4+x%4, x%4, 8+x)
		}
		for x := range 8 {
			for i := range rows {
				a.op("VFMADD231PS.BCST %d(%s)%s, Z%d, %s", 4*x, queries[i/3], []string{"", "(R9*1)", "(R9*2)"}[i%3], 8+x, acc(i))
			}
		}
		for _, r := range append(append([]string{}, queries...), keys...) {
			a.op("ADDQ $32, %s", r)
		}
	})
	a.op("MOVQ %d(DI), BX", stripC)
	a.op("MOVQ %d(DI), AX", stripCStride)
	for i := range rows {
		a.op("VMOVUPS %s, (BX)", acc(i))
		if i+1 < rows {
			a.op("ADDQ AX, BX")
		}
	}
	a.ret()
}

// powerRow writes softmaxKeys along a row.
func (a *assembly) powerRow() {
	a.function("powerRow", "replaces n scores by 2^(score − most); sum is four sums, of every fourth value each.", append(append(append(pointers("x"), ints("n")...), floats("most")...), pointers("sum")...))
	a.op("MOVQ %s, DI", a.arg("x"))
	a.op("MOVQ %s, CX", a.arg("n"))
	a.op("MOVQ %s, SI", a.arg("sum"))
	v := a.vector()
	most := v.scalar("most")
	sum, x, y := v.new(), v.new(), v.new()
	a.op("VXORPS %s, %s, %s", sum, sum, sum)
	p := v.power()
	add := func() {
		p.of(x)
		for i := range 4 {
			a.op("VEXTRACTF32X4 $%d, %s, X%s", i, x, y[1:])
			a.op("VADDPS X%s, X%s, X%s", y[1:], sum[1:], sum[1:])
		}
	}
	loop, rest, done := a.label(), a.label(), a.label()
	a.op("SUBQ $16, CX")
	a.op("JLT %s", rest)
	a.mark(loop)
	a.op("VMOVUPS (DI), %s", x)
	a.op("VSUBPS %s, %s, %s", most, x, x)
	add()
	a.op("VMOVUPS %s, (DI)", x)
	a.op("ADDQ $64, DI")
	a.op("SUBQ $16, CX")
	a.op("JGE %s", loop)
	a.mark(rest)
	a.op("ADDQ $16, CX")
	a.op("JZ %s", done)
	a.op("MOVL $1, AX")
	a.op("SHLL CX, AX")
	a.op("DECL AX")
	a.op("KMOVW AX, K1")
	a.op("VMOVUPS %s, %s", a.consts.bits("minusInfinity", 0xff800000), x)
	a.op("VMOVUPS (DI), K1, %s", x)
	a.op("VSUBPS %s, %s, %s", most, x, x)
	add()
	a.op("VMOVUPS %s, K1, (DI)", x)
	a.mark(done)
	a.op("VMOVUPS X%s, (SI)", sum[1:])
	a.ret()
}

func (a *assembly) joinRow() {
	a.each("joinRow", "is x = x·old + y·new.", []string{"x", "y"}, floats("old", "new"), nil, func(v *vector) {
		v.scalar("old")
		v.scalar("new")
	}, func(v *vector) {
		x, y := v.load("x"), v.load("y")
		v.op("VMULPS %s, %s, %s", v.r(1), y, y)
		v.op("VFMADD231PS %s, %s, %s", v.r(0), x, y)
		v.store(y, "x")
	}, nil)
}
