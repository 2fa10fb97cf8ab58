package main

import "fmt"

var _ = topic("attention", (*assembly).attention)

// attention writes what stands between the products of attention. Scores lie transposed, a row for each key and a lane for each
// query, so that nothing here goes across lanes; they are logarithms to base 2.
func (a *assembly) attention() {
	a.hideKeys()
	a.softmaxKeys()
	a.softmaxJoin()
	a.softmaxKeysGrad()
	a.scaleLanes()
	a.softcap()
}

// power makes 2^x of registers with x ≤ 0.
type power struct {
	*vector
	lowest, magic, one string
	factors            [6]string
}

// Of 2^x for x in [−½, ½], the highest power first: minimax for the relative error (7.5e-8), except that 2^0 is 1.
// Source: Remez exchange.
var powerFactors = [6]float32{0.0013276472454890609, 0.009675540961325169, 0.05550713092088699, 0.24022120237350464, 0.6931469440460205, 1}

// power puts the constants into registers where there are enough.
func (v *vector) power() *power {
	p := &power{vector: v}
	constant := func(name string, value float32) string {
		c := v.consts.value(name, value)
		if v.set != avx512 {
			return c
		}
		r := v.new()
		v.op("VMOVUPS %s, %s", c, r)
		return r
	}
	p.lowest, p.magic = constant("powerLowest", -126), constant("powerMagic", 12582912)
	for i, f := range powerFactors {
		p.factors[i] = constant(fmt.Sprintf("power%d", i), f)
	}
	if v.set != avx512 {
		p.one = p.factors[5]
	}
	return p
}

// of replaces registers x by 2^x, interleaved so that their chains hide each other. The relative error is below 3e-7. Below
// −126 the result is 0, so there are no denormals; NaN stays NaN.
func (p *power) of(xs ...string) {
	n, q := make([]string, len(xs)), make([]string, len(xs))
	for i := range xs {
		n[i], q[i] = p.new(), p.new()
	}
	each := func(format string, operands func(i int) []any) {
		for i := range xs {
			p.op(format, operands(i)...)
		}
	}
	if p.set == avx512 {
		each("VCMPPS $5, %s, %s, K%d", func(i int) []any { return []any{p.lowest, xs[i], 2 + i} }) // not less than: true for NaN
	}
	if p.set == avx512 {
		each("VADDPS %s, %s, %s", func(i int) []any { return []any{p.magic, xs[i], n[i]} })
		each("VSUBPS %s, %s, %s", func(i int) []any { return []any{p.magic, n[i], q[i]} })
		each("VSUBPS %s, %s, %s", func(i int) []any { return []any{q[i], xs[i], xs[i]} })
		each("VMOVAPS %s, %s", func(i int) []any { return []any{p.factors[0], n[i]} })
		for _, f := range p.factors[1:] {
			each("VFMADD213PS %s, %s, %s", func(i int) []any { return []any{f, xs[i], n[i]} })
		}
		each("VSCALEFPS.Z %s, %s, K%d, %s", func(i int) []any { return []any{q[i], n[i], 2 + i, xs[i]} })
	} else {
		w := make([]string, len(xs))
		for i := range w {
			w[i] = p.new()
		}
		each("VMOVUPS %s, %s", func(i int) []any { return []any{p.lowest, q[i]} })
		each("VMAXPS %s, %s, %s", func(i int) []any { return []any{xs[i], q[i], q[i]} }) // NaN stays
		each("VADDPS %s, %s, %s", func(i int) []any { return []any{p.magic, q[i], n[i]} })
		each("VSUBPS %s, %s, %s", func(i int) []any { return []any{p.magic, n[i], w[i]} })
		each("VSUBPS %s, %s, %s", func(i int) []any { return []any{w[i], q[i], q[i]} })
		each("VCMPPS $5, %s, %s, %s", func(i int) []any { return []any{p.lowest, xs[i], xs[i]} })
		each("VPSLLD $23, %s, %s", func(i int) []any { return []any{n[i], n[i]} })
		each("VPADDD %s, %s, %s", func(i int) []any { return []any{p.one, n[i], n[i]} })
		each("VANDPS %s, %s, %s", func(i int) []any { return []any{xs[i], n[i], n[i]} })
		each("VMOVUPS %s, %s", func(i int) []any { return []any{p.factors[0], xs[i]} })
		for _, f := range p.factors[1:] {
			each("VFMADD213PS %s, %s, %s", func(i int) []any { return []any{f, q[i], xs[i]} })
		}
		each("VMULPS %s, %s, %s", func(i int) []any { return []any{n[i], xs[i], xs[i]} })
		p.drop(w...)
	}
	p.drop(n...)
	p.drop(q...)
}

