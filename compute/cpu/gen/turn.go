package main

import "fmt"

// Panels of matrix multiplication from rows that k runs along: lanes of a panel are rows.
var _ = topic("turn", func(a *assembly) {
	lanes := []int{a.lanes}
	if a.set == avx512 {
		lanes = append(lanes, a.tileRows)
	}
	for _, n := range lanes {
		for _, f := range turnForms {
			a.turn(n, f)
		}
		if a.set == avx512 {
			a.turn(n, pairsForm)
		}
	}
})

// turnForm is what the four bytes of a column mean: one value for each k, or two.
type turnForm struct {
	name, about string
	perColumn   int                                       // values of k
	value       func(a *assembly, k int, from, to string) // value k of a column; from may change with the last one
}

var turnForms = []turnForm{
	{"", "four bytes of each as they are", 1, func(a *assembly, k int, from, to string) {}},
	{"Brain", "bfloat16 as float32", 2, func(a *assembly, k int, from, to string) {
		switch {
		case k == 0:
			a.op("VPSLLD $16, %s, %s", from, to)
		case a.set == avx512:
			a.op("VPANDD %s, %s, %s", a.consts.bits("upperHalf", 0xffff0000), from, to)
		default:
			a.op("VPAND %s, %s, %s", a.consts.bits("upperHalf", 0xffff0000), from, to)
		}
	}},
	{"Half", "float16 as float32", 2, func(a *assembly, k int, from, to string) {
		switch {
		case a.set == avx512 && k == 0: // the lower halves of the lanes to the lower half, the upper ones to the upper
			a.op("VPERMW %s, %s, %s", from, halvesOrder, from)
			a.op("VCVTPH2PS %s, %s", low(from), to)
		case a.set == avx512:
			a.op("VEXTRACTI64X4 $1, %s, %s", from, low(to))
			a.op("VCVTPH2PS %s, %s", low(to), to)
		case k == 0: // the lower halves of the lanes to the lower halves of both parts, the upper ones to the upper; then both parts together
			order := [16]uint32{0x05040100, 0x0d0c0908, 0x07060302, 0x0f0e0b0a, 0x05040100, 0x0d0c0908, 0x07060302, 0x0f0e0b0a}
			a.op("VPSHUFB %s, %s, %s", a.consts.table("evenFirst", order), from, from)
			a.op("VPERMQ $0xd8, %s, %s", from, from)
			a.op("VCVTPH2PS %s, %s", low(from), to)
		default:
			a.op("VEXTRACTI128 $1, %s, %s", from, low(to))
			a.op("VCVTPH2PS %s, %s", low(to), to)
		}
	}},
}

// pairsForm rounds on the way: four bytes of a column come from two float32.
var pairsForm = turnForm{"Pairs", "float32 rounded to bfloat16, neighbours as pairs; bytes are those of the pairs", 1, func(a *assembly, k int, from, to string) {}}

// halvesOrder is the register that holds VPERMW's order for float16.
const halvesOrder = "Z27"

// prepare loads what the values of a form need.
func (f turnForm) prepare(a *assembly) {
	if f.name != "Half" || a.set != avx512 {
		return
	}
	var order [16]uint32
	for i := range uint32(8) {
		order[i] = 4*i | (4*i+2)<<16
		order[8+i] = 4*i + 1 | (4*i+3)<<16
	}
	a.op("VMOVDQU64 %s, %s", a.consts.table("halvesApart", order), halvesOrder)
}

