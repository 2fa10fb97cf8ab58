package cpu

import (
	"encoding/binary"
	"math"
	"unsafe"

	"lian/dtype"
)

// quantBlock is the number of values of a block of the types here.
const quantBlock = 32

// block32 is what one level has for a type of blocks of 32.
type block32 struct {
	lanes     int
	transpose transposer
	round8    func(dst *byte, scales, src *float32, orders *byte, blocks, stride, sumAt, offset, period int)
	unpack    func(panel, columns *byte, periods int)
	multiply  []func(*quantTile)
	few       []func(*quantTile)
	offset    int // of the values in a panel, above their meaning
}

// layout32 is a type's block in a file: a header, then 16 bytes of nibbles or 32 of int8.
type layout32 struct {
	header  int
	minimum bool
	offset  int // what makes the values unsigned
}

var layouts32 = map[dtype.Type]layout32{
	dtype.Q4_0:   {header: 2, offset: 8},
	dtype.Q4_1:   {header: 4, minimum: true},
	dtype.Q5_0:   {header: 6, offset: 16},
	dtype.Q5_1:   {header: 8, minimum: true},
	dtype.Q8_0:   {header: 2, offset: 128},
	dtype.IQ4_NL: {header: 2, offset: 128},
	dtype.MXFP4:  {header: 1, offset: 12},
}

// kind is the quantKind of a type of blocks of 32.
func (b block32) kind(t dtype.Type) *quantKind {
	layout := layouts32[t]
	k := &quantKind{block: quantBlock, bytes: t.BlockBytes(), period: 1, lanes: b.lanes, transpose: b.transpose, unpack: b.unpack, multiply: b.multiply, few: b.few}
	for k.period*k.bytes%4 != 0 {
		k.period *= 2
	}
	k.round8 = b.round8
	k.recordBytes, k.panelBytes = quantBlock+8, k.lanes*(4+quantBlock)
	offset := b.offset
	if layout.minimum {
		k.panelBytes += k.lanes * 4
		offset = -1
	}
	orders, round := ordersOf(t), b.round8
	k.round = func(k *quantKind, records *byte, src *float32, blocks, rows, lane int) {
		values := (*byte)(unsafe.Add(unsafe.Pointer(records), lane*quantBlock))
		scales := (*float32)(unsafe.Add(unsafe.Pointer(records), rows*quantBlock+lane*4))
		round(values, scales, src, &orders[0][0][0], blocks, rows*k.recordBytes, rows*4, offset, k.period)
	}
	return k
}

// order32 is, for 32 positions of a panel's block, where in the block their values come from.
func order32(t dtype.Type, block int) (from [quantBlock]byte) {
	layout := layouts32[t]
	n := t.BlockBytes() - layout.header // bytes of values: positions that turn together
	s := (block*t.BlockBytes() + layout.header) % 4
	for p := range from {
		from[p] = byte(p/n*n + (p%n-s+n)%n)
	}
	return from
}

// orders are masks of VPSHUFB that put a block's values into the order of order32: for up to four blocks of a period those for the
// block and for the block with its halves exchanged.
type orders [4][2][quantBlock]byte

// ordersOf says how the activations of each block of a period are ordered. Where the bytes of a block do not begin at a whole
// column, the first bytes share a column with the last ones.
func ordersOf(t dtype.Type) *orders {
	var out orders
	for b := range out {
		for p, from := range order32(t, b) {
			here, there := byte(0x80), byte(0x80) // VPSHUFB makes it 0
			if int(from)/16 == p/16 {
				here = from % 16
			} else {
				there = from % 16
			}
			out[b][0][p], out[b][1][p] = here, there
		}
	}
	return &out
}

// addBlocks32 adds the types of blocks of 32 in plain Go.
func (c *kernels) addBlocks32() {
	c.quants, c.quantName = quantKinds{}, "generic"
	for t, layout := range layouts32 {
		b := block32{lanes: 8, transpose: genericTransposeRows8, round8: genericRound8, offset: layout.offset}
		b.unpack = func(panel, columns *byte, periods int) { c.quants[t].genericUnpack32(t, panel, columns, periods) }
		for rows := 1; rows <= 4; rows++ {
			b.multiply = append(b.multiply, func(q *quantTile) { genericMultiply32(q, rows, layout.minimum) })
		}
		c.quants[t] = b.kind(t)
	}
}

// genericUnpack32 makes a panel of columns, a lane and a block at a time.
func (k *quantKind) genericUnpack32(t dtype.Type, panel, columns *byte, periods int) {
	blocks := periods * k.period
	src, dst := unsafe.Slice(columns, blocks*k.bytes*k.lanes), unsafe.Slice(panel, blocks*k.panelBytes)
	layout := layouts32[t]
	head := k.panelBytes - k.lanes*quantBlock
	for b := range blocks {
		order, out := order32(t, b%k.period), dst[b*k.panelBytes:(b+1)*k.panelBytes]
		for lane := range k.lanes {
			var block [64]byte
			for i := range k.bytes {
				at := b*k.bytes + i
				block[i] = src[(at/4*k.lanes+lane)*4+at%4]
			}
			q, scale, minimum := unpack32(t, block[:])
			putUint32(out, lane*4, math.Float32bits(scale))
			if layout.minimum {
				putUint32(out, (k.lanes+lane)*4, math.Float32bits(minimum))
			}
			for p, from := range order {
				out[head+(p/4*k.lanes+lane)*4+p%4] = q[from] + byte(layout.offset)
			}
		}
	}
}

