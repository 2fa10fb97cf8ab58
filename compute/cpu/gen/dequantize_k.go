package main

import (
	"fmt"
	"math"
)

func floatBits(v float32) uint32 { return math.Float32bits(v) }

// Where scales and minimums wait, in bytes from the start of a block's output of 256 values.
const (
	lastGroup = 240 * 4 // 16 numbers
	nextGroup = 224 * 4 // the 16 before
)

// park converts eight or sixteen 32-bit numbers, multiplies them with d and parks them in the output.
func (d *dequantizer) park(x, by string, at int) {
	d.op("VCVTDQ2PS %s, %s", x, x)
	d.op("VMULPS %s, %s, %s", by, x, x)
	d.op("VMOVUPS %s, %d(DI)", x, at)
}

// shifted is x shifted right by n bits, left where n is negative, in a new register.
func (d *dequantizer) shifted(x string, n int) string {
	y := d.new()
	switch {
	case n > 0:
		d.op("VPSRLD $%d, %s, %s", n, x, y)
	case n < 0:
		d.op("VPSLLD $%d, %s, %s", -n, x, y)
	default:
		d.op("VMOVAPS %s, %s", x, y)
	}
	return y
}

// q2K: scales[16] (low nibble scale, high nibble minimum), qs[64], d, dmin.
func q2K(d *dequantizer) {
	var slots [2]*slot
	d.blocks("Q2_K", "dequantises blocks of 256.", 256, 84, func() {
		for i := range slots {
			slots[i] = d.slot(span(4, 0, "VSUBPS"))
		}
	}, func() {
		scale, minimum := d.new(), d.new()
		d.half(80, scale)
		d.half(82, minimum)
		d.each16(func(i int) {
			x, y := d.new(), d.new()
			d.codes(i, x)
			d.op("VPSRLD $4, %s, %s", x, y)
			d.and(d.consts.bits("mask15", 15), x, x)
			d.park(x, scale, lastGroup+4*i)
			d.park(y, minimum, nextGroup+4*i)
			d.drop(x, y)
		})
		d.drop(scale, minimum)
		for half := range 2 {
			for i := range 4 { // both groups of 16 are made ready before either is written: minimums wait in group 14
				g := 8*half + 2*i
				for odd, s := range slots {
					d.waiting(s, lastGroup, nextGroup, g+odd)
				}
				for odd, s := range slots {
					d.each16(func(at int) {
						x := d.new()
						d.codes(16+32*half+16*odd+at, x)
						y := d.shifted(x, 2*i)
						d.emit(s, y, 16*(g+odd)+at)
						d.drop(x, y)
					})
				}
			}
		}
	})
}

// q3K: hmask[32], qs[64], scales[12] of six bits, d. A clear high bit means 4 less.
func q3K(d *dequantizer) {
	var s *slot
	var three string
	d.blocks("Q3_K", "dequantises blocks of 256.", 256, 110, func() {
		s, three = d.slot(span(8, 4, "")), d.masks(3)
	}, func() {
		// scales 0–3, 4–7, 8–11, 12–15: low nibbles of two words, twice two high bits of a third
		d.op("MOVL 104(SI), DX")
		for i := range 4 {
			r := []string{"AX", "R8", "R9", "R10"}[i]
			d.op("MOVL %d(SI), %s", 96+i%2*4, r)
			if i >= 2 {
				d.op("SHRL $4, %s", r)
			}
			d.op("ANDL $0x0f0f0f0f, %s", r)
			d.op("MOVL DX, BX")
			if i > 0 {
				d.op("SHRL $%d, BX", 2*i)
			}
			d.op("ANDL $0x03030303, BX")
			d.op("SHLL $4, BX")
			d.op("ORL BX, %s", r)
		}
		scale := d.new()
		d.half(108, scale)
		for i, r := range [][2]string{{"AX", "R8"}, {"R9", "R10"}} {
			d.op("SHLQ $32, %s", r[1])
			d.op("ORQ %s, %s", r[1], r[0])
			d.parkBytes(r[0], scale, lastGroup+32*i, 32)
		}
		d.drop(scale)
		for half := range 2 {
			for odd := range 2 {
				for i := range 4 {
					g := 8*half + 2*i + odd
					d.waiting(s, lastGroup, 0, g)
					d.each16(func(at int) {
						x, h := d.new(), d.new()
						d.codes(32+32*half+16*odd+at, x)
						d.codes(16*odd+at, h)
						y, high := d.shifted(x, 2*i), d.shifted(h, g/2-2) // the high bit comes to place 2
						d.drop(x, h)
						if d.wide() {
							d.op("VPTERNLOGD $0xe4, %s, %s, %s", three, high, y) // three ? y : high
						} else {
							d.and(d.consts.bits("mask3", 3), y, y)
							d.and(d.consts.bits("bit2", 4), high, high)
							d.or(high, y, y)
						}
						d.emit(s, y, 16*g+at)
						d.drop(y, high)
					})
				}
			}
		}
	})
}

