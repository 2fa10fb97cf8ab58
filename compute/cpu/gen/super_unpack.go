package main

import (
	"fmt"
	"maps"
	"slices"
)

// unpackers writes, for each block type, the function that turns super-blocks of `lanes` rows into a panel (see multiplySuper).
// All work is vertical: 16 bytes of each row are transposed to four registers of 32-bit elements, one for each row, and stay
// in registers until they are values. Layouts: ggml's src/ggml-common.h.
func (a *assembly) unpackers() {
	a.unpack("Q4K", 144, 8, func(u *unpacker) {
		u.header4K()
		for chunk := range 8 { // 16 bytes: half a sub-block in the low nibbles, half of the next in the high ones
			for c, q := range u.chunk(16 + chunk*16) {
				at := chunk/2*16 + chunk%2*4 + c
				u.value(u.and(q, 0, 0x0f), at)
				u.value(u.and(q, -4, 0x0f), at+8)
				u.drop(q)
			}
		}
	})
	a.unpack("Q5K", 176, 8, func(u *unpacker) {
		u.header4K()
		for half := range 2 {
			fifth := u.chunk(16 + half*16)
			for pair := range 4 {
				for c, q := range u.chunk(48 + pair*32 + half*16) {
					at := pair*16 + half*4 + c
					u.value(u.orAnd(u.and(fifth[c], 4-2*pair, 0x10), q, 0, 0x0f), at)
					u.value(u.orAnd(u.and(fifth[c], 3-2*pair, 0x10), q, -4, 0x0f), at+8)
					u.drop(q)
				}
			}
			u.drop(fifth...)
		}
	})
	a.unpack("Q6K", 210, 16, func(u *unpacker) {
		last := u.lastColumn(210 - 16)
		u.float16(last, -16, 0)
		u.drop(last)
		for i, s := range u.chunk(192) {
			u.scales(s, 4*i, true)
			u.pairs(s, 2*i, true)
			u.drop(s)
		}
		for half := range 2 {
			for quarter := range 2 { // 16 of the 32 bytes that share high bits
				high := u.chunk(128 + half*32 + quarter*16)
				for odd := range 2 {
					for c, q := range u.chunk(half*64 + odd*32 + quarter*16) {
						at := half*32 + odd*8 + quarter*4 + c
						u.value(u.orAnd(u.and(high[c], 4-2*odd, 0x30), q, 0, 0x0f), at)
						u.value(u.orAnd(u.and(high[c], -2*odd, 0x30), q, -4, 0x0f), at+16)
						u.drop(q)
					}
				}
				u.drop(high...)
			}
		}
	})
	a.unpack("Q2K", 84, 16, func(u *unpacker) {
		last := u.lastColumn(84 - 16)
		u.float16(last, 0, 0)
		u.float16(last, -16, 1)
		u.drop(last)
		for i, s := range u.chunk(0) {
			scale, least := u.and(s, 0, 0x0f), u.and(s, -4, 0x0f)
			u.scales(scale, 4*i, false)
			u.pairs(least, 2*i, false)
			u.drop(s, scale, least)
		}
		for chunk := range 4 {
			for c, q := range u.chunk(16 + chunk*16) {
				for part := range 4 {
					u.value(u.and(q, -2*part, 0x03), chunk/2*32+part*8+chunk%2*4+c)
				}
				u.drop(q)
			}
		}
	})
	a.unpack("Q3K", 110, 16, func(u *unpacker) {
		tail := u.chunk(110 - 16) // two bytes of the values, twelve of scales, d
		for i := range 3 {
			next := u.shifted(tail[i+1], 16)
			u.shift(tail[i], -16)
			u.logic("VPOR", next, tail[i], tail[i])
			u.drop(next)
		}
		u.float16(tail[3], -16, 0)
		for i := range 4 { // six bits less 32
			x := u.orAnd(u.and(tail[2], 4-2*i, 0x30), tail[i%2], -(i / 2 * 4), 0x0f)
			u.bytes("VPSUBB", x, 0x20)
			u.scales(x, 4*i, true)
			u.pairs(x, 2*i, true)
			u.drop(x)
		}
		u.drop(tail...)
		for quarter := range 2 {
			high := u.chunk(quarter * 16)
			for half := range 2 {
				for c, q := range u.chunk(32 + half*32 + quarter*16) {
					for part := range 4 {
						x := u.orAnd(u.and(high[c], 2-(half*4+part), 0x04), q, -2*part, 0x03)
						u.bytes("VPADDB", x, 0x1c) // 32 above their meaning, as Q6_K's
						u.value(x, half*32+part*8+quarter*4+c)
					}
					u.drop(q)
				}
			}
			u.drop(high...)
		}
	})
	a.unpack("IQ4XS", 136, 8, func(u *unpacker) {
		head := u.chunk(0) // d and the high bits of scales, their low bits, and values
		u.float16(head[0], 0, 0)
		bits := u.shuffle(head[0], "highBits", func(b int) int { return 2 + b/2 }) // a byte has the bits of four sub-blocks
		even, odd := u.and(bits, 4, 0x00300030), u.and(bits, 2, 0x00300030)
		u.orAnd(even, bits, 0, 0x30003000)
		u.orAnd(odd, bits, -2, 0x30003000)
		u.orAnd(even, head[1], 0, 0x0f)
		u.orAnd(odd, head[1], -4, 0x0f)
		u.drop(bits)
		u.drop(head...)
		u.bytes("VPSUBB", even, 0x20)
		u.bytes("VPSUBB", odd, 0x20)
		for i := range 4 {
			u.store(u.scale(even, i, true), 2+2*i)
			u.store(u.scale(odd, i, true), 2+2*i+1)
			if u.set == avx512 {
				continue
			}
			first := u.shuffle(even, fmt.Sprintf("first%d", i), func(b int) int { return []int{-1, i, -1, -1}[b] })
			second := u.shuffle(odd, fmt.Sprintf("second%d", i), func(b int) int { return []int{-1, -1, -1, i}[b] })
			u.logic("VPOR", second, first, first)
			u.op("VPSRAW $8, %s, %s", first, first)
			u.store(first, 2+u.subs+i)
			u.drop(second)
		}
		u.drop(even, odd)
		table := u.new()
		u.assembly.load(u.iq4Steps(), table)
		for block := range 8 {
			for c, q := range u.chunk(8 + block*16) {
				for nibble := range 2 {
					x := u.and(q, -4*nibble, 0x0f)
					u.op("VPSHUFB %s, %s, %s", x, table, x)
					u.value(x, block*8+nibble*4+c)
				}
				u.drop(q)
			}
		}
		u.drop(table)
	})
}

