package main

import (
	"fmt"
	"strconv"
)

var _ = topic("super", func(a *assembly) {
	for _, f := range superForms {
		for rows := 1; rows <= a.quantRows(); rows++ {
			a.multiplySuper(f, rows)
		}
	}
	a.unpackers()
	a.roundSuper()
})

// superForm is a way to multiply super-blocks of 256 values.
type superForm struct {
	name  string
	subs  int // sub-blocks, each with a scale
	chain int // AVX2: registers of values whose products fit one 16-bit sum; 0 for signed values, whose products are summed one by one
	size  int // bytes of the largest type's super-block
	shift int // stored values are 1<<shift above their meaning; 0: the pairs are minimums and scaled apart
	brief int // AVX-512: registers of values whose sum fits 16 bits, so that one VPDPWSSD scales and adds it; 0: there are none
}

var superForms = []superForm{
	{"Nibble8", 8, 8, 144, 0, 4},   // Q4_K: 16 · 15 · 127 < 2¹⁵
	{"Minimum8", 8, 4, 176, 0, 0},  // Q5_K: values below 32, 8 · 31 · 127 < 2¹⁵
	{"Minimum16", 16, 4, 84, 0, 4}, // Q2_K
	{"Offset16", 16, 2, 210, 5, 0}, // Q6_K, Q3_K: values below 64, 4 · 63 · 127 < 2¹⁵
	{"Table8", 8, 0, 136, 7, 0},    // IQ4_XS: any 8 bits, signed at AVX2
}

// Offsets in cpu.superTile, kept in step by TestTheSuperTileMatchesTheAssembly.
var superTile = []string{"SI", "DX", "R8", "R9", "R10", "CX", "R11", "AX"} // panel, values, sums, scales, out, blocks, stride, resume

const (
	superAhead      = 64 // see cpu.superTile
	superAheadRow   = 72
	superAheadBlock = 80
)

const superGroups = 64 // registers of values in a super-block

// superHeader is how many registers of a panel's super-block come before the values: d, dmin, scales, pairs.
func superHeader(subs int) int { return 2 + subs + subs/2 }

