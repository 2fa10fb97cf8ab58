package main

import (
	"fmt"
	"strings"
)

var _ = topic("attention_few", func(a *assembly) {
	if a.set != avx512 {
		return // the strips of attention_products serve there
	}
	for _, form := range []cachedForm{cachedFloat, cachedBrain} {
		for rows := 1; rows <= fewRows; rows++ {
			a.keyScores(rows, form)
			for _, vecs := range bringVectors {
				if rows*vecs+vecs < a.registers {
					a.bring(rows, vecs, form)
				}
			}
		}
	}
	a.powerRow()
	a.joinRow()
	a.provideCached()
})

// provideCached puts the kernels for keys and values as a cache has them into their tables: by form, by registers, by rows.
func (a *assembly) provideCached() {
	list := func(name string, most int) string {
		var names []string
		for rows := 1; rows <= most; rows++ {
			names = append(names, fmt.Sprintf(name, rows)+a.suffix)
		}
		return "{" + strings.Join(names, ", ") + "}"
	}
	scores, brings := "", ""
	for _, form := range []cachedForm{cachedFloat, cachedBrain} {
		scores += list("keyScores"+form.name+"%d", fewRows) + ", "
		brings += "{"
		for _, vecs := range bringVectors {
			brings += list(fmt.Sprintf("bring%s%%dx%d", form.name, vecs*a.lanes), min(fewRows, (a.registers-1)/vecs-1)) + ", "
		}
		brings += "}, "
	}
	a.put("keyScores = [2][]func(*strip){%s}", strings.TrimSuffix(scores, ", "))
	a.put("bring = [2][3][]func(*strip){%s}", strings.ReplaceAll(strings.TrimSuffix(brings, ", "), ", }", "}"))
}

// fewRows is how many queries these kernels take at a time.
const fewRows = 8

// bringVectors are how many registers of a row of values they take at a time.
var bringVectors = []int{1, 2, 4}

// cachedForm is how a cache has keys and values that are read where they lie.
type cachedForm struct {
	name, about string
	bytes       int // of a value
}

var (
	cachedFloat = cachedForm{"", "float32", 4}
	cachedBrain = cachedForm{"Brain", "bfloat16", 2}
)

