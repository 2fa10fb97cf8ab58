package main

import "fmt"

// Panels of matrix multiplication from rows that are k: lanes of a panel run along memory.
var _ = topic("tiles", func(a *assembly) {
	for _, width := range a.widths() {
		for _, f := range tileForms {
			if f.pairs && a.set == avx2 || width == 6 && f.size == 2 {
				continue
			}
			a.tiles(width, f)
		}
	}
})

// tileForm is what rows hold and what panels get.
type tileForm struct {
	name, about string
	size        int // bytes of a value in a row
	pairs       bool
}

var tileForms = []tileForm{
	{"", "float32 as it is", 4, false},
	{"Brain", "bfloat16 as float32", 2, false},
	{"Half", "float16 as float32", 2, false},
	{"Pairs", "float32 rounded to bfloat16, two rows as one of pairs", 4, true},
	{"BrainPairs", "bfloat16, two rows as one of pairs", 2, true},
}

// tiles writes the function that copies rows, srcStride bytes apart, into several dense panels side by side, each `width` lanes
// of the row. Taking neighbouring panels in one pass reads each line once: rows whose distance is a multiple of 4096 bytes fall
// into few sets of the caches and would be gone at the next panel.
func (a *assembly) tiles(width int, form tileForm) {
	a.function(fmt.Sprintf("tiles%s%d", form.name, width), fmt.Sprintf("packs %d lanes for each panel of rows, srcStride bytes apart: %s. count is rows, or pairs of them; a panel begins dstStride bytes after the one before.", width, form.about),
		append(append(append(append(pointers("dst"), ints("dstStride")...), arguments("*byte", "src")...), ints("srcStride", "count")...), ints("panels")...))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, BX", a.arg("dstStride"))
	a.op("MOVQ %s, SI", a.arg("src"))
	a.op("MOVQ %s, R8", a.arg("srcStride"))
	a.op("MOVQ %s, CX", a.arg("count"))
	a.op("MOVQ %s, R9", a.arg("panels"))
	if a.set == avx512 && width%16 != 0 {
		a.op("MOVL $%#x, AX", 1<<(width%16)-1)
		a.op("KMOVW AX, K1")
	}
	if form.name == "Pairs" {
		a.loadPairsOrder("Z2")
	}
	rows, panels, done := a.label(), a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(rows)
	a.op("MOVQ SI, R10")
	a.op("MOVQ DI, R11")
	a.op("MOVQ R9, R12")
	a.mark(panels)
	if form.pairs {
		a.op("LEAQ (R10)(R8*1), R13")
	}
	for at := 0; at < width*form.size; at += 64 { // rows are far apart: the hardware does not see where the next ones are
		a.op("PREFETCHT0 %d(R10)(R8*8)", at)
		if form.pairs {
			a.op("PREFETCHT0 %d(R13)(R8*8)", at)
		}
	}
	for at := 0; at < width; {
		n := min(a.lanes, width-at)
		if a.set == avx2 && n < 8 {
			n = 4
			if width-at < 4 {
				n = 2
			}
		}
		load := func(from string, to string) {
			suffix, mask := "", ""
			if a.set == avx512 && n < 16 {
				suffix, mask = ".Z", "K1, "
			}
			switch {
			case a.set == avx2 && n == 4:
				a.op("VMOVUPS %s, X%s", from, to[1:])
			case a.set == avx2 && n == 2:
				a.op("VMOVSD %s, X%s", from, to[1:])
			case form.size == 4:
				a.op("VMOVUPS%s %s, %s%s", suffix, from, mask, to)
			case form.name == "Half":
				a.op("VCVTPH2PS%s %s, %s%s", suffix, from, mask, to)
			default:
				a.op("VPMOVZXWD%s %s, %s%s", suffix, from, mask, to)
			}
		}
		load(fmt.Sprintf("%d(R10)", at*form.size), a.r(0))
		switch form.name {
		case "Brain":
			a.op("VPSLLD $16, %s, %s", a.r(0), a.r(0))
		case "BrainPairs", "Pairs":
			load(fmt.Sprintf("%d(R10)(R8*1)", at*form.size), a.r(1))
			if form.name == "Pairs" {
				a.bothToPairs(0, 1, 0)
				a.op("VPERMW Z0, Z2, Z0")
				break
			}
			a.op("VPSLLD $16, Z1, Z1")
			a.op("VPORD Z1, Z0, Z0")
		}
		switch {
		case a.set == avx2 && n == 4:
			a.op("VMOVUPS X0, %d(R11)", at*4)
		case a.set == avx2 && n == 2:
			a.op("VMOVSD X0, %d(R11)", at*4)
		case a.set == avx512 && n < 16:
			a.op("VMOVUPS Z0, K1, %d(R11)", at*4)
		default:
			a.op("VMOVUPS %s, %d(R11)", a.r(0), at*4)
		}
		at += n
	}
	a.op("ADDQ $%d, R10", width*form.size)
	a.op("ADDQ BX, R11")
	a.op("DECQ R12")
	a.op("JNZ %s", panels)
	if form.pairs {
		a.op("LEAQ (SI)(R8*2), SI")
	} else {
		a.op("ADDQ R8, SI")
	}
	a.op("ADDQ $%d, DI", width*4)
	a.op("DECQ CX")
	a.op("JNZ %s", rows)
	a.mark(done)
	a.ret()
}
