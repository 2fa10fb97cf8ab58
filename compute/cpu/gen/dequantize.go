package main

import "fmt"

var _ = topic("dequantize", func(a *assembly) {
	for _, f := range []func(d *dequantizer){plain16, q4, q5, q8_0, mxfp4, q2K, q3K, q45K, q6K, iq4XS, tq1_0, tq2_0} {
		f(&dequantizer{&vector{assembly: a}})
	}
})

// dequantizer writes functions that turn blocks into float32, with the roundings of dtype.Dequantize: scale × code, then the
// minimum. AVX-512 makes those products once for each sub-block, a table of the 16 (or 32) values that its codes can mean, and
// looks codes up: bits above an index are not looked at, so nibbles need no mask. AVX2 converts the codes.
//
// Where a block has many scales they wait in the last values of its own output, which are written last.
type dequantizer struct{ *vector }

// each16 runs f for the registers that 16 values take: one or two. at is the first value.
func (d *dequantizer) each16(f func(at int)) {
	for at := 0; at < 16; at += d.lanes {
		f(at)
	}
}

func (d *dequantizer) wide() bool { return d.set == avx512 }

// and is the bitwise AND in the encoding of the set; or likewise.
func (d *dequantizer) and(x, y, to string) { d.bitwise("VPAND", x, y, to) }
func (d *dequantizer) or(x, y, to string)  { d.bitwise("VPOR", x, y, to) }

func (d *dequantizer) bitwise(op, x, y, to string) {
	if d.wide() {
		op += "D"
	}
	d.assembly.op("%s %s, %s, %s", op, x, y, to)
}

// blocks writes a function whose body is run for each block: values of output, bytes of input.
func (d *dequantizer) blocks(name, about string, values, bytes int, setup, body func()) {
	d.provide("dequantizers[dtype."+name+"]", "dequantize"+name)
	d.function("dequantize"+name, about, []argument{{"dst", "*float32"}, {"src", "*byte"}, {"blocks", "int"}})
	d.vector = d.assembly.vector()
	for i, r := range []string{"DI", "SI", "CX"} {
		d.op("MOVQ %s, %s", d.arg([]string{"dst", "src", "blocks"}[i]), r)
	}
	setup()
	loop, done := d.label(), d.label()
	d.op("TESTQ CX, CX")
	d.op("JZ %s", done)
	d.mark(loop)
	body()
	d.op("ADDQ $%d, DI", values*4)
	d.op("ADDQ $%d, SI", bytes)
	d.op("DECQ CX")
	d.op("JNZ %s", loop)
	d.mark(done)
	d.ret()
}

// half loads a float16 of the block into every lane.
func (d *dequantizer) half(offset int, to string) {
	narrow := "X" + to[1:]
	if d.wide() {
		narrow = low(to)
	}
	d.op("VPBROADCASTW %d(SI), %s", offset, narrow)
	d.op("VCVTPH2PS %s, %s", narrow, to)
}

// meaning is what 16 codes mean.
type meaning struct {
	name   string
	table  [16]float32
	mask   uint32 // bits of a code
	offset int    // codes are stored above their meaning; not for lookup
	lookup bool   // the table is not a range
	join   string // the instruction that joins the minimum, if there is one
}

// span is the meaning of codes 0 … count−1, less offset; the table repeats after count.
func span(count, offset int, join string) *meaning {
	name := fmt.Sprintf("codes%d_less%d", count, offset)
	if offset < 0 {
		name = fmt.Sprintf("codes%d_plus%d", count, -offset)
	}
	m := &meaning{name: name, mask: uint32(count - 1), offset: offset, join: join}
	for i := range m.table {
		m.table[i] = float32(i%count - offset)
	}
	return m
}

var (
	iq4Steps = &meaning{name: "iq4Steps", mask: 15, lookup: true, table: [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}}
	fp4Steps = &meaning{name: "fp4Steps", mask: 15, lookup: true, table: [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}}
)

// slot is a scale (and minimum) ready for use: a table, or the numbers themselves.
type slot struct {
	*meaning
	table          string
	scale, minimum string
	levels         string // register of meaning.table that stays
	upper          string // AVX2 lookup: its second half
}

// slot takes the registers of a slot and loads what never changes.
func (d *dequantizer) slot(m *meaning) *slot {
	s := &slot{meaning: m, scale: d.new()}
	if m.join != "" {
		s.minimum = d.new()
	}
	var bits [16]uint32
	for i, v := range m.table {
		bits[i] = floatBits(v)
	}
	at := d.consts.table(m.name, bits)
	switch {
	case d.wide():
		s.table, s.levels = d.new(), d.new()
		d.op("VMOVUPS %s, %s", at, s.levels)
	case m.lookup:
		s.levels, s.upper = d.new(), d.new()
		d.op("VMOVUPS %s, %s", at, s.levels)
		d.op("VMOVUPS %s, %s", m.name+"<>+32(SB)", s.upper)
	}
	return s
}

