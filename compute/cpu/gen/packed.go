package main

var _ = topic("packed", func(a *assembly) {
	a.gptqRow()
	a.awqRow()
	a.codesRow()
	a.int8Row()
	a.gptqPanel()
	a.awqPanel()
	a.put("packedLanes = %d", a.lanes)
})

// begin starts a function that is a field of cpu.kernels and loads its first pointers and counts into general registers.
func (a *assembly) begin(name, about string, args []argument) *vector {
	a.provide(name, name)
	return a.startOf(name, about, args)
}

// startOf starts a function and loads its first pointers and counts into general registers.
func (a *assembly) startOf(name, about string, args []argument) *vector {
	a.function(name, about, args)
	for i, g := range args {
		if g.kind != "float32" && i < len(pointerRegisters) {
			a.op("MOVQ %s, %s", a.arg(g.name), pointerRegisters[i])
		}
	}
	return a.vector()
}

// loop runs body as often as a register counts; steps are added to registers after each.
func (v *vector) loop(count string, body func(), steps map[string]int, order ...string) {
	top, done := v.label(), v.label()
	v.op("TESTQ %s, %s", count, count)
	v.op("JZ %s", done)
	v.mark(top)
	body()
	for _, r := range order {
		v.op("ADDQ $%d, %s", steps[r], r)
	}
	v.op("DECQ %s", count)
	v.op("JNZ %s", top)
	v.mark(done)
}

func (v *vector) bitwise(op, x, y, to string) {
	if v.set == avx512 {
		op += "D"
	}
	v.op("%s %s, %s, %s", op, x, y, to)
}

// grouped stores (x − zero) · scale of codes x, zero and scale from memory.
func (v *vector) grouped(x, scales, zeros, dst string) {
	v.op("VCVTDQ2PS %s, %s", x, x)
	v.op("VSUBPS (%s), %s, %s", zeros, x, x)
	v.op("VMULPS (%s), %s, %s", scales, x, x)
	v.op("VMOVUPS %s, (%s)", x, dst)
}

// gptqRow reads one input of GPTQ's words, one word for each output; a value may go on in the low bits of the next word.
func (a *assembly) gptqRow() {
	v := a.begin("gptqRow", "is dst = ((words >> right | next << left) & mask − zeros) · scales; registers whole ones of outputs.",
		append(append([]argument{{"dst", "*float32"}, {"words", "*int32"}, {"next", "*int32"}}, pointers("scales", "zeros")...), ints("registers", "right", "left", "mask")...))
	// DI SI DX R8 R9 R10 | right R11 left R12; the ninth has no register of the list
	right, left, mask := v.new(), v.new(), v.new()
	a.op("VMOVQ R11, X%s", right[1:])
	a.op("VMOVQ R12, X%s", left[1:])
	a.op("VPBROADCASTD %s, %s", a.arg("mask"), mask)
	x, y := v.new(), v.new()
	bytes := a.bytes()
	v.loop("R10", func() {
		a.op("VMOVUPS (SI), %s", x)
		a.op("VMOVUPS (DX), %s", y)
		a.op("VPSRLD X%s, %s, %s", right[1:], x, x)
		a.op("VPSLLD X%s, %s, %s", left[1:], y, y)
		v.bitwise("VPOR", y, x, x)
		v.bitwise("VPAND", mask, x, x)
		v.grouped(x, "R8", "R9", "DI")
	}, map[string]int{"DI": bytes, "SI": bytes, "DX": bytes, "R8": bytes, "R9": bytes}, "DI", "SI", "DX", "R8", "R9")
	a.ret()
}

// awqRow reads one input of AWQ's words, a word for eight outputs.
func (a *assembly) awqRow() {
	v := a.begin("awqRow", "is dst = (nibbles of words in AWQ's order − zeros) · scales; registers whole ones of outputs.",
		append(append([]argument{{"dst", "*float32"}, {"words", "*int32"}}, pointers("scales", "zeros")...), ints("registers")...))
	var shifts, word [16]uint32
	for i := range shifts {
		shifts[i], word[i] = []uint32{0, 16, 4, 20, 8, 24, 12, 28}[i%8], uint32(i/8)
	}
	order := a.consts.table("awqOrder", shifts)
	low := a.consts.bits("mask15", 15)
	x, by, mask := v.new(), v.new(), v.new()
	a.op("VMOVUPS %s, %s", order, by)
	a.op("VMOVUPS %s, %s", low, mask)
	spread := ""
	if a.set == avx512 {
		spread = v.new()
		a.op("VMOVUPS %s, %s", a.consts.table("awqWord", word), spread)
	}
	bytes := a.bytes()
	v.loop("R9", func() {
		if a.set == avx512 {
			a.op("VPBROADCASTQ (SI), %s", x)
			a.op("VPERMD %s, %s, %s", x, spread, x)
		} else {
			a.op("VPBROADCASTD (SI), %s", x)
		}
		a.op("VPSRLVD %s, %s, %s", by, x, x)
		v.bitwise("VPAND", mask, x, x)
		v.grouped(x, "DX", "R8", "DI")
	}, map[string]int{"DI": bytes, "SI": bytes / 8, "DX": bytes, "R8": bytes}, "DI", "SI", "DX", "R8")
	a.ret()
}