// parkBytes parks the eight bytes of a general register, less offset, times the scale.
func (d *dequantizer) parkBytes(general, scale string, at, offset int) {
	x := d.new()
	d.op("VMOVQ %s, X%s", general, x[1:])
	narrow := "Y" + x[1:]
	d.op("VPMOVZXBD X%s, %s", x[1:], narrow)
	if offset != 0 {
		d.op("VPSUBD %s, %s, %s", d.consts.bits(fmt.Sprintf("offset%d", offset), uint32(offset)), narrow, narrow)
	}
	d.park(narrow, "Y"+scale[1:], at)
	d.drop(x)
}

// q45K are Q4_K and Q5_K: d, dmin, 12 bytes of eight scales and minimums of six bits, for Q5_K fifth bits [32], nibbles [128].
func q45K(d *dequantizer) {
	for _, five := range []bool{false, true} {
		name, bytes, codes := "Q4_K", 144, 16
		if five {
			name, bytes, codes = "Q5_K", 176, 48
		}
		var slots [2]*slot
		var pairs [2]*fifth
		var fifteen string
		d.blocks(name, "dequantises blocks of 256.", 256, bytes, func() {
			for i := range 2 {
				if five {
					pairs[i] = d.fifth(0, "VSUBPS")
					slots[i] = pairs[i].lower
				} else {
					slots[i] = d.slot(span(16, 0, "VSUBPS"))
				}
			}
			if five {
				fifteen = d.masks(15)
			}
		}, func() {
			for i, r := range []string{"AX", "BX", "DX"} {
				d.op("MOVL %d(SI), %s", 4+4*i, r)
			}
			high := func(word, nibbles, to string, shift int) { // scales 4–7: nibbles of the third word, high bits of word
				d.op("MOVL %s, %s", nibbles, to)
				if shift > 0 {
					d.op("SHRL $%d, %s", shift, to)
				}
				d.op("ANDL $0x0f0f0f0f, %s", to)
				d.op("MOVL %s, R10", word)
				d.op("SHRL $2, R10")
				d.op("ANDL $0x30303030, R10")
				d.op("ORL R10, %s", to)
				d.op("SHLQ $32, %s", to)
				d.op("ANDL $0x3f3f3f3f, %s", word)
				d.op("ORQ %s, %s", to, word)
			}
			high("AX", "DX", "R8", 0)
			high("BX", "DX", "R9", 4)
			scale := d.new()
			d.half(0, scale)
			d.parkBytes("AX", scale, lastGroup, 0)
			d.half(2, scale)
			d.parkBytes("BX", scale, lastGroup+32, 0)
			d.drop(scale)
			for pair := range 4 {
				for i, s := range slots { // both are ready before the second, where they wait, is written
					d.waiting(s, lastGroup, lastGroup+32, 2*pair+i)
					if five && d.wide() {
						d.ready(pairs[i].upper)
					}
				}
				for part := 0; part < 32; part += 16 {
					if !five {
						d.nibbles(codes+32*pair+part, slots[0], 64*pair+part, slots[1], 64*pair+32+part)
						continue
					}
					d.each16(func(at int) {
						x, h := d.new(), d.new()
						d.codes(codes+32*pair+part+at, x)
						d.codes(16+part+at, h)
						for i, f := range pairs {
							y, high := d.shifted(x, 4*i), d.shifted(h, 2*pair+i-4)
							d.emit5(f, y, high, fifteen, 64*pair+32*i+part+at)
							d.drop(y, high)
						}
						d.drop(x, h)
					})
				}
			}
		})
	}
}

