package cpu

import (
	"encoding/binary"
	"math"
	"unsafe"

	"lian/compute"
	"lian/dtype"
)

// generic is the level that needs nothing but Go. Products and sums are rounded separately (the conversions keep a compiler
// from fusing them), so its last bits differ from the other levels and equal each other on every processor.
func generic() *kernels {
	k := &kernels{level: "generic", rows: 4, columns: 4}
	for rows := 1; rows <= 4; rows++ {
		k.gemm = append(k.gemm, func(t *tile) { genericTile(t, rows) })
		k.gemmHalf = append(k.gemmHalf, func(t *tile) { genericTile16(t, rows, dtype.F16ToF32) })
		k.gemmBrain = append(k.gemmBrain, func(t *tile) { genericTile16(t, rows, dtype.BF16ToF32) })
	}
	k.transpose8 = func(dst *float32, dstStride int, src *float32, srcStride, blocks int) {
		genericTranspose(8, dst, dstStride/4, src, srcStride/4, blocks)
	}
	k.transpose4 = func(dst *float32, dstStride int, src *float32, srcStride, blocks int) {
		genericTranspose(4, dst, dstStride/4, src, srcStride/4, blocks)
	}
	k.copyA, k.copyB = genericCopy4, genericCopy4
	k.add, k.scale, k.dot, k.dot3 = genericAdd, genericScale, genericDot, genericDot3
	k.normScale, k.normGrad, k.normGradAdd, k.mulAdd = genericNormScale, genericNormGrad, genericNormGradAdd, genericMulAdd
	k.swiglu, k.swigluGrad, k.rope, k.ropePairs = genericSwiGLU, genericSwiGLUGrad, genericRope, genericRopePairs
	k.most, k.expSum, k.expScale = genericMost, genericExpSum, genericExpScale
	k.softmaxRows, k.softmaxGrad, k.scaleRows = genericSoftmaxRows, genericSoftmaxGrad, genericScaleRows
	k.quantLanes, k.round8 = 8, genericRound8
	for rows := 1; rows <= 4; rows++ {
		k.quant8 = append(k.quant8, func(t *quantTile) { genericQuant(t, rows, 8) })
		k.quant4 = append(k.quant4, func(t *quantTile) { genericQuant(t, rows, 4) })
		k.quantWide = append(k.quantWide, func(t *quantTile) { genericWide(t, rows) })
	}
	k.adamw, k.sumSquares = genericAdamW, genericSumSquares
	return k
}

func genericTile(t *tile, rows int) {
	var acc [16]float32
	if t.partial != nil {
		copy(acc[:], slice(t.partial, rows*4))
	}
	a, b := slice(t.a, t.k*rows), slice(t.b, t.k*4)
	if rows == 4 {
		for len(a) >= 4 && len(b) >= 4 {
			b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
			for i := range 4 {
				x := a[i]
				acc[i*4] += float32(x * b0)
				acc[i*4+1] += float32(x * b1)
				acc[i*4+2] += float32(x * b2)
				acc[i*4+3] += float32(x * b3)
			}
			a, b = a[4:], b[4:]
		}
	} else {
		for p := range t.k {
			for i := range rows {
				for j := range 4 {
					acc[i*4+j] += float32(a[p*rows+i] * b[p*4+j])
				}
			}
		}
	}
	for i := range rows {
		c := slice(at(slice(t.c, 1), i*t.stride/4), 4)
		for j := range c {
			v := float32(acc[i*4+j] * t.alpha)
			if t.flags&flagAccumulate != 0 {
				v += c[j]
			}
			if t.residual != nil {
				v += slice(at(slice(t.residual, 1), i*t.rstride/4), 4)[j]
			}
			if t.bias != nil {
				v += slice(t.bias, 4)[j]
			}
			c[j] = v
		}
	}
}

