package main

import "fmt"

// quantType is the layout of a block of 32 in a file: a header, then 16 bytes of nibbles (value i in the low half of byte i, value
// i+16 in the high half) or 32 bytes.
type quantType struct {
	name      string
	bytes     int // of a block
	header    int // bytes before the values
	fifthBits int // where 32 fifth bits begin, 0 if there are none
	minimum   bool
	exponent  bool   // the scale is one byte, a power of two
	table     []int8 // what a nibble means
	offset    int    // makes the values unsigned
}

var quantKinds = []quantType{
	{name: "Q4_0", bytes: 18, header: 2},
	{name: "Q4_1", bytes: 20, header: 4, minimum: true},
	{name: "Q5_0", bytes: 22, header: 6, fifthBits: 2},
	{name: "Q5_1", bytes: 24, header: 8, fifthBits: 4, minimum: true},
	{name: "Q8_0", bytes: 34, header: 2, offset: 128},
	{name: "IQ4_NL", bytes: 18, header: 2, offset: 128, table: []int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}},
	{name: "MXFP4", bytes: 17, header: 1, exponent: true, offset: 12, table: []int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}},
}

// signed says that the plain AVX2 kernel wants the values of a type signed: they do not fit the 16-bit sums with an offset.
func (k quantType) signed() bool { return k.offset == 128 }

// period is how many blocks it takes until one begins at a whole column of four bytes again.
func (k quantType) period() int {
	switch {
	case k.bytes%4 == 0:
		return 1
	case k.bytes%2 == 0:
		return 2
	}
	return 4
}

// blockUnpacker writes what reads columns: a block's scale, minimum and values go where their functions put them.
type blockUnpacker struct {
	*vector
	quantType
	base                  string // register with the address of the columns
	scale, least          func(r string)
	value                 func(g int, r string) // of group g, four values; may change r
	unsigned              bool
	nibbles, sign, values string         // constants in registers
	masks                 map[int]string // of bytes that come from the last column
}

// unpackBlocks writes the kernel that makes a panel of columns.
func (a *assembly) unpackBlocks(k quantType, unsigned bool) {
	name, about := "unpack"+k.name, "unsigned"
	if !unsigned {
		name, about = "unpackSigned"+k.name, "signed"
	}
	a.function(name, fmt.Sprintf("makes columns of %s, periods × %d blocks, a panel of %s values.", k.name, k.period(), about),
		append(arguments("*byte", "panel", "columns"), ints("periods")...))
	u := a.blockUnpacker(a.vector(), k, unsigned, "SI")
	u.free = append([]int{a.registers - 1}, u.free...)
	out := 0 // where the block of the panel goes
	u.scale = func(r string) { a.op("VMOVUPS %s, %d(DI)", r, out) }
	u.least = func(r string) { a.op("VMOVUPS %s, %d(DI)", r, out+a.bytes()) }
	head := a.bytes()
	if k.minimum {
		head *= 2
	}
	u.value = func(g int, r string) { a.op("VMOVUPS %s, %d(DI)", r, out+head+g*a.bytes()) }
	a.op("MOVQ %s, DI", a.arg("panel"))
	a.op("MOVQ %s, SI", a.arg("columns"))
	a.op("MOVQ %s, CX", a.arg("periods"))
	u.constants()
	loop, done := a.label(), a.label()
	a.op("TESTQ CX, CX")
	a.op("JZ %s", done)
	a.mark(loop)
	for b := range k.period() {
		u.block(b * k.bytes)
		out += head + 8*a.bytes()
	}
	a.op("ADDQ $%d, SI", k.period()*k.bytes/4*a.bytes())
	a.op("ADDQ $%d, DI", out)
	a.op("DECQ CX")
	a.op("JNZ %s", loop)
	a.mark(done)
	a.ret()
}

func (a *assembly) blockUnpacker(v *vector, k quantType, unsigned bool, base string) *blockUnpacker {
	return &blockUnpacker{vector: v, quantType: k, unsigned: unsigned, base: base, masks: map[int]string{}}
}

// constants loads what every block needs.
func (u *blockUnpacker) constants() {
	keep := func(operand string) string {
		r := u.new()
		u.op("VMOVUPS %s, %s", operand, r)
		return r
	}
	if u.header+16 == u.bytes {
		u.nibbles = keep(u.consts.bits("lowNibbles", 0x0f0f0f0f))
	}
	if u.table != nil {
		var t [16]uint32
		for i := range 64 {
			v := u.table[i%16]
			if u.unsigned {
				v += int8(u.offset) // + 128 is a change of the top bit
			}
			t[i/4] |= uint32(uint8(v)) << (i % 4 * 8)
		}
		u.values = keep(u.consts.table(map[bool]string{true: "values", false: "signedValues"}[u.unsigned]+u.name, t))
	} else if u.offset == 128 && u.unsigned {
		u.sign = keep(u.consts.bits("topBits", 0x80808080))
	}
	for b := range u.period() {
		s := (b*u.bytes + u.header) % 4
		if s == 0 || u.masks[s] != "" {
			continue
		}
		mask := uint32(1)<<(8*s) - 1
		switch {
		case u.set == avx512:
			u.masks[s] = fmt.Sprintf("K%d", s)
			u.op("MOVQ $%#x, AX", uint64(1<<s-1)*0x1111111111111111) // s bits of every four
			u.op("KMOVQ AX, %s", u.masks[s])
		default:
			u.masks[s] = keep(u.consts.bits(fmt.Sprintf("lowBytes%d", s), mask))
		}
	}
}

func (u *blockUnpacker) and(x, y, to string) { u.logic("VPAND", x, y, to) }

func (u *blockUnpacker) logic(op, x, y, to string) {
	if u.set == avx512 {
		op += "D"
	}
	u.op("%s %s, %s, %s", op, x, y, to)
}