// mxfp4Values are twice what the nibbles of MXFP4 mean, so that they are whole.
var mxfp4Values = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// unpack32 reads a block: a value means scale × int8(q) + minimum. Layouts: ggml-quants.c, as in package dtype.
func unpack32(t dtype.Type, x []byte) (q [quantBlock]byte, scale, minimum float32) {
	f16 := func(x []byte) float32 { return dtype.F16ToF32(binary.LittleEndian.Uint16(x)) }
	layout := layouts32[t]
	values := x[layout.header:]
	if t == dtype.Q8_0 {
		copy(q[:], values)
		return q, f16(x), 0
	}
	for i, v := range values[:16] {
		q[i], q[i+16] = v&15, v>>4
	}
	if t == dtype.Q5_0 || t == dtype.Q5_1 {
		bits := binary.LittleEndian.Uint32(x[layout.header-4:])
		for i := range q {
			q[i] |= byte(bits>>i&1) << 4
		}
	}
	for i, v := range q {
		switch t {
		case dtype.Q4_0:
			q[i] = v - 8
		case dtype.Q5_0:
			q[i] = v - 16
		case dtype.IQ4_NL:
			q[i] = byte(iq4Steps[v])
		case dtype.MXFP4:
			q[i] = byte(mxfp4Values[v])
		}
	}
	if t == dtype.MXFP4 {
		return q, float32(math.Ldexp(0.5, int(x[0])-127)), 0
	}
	if layout.minimum {
		minimum = f16(x[2:])
	}
	return q, f16(x), minimum
}

// genericMultiply32 has the integers and the roundings of the other levels, so also their bits.
func genericMultiply32(t *quantTile, rows int, minimum bool) {
	const lanes, width = 8, 16
	head := lanes * 4
	if minimum {
		head *= 2
	}
	size := head + lanes*quantBlock
	var sum [4 * width]float32
	if t.partial != nil {
		copy(sum[:], slice(t.partial, rows*width))
	}
	records := unsafe.Slice(t.records, t.blocks*rows*(quantBlock+8))
	panels := [2][]byte{unsafe.Slice(t.first, t.blocks*size), unsafe.Slice(t.second, t.blocks*size)}
	for b := range t.blocks {
		record := records[b*rows*(quantBlock+8):]
		for r := range rows {
			a := record[r*quantBlock : (r+1)*quantBlock]
			scale, begin := floatAt(record, rows*quantBlock+r*4), uint32At(record, rows*(quantBlock+4)+r*4)
			for i := range width {
				w, lane := panels[i/lanes][b*size:(b+1)*size], i%lanes
				whole := int32(0)
				if !minimum {
					whole = int32(begin)
				}
				for p, v := range a {
					whole += int32(w[head+(p/4*lanes+lane)*4+p%4]) * int32(int8(v))
				}
				d := float32(floatAt(w, lane*4) * scale)
				x := &sum[r*width+i]
				*x = fusedMultiplyAdd(float32(whole), d, *x)
				if minimum {
					*x = fusedMultiplyAdd(floatAt(w, (lanes+lane)*4), math.Float32frombits(begin), *x)
				}
			}
		}
	}
	t.genericFinish(sum[:], rows, width)
}

// fusedMultiplyAdd is x·y + z rounded once, as the processors' instruction has it. A float64 holds the product exactly; the sum is
// rounded to odd there, so that rounding it again to float32 cannot meet a tie that is none.
func fusedMultiplyAdd(x, y, z float32) float32 {
	product := float64(x) * float64(y)
	sum := product + float64(z)
	most := sum - product
	rest := (product - (sum - most)) + (float64(z) - most) // what sum lacks, exactly
	if bits := math.Float64bits(sum); bits&1 == 0 && (rest > 0 || rest < 0) {
		if (rest > 0) == (sum > 0) {
			bits++
		} else {
			bits--
		}
		sum = math.Float64frombits(bits)
	}
	return float32(sum)
}

// genericRound8 is round8 in plain Go.
func genericRound8(dst *byte, scales *float32, src *float32, order *byte, blocks, stride, sumAt, offset, period int) {
	masks := (*orders)(unsafe.Pointer(order))
	for i := range blocks {
		block := slice(at(slice(src, 1), i*quantBlock), quantBlock)
		out := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(dst), i*stride)), quantBlock)
		stored := (*float32)(unsafe.Add(unsafe.Pointer(scales), i*stride))
		sum := unsafe.Add(unsafe.Pointer(stored), sumAt)
		scale, inverse := int8Scale(block)
		if scale-scale != 0 { // NaN or ∞ in the block: nothing to round, the product is NaN
			*stored, *(*int32)(sum) = float32(math.NaN()), 0
			clear(out)
			continue
		}
		*stored = dtype.F16ToF32(dtype.F32ToF16(scale))
		total := int32(0)
		for p := range out {
			from := p&16 | int(masks[i%period][0][p])
			if masks[i%period][0][p] >= 0x80 {
				from = p&16 ^ 16 | int(masks[i%period][1][p])
			}
			q := roundAway(float32(block[from] * inverse))
			total += q
			out[p] = byte(q)
		}
		if offset < 0 {
			*(*float32)(sum) = float32(*stored * float32(total))
		} else {
			*(*int32)(sum) = -int32(offset) * total
		}
	}
}
