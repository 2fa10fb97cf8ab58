package cpu

import (
	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// operand is a matrix seen as lanes (rows of A, columns of B) over k.
type operand struct {
	data       []float32
	stride     int  // values from one lane to the next if contiguous, else from one k to the next
	contiguous bool // k runs along memory
}

// source is where panels of B come from: float32 values, or rows of another type that are dequantised on the way.
type source struct {
	operand
	kind  dtype.Type
	bytes []byte // rows of k values of kind, unless kind is F32
}

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

// packContiguous transposes: eight or four lanes by eight values at a time; what is left over one by one.
func (c *kernels) packContiguous(dst []float32, x operand, lane, count, width, from, n int) {
	whole := n &^ 7
	for i := 0; i < count; {
		src := (lane+i)*x.stride + from
		switch {
		case count-i >= 8:
			c.transpose8(at(dst, i), width*4, at(x.data, src), x.stride*4, n/8)
			i += 8
		case count-i >= 4:
			c.transpose4(at(dst, i), width*4, at(x.data, src), x.stride*4, n/8)
			i += 4
		case count >= 4: // the last four again, overlapping
			i = count - 4
		default:
			for p, v := range x.data[src : src+whole] {
				dst[p*width+i] = v
			}
			i++
		}
	}
	for i := range count {
		for p := whole; p < n; p++ {
			dst[p*width+i] = x.data[(lane+i)*x.stride+from+p]
		}
	}
}

// packB writes panel number `panel` of B, all of k.
func (c *kernels) packB(s *scratch, dst []float32, b *source, panel, n, k int) error {
	lane := panel * c.columns
	count := min(c.columns, n-lane)
	if b.kind == dtype.F32 {
		c.pack(dst, b.operand, lane, count, c.columns, 0, k)
		return nil
	}
	rows := s.need(slotC, count*k)
	size := b.kind.Bytes(k)
	for i := range count {
		if err := dtype.Dequantize(b.kind, b.bytes[(lane+i)*size:(lane+i+1)*size], rows[i*k:(i+1)*k]); err != nil {
			return err
		}
	}
	c.pack(dst, operand{rows, k, true}, 0, count, c.columns, 0, k)
	return nil
}

// panels is the kept form of a constant weight: every panel, packed.
type panels struct {
	columns int
	data    []float32
}

// kept returns the packed panels of a constant float32 weight [n, k], made at the first use.
func (b *backend) kept(t *compute.Tensor) []float32 {
	if !t.Constant || t.Type != dtype.F32 {
		return nil
	}
	n, k := t.Rows(), t.Columns()
	if p, ok := t.Derived().(*panels); ok && p.columns == b.columns {
		return p.data
	}
	count := (n + b.columns - 1) / b.columns
	p := &panels{columns: b.columns, data: aligned(count*b.columns*k + slack)}
	b.packAll(p.data, &source{operand: operand{host.F32(t), k, true}, kind: dtype.F32}, n, k)
	t.KeepDerived(p)
	return p.data
}

// packAll writes every panel of a float32 B.
func (b *backend) packAll(dst []float32, src *source, n, k int) {
	count := (n + b.columns - 1) / b.columns
	size := b.columns * k
	b.spans(count, 1, func(s *scratch, from, to int) {
		for p := from; p < to; p++ {
			_ = b.packB(s, dst[p*size:], src, p, n, k) // float32: cannot fail
		}
	})
}