// turn writes the function that packs rows as transposeRows turns them, with dstStride bytes from the lanes of one k to those of
// the next, and fetches what stands `ahead` bytes behind what it loads.
func (a *assembly) turn(lanes int, form turnForm) {
	a.function(fmt.Sprintf("turn%s%d", form.name, lanes), fmt.Sprintf("packs %d rows, rowBytes apart, bytes (a multiple of 4, at least 16) of each, as lanes: %s.", lanes, form.about),
		append(append(append(append(pointers("dst"), ints("dstStride")...), arguments("*byte", "src")...), ints("rowBytes", "bytes")...), ints("ahead")...))
	quarters := lanes / 4
	bases := []string{"SI", "R10", "R11", "R12"}[:quarters]
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, BX", a.arg("dstStride"))
	a.op("MOVQ %s, SI", a.arg("src"))
	a.op("MOVQ %s, R8", a.arg("rowBytes"))
	a.op("MOVQ %s, CX", a.arg("bytes"))
	a.op("MOVQ %s, R13", a.arg("ahead"))
	a.op("LEAQ (R8)(R8*2), R9")
	a.op("LEAQ (BX)(BX*2), DX")
	form.prepare(a)
	for l := 1; l < quarters; l++ {
		a.op("LEAQ (%s)(R8*4), %s", bases[l-1], bases[l])
	}
	masked := lanes < a.lanes
	if masked {
		a.op("MOVL $%#x, AX", 1<<lanes-1)
		a.op("KMOVW AX, K1")
	}
	rows := []string{"", "(R8*1)", "(R8*2)", "(R9*1)"}
	places := []string{"", "(BX*1)", "(BX*2)", "(DX*1)"}
	wide := 1 // bytes that are read for one that is turned
	if form.name == "Pairs" {
		wide = 2
	}
	chunk := func(u int) { // 16 bytes of every row
		for j := range 4 {
			if wide == 2 {
				a.op("VMOVUPS %d(%s)%s, Y%d", 32*u, bases[0], rows[j], j)
				a.op("VINSERTF64X4 $1, %d(%s)%s, Z%d, Z%d", 32*u, bases[1], rows[j], j, j)
				a.op("VMOVUPS %d(%s)%s, Y%d", 32*u, bases[2], rows[j], 8+j)
				if quarters > 3 {
					a.op("VINSERTF64X4 $1, %d(%s)%s, Z%d, Z%d", 32*u, bases[3], rows[j], 8+j, 8+j)
				}
				a.bothToPairs(j, 8+j, j)
				continue
			}
			a.op("VMOVDQU %d(%s)%s, X%d", 16*u, bases[0], rows[j], j)
			a.op("VINSERTI128 $1, %d(%s)%s, Y%d, Y%d", 16*u, bases[1], rows[j], j, j)
			for l := 2; l < quarters; l++ {
				a.op("VINSERTI32X4 $%d, %d(%s)%s, Z%d, Z%d", l, 16*u, bases[l], rows[j], j, j)
			}
		}
		for i := range 2 {
			a.op("VUNPCKLPS %s, %s, %s", a.r(2*i+1), a.r(2*i), a.r(4+2*i))
			a.op("VUNPCKHPS %s, %s, %s", a.r(2*i+1), a.r(2*i), a.r(4+2*i+1))
		}
		for i := range 2 {
			a.op("VUNPCKLPD %s, %s, %s", a.r(6+i), a.r(4+i), a.r(2*i))
			a.op("VUNPCKHPD %s, %s, %s", a.r(6+i), a.r(4+i), a.r(2*i+1))
		}
		for column := range 4 {
			for k := range form.perColumn {
				from := a.r(column + 4)
				if form.perColumn == 1 {
					from = a.r(column)
				}
				form.value(a, k, a.r(column), from)
				at := column*form.perColumn + k
				base := "DI"
				if at >= 4 {
					base = "AX"
				}
				mask := ""
				if masked {
					mask = "K1, "
				}
				a.op("VMOVUPS %s, %s%s", from, mask, "("+base+")"+places[at%4])
			}
			if column == 1 && form.perColumn == 2 {
				a.op("LEAQ (DI)(BX*4), AX")
			}
		}
		a.op("LEAQ (DI)(BX*%d), DI", 4*form.perColumn)
	}
	fetch := func() {
		for l := range quarters {
			a.op("LEAQ (%s)(R13*1), AX", bases[l])
			for j := range 4 {
				for at := 0; at < 64*wide; at += 64 {
					a.op("PREFETCHT0 %d(AX)%s", at, rows[j])
				}
			}
		}
	}
	advance := func(bytes int) {
		for _, b := range bases[:quarters] {
			a.op("ADDQ $%d, %s", wide*bytes, b)
		}
	}
	if wide == 2 {
		bases = append(bases, bases...) // what overlaps at the end is twice as many bytes in the rows
	}
	a.rowChunks(bases, fetch, chunk, advance, func() {
		a.op("SARQ $%d, CX", 3-form.perColumn) // bytes of a row to values of k
		a.op("IMULQ BX, CX")
		a.op("ADDQ CX, DI")
	})
	a.ret()
}
