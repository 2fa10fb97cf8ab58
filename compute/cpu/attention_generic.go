package cpu

import (
	"math"
	"unsafe"

	"lian/dtype"
)

func (k *attentionKernels) addGeneric() {
	k.lanes = 8
	k.narrowKernels.addGeneric()
	k.prefetch = func(*byte, int) {}
	for vecs := range 2 {
		for rows := 1; rows <= 4; rows++ {
			k.strips.rows[vecs] = append(k.strips.rows[vecs], func(t *strip) { genericStrip(t, rows, (vecs+1)*8, t.aStride, 4) })
			k.strips.columns[vecs] = append(k.strips.columns[vecs], func(t *strip) { genericStrip(t, rows, (vecs+1)*8, 4, t.aStride) })
		}
	}
	k.hideKeys, k.softmaxKeys, k.softmaxKeysGrad, k.softmaxJoin, k.scaleLanes = genericHideKeys, genericSoftmaxKeys, genericSoftmaxKeysGrad, genericSoftmaxJoin, genericScaleLanes
	k.softcapSlope, k.mulRows, k.addSlopes, k.tanhScale, k.joinLanes = genericSoftcapSlope, genericMulRows, genericAddSlopes, genericTanhScale, genericJoinLanes
	k.widenInt8, k.widenInt4 = genericWidenInt8, genericWidenInt4
	k.widenRows = genericWiden(4, func(p unsafe.Pointer) float32 { return *(*float32)(p) })
	k.widenBrain = genericWiden(2, func(p unsafe.Pointer) float32 { return dtype.BF16ToF32(*(*uint16)(p)) })
	k.widenHalf = genericWiden(2, func(p unsafe.Pointer) float32 { return dtype.F16ToF32(*(*uint16)(p)) })
}

// rowsFrom calls f with rows of eight lanes.
func rowsFrom(x *float32, stride, rows int, f func(i int, row *[8]float32)) {
	for i := range rows {
		f(i, (*[8]float32)(unsafe.Add(unsafe.Pointer(x), i*stride)))
	}
}

func genericStrip(t *strip, rows, width, rowStep, step int) {
	var acc [4 * 16]float32
	for i := range rows {
		sum := acc[i*width : (i+1)*width]
		c := slice(bytesFrom(t.c, i*t.cStride), width)
		if t.flags&flagAccumulate != 0 {
			copy(sum, c)
		}
		for k := range t.k {
			a := *bytesFrom(t.a, i*rowStep+k*step)
			for j, b := range slice(bytesFrom(t.b, k*t.bStride), width) {
				sum[j] += float32(a * b)
			}
		}
		for j, v := range sum {
			if t.old != nil {
				v = float32(c[j]*slice(t.old, width)[j]) + float32(v*slice(t.new, width)[j])
			}
			c[j] = v
		}
	}
}

func power(x float32) float32 {
	if x < -126 {
		return 0
	}
	return float32(math.Exp2(float64(x)))
}

func genericHideKeys(s *float32, stride, keys, key int, first, last *int32) {
	f, l := (*[8]int32)(unsafe.Pointer(first)), (*[8]int32)(unsafe.Pointer(last))
	rowsFrom(s, stride, keys, func(i int, row *[8]float32) {
		for j := range row {
			if k := int32(key + i); k < f[j] || k >= l[j] {
				row[j] = float32(math.Inf(-1))
			}
		}
	})
}

func genericSoftmaxKeys(s *float32, stride, keys int, most, sum *float32) {
	m, l := (*[8]float32)(unsafe.Pointer(most)), (*[8]float32)(unsafe.Pointer(sum))
	var chains [4][8]float32
	for j := range m {
		m[j] = noneYet
	}
	rowsFrom(s, stride, keys, func(_ int, row *[8]float32) {
		for j, v := range row {
			if v > m[j] {
				m[j] = v
			}
		}
	})
	rowsFrom(s, stride, keys, func(i int, row *[8]float32) {
		for j, v := range row {
			row[j] = power(v - m[j])
			chains[i%4][j] += row[j]
		}
	})
	for j := range l {
		l[j] = (chains[0][j] + chains[1][j]) + (chains[2][j] + chains[3][j])
	}
}

