package cpu

// generic is the level that needs nothing but Go. Products and sums are rounded separately (the conversions keep a compiler

// from fusing them), so its last bits differ from the other levels and equal each other on every processor.

func generic() *kernels {
	k := &kernels{level: "generic", rows: 4, columns: 4}
	for rows := 1; rows <= 4; rows++ {
		k.gemm = append(k.gemm, func(t *tile) { genericTile(t, rows) })
	}
	k.transpose8 = func(dst *float32, dstStride int, src *float32, srcStride, blocks int) {
		genericTranspose(8, dst, dstStride/4, src, srcStride/4, blocks)
	}
	k.transpose4 = func(dst *float32, dstStride int, src *float32, srcStride, blocks int) {
		genericTranspose(4, dst, dstStride/4, src, srcStride/4, blocks)
	}
	k.copyA, k.copyB = genericCopy4, genericCopy4
	k.transposeLanes, k.transposeWhole = 8, genericTransposeRows8
	k.add, k.scale, k.dot = genericAdd, genericScale, genericDot
	k.rope, k.ropePairs = genericRope, genericRopePairs
	k.most, k.expSum, k.expScale = genericMost, genericExpSum, genericExpScale
	k.attentionKernels.addGeneric()
	k.round8 = genericRound8
	k.addBlocks32()
	k.superKernels = genericSuperKernels()
	k.adamw, k.sumSquares, k.sumSquares4 = genericAdamW, genericSumSquares, genericSumSquares4
	k.genericCeilings()
	return k.complete()
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

// tree adds eight lanes pairwise.

// genericQuant has the integers and the roundings of the other levels, so also their bits.