// unpacker writes one such function.
type unpacker struct {
	*vector
	subs  int
	size  int               // bytes of a super-block
	asked int               // lines fetched ahead so far
	masks map[uint32]string // constants that have a register for good
}

func (a *assembly) unpack(kind string, size, subs int, body func(u *unpacker)) {
	a.function("unpack"+kind, fmt.Sprintf("writes %d rows of super-blocks, stride bytes apart in src, as a panel to dst.", a.lanes),
		[]argument{{"dst", "*byte"}, {"src", "*byte"}, {"stride", "int"}, {"blocks", "int"}})
	trial := &unpacker{vector: newAssembly(a.set).vector(), subs: subs, size: size, masks: map[uint32]string{}}
	body(trial)
	u := &unpacker{vector: a.vector(), subs: subs, size: size, masks: map[uint32]string{}}
	if a.set == avx512 { // has registers enough
		for _, m := range slices.Sorted(maps.Keys(trial.masks)) {
			r := u.new()
			a.load(u.mask(m), r)
			u.masks[m] = r
		}
	}
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("src"))
	a.op("MOVQ %s, R9", a.arg("stride"))
	a.op("MOVQ %s, CX", a.arg("blocks"))
	a.op("LEAQ (R9)(R9*2), R10")
	bases := u.bases()
	for i, base := range bases[1:] {
		a.op("LEAQ (%s)(R9*4), %s", bases[i], base)
	}
	loop, done := a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	free := len(u.free)
	body(u)
	if len(u.free) != free {
		panic(kind + ": registers were not given back")
	}
	u.ask(size)
	for _, base := range bases {
		a.op("ADDQ $%d, %s", size, base)
	}
	a.op("ADDQ $%d, DI", (superHeader(subs)+superGroups)*a.bytes())
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.ret()
}

// bases are the registers that point to rows 0, 4, 8 and 12.
func (u *unpacker) bases() []string { return []string{"SI", "R12", "R13", "BX"}[:u.lanes/4] }

// aheadOfSuper is how far ahead of the loads each row is fetched into the level-1 cache, in bytes: cpu.superDistance.
const aheadOfSuper = 512

// ask fetches lines of the first half of the rows ahead of the loads; multiplySuper fetches the others. What a super-block's lines leave over at its end, the next one's fetch.
func (u *unpacker) ask(lines int) {
	each := aheadLines(u.size)
	for end := min(u.asked+lines, each*u.lanes/2); u.asked < end; u.asked++ {
		u.op("PREFETCHT0 %s", u.row(u.asked/each, aheadOfSuper+u.asked%each*64))
	}
}

// aheadLines is how many cache lines are fetched for a super-block of a row.
func aheadLines(size int) int { return (size + 63) / 64 }