// start loads the arguments of a function into registers in order.
func (a *assembly) start(names ...string) {
	for i, n := range names {
		a.op("MOVQ %s, %s", a.arg(n), []string{"DI", "SI", "CX", "DX", "R8", "R9", "R10", "R11"}[i])
	}
}

// countdown runs body n times, n in a register.
func (a *assembly) countdown(register string, body func()) {
	loop, done := a.label(), a.label()
	a.op("TESTQ %s, %s", register, register)
	a.op("JZ %s", done)
	a.mark(loop)
	body()
	a.op("DECQ %s", register)
	a.op("JNZ %s", loop)
	a.mark(done)
}

// byFour runs four for each four of CX, then one for each of the rest: up to three, with its number.
func (a *assembly) byFour(four func(), one func(i int)) {
	loop, rest, done := a.label(), a.label(), a.label()
	a.op("SUBQ $4, CX")
	a.op("JLT %s", rest)
	a.mark(loop)
	four()
	a.op("SUBQ $4, CX")
	a.op("JGE %s", loop)
	a.mark(rest)
	a.op("ADDQ $4, CX")
	for i := range 3 {
		a.op("JZ %s", done)
		one(i)
		a.op("DECQ CX")
	}
	a.mark(done)
}

// rowsAt are the operands of four neighbouring rows: base, stride and three times the stride in registers.
func rowsAt(base, stride, triple string) []string {
	return []string{"(" + base + ")", "(" + base + ")(" + stride + "*1)", "(" + base + ")(" + stride + "*2)", "(" + base + ")(" + triple + "*1)"}
}

func (a *assembly) hideKeys() {
	a.function("hideKeys", fmt.Sprintf("sets scores of %d lanes, rows of stride bytes for the keys from `key` on, to −∞ where the key is not in the lane's [first, last).", a.lanes),
		append(append(append(pointers("s"), ints("stride", "keys", "key")...), argument{"first", "*int32"}), argument{"last", "*int32"}))
	a.start("s", "stride", "keys", "key", "first", "last")
	v := a.vector()
	first, last, key, one, hidden, x := v.new(), v.new(), v.new(), v.new(), v.new(), v.new()
	a.op("VMOVUPS (R8), %s", first)
	a.op("VMOVUPS (R9), %s", last)
	a.op("VMOVQ DX, X%s", key[1:])
	a.op("VPBROADCASTD X%s, %s", key[1:], key)
	a.op("VMOVUPS %s, %s", a.consts.bits("int1", 1), one)
	a.op("VMOVUPS %s, %s", a.consts.bits("minusInfinity", 0xff800000), hidden)
	a.countdown("CX", func() {
		if a.set == avx512 {
			a.op("VPCMPD $1, %s, %s, K2", first, key) // key < first
			a.op("VPCMPD $5, %s, %s, K3", last, key)  // key ≥ last
			a.op("KORW K2, K3, K2")
			a.op("VMOVUPS %s, K2, (DI)", hidden)
		} else {
			y := v.new()
			a.op("VPCMPGTD %s, %s, %s", key, first, x)
			a.op("VPCMPGTD %s, %s, %s", key, last, y) // last > key
			a.op("VMOVUPS (DI), %s", v.r(14))
			a.op("VBLENDVPS %s, %s, %s, %s", y, v.r(14), hidden, y)
			a.op("VBLENDVPS %s, %s, %s, %s", x, hidden, y, y)
			a.op("VMOVUPS %s, (DI)", y)
			v.drop(y)
		}
		a.op("VPADDD %s, %s, %s", one, key, key)
		a.op("ADDQ SI, DI")
	})
	a.ret()
}