// q6K: ql[128], qh[64], int8 scales[16], d.
func q6K(d *dequantizer) {
	var scale, group, fifteen, mask, offset string
	d.blocks("Q6_K", "dequantises blocks of 256.", 256, 210, func() {
		scale, group, fifteen = d.new(), d.new(), d.masks(15)
		mask, offset = d.masks(63), d.masks(32)
	}, func() {
		d.half(208, scale)
		d.each16(func(i int) {
			x := d.new()
			d.op("VPMOVSXBD %d(SI), %s", 192+i, x)
			d.park(x, scale, lastGroup+4*i)
			d.drop(x)
		})
		for half := range 2 {
			for odd := range 2 {
				for part := range 4 {
					g := 8*half + 2*part + odd
					if !d.wide() {
						d.op("VBROADCASTSS %d(DI), %s", lastGroup+4*g, group)
					}
					d.each16(func(at int) {
						x, h := d.new(), d.new()
						d.codes(64*half+32*(part%2)+16*odd+at, x)
						d.codes(128+32*half+16*odd+at, h)
						y, high := d.shifted(x, part/2*4), d.shifted(h, 2*part-4)
						d.drop(x, h)
						if d.wide() {
							d.op("VPTERNLOGD $0xe4, %s, %s, %s", fifteen, high, y) // fifteen ? y : high
							d.op("VPANDD %s, %s, %s", mask, y, y)
							d.op("VPSUBD %s, %s, %s", offset, y, y)
							d.op("VCVTDQ2PS %s, %s", y, y)
							d.op("VMULPS.BCST %d(DI), %s, %s", lastGroup+4*g, y, y)
						} else {
							d.and(d.consts.bits("mask15", 15), y, y)
							d.and(d.consts.bits("mask48", 48), high, high)
							d.or(high, y, y)
							d.op("VPSUBD %s, %s, %s", d.consts.bits("offset32", 32), y, y)
							d.op("VCVTDQ2PS %s, %s", y, y)
							d.op("VMULPS %s, %s, %s", group, y, y)
						}
						d.op("VMOVUPS %s, %d(DI)", y, (16*g+at)*4)
						d.drop(y, high)
					})
				}
			}
		}
	})
}