// column loads a column.
func (u *blockUnpacker) column(c int, to string) {
	u.op("%s %d(%s), %s", map[bool]string{false: "VMOVDQU", true: "VMOVDQU32"}[u.set == avx512], c*u.vector.bytes(), u.base, to)
}

// merge puts the s low bytes of a column where those of another are.
func (u *blockUnpacker) merge(s, column int, r string) {
	t := u.new()
	switch {
	case u.set == avx512:
		u.op("VMOVDQU8 %d(%s), %s, %s", column*u.vector.bytes(), u.base, u.masks[s], r)
	case s == 2:
		u.op("VPBLENDW $0x55, %d(%s), %s, %s", column*u.vector.bytes(), u.base, r, r)
	default:
		u.column(column, t)
		u.op("VPBLENDVB %s, %s, %s, %s", u.masks[s], t, r, r)
	}
	u.drop(t)
}

// half converts the float16 at byte `at` of every row.
func (u *blockUnpacker) half(at int, to string) {
	t := u.new()
	u.column(at/4, t)
	if at%4 != 0 {
		u.op("VPSRLD $16, %s, %s", t, t)
	}
	if u.set == avx512 {
		u.op("VPMOVDW %s, %s", t, low(t))
		u.op("VCVTPH2PS %s, %s", low(t), to)
	} else {
		if at%4 == 0 {
			u.op("VPAND %s, %s, %s", u.consts.bits("lowWords", 0xffff), t, t)
		}
		u.op("VPACKUSDW %s, %s, %s", t, t, t)
		u.op("VPERMQ $0x08, %s, %s", t, t)
		u.op("VCVTPH2PS %s, %s", low(t), to)
	}
	u.drop(t)
}

// power makes half of 2^(e−127) of the exponent at byte `at` of every row: the table holds twice the values.
func (u *blockUnpacker) power(at int, to string) {
	u.column(at/4, to)
	if at%4 != 3 {
		u.op("VPSLLD $%d, %s, %s", 24-at%4*8, to, to)
	}
	u.op("VPSRLD $24, %s, %s", to, to)
	u.op("VPSLLD $23, %s, %s", to, to)
	u.op("VPMAXSD %s, %s, %s", u.consts.bits("halfOfSmallest", 0x00400000), to, to) // e = 0
	u.op("VMULPS %s, %s, %s", u.consts.value("half", 0.5), to, to)
}

// block reads the file's block that begins at byte `at` of the rows.
func (u *blockUnpacker) block(at int) {
	x, t := u.new(), u.new()
	if u.exponent {
		u.power(at, x)
	} else {
		u.half(at, x)
	}
	u.scale(x)
	if u.minimum {
		u.half(at+2, x)
		u.least(x)
	}
	first, s := (at+u.header)/4, (at+u.header)%4
	groups := (u.quantType.bytes - u.header) / 4
	var high string
	if u.fifthBits > 0 {
		high = u.fifths(at+u.fifthBits, s)
	}
	for g := range groups {
		u.column(first+g, x)
		if g == 0 && s != 0 {
			u.merge(s, first+groups, x)
		}
		if groups == 8 {
			if u.sign != "" {
				u.logic("VPXOR", u.sign, x, x)
			}
			u.value(g, x)
			continue
		}
		u.op("VPSRLD $4, %s, %s", x, t)
		for part, r := range []string{x, t} {
			u.and(u.nibbles, r, r)
			if u.values != "" {
				u.op("VPSHUFB %s, %s, %s", r, u.values, r)
			}
			if high != "" {
				u.fifth(high, part*4+g, s, r)
			}
			u.value(part*4+g, r)
		}
	}
	u.drop(x, t)
	if high != "" {
		u.drop(high)
	}
}

// fifths loads the 32 fifth bits at byte `at` of every row: bit i is for value i. If the values are turned by s bytes, so are the
// bits of each half.
func (u *blockUnpacker) fifths(at, s int) string {
	r := u.new()
	u.column(at/4, r)
	if at%4 == 2 {
		u.merge(2, at/4+1, r) // the halves have changed places: fifth knows
	}
	if s != 0 {
		t := u.new()
		u.op("VPSRLW $%d, %s, %s", 16-s, r, t)
		u.op("VPSLLW $%d, %s, %s", s, r, r)
		u.logic("VPOR", t, r, r)
		u.drop(t)
	}
	return r
}

// fifth adds 16 to the bytes of group g whose bit is set. A turned block is one whose halves have changed places.
func (u *blockUnpacker) fifth(high string, g, s int, r string) {
	t := u.new()
	which := g / 2 // byte of the bits
	if s != 0 {
		which ^= 2
	}
	var spread [16]uint32
	for i := range spread {
		spread[i] = uint32(i%4*4+which) * 0x01010101
	}
	u.op("VPSHUFB %s, %s, %s", u.consts.table(fmt.Sprintf("spreadByte%d", which), spread), high, t)
	bits, name := uint32(0x08040201), "lowBits"
	if g%2 == 1 {
		bits, name = 0x80402010, "highBits"
	}
	mask := u.consts.bits(name, bits)
	if u.set == avx512 {
		u.op("VPTESTMB %s, %s, K4", mask, t)
		u.op("VPADDB %s, %s, K4, %s", u.consts.bits("sixteens", 0x10101010), r, r)
	} else {
		u.op("VPAND %s, %s, %s", mask, t, t)
		u.op("VPCMPEQB %s, %s, %s", mask, t, t)
		u.op("VPAND %s, %s, %s", u.consts.bits("sixteens", 0x10101010), t, t)
		u.op("VPOR %s, %s, %s", t, r, r)
	}
	u.drop(t)
}