// softmaxKeys finds the largest score of each lane, then replaces scores by 2^(score − largest) and sums them in four chains.
func (a *assembly) softmaxKeys() {
	a.function("softmaxKeys", fmt.Sprintf("turns scores of %d lanes, rows of stride bytes for each key, into 2^(score − most): most is the largest, at least −1e38; sum is by key modulo 4, then a tree.", a.lanes),
		append(append(pointers("s"), ints("stride", "keys")...), pointers("most", "sum")...))
	a.start("s", "stride", "keys", "most", "sum")
	v := a.vector()
	a.op("LEAQ (SI)(SI*2), R11")
	a.op("MOVQ CX, R9")
	a.op("MOVQ DI, R10")
	rows := rowsAt("DI", "SI", "R11")
	most := [4]string{v.new(), v.new(), v.new(), v.new()}
	for i := range most {
		a.op("VMOVUPS %s, %s", a.consts.value("noneYet", -1e38), most[i])
	}
	var x [4]string
	for i := range x {
		x[i] = v.new()
	}
	larger := func(i int, at string) {
		a.op("VMOVUPS %s, %s", at, x[i])
		a.op("VMAXPS %s, %s, %s", most[i], x[i], most[i]) // NaN is passed over
	}
	a.byFour(func() {
		for i, at := range rows {
			larger(i, at)
		}
		a.op("LEAQ (DI)(SI*4), DI")
	}, func(i int) {
		larger(i, "(DI)")
		a.op("ADDQ SI, DI")
	})
	a.op("VMAXPS %s, %s, %s", most[1], most[0], most[0])
	a.op("VMAXPS %s, %s, %s", most[3], most[2], most[2])
	a.op("VMAXPS %s, %s, %s", most[2], most[0], most[0])
	a.op("VMOVUPS %s, (DX)", most[0])
	v.drop(most[1:]...)
	sum := [4]string{v.new(), v.new(), v.new(), v.new()}
	for _, s := range sum {
		a.op("VXORPS %s, %s, %s", s, s, s)
	}
	p := v.power()
	a.op("MOVQ R9, CX")
	a.op("MOVQ R10, DI")
	together := 4
	if a.set != avx512 {
		together = 2
		v.drop(x[2:]...)
		x = [4]string{x[0], x[1], x[0], x[1]}
	}
	a.byFour(func() {
		for from := 0; from < 4; from += together {
			for i := from; i < from+together; i++ {
				a.op("VMOVUPS %s, %s", rows[i], x[i])
				a.op("VSUBPS %s, %s, %s", most[0], x[i], x[i])
			}
			p.of(x[from : from+together]...)
			for i := from; i < from+together; i++ {
				a.op("VMOVUPS %s, %s", x[i], rows[i])
				a.op("VADDPS %s, %s, %s", x[i], sum[i], sum[i])
			}
		}
		a.op("LEAQ (DI)(SI*4), DI")
	}, func(i int) {
		a.op("VMOVUPS (DI), %s", x[0])
		a.op("VSUBPS %s, %s, %s", most[0], x[0], x[0])
		p.of(x[0])
		a.op("VMOVUPS %s, (DI)", x[0])
		a.op("VADDPS %s, %s, %s", x[0], sum[i], sum[i])
		a.op("ADDQ SI, DI")
	})
	a.op("VADDPS %s, %s, %s", sum[1], sum[0], sum[0])
	a.op("VADDPS %s, %s, %s", sum[3], sum[2], sum[2])
	a.op("VADDPS %s, %s, %s", sum[2], sum[0], sum[0])
	a.op("VMOVUPS %s, (R8)", sum[0])
	a.ret()
}

// softmaxJoin joins a tile's statistics to those so far.
func (a *assembly) softmaxJoin() {
	a.function("softmaxJoin", fmt.Sprintf("joins a tile (most, sum) to the tiles before it (allMost, allSum) for n lanes, a multiple of %d: old and new are what the results of both are multiplied by.", a.lanes),
		append(pointers("most", "sum", "allMost", "allSum", "old", "new"), ints("n")...))
	for i, n := range []string{"most", "sum", "allMost", "allSum", "old", "new", "n"} {
		a.op("MOVQ %s, %s", a.arg(n), []string{"DI", "SI", "DX", "R8", "R9", "R10", "CX"}[i])
	}
	v := a.vector()
	p := v.power()
	x, y, z := v.new(), v.new(), v.new()
	a.op("SHRQ $%d, CX", map[int]int{8: 3, 16: 4}[a.lanes])
	a.countdown("CX", func() {
		a.op("VMOVUPS (DI), %s", x)
		a.op("VMOVUPS (DX), %s", y)
		a.op("VMAXPS %s, %s, %s", x, y, z)
		a.op("VMOVUPS %s, (DX)", z)
		a.op("VSUBPS %s, %s, %s", z, x, x)
		a.op("VSUBPS %s, %s, %s", z, y, y)
		p.of(x, y)
		a.op("VMOVUPS %s, (R10)", x)
		a.op("VMOVUPS %s, (R9)", y)
		a.op("VMULPS (SI), %s, %s", x, x)
		a.op("VFMADD231PS (R8), %s, %s", y, x)
		a.op("VMOVUPS %s, (R8)", x)
		for _, r := range []string{"DI", "SI", "DX", "R8", "R9", "R10"} {
			a.op("ADDQ $%d, %s", a.bytes(), r)
		}
	})
	a.ret()
}