// genericTile16 is genericTile on a panel of B in 16 bits, some of k at a time: the chains go on through the partial sums.
func genericTile16(t *tile, rows int, widen func(uint16) float32) {
	var b [64 * 4]float32
	var partial [16]float32
	part, whole := *t, t.k
	for from := 0; ; from += 64 {
		part.k = min(64, whole-from)
		for i, v := range unsafe.Slice((*uint16)(unsafe.Add(unsafe.Pointer(t.b), from*8)), part.k*4) {
			b[i] = widen(v)
		}
		part.b = &b[0]
		if part.k > 0 {
			part.a = at(slice(t.a, 1), from*rows)
		}
		if from+64 >= whole {
			part.c, part.stride, part.alpha, part.flags, part.residual, part.bias = t.c, t.stride, t.alpha, t.flags, t.residual, t.bias
			genericTile(&part, rows)
			return
		}
		part.c, part.stride, part.alpha, part.flags, part.residual, part.bias = &partial[0], 16, 1, 0, nil, nil
		genericTile(&part, rows)
		part.partial = &partial[0]
	}
}

func genericTranspose(lanes int, dst *float32, dstStride int, src *float32, srcStride, blocks int) {
	n := blocks * 8
	if n == 0 {
		return
	}
	d, s := slice(dst, (n-1)*dstStride+lanes), slice(src, (lanes-1)*srcStride+n)
	for i := range lanes {
		for p, v := range s[i*srcStride : i*srcStride+n] {
			d[p*dstStride+i] = v
		}
	}
}

func genericCopy4(dst, src *float32, srcStride, count int) {
	for i := range count {
		copy(slice(at(slice(dst, 1), i*4), 4), slice(at(slice(src, 1), i*srcStride/4), 4))
	}
}

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

// tree adds eight lanes pairwise.
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

func genericDot3(a, b, c *float32, n int) float32 {
	x, y, z := slice(a, n), slice(b, n), slice(c, n)
	var lanes [8]float32
	for i, v := range x {
		lanes[i&7] += float32(float32(v*y[i]) * z[i])
	}
	return tree(&lanes)
}

func genericNormScale(out, x, w *float32, n int, r float32) {
	o, u := slice(out, n), slice(w, n)
	for i, v := range slice(x, n) {
		o[i] = v * r * u[i]
	}
}

func genericNormGrad(dx, d, w, x *float32, n int, r, c float32) {
	o, g, u, v := slice(dx, n), slice(d, n), slice(w, n), slice(x, n)
	for i := range o {
		o[i] = float32(g[i]*u[i]*r) - float32(c*v[i])
	}
}

func genericNormGradAdd(dx, d, w, x *float32, n int, r, c float32) {
	o, g, u, v := slice(dx, n), slice(d, n), slice(w, n), slice(x, n)
	for i := range o {
		o[i] += float32(g[i]*u[i]*r) - float32(c*v[i])
	}
}

func genericMulAdd(sum, a, b *float32, n int, s float32) {
	o, x, y := slice(sum, n), slice(a, n), slice(b, n)
	for i := range o {
		o[i] += float32(x[i] * s * y[i])
	}
}

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }

func sigmoid(x float32) float32 { return 1 / (1 + exp32(-x)) }

func genericSwiGLU(out, gate, up *float32, n int) {
	o, u := slice(out, n), slice(up, n)
	for i, g := range slice(gate, n) {
		o[i] = g * sigmoid(g) * u[i]
	}
}

func genericSwiGLUGrad(dgate, dup, gate, up, d *float32, n int) {
	dg, du, u, y := slice(dgate, n), slice(dup, n), slice(up, n), slice(d, n)
	for i, g := range slice(gate, n) {
		s, ui, yi := sigmoid(g), u[i], y[i]
		gs := float32(g * s)
		du[i] = yi * gs
		dg[i] = yi * ui * float32(s+gs-float32(gs*s))
	}
}

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

func genericSoftmaxRows(p *float32, rows int, most, sum, factor *float32) {
	m, l, f := slice(most, rows), slice(sum, rows), slice(factor, rows)
	for i := range rows {
		row := at(slice(p, 1), i*compute.KeyTile)
		now := max(m[i], genericMost(row, compute.KeyTile))
		f[i] = exp32(m[i] - now)
		m[i] = now
		l[i] = float32(l[i]*f[i]) + genericExpSum(row, row, compute.KeyTile, now)
	}
}