// row is the operand of what lies at an offset in row i.
func (u *unpacker) row(i, offset int) string {
	return fmt.Sprintf("%d(%s)", offset, u.bases()[i/4]) + []string{"", "(R9*1)", "(R9*2)", "(R10*1)"}[i%4]
}

func (u *unpacker) rows(offset int) []string {
	var rows []string
	for j := range 4 {
		r := u.new()
		rows = append(rows, r)
		for l := range u.lanes / 4 {
			at := u.row(4*l+j, offset)
			switch {
			case l == 0 && u.set == avx512:
				u.op("VMOVDQU32 %s, X%s", at, r[1:])
			case l == 0:
				u.op("VMOVDQU %s, X%s", at, r[1:])
			case u.set == avx512:
				u.op("VINSERTI32X4 $%d, %s, %s, %s", l, at, r, r)
			default:
				u.op("VINSERTI128 $%d, %s, %s, %s", l, at, r, r)
			}
		}
	}
	u.ask(u.lanes / 4)
	return rows
}

// chunk is 16 bytes of each row as four registers: element i of register c is bytes 4c to 4c+3 of row i.
func (u *unpacker) chunk(offset int) []string {
	r := u.rows(offset) // row 4l+j in 128-bit lane l of register j
	t0, t1 := u.new(), u.new()
	u.op("VPUNPCKLDQ %s, %s, %s", r[1], r[0], t0)
	u.op("VPUNPCKHDQ %s, %s, %s", r[1], r[0], t1)
	u.op("VPUNPCKLDQ %s, %s, %s", r[3], r[2], r[0])
	u.op("VPUNPCKHDQ %s, %s, %s", r[3], r[2], r[1])
	u.op("VPUNPCKLQDQ %s, %s, %s", r[1], t1, r[2])
	u.op("VPUNPCKHQDQ %s, %s, %s", r[1], t1, r[3])
	u.op("VPUNPCKHQDQ %s, %s, %s", r[0], t0, r[1])
	u.op("VPUNPCKLQDQ %s, %s, %s", r[0], t0, r[0])
	u.drop(t0, t1)
	return r
}

// lastColumn is the last register of chunk alone.
func (u *unpacker) lastColumn(offset int) string {
	r := u.rows(offset)
	u.op("VPUNPCKHDQ %s, %s, %s", r[1], r[0], r[0])
	u.op("VPUNPCKHDQ %s, %s, %s", r[3], r[2], r[2])
	u.op("VPUNPCKHQDQ %s, %s, %s", r[2], r[0], r[0])
	u.drop(r[1:]...)
	return r[0]
}

func (u *unpacker) logic(op, x, y, to string) {
	if u.set == avx512 {
		op += "D"
	}
	u.op("%s %s, %s, %s", op, x, y, to)
}

// mask is a constant; one of a byte is repeated.
func (u *unpacker) mask(v uint32) string {
	if v < 256 {
		v *= 0x01010101
	}
	if r := u.masks[v]; r != "" {
		return r
	}
	u.masks[v] = ""
	return u.consts.bits(fmt.Sprintf("mask%08x", v), v)
}

// shift shifts the 32-bit elements of r left, or right where by is negative.
func (u *unpacker) shift(r string, by int) { u.shiftTo(r, by, r) }

// shifted is a new register.
func (u *unpacker) shifted(q string, by int) string {
	r := u.new()
	u.shiftTo(q, by, r)
	return r
}

func (u *unpacker) shiftTo(q string, by int, r string) {
	if by < 0 {
		u.op("VPSRLD $%d, %s, %s", -by, q, r)
	} else {
		u.op("VPSLLD $%d, %s, %s", by, q, r)
	}
}

// and is a new register: q, shifted, & mask.
func (u *unpacker) and(q string, by int, mask uint32) string {
	if by == 0 {
		r := u.new()
		u.logic("VPAND", u.mask(mask), q, r)
		return r
	}
	r := u.shifted(q, by)
	u.logic("VPAND", u.mask(mask), r, r)
	return r
}

// orAnd is x |= q, shifted, & mask; it gives x back.
func (u *unpacker) orAnd(x, q string, by int, mask uint32) string {
	if u.set == avx512 {
		if by != 0 {
			q = u.shifted(q, by)
			defer u.drop(q)
		}
		u.op("VPTERNLOGD $0xf8, %s, %s, %s", u.mask(mask), q, x) // x | q&mask
		return x
	}
	t := u.and(q, by, mask)
	u.logic("VPOR", t, x, x)
	u.drop(t)
	return x
}

// bytes is x = x op constant.
func (u *unpacker) bytes(op, x string, constant uint32) {
	u.op("%s %s, %s, %s", op, u.mask(constant), x, x)
}

