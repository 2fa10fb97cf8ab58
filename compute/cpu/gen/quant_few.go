package main

import "fmt"

// quantFew writes the kernel for few rows, where the time is that of reading the weights: it takes the rows of the weight as they
// lie, a register's lanes of them, turns a unit of blocks into columns, and multiplies each four values with all rows of activations
// as they are unpacked. There is no panel.
//
// The tile's first is where the weight's rows begin; units of blocks of bytes, rowBytes apart. The last may be shorter: bytes is
// a multiple of 4 and at least 16. What is `ahead` bytes behind the loads is fetched into the level-1 cache: with one or two rows,
// whose time is that of memory, as it is turned; with more of them between the products, rate / 256 lines for each block, so that
// memory and multiplying overlap.
func (a *assembly) quantFew(k quantType, rows int) {
	a.function(fmt.Sprintf("few%s_%d", k.name, rows), fmt.Sprintf("multiplies %d rows of int8 with %d rows of %s.", rows, a.lanes, k.name), []argument{{"t", "*quantTile"}})
	q := &quantTileOf{vector: a.vector(), rows: rows, panels: 1}
	q.free = append([]int{a.registers - 1}, q.free...)
	var turning []string // the first eight registers, while turning
	for range 8 {
		turning = append(turning, q.new())
	}
	quarters := a.lanes / 4
	bases := []string{"SI", "R10", "R11", "R12"}[:quarters]
	a.op("MOVQ %s, DI", a.arg("t"))
	q.begin()
	u := a.blockUnpacker(q.vector, k, true, "BX")
	u.constants()
	a.op("MOVQ %d(DI), SI", quantFirst)
	a.op("MOVQ %d(DI), DX", quantRecords)
	a.op("MOVQ %d(DI), R8", quantRowBytes)
	a.op("MOVQ %d(DI), R13", quantAhead)
	a.op("LEAQ (R8)(R8*2), R9")
	for l := 1; l < quarters; l++ {
		a.op("LEAQ (%s)(R8*4), %s", bases[l-1], bases[l])
	}
	late := rows > 2
	if late {
		a.op("LEAQ (SI)(R13*1), R14")
		a.op("XORL R15, R15")
		a.op("MOVL $%d, AX", a.lanes)
	}
	fetch := func() { // a line of each lane, then the next line of the first
		again, enough := a.label(), a.label()
		a.op("ADDQ %d(DI), R15", quantRate)
		a.mark(again)
		a.op("SUBQ $256, R15")
		a.op("JLT %s", enough)
		a.op("PREFETCHT0 (R14)")
		a.op("ADDQ R8, R14")
		a.op("DECL AX")
		a.op("JNZ %s", again)
		a.op("MOVL $%d, AX", a.lanes)
		a.op("ADDQ %d(DI), R14", quantNextLine)
		a.op("JMP %s", again)
		a.mark(enough)
		a.op("ADDQ $256, R15")
	}
	place := []string{"", "(R8*1)", "(R8*2)", "(R9*1)"}
	chunk := func() {
		in := a.transposeChunk(0, func(l, j int) string { return "(" + bases[l] + ")" + place[j] })
		for i := range 4 {
			a.op("VMOVUPS %s, %d(BX)", a.r(in+i), i*a.bytes())
		}
		for _, b := range bases {
			a.op("ADDQ $16, %s", b)
		}
	}
	unit, turn, whole, period, next := a.label(), a.label(), a.label(), a.label(), a.label()
	a.mark(unit)
	a.op("MOVQ %d(DI), BX", quantColumns)
	a.op("MOVQ %d(DI), CX", quantBytes)
	a.op("SUBQ $16, CX")
	a.mark(turn)
	if !late {
		asked := a.label()
		a.op("TESTQ $48, CX")
		a.op("JNZ %s", asked)
		for l := range quarters {
			a.op("LEAQ (%s)(R13*1), AX", bases[l])
			for j := range 4 {
				a.op("PREFETCHT0 (AX)%s", place[j])
			}
		}
		a.mark(asked)
	}
	chunk()
	a.op("ADDQ $%d, BX", 4*a.bytes())
	a.op("SUBQ $16, CX")
	a.op("JGE %s", turn)
	a.op("CMPQ CX, $-16")
	a.op("JEQ %s", whole)
	for _, b := range bases { // back by what the last 16 bytes overlap
		a.op("ADDQ CX, %s", b)
	}
	a.op("IMULQ $%d, CX", a.bytes()/4)
	a.op("ADDQ CX, BX")
	chunk()
	a.mark(whole)

	q.drop(turning...)
	var integers []string
	for range rows {
		integers = append(integers, q.new())
	}
	scale, t := q.new(), q.new()
	least := ""
	if k.minimum {
		least = q.new()
	}
	u.scale = func(r string) { a.op("VMOVAPS %s, %s", r, scale) }
	u.least = func(r string) { a.op("VMOVAPS %s, %s", r, least) }
	u.value = func(g int, r string) {
		for i := range rows {
			at := fmt.Sprintf("%d(DX)", i*32+g*4)
			if a.set == avx512 {
				a.op("VPDPBUSD.BCST %s, %s, %s", at, r, integers[i])
				continue
			}
			a.op("VPBROADCASTD %s, %s", at, t)
			a.dotBytes(t, r, integers[i])
		}
	}
	a.op("MOVQ %d(DI), BX", quantColumns)
	a.op("MOVQ %d(DI), CX", quantBlocks)
	a.mark(period)
	for b := range k.period() {
		for r, x := range integers {
			if k.minimum {
				a.op("VXORPS %s, %s, %s", a.short(x), a.short(x), a.short(x))
			} else {
				a.op("VPBROADCASTD %d(DX), %s", rows*36+r*4, x)
			}
		}
		if late {
			fetch()
		}
		u.block(b * k.bytes)
		for r, x := range integers {
			at := fmt.Sprintf("%d(DX)", rows*32+r*4)
			a.op("VCVTDQ2PS %s, %s", x, x)
			if a.set == avx512 {
				a.op("VMULPS.BCST %s, %s, %s", at, scale, t)
			} else {
				a.op("VBROADCASTSS %s, %s", at, t)
				a.op("VMULPS %s, %s, %s", scale, t, t)
			}
			a.op("VFMADD231PS %s, %s, %s", t, x, q.sum[r][0])
			if !k.minimum {
				continue
			}
			at = fmt.Sprintf("%d(DX)", rows*36+r*4)
			if a.set == avx512 {
				a.op("VFMADD231PS.BCST %s, %s, %s", at, least, q.sum[r][0])
			} else {
				a.op("VBROADCASTSS %s, %s", at, t)
				a.op("VFMADD231PS %s, %s, %s", t, least, q.sum[r][0])
			}
		}
		a.op("ADDQ $%d, DX", rows*40)
		a.op("DECQ CX")
		a.op("JZ %s", next)
	}
	a.op("ADDQ $%d, BX", k.period()*k.bytes/4*a.bytes())
	a.op("JMP %s", period)
	a.mark(next)
	a.op("DECQ %d(DI)", quantUnits)
	a.op("JNZ %s", unit)
	q.finish()
}
