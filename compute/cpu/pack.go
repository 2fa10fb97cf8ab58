package cpu

import (
	"math"
	"unsafe"

	"lian/dtype"
)

// pack writes lanes [lane, lane+count) of x for k in [from, to) as groups of `width` values, one group for each k. Lanes past
// count are 0. It may write up to slack values past the panel's end.
func (c *kernels) pack(dst []float32, x operand, lane, count, width, from, to int) {
	n := to - from
	if n <= 0 || count <= 0 {
		return
	}
	switch {
	case x.contiguous:
		c.packContiguous(dst, x, lane, count, width, from, n)
	case count == width && width == c.columns:
		c.copyB(at(dst, 0), at(x.data, from*x.stride+lane), x.stride*4, n)
	case count == width && width == c.rows:
		c.copyA(at(dst, 0), at(x.data, from*x.stride+lane), x.stride*4, n)
	default:
		for p := range n {
			copy(dst[p*width:p*width+count], x.data[(from+p)*x.stride+lane:])
		}
	}
	for i := count; i < width; i++ {
		for p := range n {
			dst[p*width+i] = 0
		}
	}
}

// packContiguous transposes: as many lanes as the level turns, or eight or four lanes by eight values at a time; what is left over
// one by one.
func (c *kernels) packContiguous(dst []float32, x operand, lane, count, width, from, n int) {
	i := 0
	address := func(i int) *byte { return (*byte)(unsafe.Pointer(at(x.data, (lane+i)*x.stride+from))) }
	if turn := c.turnB[formFloats]; turn != nil && n >= 4 {
		for ; count-i >= c.transposeLanes; i += c.transposeLanes {
			turn(at(dst, i), width*4, address(i), x.stride*4, n*4, aheadOfRows)
		}
	}
	if turn := c.turnA[formFloats]; turn != nil && n >= 4 && count-i >= c.rows {
		turn(at(dst, i), width*4, address(i), x.stride*4, n*4, aheadOfRows)
		i += c.rows
	}
	turned, whole := i, n&^7
	for i < count {
		src := (lane+i)*x.stride + from
		switch {
		case count-i >= 8:
			c.transpose8(at(dst, i), width*4, at(x.data, src), x.stride*4, n/8)
			i += 8
		case count-i >= 4:
			c.transpose4(at(dst, i), width*4, at(x.data, src), x.stride*4, n/8)
			i += 4
		case count-turned >= 4: // the last four again, overlapping
			i = count - 4
		default:
			for p, v := range x.data[src : src+whole] {
				dst[p*width+i] = v
			}
			i++
		}
	}
	for i := turned; i < count; i++ {
		for p := whole; p < n; p++ {
			dst[p*width+i] = x.data[(lane+i)*x.stride+from+p]
		}
	}
}

// packAs packs float32 values, or bfloat16 pairs; from must be even for pairs, and k past the last counts as 0.
func (c *kernels) packAs(pairs bool, dst []float32, x operand, lane, count, width, from, to int) {
	if pairs {
		c.packPairs(dst, x, lane, count, width, from, to)
	} else {
		c.pack(dst, x, lane, count, width, from, to)
	}
}

func (c *kernels) packPairs(dst []float32, x operand, lane, count, width, from, to int) {
	n := to - from
	if n <= 0 || count <= 0 {
		return
	}
	done, whole := 0, 0 // lanes and values of k that the kernels have packed
	switch {
	case x.contiguous:
		for whole = n &^ 15; count-done >= 8; done += 8 {
			c.transposePairs(at(dst, done), width*4, at(x.data, (lane+done)*x.stride+from), x.stride*4, n/16)
		}
		if done < count && count >= 8 { // the last eight again, overlapping
			done = count - 8
			c.transposePairs(at(dst, done), width*4, at(x.data, (lane+done)*x.stride+from), x.stride*4, n/16)
			done = count
		}
	case count == width && width == c.columns:
		c.pairsB(at(dst, 0), at(x.data, from*x.stride+lane), x.stride*4, n/2)
		done, whole = count, n&^1
	case count == width && width == c.rows:
		c.pairsA(at(dst, 0), at(x.data, from*x.stride+lane), x.stride*4, n/2)
		done, whole = count, n&^1
	case count == width && width <= 16:
		c.pairLanes(at(dst, 0), at(x.data, from*x.stride+lane), x.stride*4, n/2, width)
		done, whole = count, n&^1
	}
	value := func(i, k int) uint32 {
		if k >= to {
			return 0
		}
		if x.contiguous {
			return uint32(dtype.F32ToBF16(x.data[(lane+i)*x.stride+k]))
		}
		return uint32(dtype.F32ToBF16(x.data[k*x.stride+lane+i]))
	}
	for i := range width {
		p := 0
		if i < done {
			p = whole / 2
		}
		for ; p < (n+1)/2; p++ {
			v := uint32(0)
			if i < count {
				v = value(i, from+2*p) | value(i, from+2*p+1)<<16
			}
			dst[p*width+i] = math.Float32frombits(v)
		}
	}
}