// store puts a register into the panel and gives it up.
func (u *unpacker) store(r string, index int) {
	move := "VMOVDQU"
	if u.set == avx512 {
		move = "VMOVDQU32"
	}
	u.op("%s %s, %d(DI)", move, r, index*u.set.bytes())
	u.drop(r)
}

// value stores four values of each row.
func (u *unpacker) value(r string, group int) { u.store(r, superHeader(u.subs)+group) }

// float16 stores the low halves of q's elements, shifted, as float32.
func (u *unpacker) float16(q string, by, index int) {
	if u.set == avx512 {
		r := u.shifted(q, by)
		u.op("VPMOVDW %s, Y%s", r, r[1:])
		u.op("VCVTPH2PS Y%s, %s", r[1:], r)
		u.store(r, index)
		return
	}
	r := u.and(q, by, 0x0000ffff)
	u.op("VPACKUSDW %s, %s, %s", r, r, r)
	u.op("VPERMQ $0x08, %s, %s", r, r)
	u.op("VCVTPH2PS X%s, %s", r[1:], r)
	u.store(r, index)
}

// shuffle moves bytes within each 32-bit element: byte i comes from byte from(i), or is 0 where that is negative.
func (u *unpacker) shuffle(q, name string, from func(byte int) int) string {
	var t [16]uint32
	for i := range t {
		for b := range 4 {
			v := uint32(0x80)
			if f := from(b); f >= 0 {
				v = uint32(i%4*4 + f)
			}
			t[i] |= v << (8 * b)
		}
	}
	r := u.new()
	u.op("VPSHUFB %s, %s, %s", u.consts.table(name, t), q, r)
	return r
}

// scale is byte i of each element as multiplySuper wants a scale.
func (u *unpacker) scale(q string, i int, signed bool) string {
	wide := u.set == avx512
	if !signed {
		return u.shuffle(q, fmt.Sprintf("scale%d", i), func(b int) int {
			if b == 0 || b == 2 && !wide {
				return i
			}
			return -1
		})
	}
	r := u.shuffle(q, fmt.Sprintf("signedScale%d", i), func(b int) int {
		if b == 3 || b == 1 && !wide {
			return i
		}
		return -1
	})
	if wide {
		u.op("VPSRAD $24, %s, %s", r, r)
	} else {
		u.op("VPSRAW $8, %s, %s", r, r)
	}
	return r
}

// scales stores the four bytes of each element as the scales of four sub-blocks.
func (u *unpacker) scales(q string, first int, signed bool) {
	for i := range 4 {
		u.store(u.scale(q, i, signed), 2+first+i)
	}
}

// pairs stores the four bytes of each element as two pairs of 16-bit numbers.
func (u *unpacker) pairs(q string, first int, signed bool) {
	if signed && u.set == avx512 {
		return // of scales: not needed, integers begin with what takes the offset off
	}
	for i := range 2 {
		var r string
		if signed {
			r = u.shuffle(q, fmt.Sprintf("signedPair%d", i), func(b int) int { return []int{-1, 2 * i, -1, 2*i + 1}[b] })
			u.op("VPSRAW $8, %s, %s", r, r)
		} else {
			r = u.shuffle(q, fmt.Sprintf("pair%d", i), func(b int) int { return []int{2 * i, -1, 2*i + 1, -1}[b] })
		}
		u.store(r, 2+u.subs+first+i)
	}
}

// header4K unpacks d, dmin and the eight 6-bit scales and minimums of Q4_K and Q5_K: the low four of each are the low bits of a
// byte; the high four have their low bits in the last four bytes and their high bits in the first eight.
func (u *unpacker) header4K() {
	head := u.chunk(0)
	u.float16(head[0], 0, 0)
	u.float16(head[0], -16, 1)
	for i, packed := range head[1:3] {
		first := u.and(packed, 0, 0x3f)
		second := u.orAnd(u.and(packed, -2, 0x30), head[3], -4*i, 0x0f)
		if i == 0 {
			u.scales(first, 0, false)
			u.scales(second, 4, false)
		} else {
			u.pairs(first, 0, false)
			u.pairs(second, 2, false)
		}
		u.drop(first, second)
	}
	u.drop(head...)
}

// iq4Steps is IQ4_XS's sixteen steps for VPSHUFB, above 0 by 128 where values are multiplied unsigned.
func (u *unpacker) iq4Steps() string {
	steps := []int{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
	var t [16]uint32
	for i := range t {
		for b := range 4 {
			v := steps[i%4*4+b]
			if u.set == avx512 {
				v += 128
			}
			t[i] |= uint32(byte(v)) << (8 * b)
		}
	}
	return u.consts.table("iq4Steps", t)
}