// keyScores writes the products of a few queries with 16 keys, a lane each: keys are transposed in registers, eight values of
// each at a time, so that every chain ascends over the head as in the strips. Shuffles and multiply-adds use different ports.
// Meanwhile it asks for the rows of the keys that come next.
func (a *assembly) keyScores(rows int, form cachedForm) {
	a.function(fmt.Sprintf("keyScores%s%d", form.name, rows), fmt.Sprintf("multiplies %d rows of A with 16 rows of B, which are %s, k along memory in both: C has 16 lanes. k is a multiple of 8.", rows, form.about), []argument{{"t", "*strip"}})
	a.op("MOVQ %s, DI", a.arg("t"))
	a.op("MOVQ %d(DI), SI", stripA)
	a.op("MOVQ %d(DI), DX", stripB)
	a.op("MOVQ %d(DI), CX", stripK)
	a.op("MOVQ %d(DI), R9", stripAStride)
	a.op("MOVQ %d(DI), R10", stripBStride)
	a.op("MOVQ %d(DI), R15", stripAhead)
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
	a.op("MOVL $4, DI") // fours of rows to ask for a line of
	a.op("MOVQ $64, AX")
	for range 4 {
		a.op("SUBQ R10, AX")
		a.op("SUBQ R11, AX")
	}
	key := func(i int) string {
		return fmt.Sprintf("(%s)%s", keys[i/4], []string{"", "(R10*1)", "(R10*2)", "(R11*1)"}[i%4])
	}
	ask := func() { // four rows, then the next four, then the next line of the first
		for _, row := range []string{"", "(R10*1)", "(R10*2)", "(R11*1)"} {
			a.op("PREFETCHT0 (R15)%s", row)
		}
		a.op("LEAQ (R15)(R10*4), R15")
		same := a.label()
		a.op("DECL DI")
		a.op("JNZ %s", same)
		a.op("MOVL $4, DI")
		a.op("ADDQ AX, R15")
		a.mark(same)
	}
	multiply := func(x int, from string) {
		for i := range rows {
			a.op("VFMADD231PS.BCST %d(%s)%s, %s, %s", 4*x, queries[i/3], []string{"", "(R9*1)", "(R9*2)"}[i%3], from, acc(i))
		}
	}
	upper := a.r(15)
	if form == cachedBrain {
		a.op("VMOVUPS %s, %s", a.consts.bits("upperHalf", 0xffff0000), upper)
	}
	a.countdown("CX", func() {
		for range form.bytes / 2 {
			ask()
		}
		if form == cachedBrain {
			in := a.transposeChunk(0, func(l, j int) string { return key(4*l + j) })
			for pair := range 4 {
				even, odd := a.r(8+pair%2*2), a.r(9+pair%2*2)
				a.op("VPSLLD $16, %s, %s", a.r(in+pair), even)
				a.op("VPANDD %s, %s, %s", upper, a.r(in+pair), odd)
				multiply(2*pair, even)
				multiply(2*pair+1, odd)
			}
		} else {
			a.transposeEights(key)
			for x := range 8 {
				multiply(x, a.r(8+x))
			}
		}
		for _, r := range queries {
			a.op("ADDQ $32, %s", r)
		}
		for _, r := range keys {
			a.op("ADDQ $%d, %s", 8*form.bytes, r)
		}
	})
	a.op("MOVQ %s, DI", a.arg("t"))
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

// transposeEights makes columns, in registers 8 to 15, of eight float32 values of sixteen rows.
func (a *assembly) transposeEights(row func(i int) string) {
	// Register i holds two rows so that after the last shuffle lanes are in the order of the rows.
	for i := range 8 {
		lower := i + i/4*4
		a.op("VMOVUPS %s, Y%d", row(lower), i)
		a.op("VINSERTF64X4 $1, %s, Z%d, Z%d", row(lower+4), i, i)
	}
	quad := func(in, tmp int) {
		a.op("VUNPCKLPS Z%d, Z%d, Z%d", in+1, in, tmp)
		a.op("VUNPCKHPS Z%d, Z%d, Z%d", in+1, in, tmp+1)
		a.op("VUNPCKLPS Z%d, Z%d, Z%d", in+3, in+2, tmp+2)
		a.op("VUNPCKHPS Z%d, Z%d, Z%d", in+3, in+2, tmp+3)
		a.op("VUNPCKLPD Z%d, Z%d, Z%d", tmp+2, tmp, in)     // column 0 and 4 of four rows, twice
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
}

// bring writes what values bring to a few rows of probabilities: chains that ascend over the keys, as those of the strips, and go
// on from what is there. Meanwhile it asks for the values that come next.
func (a *assembly) bring(rows, vecs int, form cachedForm) {
	a.function(fmt.Sprintf("bring%s%dx%d", form.name, rows, vecs*a.lanes), fmt.Sprintf("adds to %d rows of %d lanes their products with k rows of B, which are %s.", rows, vecs*a.lanes, form.about), []argument{{"t", "*strip"}})
	acc := func(i, j int) string { return a.r(i*vecs + j) }
	value := func(j int) string { return a.r(rows*vecs + j) }
	x := func(i int) string { return a.r(rows*vecs + vecs + i%(a.registers-rows*vecs-vecs)) }
	a.op("MOVQ %s, DI", a.arg("t"))
	a.op("MOVQ %d(DI), SI", stripA)
	a.op("MOVQ %d(DI), DX", stripB)
	a.op("MOVQ %d(DI), BX", stripC)
	a.op("MOVQ %d(DI), CX", stripK)
	a.op("MOVQ %d(DI), R9", stripAStride)
	a.op("MOVQ %d(DI), R10", stripBStride)
	a.op("MOVQ %d(DI), AX", stripCStride)
	a.op("MOVQ %d(DI), R15", stripAhead)
	bases := []string{"SI", "R8", "R12"}[:(rows+2)/3]
	for i := 1; i < len(bases); i++ {
		a.op("LEAQ (%s)(R9*2), %s", bases[i-1], bases[i])
		a.op("ADDQ R9, %s", bases[i])
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
	eachRow(func(i int) {
		for j := range vecs {
			a.op("VMOVUPS %d(R14), %s", j*a.bytes(), acc(i, j))
		}
	})
	a.countdown("CX", func() {
		for at := 0; at < vecs*a.lanes*form.bytes; at += 64 {
			a.op("PREFETCHT0 %d(R15)", at)
		}
		for j := range vecs {
			at := fmt.Sprintf("%d(DX)", j*a.lanes*form.bytes)
			if form == cachedBrain {
				a.op("VPMOVZXWD %s, %s", at, value(j))
				a.op("VPSLLD $16, %s, %s", value(j), value(j))
			} else {
				a.op("VMOVUPS %s, %s", at, value(j))
			}
		}
		for i := range rows {
			a.op("VBROADCASTSS (%s)%s, %s", bases[i/3], []string{"", "(R9*1)", "(R9*2)"}[i%3], x(i))
			for j := range vecs {
				a.op("VFMADD231PS %s, %s, %s", x(i), value(j), acc(i, j))
			}
		}
		a.op("ADDQ R10, R15")
		a.op("ADDQ R10, DX")
		for _, r := range bases {
			a.op("ADDQ $4, %s", r)
		}
	})
	eachRow(func(i int) {
		for j := range vecs {
			a.op("VMOVUPS %s, %d(R14)", acc(i, j), j*a.bytes())
		}
	})
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