// codesRow looks 4-bit codes up in a table of 16 that is multiplied with each block's scale first. The earlier value is in the
// high bits of a byte: bytes are spread over 64 bits, the high nibble in the lower half, and bits above an index are not looked at.
func (a *assembly) codesRow() {
	v := a.begin("codesRow", "is dst = codes[nibble] · scale for blocks of 16·groups values, a scale each.",
		append([]argument{{"dst", "*float32"}, {"src", "*byte"}}, append(pointers("codes", "scales"), ints("blocks", "groups")...)...))
	// DI SI DX R8 R9 R10
	var tables, scaled []string
	halves := 16 / a.lanes
	for i := range halves {
		tables, scaled = append(tables, v.new()), append(scaled, v.new())
		a.op("VMOVUPS %d(DX), %s", i*a.bytes(), tables[i])
	}
	x, y, z := v.new(), v.new(), v.new()
	v.loop("R9", func() {
		a.op("VBROADCASTSS (R8), %s", z)
		for i := range halves {
			a.op("VMULPS %s, %s, %s", z, tables[i], scaled[i])
		}
		a.op("MOVQ R10, CX")
		v.loop("CX", func() {
			for at := 0; at < 16; at += a.lanes {
				a.op("VPMOVZXBQ %d(SI), %s", at/2, x)
				a.op("VPSRLQ $4, %s, %s", x, y)
				a.op("VPSLLQ $32, %s, %s", x, x)
				v.bitwise("VPOR", y, x, x)
				if a.set == avx512 {
					a.op("VPERMPS %s, %s, %s", scaled[0], x, y)
				} else {
					a.op("VPERMPS %s, %s, %s", scaled[0], x, y)
					a.op("VPERMPS %s, %s, %s", scaled[1], x, z)
					a.op("VPSLLD $28, %s, %s", x, x)
					a.op("VBLENDVPS %s, %s, %s, %s", x, z, y, y)
				}
				a.op("VMOVUPS %s, %d(DI)", y, at*4)
			}
		}, map[string]int{"DI": 64, "SI": 8}, "DI", "SI")
	}, map[string]int{"R8": 4}, "R8")
	a.ret()
}

// int8Row widens signed bytes and multiplies them with one scale.
func (a *assembly) int8Row() {
	v := a.begin("int8Row", "is dst = src · scale; registers whole ones of values.",
		append([]argument{{"dst", "*float32"}, {"src", "*byte"}}, append(ints("registers"), floats("scale")...)...))
	s, x := v.scalar("scale"), v.new()
	v.loop("DX", func() {
		a.op("VPMOVSXBD (SI), %s", x)
		a.op("VCVTDQ2PS %s, %s", x, x)
		a.op("VMULPS %s, %s, %s", s, x, x)
		a.op("VMOVUPS %s, (DI)", x)
	}, map[string]int{"DI": a.bytes(), "SI": a.lanes}, "DI", "SI")
	a.ret()
}

// gptqPanel writes the values of a block of a panel for int8 products: 32 inputs of one output a lane. A word's even nibbles are
// one register of four inputs, its odd ones the next.
func (a *assembly) gptqPanel() {
	v := a.begin("gptqPanel", "unpacks four words of a panel's outputs, stride bytes apart, to eight registers of bytes: inputs 0 2 4 6, 1 3 5 7 of each word.",
		append([]argument{{"dst", "*byte"}, {"words", "*int32"}}, ints("stride")...))
	mask, x, y := v.new(), v.new(), v.new()
	a.op("VMOVUPS %s, %s", a.consts.bits("lowNibbles", 0x0f0f0f0f), mask)
	for i := range 4 {
		a.op("VMOVUPS (SI), %s", x)
		a.op("VPSRLD $4, %s, %s", x, y)
		v.bitwise("VPAND", mask, x, x)
		v.bitwise("VPAND", mask, y, y)
		a.op("VMOVUPS %s, %d(DI)", x, 2*i*a.bytes())
		a.op("VMOVUPS %s, %d(DI)", y, (2*i+1)*a.bytes())
		if i < 3 {
			a.op("ADDQ DX, SI")
		}
	}
	a.ret()
}

// awqPanel is gptqPanel for AWQ's words, of eight outputs and one input each.
func (a *assembly) awqPanel() {
	v := a.begin("awqPanel", "unpacks 32 inputs of a panel's outputs, stride bytes apart, to eight registers of bytes in the order of gptqPanel.",
		append([]argument{{"dst", "*byte"}, {"words", "*int32"}}, ints("stride")...))
	var shifts, word [16]uint32
	for i := range shifts {
		shifts[i], word[i] = []uint32{0, 16, 4, 20, 8, 24, 12, 28}[i%8], uint32(i/8)
	}
	by, mask, x := v.new(), v.new(), v.new()
	a.op("VMOVUPS %s, %s", a.consts.table("awqOrder", shifts), by)
	a.op("VMOVUPS %s, %s", a.consts.bits("mask15", 15), mask)
	spread := ""
	if a.set == avx512 {
		spread = v.new()
		a.op("VMOVUPS %s, %s", a.consts.table("awqWord", word), spread)
	}
	sums := [2]string{v.new(), v.new()}
	for i := range 32 {
		to, place := sums[i%2], i%8/2
		y := x
		if place == 0 {
			y = to
		}
		if a.set == avx512 {
			a.op("VPBROADCASTQ (SI), %s", y)
			a.op("VPERMD %s, %s, %s", y, spread, y)
		} else {
			a.op("VPBROADCASTD (SI), %s", y)
		}
		a.op("VPSRLVD %s, %s, %s", by, y, y)
		v.bitwise("VPAND", mask, y, y)
		if place > 0 {
			a.op("VPSLLD $%d, %s, %s", 8*place, y, y)
			v.bitwise("VPOR", y, to, to)
		}
		if place == 3 {
			a.op("VMOVUPS %s, %d(DI)", to, (i/8*2+i%2)*a.bytes())
		}
		if i < 31 {
			a.op("ADDQ DX, SI")
		}
	}
	a.ret()
}
