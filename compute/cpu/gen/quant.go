package main

import "fmt"

// The kernels for quantised weights. Lanes are outputs, so there is no horizontal sum: the columns of four bytes that
// transposeRows makes of a panel's rows become, in one pass over the registers, a panel of 8-bit values (unpack), and a panel is
// multiplied with rows of int8 by broadcasting four activations at a time.
//
// A block of a panel is a register of float32 scales, one of minimums for types that have them, and a register for each four
// values. VPDPBUSD takes unsigned × signed, four products summed: values are stored with an offset that makes them unsigned, and
// the integers of a block begin with −offset · Σ activations. Plain AVX2 has VPMADDUBSW, whose 16-bit sums of two products must
// not overflow: types of 8 bits are stored signed, and |w| is multiplied by the activation with w's sign.
//
// A block of a group of rows of activations is 32 int8 of each row, then a float32 scale of each, then of each what the
// integers begin with, or for types with minimums scale × sum as float32.
var _ = topic("quant", func(a *assembly) {
	for _, k := range quantKinds {
		a.unpackBlocks(k, true)
		if a.set == avx2 && k.signed() {
			a.unpackBlocks(k, false)
		}
	}
	for rows := 1; rows <= a.blockRows(); rows++ {
		a.quantDot(rows, false)
		a.quantDot(rows, true)
	}
	if a.set == avx2 {
		for rows := 1; rows <= 3; rows++ {
			a.quantSmall(rows, 1, false)
			a.quantSmall(rows, 1, true)
		}
		for rows := 1; rows <= 2; rows++ {
			a.quantSmall(rows, 2, false)
			a.quantSmall(rows, 2, true)
		}
		for rows := 1; rows <= 3; rows++ {
			a.quantSigned(rows)
		}
	}
	for _, k := range quantKinds {
		for rows := 1; rows <= a.fewRows(); rows++ {
			a.quantFew(k, rows)
		}
	}
	a.round8()
})

// fewRows is how many rows of activations the kernels for few rows take at most. Those of the AVX2 set need AVX-VNNI.
func (s *set) fewRows() int {
	if s == avx512 {
		return 8
	}
	return 2
}

// blockRows is how many rows of activations the largest kernel for blocks of 32 takes.
func (s *set) blockRows() int {
	if s == avx512 {
		return 7
	}
	return 3
}

// Offsets in cpu.quantTile, kept in step by TestStructsMatchTheAssembly.
const (
	quantFirst = 8 * iota
	quantSecond
	quantRecords
	quantBlocks
	quantOut
	quantStride
	quantPartial
	quantResidual
	quantResidualStride
	quantBias
	quantAlpha
	quantFlags    = quantAlpha + 4
	quantRowBytes = quantAlpha + 8
	quantBytes    = quantAlpha + 16
	quantUnits    = quantAlpha + 24
	quantColumns  = quantAlpha + 32
	quantAhead    = quantAlpha + 40
	quantRate     = quantAlpha + 48
	quantNextLine = quantAlpha + 56
)

// quantTileOf is what the multiplying kernels share: rows × panels of float32 sums, where they begin and where they go.
type quantTileOf struct {
	*vector
	rows, panels int
	sum          [][2]string
}

// quantTile begins a kernel that multiplies with two panels.
func (a *assembly) quantTile(rows int) *quantTileOf {
	q := &quantTileOf{vector: a.vector(), rows: rows, panels: 2}
	q.free = append([]int{a.registers - 1}, q.free...) // no masks here
	a.op("MOVQ %s, DI", a.arg("t"))
	a.op("MOVQ %d(DI), SI", quantFirst)
	a.op("MOVQ %d(DI), DX", quantSecond)
	a.op("MOVQ %d(DI), R8", quantRecords)
	a.op("MOVQ %d(DI), CX", quantBlocks)
	q.begin()
	return q
}

