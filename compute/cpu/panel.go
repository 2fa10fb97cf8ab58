package cpu

import (
	"encoding/binary"
	"math"
	"sync"
	"unsafe"

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

	across bool // packed rows lie along n: k rows of n values
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

// depth is the number of 32-bit elements that k values take in a panel: half as many when they are bfloat16 pairs.
func depth(k int, pairs bool) int {
	if pairs {
		return (k + 1) / 2
	}
	return k
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

// packB writes panel number `panel` of B, all of k.
func (c *kernels) packB(s *scratch, dst []float32, b *source, panel, n, k int, pairs bool) error {
	lane := panel * c.columns
	count := min(c.columns, n-lane)
	if b.kind == dtype.F32 {
		c.packAs(pairs, dst, b.operand, lane, count, c.columns, 0, k)
		return nil
	}
	return c.packRows(s, dst, b, lane, count, k, pairs)
}

// panels is the kept form of a constant weight: every panel, packed.
type panels struct {
	columns int
	form    form
	data    []float32 // for 16-bit forms, two values each
}

// form is what the elements of a panel of B are.
type form uint8

const (
	floats form = iota
	pairs       // two bfloat16 of neighbouring k
	half        // float16
	brain       // bfloat16
)

// elementAt is the address of element i of packed panels.
func (f form) elementAt(x []float32, i int) *float32 {
	if len(x) > 0 && (f == half || f == brain) {
		return (*float32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(x)), 2*i))
	}
	return at(x, i)
}

// derived guards what tensors keep: two backends may use one weight at a time.
var derived sync.Mutex

// kept returns the packed panels of a constant weight [n, k], made at the first use, and their form: float32 weights as float32
// or pairs, 16-bit weights as they are. nil if the weight is not constant or quantised.
func (b *backend) kept(t *compute.Tensor, asPairs bool) ([]float32, form) {
	f := floats
	switch {
	case !t.Constant:
		return nil, f
	case t.Type == dtype.F16:
		f = half
	case t.Type == dtype.BF16:
		f = brain
	case t.Type != dtype.F32:
		return nil, f
	case asPairs:
		f = pairs
	}
	derived.Lock()
	defer derived.Unlock()
	n, k := t.Rows(), t.Columns()
	if p, ok := t.Derived().(*panels); ok && p.columns == b.columns && p.form == f {
		return p.data, f
	}
	count := (n + b.columns - 1) / b.columns
	p := &panels{columns: b.columns, form: f}
	switch f {
	case half, brain:
		p.data = aligned(count*b.columns*k/2 + slack)
		b.pack16(p.data, host.Bytes(t), n, k)
	default:
		p.data = aligned(count*b.columns*depth(k, asPairs) + slack)
		b.packAll(p.data, &source{operand: operand{host.F32(t), k, true}, kind: dtype.F32}, n, k, asPairs)
	}
	t.KeepDerived(p)
	return p.data, f
}

// pack16 writes every panel of 16-bit rows.
func (b *backend) pack16(dst []float32, rows []byte, n, k int) {
	out := unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(dst))), len(dst)*2)
	b.spans((n+b.columns-1)/b.columns, 1, func(_ *scratch, from, to int) {
		for p := from; p < to; p++ {
			panel := out[p*b.columns*k : (p+1)*b.columns*k]
			clear(panel)
			for lane := range min(b.columns, n-p*b.columns) {
				row := rows[(p*b.columns+lane)*k*2:][:k*2]
				for i := range k {
					panel[i*b.columns+lane] = binary.LittleEndian.Uint16(row[2*i:])
				}
			}
		}
	})
}

// packAll writes every panel of a float32 B.
func (b *backend) packAll(dst []float32, src *source, n, k int, pairs bool) {
	count := (n + b.columns - 1) / b.columns
	size := b.columns * depth(k, pairs)
	b.spans(count, 1, func(s *scratch, from, to int) {
		for p := from; p < to; p++ {
			_ = b.packB(s, dst[p*size:], src, p, n, k, pairs) // float32: cannot fail
		}
	})
}