func genericSoftmaxGrad(p, dp *float32, rows int, lse, mean *float32, scale float32) {
	x, y := slice(p, rows*compute.KeyTile), slice(dp, rows*compute.KeyTile)
	l, d := slice(lse, rows), slice(mean, rows)
	for i := range x {
		row := i / compute.KeyTile
		e := exp32(x[i] - l[row])
		x[i], y[i] = e, float32(e*(y[i]-d[row]))*scale
	}
}

func genericScaleRows(x *float32, rows int, factor *float32) {
	for i, f := range slice(factor, rows) {
		genericScale(at(slice(x, 1), i*4), 4, f)
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

// genericQuant has the integers and the roundings of the other levels, so also their bits.
func genericQuant(t *quantTile, rows, bits int) {
	const lanes = 8
	size := lanes*2 + lanes*bits*4
	w := unsafe.Slice(t.weights, t.blocks*size)
	values := unsafe.Slice(t.values, t.blocks*rows*32)
	scales, sums := slice(t.scales, t.blocks*rows), unsafe.Slice(t.sums, t.blocks*rows)
	for r := range rows {
		out := slice(at(slice(t.out, 1), r*t.stride/4), lanes)
		clear(out)
		for b := range t.blocks {
			block, a := w[b*size:(b+1)*size], values[(b*rows+r)*32:][:32]
			for lane := range out {
				whole := int32(0)
				for i, v := range a {
					g := i / 4
					if bits == 8 {
						whole += int32(int8(block[lanes*2+(g*lanes+lane)*4+i%4])) * int32(v)
					} else {
						whole += int32(block[lanes*2+(g%4*lanes+lane)*4+i%4]>>(g/4*4)&15) * int32(v)
					}
				}
				if bits == 4 {
					whole += sums[b*rows+r]
				}
				d := dtype.F16ToF32(binary.LittleEndian.Uint16(block[lane*2:])) * scales[b*rows+r]
				out[lane] += float32(float32(whole) * d)
			}
		}
	}
}

func genericRound8(dst *int8, scales *float32, sums *int32, src *float32, blocks, dstStride, scaleStride, offset int) {
	for i := range blocks {
		block := slice(at(slice(src, 1), i*quantBlock), quantBlock)
		out := unsafe.Slice((*int8)(unsafe.Add(unsafe.Pointer(dst), i*dstStride)), quantBlock)
		stored := (*float32)(unsafe.Add(unsafe.Pointer(scales), i*scaleStride))
		sum := (*int32)(unsafe.Add(unsafe.Pointer(sums), i*scaleStride))
		scale, inverse := int8Scale(block)
		if scale-scale != 0 { // NaN or ∞ in the block: nothing to round, the product is NaN
			*stored, *sum = float32(math.NaN()), 0
			clear(out)
			continue
		}
		total := int32(0)
		for j, v := range block {
			q := roundAway(v * inverse)
			total += q
			out[j] = int8(q)
		}
		*stored, *sum = dtype.F16ToF32(dtype.F32ToF16(scale)), -int32(offset)*total
	}
}

func genericWide(t *quantTile, rows int) {
	const lanes = 8
	const size = lanes * 44
	w := unsafe.Slice(t.weights, t.blocks*size)
	values := unsafe.Slice(t.values, t.blocks*rows*32)
	scales, sums, weighted := slice(t.scales, t.blocks*rows), unsafe.Slice(t.sums, t.blocks*rows*2), slice(t.weighted, t.blocks*rows)
	for r := range rows {
		out := slice(at(slice(t.out, 1), r*t.stride/4), lanes)
		clear(out)
		for b := range t.blocks {
			block, a := w[b*size:(b+1)*size], values[(b*rows+r)*32:][:32]
			number := func(i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(block[i*4:])) }
			for lane := range out {
				for half := range 2 {
					whole := sums[(b*rows+r)*2+half]
					for i := half * 16; i < half*16+16; i++ {
						whole += int32(block[lanes*12+(i/4*lanes+lane)*4+i%4]) * int32(a[i])
					}
					d := float32(number(half*lanes+lane) * scales[b*rows+r])
					out[lane] += float32(float32(whole) * d)
				}
				out[lane] += float32(number(2*lanes+lane) * weighted[b*rows+r])
			}
		}
	}
}