// begin makes the sums 0, or what they are so far. It uses R9.
func (q *quantTileOf) begin() {
	a := q.assembly
	for range q.rows {
		sum := [2]string{}
		for p := range q.panels {
			sum[p] = q.new()
		}
		q.sum = append(q.sum, sum)
	}
	some, begin := a.label(), a.label()
	a.op("MOVQ %d(DI), R9", quantPartial)
	a.op("TESTQ R9, R9")
	a.op("JNZ %s", some)
	q.all(func(r, p int, sum string) { a.op("VXORPS %s, %s, %s", a.short(sum), a.short(sum), a.short(sum)) })
	a.op("JMP %s", begin)
	a.mark(some)
	q.all(func(r, p int, sum string) { a.op("VMOVUPS %d(R9), %s", (q.panels*r+p)*a.bytes(), sum) })
	a.mark(begin)
}

// short is a register as VXORPS clears it: the short encoding clears the whole register, but knows only the first sixteen.
func (a *assembly) short(r string) string {
	if len(r) == 2 || r[:2] == "Z1" && r[2] < '6' {
		return "X" + r[1:]
	}
	return r
}

func (q *quantTileOf) all(f func(r, p int, sum string)) {
	for r := range q.rows {
		for p := range q.panels {
			f(r, p, q.sum[r][p])
		}
	}
}

// finish writes the sums: times alpha, and what else there is to add, in the order of MatMul.
func (q *quantTileOf) finish() {
	t := q.new()
	q.op("MOVQ %d(DI), R10", quantOut)
	q.op("MOVQ %d(DI), R11", quantStride)
	q.op("VBROADCASTSS %d(DI), %s", quantAlpha, t)
	q.all(func(r, p int, sum string) { q.op("VMULPS %s, %s, %s", t, sum, sum) })
	add := func(condition string, stride string) {
		q.all(func(r, p int, sum string) {
			if r > 0 && p == 0 && stride != "" {
				q.op("ADDQ %s, R9", stride)
			}
			q.op("VADDPS %d(R9), %s, %s", p*q.bytes(), sum, sum)
		})
		q.mark(condition)
	}
	next := q.label()
	q.op("MOVL %d(DI), AX", quantFlags)
	q.op("TESTL AX, AX")
	q.op("JZ %s", next)
	q.op("MOVQ R10, R9")
	add(next, "R11")
	next = q.label()
	q.op("MOVQ %d(DI), R9", quantResidual)
	q.op("TESTQ R9, R9")
	q.op("JZ %s", next)
	q.op("MOVQ %d(DI), R12", quantResidualStride)
	add(next, "R12")
	next = q.label()
	q.op("MOVQ %d(DI), R9", quantBias)
	q.op("TESTQ R9, R9")
	q.op("JZ %s", next)
	add(next, "")
	q.all(func(r, p int, sum string) {
		if r > 0 && p == 0 {
			q.op("ADDQ R11, R10")
		}
		q.op("VMOVUPS %s, %d(R10)", sum, p*q.bytes())
	})
	q.ret()
}

var panelRegisters = [2]string{"SI", "DX"}

// quantLoop writes the loop over blocks around body, which is given the offset of the values within a block of a panel.
func (q *quantTileOf) quantLoop(minimums bool, body func(values int)) {
	head := q.bytes()
	if minimums {
		head *= 2
	}
	loop, done := q.label(), q.label()
	q.op("TESTQ CX, CX")
	q.op("JZ %s", done)
	q.mark(loop)
	body(head)
	q.op("ADDQ $%d, SI", head+8*q.bytes())
	q.op("ADDQ $%d, DX", head+8*q.bytes())
	q.op("ADDQ $%d, R8", q.rows*40)
	q.op("DECQ CX")
	q.op("JNZ %s", loop)
	q.mark(done)
}