// multiplySuper writes the kernel that multiplies up to eight rows of int8 activations with a panel of super-blocks. Lanes are
// outputs. A super-block of a panel is registers of `lanes` 32-bit elements: d and dmin as float32, the scales of sub-blocks, pairs
// of 16-bit minimums (or of scales, where stored values are above their meaning) of neighbouring sub-blocks, and 64 of four
// values each.
//
// The integers of a super-block are exact: Σ scale · Σ q·a, and Σ minimum · Σ a from 16-bit sums of activations. Then
// sum += integers · (d · scale of the activations), product and sum rounded separately, so that every level has the same bits.
//
// AVX-512 has VPDPBUSD (unsigned × signed, four products summed in 32 bits); the scales are 32-bit. AVX2 sums pairs of products
// in 16 bits while they fit, and its scales are twice the same 16-bit number, so that one VPMADDWD scales and widens.
func (a *assembly) multiplySuper(f superForm, rows int) {
	a.function(fmt.Sprintf("super%s%d", f.name, rows), fmt.Sprintf("multiplies %d rows of int8 with a panel of super-blocks.", rows), []argument{{"t", "*superTile"}})
	v := a.vector()
	a.op("MOVQ %s, DI", a.arg("t"))
	for i, r := range superTile {
		a.op("MOVQ %d(DI), %s", i*8, r)
	}
	var sum, whole, part []string
	for range rows {
		part = append(part, v.new()) // the lowest: to clear them costs nothing
	}
	for range rows {
		sum, whole = append(sum, v.new()), append(whole, v.new())
	}
	w, t, scale := v.new(), v.new(), v.new()
	fresh, loop, done := a.label(), a.label(), a.label()
	for r := range rows {
		a.zero(sum[r])
	}
	a.op("TESTQ AX, AX")
	a.op("JZ %s", fresh)
	a.op("MOVQ R10, BX")
	for r := range rows {
		a.op("VMOVUPS (BX), %s", sum[r])
		a.op("ADDQ R11, BX")
	}
	a.mark(fresh)
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)

	B, columns := a.bytes(), superGroups/f.subs
	begun := a.set == avx512 && f.shift > 0 // integers begin with what takes the offset off again
	a.mark(loop)
	a.op("LEAQ %d(SI), R12", 2*B)
	a.op("LEAQ %d(SI), R13", superHeader(f.subs)*B)
	for r := range rows {
		a.zero(whole[r])
	}
	each := f.subs * 2 / a.lanes // sub-blocks for each row that is fetched ahead
	unroll := each
	if rows == 1 {
		unroll = f.subs
	}
	a.op("MOVQ %s, AX", a.arg("t"))
	a.op("MOVQ %d(AX), DI", superAhead)
	a.op("MOVQ %d(AX), BX", superAheadBlock)
	a.op("ADDQ BX, %d(AX)", superAhead)
	a.op("MOVQ %d(AX), AX", superAheadRow)
	a.op("MOVQ $%d, BX", f.subs/unroll)
	sub := a.label()
	a.mark(sub)
	for u := range unroll {
		if u%each == 0 {
			without := a.label()
			a.op("TESTQ AX, AX")
			a.op("JZ %s", without)
			for line := range aheadLines(f.size) {
				a.op("PREFETCHT0 %d(DI)", line*64)
			}
			a.op("ADDQ AX, DI")
			a.mark(without)
		}
		values := func(g int) string { return fmt.Sprintf("%d(R13)", (u*columns+g)*B) }
		row := func(r, g int) string { return fmt.Sprintf("%d(DX)", r*256+(u*columns+g)*4) }
		a.load(fmt.Sprintf("%d(R12)", u*B), scale)
		if a.set == avx512 {
			for g := range columns {
				a.load(values(g), w)
				for r := range rows {
					switch {
					case g > 0 && (f.brief == 0 || g%f.brief > 0):
					case f.shift > 0:
						a.op("VPBROADCASTD %d(R8), %s", (r*f.subs+u)*4, part[r])
					default:
						a.zero(part[r])
					}
					a.op("VPDPBUSD.BCST %s, %s, %s", row(r, g), w, part[r])
				}
				for r := 0; r < rows && f.brief > 0 && g%f.brief == f.brief-1; r++ {
					a.op("VPDPWSSD %s, %s, %s", scale, part[r], whole[r]) // the upper half of a scale is 0
				}
			}
			for r := 0; r < rows && f.brief == 0; r++ {
				a.op("VPMULLD %s, %s, %s", scale, part[r], part[r])
				a.op("VPADDD %s, %s, %s", part[r], whole[r], whole[r])
			}
			continue
		}
		for g := range columns {
			if f.chain == 0 { // |w| × a with w's sign: at most 2 · 127 · 127
				a.load(values(g), t)
				a.op("VPABSB %s, %s", t, w)
				for r := range rows {
					a.op("VPBROADCASTD %s, %s", row(r, g), part[r])
					a.op("VPSIGNB %s, %s, %s", t, part[r], part[r])
					a.op("VPMADDUBSW %s, %s, %s", part[r], w, part[r])
					a.op("VPMADDWD %s, %s, %s", scale, part[r], part[r])
					a.op("VPADDD %s, %s, %s", part[r], whole[r], whole[r])
				}
				continue
			}
			a.load(values(g), w)
			for r := range rows {
				if g%f.chain == 0 {
					a.op("VPBROADCASTD %s, %s", row(r, g), t)
					a.op("VPMADDUBSW %s, %s, %s", t, w, part[r])
				} else {
					a.op("VPBROADCASTD %s, %s", row(r, g), t)
					a.op("VPMADDUBSW %s, %s, %s", t, w, t)
					a.op("VPADDW %s, %s, %s", t, part[r], part[r])
				}
				if g%f.chain == f.chain-1 {
					a.op("VPMADDWD %s, %s, %s", scale, part[r], part[r])
					a.op("VPADDD %s, %s, %s", part[r], whole[r], whole[r])
				}
			}
		}
	}
	a.op("ADDQ $%d, R12", unroll*B)
	a.op("ADDQ $%d, R13", unroll*columns*B)
	a.op("ADDQ $%d, DX", unroll*columns*4)
	if begun {
		a.op("ADDQ $%d, R8", unroll*4)
	}
	a.op("DECQ BX")
	a.op("JNZ %s", sub)

	if begun {
		a.op("SUBQ $%d, R8", f.subs*4)
	}
	if !f.signed(a.set) && !begun {
		for p := range f.subs / 2 {
			a.load(fmt.Sprintf("%d(R12)", p*B), w)
			for r := range rows {
				at := fmt.Sprintf("%d(R8)", r*f.subs*2+p*4)
				switch {
				case a.set == avx512:
					if p == 0 {
						a.zero(part[r])
					}
					a.op("VPDPWSSD.BCST %s, %s, %s", at, w, part[r])
				case p == 0:
					a.op("VPBROADCASTD %s, %s", at, part[r])
					a.op("VPMADDWD %s, %s, %s", w, part[r], part[r])
				default:
					a.op("VPBROADCASTD %s, %s", at, t)
					a.op("VPMADDWD %s, %s, %s", w, t, t)
					a.op("VPADDD %s, %s, %s", t, part[r], part[r])
				}
			}
		}
	}
	// add puts integers × (factor × the row's scale) into the sum.
	add := func(how string, r int, integers, factor string) {
		a.op("VCVTDQ2PS %s, %s", integers, integers)
		if a.set == avx512 {
			a.op("VMULPS.BCST %d(R9), %s, %s", r*4, factor, t)
		} else {
			a.op("VBROADCASTSS %d(R9), %s", r*4, t)
			a.op("VMULPS %s, %s, %s", factor, t, t)
		}
		a.op("VMULPS %s, %s, %s", t, integers, integers)
		a.op("%s %s, %s, %s", how, integers, sum[r], sum[r])
	}
	a.op("VMOVUPS (SI), %s", scale)
	for r := range rows {
		if f.shift > 0 && !f.signed(a.set) && !begun {
			a.op("VPSLLD $%d, %s, %s", f.shift, part[r], part[r])
			a.op("VPSUBD %s, %s, %s", part[r], whole[r], whole[r])
		}
		add("VADDPS", r, whole[r], scale)
	}
	if f.shift == 0 {
		a.op("VMOVUPS %d(SI), %s", B, scale)
		for r := range rows {
			add("VSUBPS", r, part[r], scale)
		}
	}
	a.op("MOVQ R13, SI")
	if rows > 1 {
		a.op("ADDQ $%d, DX", (rows-1)*256)
	}
	if begun {
		a.op("ADDQ $%d, R8", rows*f.subs*4)
	} else {
		a.op("ADDQ $%d, R8", rows*f.subs*2)
	}
	a.op("ADDQ $%d, R9", rows*4)
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	for r := range rows {
		a.op("VMOVUPS %s, (R10)", sum[r])
		if r+1 < rows {
			a.op("ADDQ R11, R10")
		}
	}
	a.ret()
}

// signed says that a form's values are stored as they are, signed.
func (f superForm) signed(s *set) bool { return f.chain == 0 && s == avx2 }

// zero clears a register, with the short encoding where it has one.
func (a *assembly) zero(r string) {
	n, err := strconv.Atoi(r[1:])
	if err != nil {
		panic(err)
	}
	if n < 16 {
		a.op("VPXOR X%d, X%d, X%d", n, n, n)
	} else {
		a.op("VPXORD %s, %s, %s", r, r, r)
	}
}

func (a *assembly) load(from, r string) {
	if a.set == avx512 {
		a.op("VMOVDQU32 %s, %s", from, r)
	} else {
		a.op("VMOVDQU %s, %s", from, r)
	}
}
