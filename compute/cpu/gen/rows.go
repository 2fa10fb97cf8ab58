package main

import "fmt"

// One or a few rows times weights where they lie: each weight is read once and used at once.
var _ = topic("rows", func(a *assembly) {
	for _, f := range turnForms {
		for rows := 1; 2*rows <= a.registers-8; rows *= 2 {
			a.rows(rows, f)
		}
	}
	if a.set == avx512 {
		for rows := 1; rows <= 8; rows *= 2 {
			a.rows(rows, rowsPairs)
		}
		a.rowsTiles()
		a.rowsOfTiles()
	}
})

// rowsPairs takes two values of bfloat16 as they are: VDPBF16PS multiplies them with two of A.
var rowsPairs = turnForm{"Pairs", "pairs of bfloat16, as A's are", 1, func(a *assembly, k int, from, to string) {}}

// Offsets in cpu.rowsTile, which the assembly reads; kept in step by TestStructsMatchTheAssembly.
const (
	rowsA = iota * 8
	rowsB
	rowsBegin
	rowsEnd
	rowsStride
	rowsBytes
	rowsChunks
	rowsAhead
)

// rows writes the kernel that multiplies `rows` rows of A, as they are, with two registers of rows of B, as they are: 16 bytes of
// every row of B are turned in registers as transposeRows does, and become float32; then for each k one multiply-add for each row
// of A and register of B. Lanes are outputs, and each is one chain over ascending k: the bits of the tile kernels. The two
// registers are two chains where there is one row; the rest of the work is done while they wait for each other.
func (a *assembly) rows(rows int, form turnForm) {
	a.function(fmt.Sprintf("rows%s%d", form.name, rows), fmt.Sprintf("multiplies %d rows with %d rows of weights: %s.", rows, 2*a.lanes, form.about), []argument{{"t", "*rowsTile"}})
	acc := func(g, r int) string { return a.r(8 + g*rows + r) }
	number := func(r string) (n int) { fmt.Sscanf(r[1:], "%d", &n); return n }
	fma := func(x, from, sum string) {
		if form.name == "Pairs" {
			a.dotPairsRegister(number(sum), number(from), number(x))
			return
		}
		a.op("VFMADD231PS %s, %s, %s", x, from, sum)
	}
	a.op("MOVQ %s, DI", a.arg("t"))
	a.op("MOVQ %d(DI), SI", rowsA)
	a.op("MOVQ %d(DI), DX", rowsB)
	a.op("MOVQ %d(DI), AX", rowsBegin)
	a.op("MOVQ %d(DI), R12", rowsStride)
	a.op("MOVQ %d(DI), R8", rowsBytes)
	a.op("MOVQ %d(DI), CX", rowsChunks)
	a.op("MOVQ %d(DI), R11", rowsAhead)
	a.op("LEAQ (R8)(R8*2), R9")
	a.op("LEAQ (R12)(R12*2), R13")
	form.prepare(a)
	start, zero := a.label(), a.label()
	a.op("TESTQ AX, AX")
	a.op("JZ %s", zero)
	for r := range rows {
		for g := range 2 {
			a.op("VMOVUPS %d(AX), %s", (r*2+g)*a.bytes(), acc(g, r))
		}
	}
	a.op("JMP %s", start)
	a.mark(zero)
	for r := range rows {
		for g := range 2 {
			a.op("VXORPS %s, %s, %s", acc(g, r), acc(g, r), acc(g, r))
		}
	}
	a.mark(start)
	if rows > 4 {
		a.op("LEAQ (SI)(R12*4), R10")
	}
	quarters := a.lanes / 4
	place := []string{"", "(R8*1)", "(R8*2)", "(R9*1)"}
	value := func(r, at int) string {
		base := []string{"SI", "R10"}[r/4]
		return fmt.Sprintf("%d(%s)", at*4, base) + []string{"", "(R12*1)", "(R12*2)", "(R13*1)"}[r%4]
	}
	// load turns 16 bytes of the rows of register g into registers in … in+3, with t … t+3 for what is between.
	load := func(u, g, fetch, in, t int) {
		for l := range quarters {
			for j := range 4 {
				at := fmt.Sprintf("%d(BX)%s", 16*u, place[j])
				switch l {
				case 0:
					a.op("VMOVDQU %s, X%d", at, in+j)
				case 1:
					a.op("VINSERTI128 $1, %s, Y%d, Y%d", at, in+j, in+j)
				default:
					a.op("VINSERTI32X4 $%d, %s, Z%d, Z%d", l, at, in+j, in+j)
				}
			}
			if q := g*quarters + l; fetch >= 0 && q*4/(2*quarters) == fetch {
				a.op("LEAQ (BX)(R11*1), AX")
				for j := range 4 {
					a.op("PREFETCHT0 (AX)%s", place[j])
				}
			}
			a.op("LEAQ (BX)(R8*4), BX")
		}
		for i := range 2 {
			a.op("VUNPCKLPS %s, %s, %s", a.r(in+2*i+1), a.r(in+2*i), a.r(t+2*i))
			a.op("VUNPCKHPS %s, %s, %s", a.r(in+2*i+1), a.r(in+2*i), a.r(t+2*i+1))
		}
		for i := range 2 {
			a.op("VUNPCKLPD %s, %s, %s", a.r(t+2+i), a.r(t+i), a.r(in+2*i))
			a.op("VUNPCKHPD %s, %s, %s", a.r(t+2+i), a.r(t+i), a.r(in+2*i+1))
		}
	}
	chunk := func(u, fetch int) {
		a.op("MOVQ DX, BX")
		if a.set == avx512 && rows > 1 { // a broadcast serves both registers
			load(u, 0, fetch, 0, 4)
			load(u, 1, fetch, 4, 28)
			for column := range 4 {
				for k := range form.perColumn {
					for g := range 2 {
						form.value(a, k, a.r(4*g+column), a.r(28+g))
					}
					for r := range rows {
						x := a.r(30 + r%2)
						a.op("VBROADCASTSS %s, %s", value(r, (u*4+column)*form.perColumn+k), x)
						for g := range 2 {
							from := a.r(28 + g)
							if form.perColumn == 1 {
								from = a.r(4*g + column)
							}
							fma(x, from, acc(g, r))
						}
					}
				}
			}
			return
		}
		for g := range 2 {
			load(u, g, fetch, 0, 4)
			for column := range 4 {
				for k := range form.perColumn {
					from := a.r(column + 4)
					if form.perColumn == 1 {
						from = a.r(column)
					}
					form.value(a, k, a.r(column), from)
					for r := range rows {
						at := value(r, (u*4+column)*form.perColumn+k)
						if form.name == "Pairs" {
							a.op("VBROADCASTSS %s, %s", at, a.r(30))
							fma(a.r(30), from, acc(g, r))
							continue
						}
						if a.set == avx512 {
							a.op("VFMADD231PS.BCST %s, %s, %s", at, from, acc(g, r))
							continue
						}
						t := a.r(4 + (column+1+r%2)%4)
						a.op("VBROADCASTSS %s, %s", at, t)
						a.op("VFMADD231PS %s, %s, %s", t, from, acc(g, r))
					}
				}
			}
		}
	}
	advance := func(chunks int) {
		a.op("ADDQ $%d, DX", 16*chunks)
		a.op("ADDQ $%d, SI", 16*chunks*form.perColumn)
		if rows > 4 {
			a.op("ADDQ $%d, R10", 16*chunks*form.perColumn)
		}
	}
	long, short, rest, done := a.label(), a.label(), a.label(), a.label()
	a.op("SUBQ $4, CX")
	a.op("JLT %s", rest)
	a.mark(long)
	for u := range 4 {
		chunk(u, u)
	}
	advance(4)
	a.op("SUBQ $4, CX")
	a.op("JGE %s", long)
	a.mark(rest)
	a.op("ADDQ $4, CX")
	a.op("JZ %s", done)
	a.mark(short)
	chunk(0, -1)
	advance(1)
	a.op("DECQ CX")
	a.op("JNZ %s", short)
	a.mark(done)
	a.op("MOVQ %d(DI), AX", rowsEnd)
	for r := range rows {
		for g := range 2 {
			a.op("VMOVUPS %s, %d(AX)", acc(g, r), (r*2+g)*a.bytes())
		}
	}
	a.ret()
}

