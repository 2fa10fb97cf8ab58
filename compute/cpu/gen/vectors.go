package main

import "fmt"

var _ = topic("vectors", (*assembly).vectors)

// Offsets in cpu.adamwFactors, kept in step by TestStructsMatchTheAssembly.
const (
	adamGradScale = 4 * iota
	adamBeta1
	adamRest1
	adamBeta2
	adamRest2
	adamKeep
	adamRate
	adamInverse2
	adamEpsilon
)

// vectors writes everything that is not matrix multiplication.
func (a *assembly) vectors() {
	a.each("add", "is out = a + b.", []string{"out", "a", "b"}, nil, nil, nil, func(v *vector) {
		x, y := v.load("a"), v.load("b")
		v.op("VADDPS %s, %s, %s", y, x, x)
		v.store(x, "out")
	}, nil)

	var s, t, u, z string
	a.each("scale", "is x = x·by.", []string{"x"}, floats("by"), nil, func(v *vector) { s = v.scalar("by") }, func(v *vector) {
		x := v.load("x")
		v.op("VMULPS %s, %s, %s", s, x, x)
		v.store(x, "x")
	}, nil)

	result := floats("ret")
	answer := func(v *vector) {
		v.sum(z)
		v.op("VMOVSS X%s, %s", z[1:], v.arg("ret"))
	}
	a.each("dot", "is Σ a·b: one chain for each lane, then a tree.", []string{"a", "b"}, nil, result, func(v *vector) { z = v.zero() }, func(v *vector) {
		x, y := v.load("a"), v.load("b")
		v.op("VFMADD231PS %s, %s, %s", y, x, z)
	}, answer)
	a.each("rope", "turns pairs (x, y) by angles with the given cosines and sines.", []string{"x", "y", "cos", "sin"}, nil, nil, nil, func(v *vector) {
		x, y, c, w := v.load("x"), v.load("y"), v.load("cos"), v.load("sin")
		o := v.new()
		v.op("VMULPS %s, %s, %s", w, y, o)
		v.op("VFMSUB231PS %s, %s, %s", c, x, o) // x·c − y·s
		v.store(o, "x")
		v.op("VMULPS %s, %s, %s", w, x, o)
		v.op("VFMADD231PS %s, %s, %s", c, y, o)
		v.store(o, "y")
	}, nil)
	a.each("ropePairs", "turns neighbours of x; cos repeats for each pair, the sign of sin alternates.", []string{"x", "cos", "sin"}, nil, nil, nil, func(v *vector) {
		x, c, w := v.load("x"), v.load("cos"), v.load("sin")
		o := v.new()
		v.op("VPERMILPS $0xb1, %s, %s", x, o)
		v.op("VMULPS %s, %s, %s", w, o, o)
		v.op("VFMADD231PS %s, %s, %s", c, x, o)
		v.store(o, "x")
	}, nil)

	a.each("most", "is the largest value, −∞ of none; NaN is passed over.", []string{"x"}, nil, result, func(v *vector) {
		z, u = v.new(), v.new()
		v.op("VMOVUPS %s, %s", v.consts.bits("minusInfinity", 0xff800000), z)
		v.op("VMOVAPS %s, %s", z, u)
	}, func(v *vector) {
		x := v.load("x")
		v.fillRest(x, u)
		v.op("VMAXPS %s, %s, %s", z, x, z)
	}, func(v *vector) {
		v.most(z)
		v.op("VMOVSS X%s, %s", z[1:], v.arg("ret"))
	})
	a.each("expSum", "is dst = exp(x − shift) and their sum: one chain for each lane, then a tree.", []string{"dst", "x"}, floats("shift"), result, func(v *vector) {
		s, z = v.scalar("shift"), v.zero()
	}, func(v *vector) {
		x := v.load("x")
		v.op("VSUBPS %s, %s, %s", s, x, x)
		v.exp(x)
		v.zeroRest(x)
		v.op("VADDPS %s, %s, %s", x, z, z)
		v.store(x, "dst")
	}, answer)
	a.each("expScale", "is dst = exp(x − shift)·by.", []string{"dst", "x"}, floats("shift", "by"), nil, func(v *vector) {
		s, t = v.scalar("shift"), v.scalar("by")
	}, func(v *vector) {
		x := v.load("x")
		v.op("VSUBPS %s, %s, %s", s, x, x)
		v.exp(x)
		v.op("VMULPS %s, %s, %s", t, x, x)
		v.store(x, "dst")
	}, nil)

	a.each("adamw", "is one step of AdamW.", []string{"param", "grad", "mean", "square"}, []argument{{"c", "*adamwFactors"}}, nil, func(v *vector) {
		v.op("MOVQ %s, R13", v.arg("c"))
	}, func(v *vector) {
		field := func(offset int) string {
			r := v.new()
			v.op("VBROADCASTSS %d(R13), %s", offset, r)
			return r
		}
		g, k := v.load("grad"), field(adamGradScale)
		v.op("VMULPS %s, %s, %s", k, g, g)
		v.drop(k)
		m, k := v.load("mean"), field(adamBeta1)
		v.op("VMULPS %s, %s, %s", k, m, m)
		v.drop(k)
		k = field(adamRest1)
		v.op("VFMADD231PS %s, %s, %s", g, k, m)
		v.store(m, "mean")
		v.drop(k)
		w, k := v.load("square"), field(adamBeta2)
		v.op("VMULPS %s, %s, %s", k, w, w)
		v.drop(k)
		k = field(adamRest2)
		v.op("VMULPS %s, %s, %s", g, g, g)
		v.op("VFMADD231PS %s, %s, %s", g, k, w)
		v.store(w, "square")
		v.drop(k)
		k = field(adamInverse2)
		v.op("VMULPS %s, %s, %s", k, w, w)
		v.op("VSQRTPS %s, %s", w, w)
		v.drop(k)
		k = field(adamEpsilon)
		v.op("VADDPS %s, %s, %s", k, w, w)
		v.drop(k)
		k = field(adamRate)
		v.op("VMULPS %s, %s, %s", k, m, m)
		v.op("VDIVPS %s, %s, %s", w, m, m)
		v.drop(k)
		p, k := v.load("param"), field(adamKeep)
		v.op("VFMSUB213PS %s, %s, %s", m, k, p) // p·keep − step
		v.store(p, "param")
	}, nil)

	a.sumsOfSquares(1)
	a.sumsOfSquares(4)
}