// ready makes the table from the scale and minimum.
func (d *dequantizer) ready(s *slot) {
	if !d.wide() {
		return
	}
	d.op("VMULPS %s, %s, %s", s.scale, s.levels, s.table)
	if s.join != "" {
		d.op("%s %s, %s, %s", s.join, s.minimum, s.table, s.table)
	}
}

// waiting loads scale number i (and minimum) of those that wait in the output and makes the table.
func (d *dequantizer) waiting(s *slot, scales, minimums, i int) {
	d.op("VBROADCASTSS %d(DI), %s", scales+4*i, s.scale)
	if s.join != "" {
		d.op("VBROADCASTSS %d(DI), %s", minimums+4*i, s.minimum)
	}
	d.ready(s)
}

// codes loads a register of bytes as 32-bit numbers.
func (d *dequantizer) codes(offset int, to string) { d.op("VPMOVZXBD %d(SI), %s", offset, to) }

// emit stores what codes in register x mean, from value `at` of the block on. x survives.
func (d *dequantizer) emit(s *slot, x string, at int) {
	t := d.new()
	switch {
	case d.wide():
		d.op("VPERMPS %s, %s, %s", s.table, x, t)
	case s.lookup:
		u := d.new()
		d.op("VPERMPS %s, %s, %s", s.levels, x, t)
		d.op("VPERMPS %s, %s, %s", s.upper, x, u)
		sign := d.new()
		d.op("VPSLLD $28, %s, %s", x, sign)
		d.op("VBLENDVPS %s, %s, %s, %s", sign, u, t, t)
		d.op("VMULPS %s, %s, %s", s.scale, t, t)
		d.drop(u, sign)
	default:
		d.and(d.consts.bits(fmt.Sprintf("mask%d", s.mask), s.mask), x, t)
		d.value(s, t)
	}
	d.op("VMOVUPS %s, %d(DI)", t, at*4)
	d.drop(t)
}

// value turns codes into what they mean by arithmetic.
func (d *dequantizer) value(s *slot, x string) {
	if s.offset != 0 {
		d.op("VPSUBD %s, %s, %s", d.consts.bits(fmt.Sprintf("offset%d", s.offset), uint32(s.offset)), x, x)
	}
	d.op("VCVTDQ2PS %s, %s", x, x)
	d.op("VMULPS %s, %s, %s", s.scale, x, x)
	if s.join != "" {
		d.op("%s %s, %s, %s", s.join, s.minimum, x, x)
	}
}

// nibbles emits the low nibbles of 16 bytes at one place and the high ones at another.
func (d *dequantizer) nibbles(offset int, lowSlot *slot, lowAt int, highSlot *slot, highAt int) {
	d.each16(func(i int) {
		x := d.new()
		d.codes(offset+i, x)
		d.emit(lowSlot, x, lowAt+i)
		d.op("VPSRLD $4, %s, %s", x, x)
		d.emit(highSlot, x, highAt+i)
		d.drop(x)
	})
}

// plain16 are float16 and bfloat16; a block is 16 of them.
func plain16(d *dequantizer) {
	for _, name := range []string{"F16", "BF16"} {
		d.blocks(name, "widens groups of 16 values.", 16, 32, func() {}, func() {
			d.each16(func(i int) {
				x := d.new()
				if name == "F16" {
					d.op("VCVTPH2PS %d(SI), %s", i*2, x)
				} else {
					d.op("VPMOVZXWD %d(SI), %s", i*2, x)
					d.op("VPSLLD $16, %s, %s", x, x)
				}
				d.op("VMOVUPS %s, %d(DI)", x, i*4)
				d.drop(x)
			})
		})
	}
}

// q4 are the formats of 32 values with nibbles and a float16 scale.
func q4(d *dequantizer) {
	for _, f := range []struct {
		name  string
		bytes int
		m     *meaning
	}{{"Q4_0", 18, span(16, 8, "")}, {"Q4_1", 20, span(16, 0, "VADDPS")}, {"IQ4_NL", 18, iq4Steps}} {
		var s *slot
		d.blocks(f.name, "dequantises blocks of 32.", 32, f.bytes, func() { s = d.slot(f.m) }, func() {
			d.half(0, s.scale)
			codes := 2
			if s.minimum != "" {
				d.half(2, s.minimum)
				codes = 4
			}
			d.ready(s)
			d.nibbles(codes, s, 0, s, 16)
		})
	}
}

func q8_0(d *dequantizer) {
	var scale string
	d.blocks("Q8_0", "dequantises blocks of 32.", 32, 34, func() { scale = d.new() }, func() {
		d.half(0, scale)
		for first := 0; first < 32; first += 16 {
			d.each16(func(i int) {
				x := d.new()
				d.op("VPMOVSXBD %d(SI), %s", 2+first+i, x)
				d.op("VCVTDQ2PS %s, %s", x, x)
				d.op("VMULPS %s, %s, %s", scale, x, x)
				d.op("VMOVUPS %s, %d(DI)", x, (first+i)*4)
				d.drop(x)
			})
		}
	})
}