// rowsTiles writes the kernel of the tile unit for up to 16 rows: weights are its left operand where they lie, 16 rows of 32 values in
// one load, and A, packed as pairs, its right one. Sums are two tiles of 16 rows of weights × 16 rows of A.
func (a *assembly) rowsTiles() {
	a.function("rowsTiles", "multiplies up to 16 rows, packed as columns of tiles, with 32 rows of bfloat16: 16 bytes of each are a fourth of a step.", []argument{{"t", "*rowsTile"}, {"config", "*byte"}})
	const regR12, regR13, unit = 12, 13, 2048
	a.op("MOVQ %s, AX", a.arg("config"))
	a.tileConfigure(0)
	a.op("MOVQ %s, DI", a.arg("t"))
	a.op("MOVQ %d(DI), SI", rowsA)
	a.op("MOVQ %d(DI), DX", rowsB)
	a.op("MOVQ %d(DI), R8", rowsBytes)
	a.op("MOVQ %d(DI), CX", rowsChunks)
	a.op("MOVQ %d(DI), R11", rowsAhead)
	a.op("LEAQ (R8)(R8*2), R9")
	a.op("MOVQ R8, R12")
	a.op("SHLQ $4, R12")
	a.op("ADDQ DX, R12") // the second 16 rows
	a.op("MOVL $64, R13")
	a.op("SHRQ $2, CX")
	zero, start, loop, done := a.label(), a.label(), a.label(), a.label()
	a.op("MOVQ %d(DI), AX", rowsBegin)
	a.op("TESTQ AX, AX")
	a.op("JZ %s", zero)
	a.tileLoad(0, 0, regR13, 0)
	a.tileLoad(1, 0, regR13, 1024)
	a.op("JMP %s", start)
	a.mark(zero)
	a.tileZero(0)
	a.tileZero(1)
	a.mark(start)
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	a.tileLoad(6, regSI, regR13, 0)
	for g, base := range []int{regDX, regR12} {
		a.tileLoad(4+g, base, regR8, 0)
		a.tileDot(g, 4+g, 6)
		a.op("LEAQ (%s)(R11*1), BX", []string{"DX", "R12"}[g])
		for l := range 4 {
			for _, place := range []string{"", "(R8*1)", "(R8*2)", "(R9*1)"} {
				a.op("PREFETCHT0 (BX)%s", place)
			}
			if l < 3 {
				a.op("LEAQ (BX)(R8*4), BX")
			}
		}
	}
	a.op("ADDQ $64, DX")
	a.op("ADDQ $64, R12")
	a.op("ADDQ $%d, SI", unit)
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.op("MOVQ %d(DI), AX", rowsEnd)
	a.tileStore(0, 0, regR13, 0)
	a.tileStore(1, 0, regR13, 1024)
	a.tileRelease()
	a.ret()
}

// rowsOfTiles writes the function that makes rows of 32 outputs of the two tiles of sums.
func (a *assembly) rowsOfTiles() {
	a.function("rowsOfTiles", "makes the first rows of [16][32] of two tiles [2][16][16], turned.", append(pointers("dst", "src"), ints("rows")...))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("src"))
	a.op("MOVQ %s, CX", a.arg("rows"))
	var places [16]uint32
	for i := range places {
		places[i] = uint32(i * 64)
	}
	a.op("VMOVDQU32 %s, Z0", a.consts.table("rowsOfTile", places))
	loop := a.label()
	a.mark(loop)
	for g := range 2 {
		a.op("KXNORW K%d, K%d, K%d", 1+g, 1+g, 1+g)
		a.op("VXORPS X%d, X%d, X%d", 1+g, 1+g, 1+g)
		a.op("VGATHERDPS %d(SI)(Z0*1), K%d, Z%d", g*1024, 1+g, 1+g)
		a.op("VMOVUPS Z%d, %d(DI)", 1+g, g*64)
	}
	a.op("ADDQ $4, SI")
	a.op("ADDQ $128, DI")
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.ret()
}