// sumsOfSquares writes the sums of squares of some operands of n values at once. One stream of loads leaves memory waiting; four do not.
func (a *assembly) sumsOfSquares(streams int) {
	var names []string
	sums := make([][2]string, streams)
	for i := range streams {
		names = append(names, string(rune('a'+i)))
	}
	name, about := "sumSquares", "is Σ a² in float64: a chain for each lane, then a tree."
	others, results := []argument(nil), []argument{{"ret", "float64"}}
	if streams > 1 {
		name, about = fmt.Sprintf("sumSquares%d", streams), "writes the sums of squares of its operands to sums, each as alone."
		others, results = []argument{{"sums", "*float64"}}, nil
	}
	defer a.provide(name, name)
	a.each(name, about, names, others, results, func(v *vector) {
		for i := range sums {
			sums[i] = [2]string{v.zero(), v.zero()}
		}
		if streams > 1 {
			v.op("MOVQ %s, R13", v.arg("sums"))
		}
	}, func(v *vector) {
		for i, p := range names {
			if streams == 1 {
				v.op("PREFETCHT0 4096(%s)", v.pointer[p]) // little to do: memory is the bound
			}
			x, y := v.load(p), v.new()
			v.high(x, y)
			v.op("VCVTPS2PD %s, %s", low(x), x)
			v.op("VCVTPS2PD %s, %s", low(y), y)
			v.op("VFMADD231PD %s, %s, %s", x, x, sums[i][0])
			v.op("VFMADD231PD %s, %s, %s", y, y, sums[i][1])
			v.drop(x, y)
		}
	}, func(v *vector) {
		for i, s := range sums {
			z, u := s[0], s[1]
			v.op("VADDPD %s, %s, %s", u, z, z)
			v.high(z, u)
			if a.set == avx512 {
				v.op("VADDPD %s, %s, %s", low(u), low(z), low(z))
				v.op("VEXTRACTF128 $1, %s, X%s", low(z), u[1:])
			}
			v.op("VADDPD X%s, X%s, X%s", u[1:], z[1:], z[1:])
			v.op("VPERMILPD $1, X%s, X%s", z[1:], u[1:])
			v.op("VADDPD X%s, X%s, X%s", u[1:], z[1:], z[1:])
			if streams > 1 {
				v.op("VMOVSD X%s, %d(R13)", z[1:], 8*i)
			} else {
				v.op("VMOVSD X%s, %s", z[1:], v.arg("ret"))
			}
		}
	})
}