// mxfp4: the scale is 2^(e−128); e < 2 makes a subnormal number.
func mxfp4(d *dequantizer) {
	var s *slot
	d.blocks("MXFP4", "dequantises blocks of 32.", 32, 17, func() { s = d.slot(fp4Steps) }, func() {
		small, ready := d.label(), d.label()
		d.op("MOVBLZX (SI), AX")
		d.op("CMPL AX, $2")
		d.op("JCS %s", small)
		d.op("LEAL -1(AX), DX")
		d.op("SHLL $23, DX")
		d.op("JMP %s", ready)
		d.mark(small)
		d.op("LEAL 1(AX), DX")
		d.op("SHLL $21, DX")
		d.mark(ready)
		d.op("VMOVD DX, X%s", s.scale[1:])
		d.op("VBROADCASTSS X%s, %s", s.scale[1:], s.scale)
		d.ready(s)
		d.nibbles(1, s, 0, s, 16)
	})
}

// fifth is a pair of slots for codes of five bits: AVX-512 looks up in two tables.
type fifth struct{ lower, upper *slot }

func (d *dequantizer) fifth(offset int, join string) *fifth {
	f := &fifth{lower: d.slot(span(16, offset, join))}
	if d.wide() {
		f.upper = &slot{meaning: span(16, offset-16, join), scale: f.lower.scale, minimum: f.lower.minimum, table: d.new(), levels: d.new()}
		var bits [16]uint32
		for i, v := range f.upper.meaning.table {
			bits[i] = floatBits(v)
		}
		d.op("VMOVUPS %s, %s", d.consts.table(f.upper.name, bits), f.upper.levels)
	}
	return f
}

// emit5 stores what nibbles x mean together with fifth bits, which stand at bit 4 of high among others. x and high are lost.
func (d *dequantizer) emit5(f *fifth, x, high, fifteen string, at int) {
	if d.wide() {
		d.op("VPTERNLOGD $0xe4, %s, %s, %s", fifteen, high, x) // fifteen ? x : high
		d.op("VPERMI2PS %s, %s, %s", f.upper.table, f.lower.table, x)
	} else {
		d.and(d.consts.bits("mask15", 15), x, x)
		d.and(d.consts.bits("bit4", 16), high, high)
		d.or(high, x, x)
		d.value(f.lower, x)
	}
	d.op("VMOVUPS %s, %d(DI)", x, at*4)
}

// masks is a register of one repeated number; only AVX-512 has registers for that.
func (d *dequantizer) masks(v uint32) string {
	if !d.wide() {
		return ""
	}
	r := d.new()
	d.op("VMOVUPS %s, %s", d.consts.bits(fmt.Sprintf("mask%d", v), v), r)
	return r
}

// q5 are Q5_0 and Q5_1: the fifth bits of a block are one word.
func q5(d *dequantizer) {
	for _, kind := range []int{0, 1} {
		offset, join, head := 16, "", 2
		if kind == 1 {
			offset, join, head = 0, "VADDPS", 4
		}
		var f *fifth
		var word, fifteen string
		d.blocks(fmt.Sprintf("Q5_%d", kind), "dequantises blocks of 32.", 32, head+20, func() {
			f, word, fifteen = d.fifth(offset, join), d.new(), d.masks(15)
		}, func() {
			d.half(0, f.lower.scale)
			if join != "" {
				d.half(2, f.lower.minimum)
			}
			d.ready(f.lower)
			if f.upper != nil {
				d.ready(f.upper)
			}
			d.op("VPBROADCASTD %d(SI), %s", head, word)
			d.each16(func(i int) {
				x := d.new()
				for part := range 2 { // low nibbles with bits i…, high ones with bits 16+i…
					y, high := d.new(), d.new()
					var shifts [16]uint32
					for l := range shifts {
						shifts[l] = uint32(i + 16*part + l)
						if d.wide() { // rotate: the bit comes to place 4
							shifts[l] = (shifts[l] + 28) % 32
						}
					}
					name := fmt.Sprintf("fifth%d_%d", i, part)
					if d.wide() {
						d.op("VPRORVD %s, %s, %s", d.consts.table("rotate"+name, shifts), word, high)
					} else {
						d.op("VPSRLVD %s, %s, %s", d.consts.table("shift"+name, shifts), word, high)
						d.op("VPSLLD $4, %s, %s", high, high)
					}
					if part == 0 {
						d.codes(head+4+i, x)
						d.op("VMOVAPS %s, %s", x, y)
					} else {
						d.op("VPSRLD $4, %s, %s", x, y)
					}
					d.emit5(f, y, high, fifteen, 16*part+i)
					d.drop(y, high)
				}
				d.drop(x)
			})
		})
	}
}