func genericSoftmaxJoin(most, sum, allMost, allSum, old, new *float32, n int) {
	m, l, am, al, o, w := slice(most, n), slice(sum, n), slice(allMost, n), slice(allSum, n), slice(old, n), slice(new, n)
	for i := range n {
		now := max(m[i], am[i])
		o[i], w[i] = power(am[i]-now), power(m[i]-now)
		am[i], al[i] = now, float32(al[i]*o[i])+float32(l[i]*w[i])
	}
}

func genericSoftmaxKeysGrad(p, d *float32, stride, keys int, most, mean *float32, scale float32) {
	m, u := slice(most, 8), slice(mean, 8)
	rowsFrom(p, stride, keys, func(i int, row *[8]float32) {
		e := (*[8]float32)(unsafe.Pointer(bytesFrom(d, i*stride)))
		for j, v := range row {
			row[j] = power(v - m[j])
			e[j] = float32(row[j]*(e[j]-u[j])) * scale
		}
	})
}

func genericScaleLanes(x *float32, stride, rows int, factor *float32) {
	rowsFrom(x, stride, rows, func(_ int, row *[8]float32) {
		for j, f := range slice(factor, 8) {
			row[j] *= f
		}
	})
}

func genericJoinLanes(x, y *float32, stride, rows int, old, new *float32) {
	o, n := slice(old, 8), slice(new, 8)
	rowsFrom(x, stride, rows, func(i int, row *[8]float32) {
		for j, v := range slice(bytesFrom(y, i*stride), 8) {
			row[j] = float32(row[j]*o[j]) + float32(v*n[j])
		}
	})
}

func genericAddSlopes(s *float32, stride, keys int, distance, slope *float32) {
	d, by := slice(distance, 8), slice(slope, 8)
	rowsFrom(s, stride, keys, func(i int, row *[8]float32) {
		for j := range row {
			row[j] += float32(by[j] * (d[j] + float32(i)))
		}
	})
}

func genericMulRows(x, y *float32, stride, rows int) {
	rowsFrom(x, stride, rows, func(i int, row *[8]float32) {
		for j, v := range slice(bytesFrom(y, i*stride), 8) {
			row[j] *= v
		}
	})
}

func genericTanhScale(x *float32, n int, by float32) {
	for i, v := range slice(x, n) {
		slice(x, n)[i] = by * float32(math.Tanh(float64(v)))
	}
}

func genericSoftcapSlope(t, s *float32, stride, rows int, by float32) {
	rowsFrom(t, stride, rows, func(i int, row *[8]float32) {
		for j, v := range slice(bytesFrom(s, i*stride), 8) {
			row[j] = 1 - float32(float32(v*by)*float32(v*by))
		}
	})
}

func genericWiden(size int, value func(unsafe.Pointer) float32) func(dst *float32, dstStride int, src *byte, srcStride, rows, n int, by float32) {
	return func(dst *float32, dstStride int, src *byte, srcStride, rows, n int, by float32) {
		for r := range rows {
			for i := range n {
				*bytesFrom(dst, r*dstStride+4*i) = value(unsafe.Add(unsafe.Pointer(src), r*srcStride+i*size)) * by
			}
		}
	}
}

func genericCodes(dst *float32, scales *float32, n int, code func(i int) byte) {
	two := slice(scales, 2)
	for i := range n {
		*bytesFrom(dst, 4*i) = float32(two[0]*float32(code(i))) + two[1]
	}
}

func genericWidenInt8(dst *float32, dstStride int, src *byte, srcStride int, scales *float32, scaleStride, rows, n int) {
	for r := range rows {
		codes := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(src), r*srcStride)), n)
		genericCodes(bytesFrom(dst, r*dstStride), bytesFrom(scales, r*scaleStride), n, func(i int) byte { return codes[i] })
	}
}

func genericWidenInt4(dst *float32, dstStride int, src *byte, srcStride int, scales *float32, scaleStride, rows, n int) {
	for r := range rows {
		codes := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(src), r*srcStride)), n/2)
		genericCodes(bytesFrom(dst, r*dstStride), bytesFrom(scales, r*scaleStride), n, func(i int) byte { return codes[i%(n/2)] >> (4 * (i / (n / 2))) & 15 })
	}
}