// softmaxKeysGrad recomputes probabilities and makes the gradient of the scores.
func (a *assembly) softmaxKeysGrad() {
	a.function("softmaxKeysGrad", fmt.Sprintf("is p = 2^(p − most), d = p·(d − mean)·scale for %d lanes, rows of stride bytes for each key.", a.lanes),
		append(append(append(pointers("p", "d"), ints("stride", "keys")...), pointers("most", "mean")...), floats("scale")...))
	for i, n := range []string{"p", "d", "stride", "keys", "most", "mean"} {
		a.op("MOVQ %s, %s", a.arg(n), []string{"DI", "DX", "SI", "CX", "R8", "R9"}[i])
	}
	v := a.vector()
	most, mean, scale := v.new(), v.new(), v.scalar("scale")
	a.op("VMOVUPS (R8), %s", most)
	a.op("VMOVUPS (R9), %s", mean)
	a.op("LEAQ (SI)(SI*2), R11")
	power := v.power()
	together := 4
	if a.set != avx512 {
		together = 2
	}
	var x, y []string
	for range together {
		x, y = append(x, v.new()), append(y, v.new())
	}
	some := func(p, d []string) {
		for i := range p {
			a.op("VMOVUPS %s, %s", p[i], x[i])
			a.op("VSUBPS %s, %s, %s", most, x[i], x[i])
		}
		power.of(x[:len(p)]...)
		for i := range p {
			a.op("VMOVUPS %s, %s", x[i], p[i])
			a.op("VMOVUPS %s, %s", d[i], y[i])
			a.op("VSUBPS %s, %s, %s", mean, y[i], y[i])
			a.op("VMULPS %s, %s, %s", y[i], x[i], x[i])
			a.op("VMULPS %s, %s, %s", scale, x[i], x[i])
			a.op("VMOVUPS %s, %s", x[i], d[i])
		}
	}
	p, d := rowsAt("DI", "SI", "R11"), rowsAt("DX", "SI", "R11")
	a.byFour(func() {
		for from := 0; from < 4; from += together {
			some(p[from:from+together], d[from:from+together])
		}
		a.op("LEAQ (DI)(SI*4), DI")
		a.op("LEAQ (DX)(SI*4), DX")
	}, func(int) {
		some(p[:1], d[:1])
		a.op("ADDQ SI, DI")
		a.op("ADDQ SI, DX")
	})
	a.ret()
}

func (a *assembly) scaleLanes() {
	a.function("scaleLanes", fmt.Sprintf("multiplies rows of %d values, stride bytes apart, by as many factors.", a.lanes),
		append(append(pointers("x"), ints("stride", "rows")...), pointers("factor")...))
	a.start("x", "stride", "rows", "factor")
	a.op("VMOVUPS (DX), %s", a.r(0))
	a.countdown("CX", func() {
		a.op("VMULPS (DI), %s, %s", a.r(0), a.r(1))
		a.op("VMOVUPS %s, (DI)", a.r(1))
		a.op("ADDQ SI, DI")
	})
	a.ret()

	a.function("joinLanes", fmt.Sprintf("is x = x·old + y·new for rows of %d values, stride bytes apart.", a.lanes),
		append(append(pointers("x", "y"), ints("stride", "rows")...), pointers("old", "new")...))
	for i, n := range []string{"x", "y", "stride", "rows", "old", "new"} {
		a.op("MOVQ %s, %s", a.arg(n), []string{"DI", "DX", "SI", "CX", "R8", "R9"}[i])
	}
	a.op("VMOVUPS (R8), %s", a.r(0))
	a.op("VMOVUPS (R9), %s", a.r(1))
	a.countdown("CX", func() {
		a.op("VMULPS (DX), %s, %s", a.r(1), a.r(2))
		a.op("VFMADD231PS (DI), %s, %s", a.r(0), a.r(2))
		a.op("VMOVUPS %s, (DI)", a.r(2))
		a.op("ADDQ SI, DI")
		a.op("ADDQ SI, DX")
	})
	a.ret()

	a.function("addSlopes", fmt.Sprintf("adds slope · distance to rows of %d scores, stride bytes apart; each row is one farther.", a.lanes),
		append(append(pointers("s"), ints("stride", "keys")...), pointers("distance", "slope")...))
	a.start("s", "stride", "keys", "distance", "slope")
	a.op("VMOVUPS (DX), %s", a.r(0))
	a.op("VMOVUPS (R8), %s", a.r(1))
	a.op("VMOVUPS %s, %s", a.consts.value("power5", 1), a.r(2))
	a.countdown("CX", func() {
		a.op("VMOVUPS (DI), %s", a.r(3))
		a.op("VFMADD231PS %s, %s, %s", a.r(0), a.r(1), a.r(3))
		a.op("VMOVUPS %s, (DI)", a.r(3))
		a.op("VADDPS %s, %s, %s", a.r(2), a.r(0), a.r(0))
		a.op("ADDQ SI, DI")
	})
	a.ret()

	a.function("mulRows", fmt.Sprintf("multiplies rows of %d values, stride bytes apart, by others.", a.lanes), append(pointers("x", "y"), ints("stride", "rows")...))
	a.start("x", "y", "rows", "stride")
	a.countdown("CX", func() {
		a.op("VMOVUPS (DI), %s", a.r(0))
		a.op("VMULPS (SI), %s, %s", a.r(0), a.r(0))
		a.op("VMOVUPS %s, (DI)", a.r(0))
		a.op("ADDQ DX, DI")
		a.op("ADDQ DX, SI")
	})
	a.ret()
}