// accumulate adds a block's integers, as float32 times both scales, to a row's sums, and the minimums times what the row has for them.
// whole are registers of integers, which it uses up; t are two more.
func (q *quantTileOf) accumulate(r int, whole [2]string, minimums bool, t [2]string) {
	q.op("VBROADCASTSS %d(R8), %s", q.rows*32+r*4, t[0])
	q.op("VMULPS (DX), %s, %s", t[0], t[1])
	q.op("VMULPS (SI), %s, %s", t[0], t[0])
	for p := range 2 {
		q.op("VCVTDQ2PS %s, %s", whole[p], whole[p])
		q.op("VFMADD231PS %s, %s, %s", t[p], whole[p], q.sum[r][p])
	}
	if minimums {
		q.op("VBROADCASTSS %d(R8), %s", q.rows*36+r*4, t[0])
		for p := range 2 {
			q.op("VFMADD231PS %d(%s), %s, %s", q.bytes(), panelRegisters[p], t[0], q.sum[r][p])
		}
	}
}

func minimumsName(minimums bool) (string, string) {
	if minimums {
		return "Min", " with minimums"
	}
	return "", ""
}

// quantDot multiplies with VPDPBUSD: every type, unsigned values.
func (a *assembly) quantDot(rows int, minimums bool) {
	name, about := minimumsName(minimums)
	a.function(fmt.Sprintf("quantDot%s%d", name, rows), fmt.Sprintf("multiplies %d rows of int8 with two panels of unsigned 8-bit weights%s, by VPDPBUSD.", rows, about), []argument{{"t", "*quantTile"}})
	q := a.quantTile(rows)
	var whole [][2]string
	for range rows {
		whole = append(whole, [2]string{q.new(), q.new()})
	}
	w, t := [2]string{q.new(), q.new()}, q.new()
	move := map[bool]string{false: "VMOVDQU", true: "VMOVDQU32"}[a.set == avx512]
	q.quantLoop(minimums, func(values int) {
		for r := range rows {
			for p := range 2 {
				if minimums {
					if x := a.short(whole[r][p]); x[0] == 'X' {
						a.op("VXORPS %s, %s, %s", x, x, x)
					} else { // clearing one of the upper registers takes an execution port, a broadcast does not
						a.op("VPBROADCASTD %s, %s", a.consts.bits("zero", 0), x)
					}
				} else {
					a.op("VPBROADCASTD %d(R8), %s", rows*36+r*4, whole[r][p])
				}
			}
		}
		for g := range 8 {
			if g%2 == 0 && g/2*64 < rows*40 { // activations come from the level-2 cache
				a.op("PREFETCHT0 %d(R8)", 768+g/2*64)
			}
			for p := range 2 {
				a.op("%s %d(%s), %s", move, values+g*a.bytes(), panelRegisters[p], w[p])
			}
			for r := range rows {
				a.op("VPBROADCASTD %d(R8), %s", r*32+g*4, t)
				for p := range 2 {
					a.dotBytes(t, w[p], whole[r][p])
				}
			}
		}
		for r := range rows {
			q.accumulate(r, whole[r], minimums, w)
		}
	})
	q.finish()
}

// quantSmall multiplies with VPMADDUBSW: unsigned values so small that 8 / parts groups of four fit the sums of 16 bits.
func (a *assembly) quantSmall(rows, parts int, minimums bool) {
	name, about := minimumsName(minimums)
	a.function(fmt.Sprintf("quantSmall%d%s%d", parts, name, rows), fmt.Sprintf("multiplies %d rows of int8 with two panels of weights below %d%s.", rows, 32/parts, about), []argument{{"t", "*quantTile"}})
	q := a.quantTile(rows)
	var half, whole [][2]string
	for range rows {
		half = append(half, [2]string{q.new(), q.new()})
		if parts > 1 {
			whole = append(whole, [2]string{q.new(), q.new()})
		}
	}
	if parts == 1 {
		whole = half
	}
	t, x := q.new(), q.new()
	ones := a.consts.bits("onesOf16", 0x00010001)
	q.quantLoop(minimums, func(values int) {
		for g := range 8 {
			begins := g%(8/parts) == 0
			for r := range rows {
				a.op("VPBROADCASTD %d(R8), %s", r*32+g*4, t)
				for p := range 2 {
					a.op("VMOVDQU %d(%s), %s", values+g*a.bytes(), panelRegisters[p], x)
					if begins {
						a.op("VPMADDUBSW %s, %s, %s", t, x, half[r][p])
						continue
					}
					a.op("VPMADDUBSW %s, %s, %s", t, x, x)
					a.op("VPADDW %s, %s, %s", x, half[r][p], half[r][p])
				}
			}
			if (g+1)%(8/parts) == 0 {
				for r := range rows {
					for p := range 2 {
						switch {
						case g < 4:
							a.op("VPMADDWD %s, %s, %s", ones, half[r][p], whole[r][p])
						case parts > 1:
							a.op("VPMADDWD %s, %s, %s", ones, half[r][p], half[r][p])
							a.op("VPADDD %s, %s, %s", half[r][p], whole[r][p], whole[r][p])
						default:
							a.op("VPMADDWD %s, %s, %s", ones, half[r][p], half[r][p])
						}
					}
				}
			}
		}
		for r := range rows {
			if !minimums {
				a.op("VPBROADCASTD %d(R8), %s", rows*36+r*4, t)
				for p := range 2 {
					a.op("VPADDD %s, %s, %s", t, whole[r][p], whole[r][p])
				}
			}
			q.accumulate(r, whole[r], minimums, [2]string{t, x})
		}
	})
	q.finish()
}