// iq4XS: d, uint16 high scale bits, scales[4] of nibbles, qs[128].
func iq4XS(d *dequantizer) {
	var s *slot
	d.blocks("IQ4_XS", "dequantises blocks of 256.", 256, 136, func() { s = d.slot(iq4Steps) }, func() {
		scale, x, y := d.new(), d.new(), d.new()
		d.half(0, scale)
		narrow, bits := "Y"+x[1:], "Y"+y[1:]
		var fours, twos [16]uint32
		for i := range 8 {
			fours[i], twos[i] = uint32(4*i), uint32(2*i)
		}
		d.op("VPBROADCASTD 4(SI), %s", narrow)
		d.op("VPSRLVD %s, %s, %s", d.consts.table("fours", fours), narrow, narrow)
		d.op("VPAND %s, %s, %s", d.consts.bits("mask15", 15), narrow, narrow)
		d.op("MOVWLZX 2(SI), AX")
		d.op("VMOVD AX, X%s", y[1:])
		d.op("VPBROADCASTD X%s, %s", y[1:], bits)
		d.op("VPSRLVD %s, %s, %s", d.consts.table("twos", twos), bits, bits)
		d.op("VPAND %s, %s, %s", d.consts.bits("mask3", 3), bits, bits)
		d.op("VPSLLD $4, %s, %s", bits, bits)
		d.op("VPOR %s, %s, %s", bits, narrow, narrow)
		d.op("VPSUBD %s, %s, %s", d.consts.bits("offset32", 32), narrow, narrow)
		d.park(narrow, "Y"+scale[1:], lastGroup+32)
		d.drop(scale, x, y)
		for j := range 8 {
			d.waiting(s, lastGroup+32, 0, j)
			d.nibbles(8+16*j, s, 32*j, s, 32*j+16)
		}
	})
}

// tq2_0: qs[64] of two bits, d; 32 bytes hold 128 values.
func tq2_0(d *dequantizer) {
	var s *slot
	d.blocks("TQ2_0", "dequantises blocks of 256.", 256, 66, func() { s = d.slot(span(4, 1, "")) }, func() {
		d.half(64, s.scale)
		d.ready(s)
		for first := 0; first < 64; first += 16 {
			d.each16(func(at int) {
				x := d.new()
				d.codes(first+at, x)
				for part := range 4 {
					y := d.shifted(x, 2*part)
					d.emit(s, y, first/32*128+32*part+first%32+at)
					d.drop(y)
				}
				d.drop(x)
			})
		}
	})
}

// tq1_0: qs[48] of five ternary digits, qh[4] of four, d. A byte is a fraction of 256 in base 3: times 3ⁿ, less its whole part,
// digit n is the whole part of the next multiplication by 3.
func tq1_0(d *dequantizer) {
	var scale string
	d.blocks("TQ1_0", "dequantises blocks of 256.", 256, 54, func() { scale = d.new() }, func() {
		d.half(52, scale)
		digit := func(x, power string, at int) {
			y, z := d.new(), d.new()
			d.op("VPMULLD %s, %s, %s", power, x, y)
			d.and(d.consts.bits("mask255", 255), y, y)
			d.op("VPADDD %s, %s, %s", y, y, z)
			d.op("VPADDD %s, %s, %s", y, z, y)
			d.op("VPSRLD $8, %s, %s", y, y)
			d.op("VPSUBD %s, %s, %s", d.consts.bits("offset1", 1), y, y)
			d.op("VCVTDQ2PS %s, %s", y, y)
			d.op("VMULPS %s, %s, %s", scale, y, y)
			d.op("VMOVUPS %s, %d(DI)", y, at*4)
			d.drop(y, z)
		}
		for _, part := range [][3]int{{0, 32, 0}, {32, 16, 160}} { // first byte, bytes, first value
			for first := 0; first < part[1]; first += 16 {
				d.each16(func(at int) {
					x := d.new()
					d.codes(part[0]+first+at, x)
					power := uint32(1)
					for n := range 5 {
						digit(x, d.consts.bits(fmt.Sprintf("power%d", n), power), part[2]+n*part[1]+first+at)
						power *= 3
					}
					d.drop(x)
				})
			}
		}
		var powers [16]uint32
		for i := range powers {
			powers[i] = []uint32{1, 3, 9, 27}[i/4]
		}
		table := d.consts.table("powersOfFour", powers)
		d.each16(func(at int) {
			x := d.new()
			d.op("VPBROADCASTD 48(SI), X%s", x[1:])
			d.op("VPMOVZXBD X%s, %s", x[1:], x)
			operand := table
			if at > 0 {
				operand = "powersOfFour<>+32(SB)"
			}
			digit(x, operand, 240+at)
			d.drop(x)
		})
	})
}