// Of tanh x = x·P(x²)/Q(x²) within ±7.905, the highest power first; relative error below 4e-7.
// Source: Eigen, Eigen/src/Core/MathFunctionsImpl.h, generic_fast_tanh_float.
var (
	tanhAbove = []float32{-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03}
	tanhBelow = []float32{1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03}
)

func (a *assembly) softcap() {
	a.function("tanhScale", fmt.Sprintf("is x = by · tanh x for n values, a multiple of %d.", a.lanes), append(append(pointers("x"), ints("n")...), floats("by")...))
	a.op("MOVQ %s, DI", a.arg("x"))
	a.op("MOVQ %s, CX", a.arg("n"))
	v := a.vector()
	by := v.scalar("by")
	x, y, p, q := v.new(), v.new(), v.new(), v.new()
	a.op("SHRQ $%d, CX", map[int]int{8: 3, 16: 4}[a.lanes])
	a.countdown("CX", func() {
		a.op("VMOVUPS %s, %s", a.consts.value("tanhHighest", 7.90531110763549805), x)
		a.op("VMINPS (DI), %s, %s", x, x) // NaN stays
		a.op("VMOVUPS %s, %s", a.consts.value("tanhLowest", -7.90531110763549805), y)
		a.op("VMAXPS %s, %s, %s", x, y, x)
		a.op("VMULPS %s, %s, %s", x, x, y)
		polynomial := func(name string, factors []float32, r string) {
			a.op("VMOVUPS %s, %s", a.consts.value(name+"0", factors[0]), r)
			for i, f := range factors[1:] {
				a.op("VFMADD213PS %s, %s, %s", a.consts.value(fmt.Sprintf("%s%d", name, i+1), f), y, r)
			}
		}
		polynomial("tanhAbove", tanhAbove, p)
		polynomial("tanhBelow", tanhBelow, q)
		a.op("VMULPS %s, %s, %s", x, p, p)
		a.op("VDIVPS %s, %s, %s", q, p, p)
		a.op("VMULPS %s, %s, %s", by, p, p)
		a.op("VMOVUPS %s, (DI)", p)
		a.op("ADDQ $%d, DI", a.bytes())
	})
	a.ret()

	a.function("softcapSlope", fmt.Sprintf("is t = 1 − (s·by)² for rows of %d values, stride bytes apart.", a.lanes), append(append(pointers("t", "s"), ints("stride", "rows")...), floats("by")...))
	a.start("t", "s", "rows", "stride")
	a.op("VBROADCASTSS %s, %s", a.arg("by"), a.r(0))
	a.countdown("CX", func() {
		a.op("VMULPS (SI), %s, %s", a.r(0), a.r(1))
		a.op("VMOVUPS %s, %s", a.consts.value("power5", 1), a.r(2))
		a.op("VFNMADD231PS %s, %s, %s", a.r(1), a.r(1), a.r(2))
		a.op("VMOVUPS %s, (DI)", a.r(2))
		a.op("ADDQ DX, DI")
		a.op("ADDQ DX, SI")
	})
	a.ret()
}
