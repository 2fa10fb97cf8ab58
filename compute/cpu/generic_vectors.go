package cpu

import (
	"math"
	"unsafe"
)

func genericAdd(out, a, b *float32, n int) {
	x, y, z := slice(out, n), slice(a, n), slice(b, n)
	for i := range x {
		x[i] = y[i] + z[i]
	}
}

func genericScale(x *float32, n int, by float32) {
	for i, v := range slice(x, n) {
		slice(x, n)[i] = v * by
	}
}

func tree(l *[8]float32) float32 {
	return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}

func genericDot(a, b *float32, n int) float32 {
	x, y := slice(a, n), slice(b, n)
	var lanes [8]float32
	for i, v := range x {
		lanes[i&7] += float32(v * y[i])
	}
	return tree(&lanes)
}

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }

func genericRope(x, y, cos, sin *float32, n int) {
	a, b, c, s := slice(x, n), slice(y, n), slice(cos, n), slice(sin, n)
	for i := range a {
		u, v := a[i], b[i]
		a[i] = float32(u*c[i]) - float32(v*s[i])
		b[i] = float32(v*c[i]) + float32(u*s[i])
	}
}

func genericRopePairs(x, cos, sin *float32, n int) {
	a, c, s := slice(x, n), slice(cos, n), slice(sin, n)
	for i := 0; i+1 < n; i += 2 {
		u, v := a[i], a[i+1]
		a[i] = float32(u*c[i]) + float32(v*s[i])
		a[i+1] = float32(v*c[i+1]) + float32(u*s[i+1])
	}
}

func genericMost(x *float32, n int) float32 {
	m := float32(math.Inf(-1))
	for _, v := range slice(x, n) {
		if v > m {
			m = v
		}
	}
	return m
}

func genericExpSum(dst, x *float32, n int, shift float32) float32 {
	o := slice(dst, n)
	var lanes [8]float32
	for i, v := range slice(x, n) {
		e := exp32(v - shift)
		o[i] = e
		lanes[i&7] += e
	}
	return tree(&lanes)
}

func genericExpScale(dst, x *float32, n int, shift, by float32) {
	o := slice(dst, n)
	for i, v := range slice(x, n) {
		o[i] = exp32(v-shift) * by
	}
}

func genericAdamW(p, g, m, v *float32, n int, c *adamwFactors) {
	w, d, m1, m2 := slice(p, n), slice(g, n), slice(m, n), slice(v, n)
	for i := range w {
		x := d[i] * c.gradScale
		a := float32(c.beta1*m1[i]) + float32(c.rest1*x)
		b := float32(c.beta2*m2[i]) + float32(c.rest2*float32(x*x))
		m1[i], m2[i] = a, b
		root := float32(math.Sqrt(float64(b*c.inverse2))) + c.epsilon
		w[i] = float32(w[i]*c.keep) - float32(c.rate*a)/root
	}
}

func genericSumSquares(x *float32, n int) float64 {
	sum := 0.0
	for _, v := range slice(x, n) {
		sum += float64(v) * float64(v)
	}
	return sum
}

func genericSumSquares4(a, b, c, d *float32, n int, sums *float64) {
	s := unsafe.Slice(sums, 4)
	for i, x := range [4]*float32{a, b, c, d} {
		s[i] = genericSumSquares(x, n)
	}
}