// quantSigned multiplies signed 8-bit values: |w| times the activation with w's sign.
func (a *assembly) quantSigned(rows int) {
	a.function(fmt.Sprintf("quantSigned%d", rows), fmt.Sprintf("multiplies %d rows of int8 with two panels of signed 8-bit weights.", rows), []argument{{"t", "*quantTile"}})
	q := a.quantTile(rows)
	var whole [][2]string
	for range rows {
		whole = append(whole, [2]string{q.new(), q.new()})
	}
	w, x, t := q.new(), q.new(), q.new()
	ones := a.consts.bits("onesOf16", 0x00010001)
	q.quantLoop(false, func(values int) {
		for g := range 8 {
			for p := range 2 {
				a.op("VMOVDQU %d(%s), %s", values+g*a.bytes(), panelRegisters[p], w)
				a.op("VPABSB %s, %s", w, x)
				for r := range rows {
					a.op("VPBROADCASTD %d(R8), %s", r*32+g*4, t)
					a.op("VPSIGNB %s, %s, %s", w, t, t)
					a.op("VPMADDUBSW %s, %s, %s", t, x, t)
					if g == 0 {
						a.op("VPMADDWD %s, %s, %s", ones, t, whole[r][p])
						continue
					}
					a.op("VPMADDWD %s, %s, %s", ones, t, t)
					a.op("VPADDD %s, %s, %s", t, whole[r][p], whole[r][p])
				}
			}
		}
		for r := range rows {
			q.accumulate(r, whole[r], false, [2]string{w, x})
		}
	})
	q.finish()
}

// dotBytes is VPDPBUSD: sum += signed × unsigned, four bytes at a time. In the AVX2 set it is the VEX form of AVX-VNNI, which
// Go's assembler does not know.
func (a *assembly) dotBytes(signed, unsigned, sum string) {
	if a.set == avx512 {
		a.op("VPDPBUSD %s, %s, %s", signed, unsigned, sum)
		return
	}
	number := func(r string) (n int) { fmt.Sscanf(r[1:], "%d", &n); return n }
	s, u, d := number(signed), number(unsigned), number(sum)
	// C4, then R̄ X̄ B̄ and map 0F38, then W0, the complement of the second operand, 256 bits and prefix 66.
	b1, b2 := 0b010, (^u&15)<<3|0b101
	if d < 8 {
		b1 |= 1 << 7
	}
	b1 |= 1 << 6
	if s < 8 {
		b1 |= 1 << 5
	}
	a.op("BYTE $0xc4; BYTE $0x%02x; BYTE $0x%02x; BYTE $0x50; BYTE $0x%02x", b1, b2, 0b11<<6|d&7<<3|s&7)
}

// quantRows is how many rows of activations the largest kernel for super-blocks takes.
func (s *set) quantRows() int {
	if s == avx512 {
		return 8
	}
	return 4
}
