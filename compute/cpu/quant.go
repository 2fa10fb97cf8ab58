package cpu

import (
	"unsafe"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// quantTile is one call of a kernel for quantised weights. The assembly reads it by offset.
type quantTile struct {
	weights *byte    // a panel: see gen/quant.go
	values  *int8    // activations: for each block, 32 of each row
	scales  *float32 // for each block, one of each row
	sums    *int32   // for each block and row, what the integers begin with
	out     *float32
	blocks  int
	stride  int // bytes from one row of out to the next

	// Wide forms only; sums then are of halves of blocks.
	weighted *float32 // for each block and row, scale × sum
}

const quantBlock = 32

// quantForm is how a block type is multiplied.
type quantForm uint8

const (
	quantNone  quantForm = iota // dequantised, as float32
	quantBytes                  // 8-bit values, one float16 scale in 32
	quantNibbles
	quantWide // 8-bit values, a float32 scale in 16 and a minimum in 32
)

func quantFormOf(t dtype.Type) quantForm {
	switch t {
	case dtype.Q8_0, dtype.Q5_0:
		return quantBytes
	case dtype.Q4_0:
		return quantNibbles
	case dtype.Q4_1, dtype.Q5_1:
		return quantWide
	}
	return quantNone
}

// quantPanels is the kept form of a constant quantised weight. It is as large as the weight; the pages of a mapped file that
// it was made from are not needed again.
type quantPanels struct {
	lanes, offset int
	data          []byte
}

// panelSize is the bytes of a panel of n blocks of 32.
func (c *kernels) panelSize(t dtype.Type, blocks int) int {
	switch quantFormOf(t) {
	case quantNibbles:
		return blocks * c.quantLanes * (2 + quantBlock/2)
	case quantWide:
		return blocks * c.quantLanes * (12 + quantBlock)
	}
	return blocks * c.quantLanes * (2 + quantBlock)
}

// packQuant writes panel number `panel` of a weight of n rows in ggml's blocks. Rows past n are 0.
func (c *kernels) packQuant(dst, rows []byte, t dtype.Type, panel, n, blocks int) {
	lanes, size := c.quantLanes, t.BlockBytes()
	clear(dst)
	if quantFormOf(t) == quantWide {
		c.packWide(dst, rows, t, panel, n, blocks)
		return
	}
	each := len(dst) / blocks
	for lane := range min(lanes, n-panel*lanes) {
		row := rows[(panel*lanes+lane)*blocks*size:][:blocks*size]
		for b := range blocks {
			src, out := row[b*size:(b+1)*size], dst[b*each:(b+1)*each]
			out[lane*2], out[lane*2+1] = src[0], src[1]
			out = out[lanes*2:]
			switch t {
			case dtype.Q8_0:
				for i, v := range src[2:] {
					out[(i/4*lanes+lane)*4+i%4] = v + byte(c.quantOffset8)
				}
			case dtype.Q4_0: // ggml: value i in the low nibble of byte i, value i+16 in the high one; so are groups g and g+4
				for i, v := range src[2:] {
					out[(i/4*lanes+lane)*4+i%4] = v
				}
			case dtype.Q5_0: // 16 high bits as one number of 32, nibbles as Q4_0, minus 16: fits the 8-bit form
				high := uint32(src[2]) | uint32(src[3])<<8 | uint32(src[4])<<16 | uint32(src[5])<<24
				for i := range quantBlock {
					v := src[6+i%16] >> (i / 16 * 4) & 15
					v |= byte(high>>i&1) << 4
					out[(i/4*lanes+lane)*4+i%4] = v - 16 + byte(c.quantOffset8)
				}
			}
		}
	}
}

// keptQuant returns the packed panels of a constant weight, made at the first use; nil if it is not constant.
func (b *backend) keptQuant(t *compute.Tensor, n, blocks int) []byte {
	if !t.Constant {
		return nil
	}
	derived.Lock()
	defer derived.Unlock()
	if p, ok := t.Derived().(*quantPanels); ok && p.lanes == b.quantLanes && p.offset == b.quantOffset8 {
		return p.data
	}
	size := b.panelSize(t.Type, blocks)
	count := (n + b.quantLanes - 1) / b.quantLanes
	p := &quantPanels{lanes: b.quantLanes, offset: b.quantOffset8, data: bytesOf(aligned((count*size + 3) / 4))}
	raw := host.Bytes(t)
	b.spans(count, 1, func(_ *scratch, from, to int) {
		for i := from; i < to; i++ {
			b.packQuant(p.data[i*size:(i+1)*size], raw, t.Type, i, n, blocks)
		}
	})
	t.KeepDerived(p)
	return p.data
}

// multiplyQuant is MatMul with Fast for the block types that have kernels.
func (b *backend) multiplyQuant(o *compute.MatMul, m, n, k int) error {
	blocks := k / quantBlock
	kernels, offset := b.quant8, b.quantOffset8
	wide := false
	switch quantFormOf(o.B.Type) {
	case quantNibbles:
		kernels, offset = b.quant4, 8
	case quantWide:
		kernels, offset, wide = b.quantWide, wideOffset(o.B.Type), true
	}
	group := len(kernels) // rows of one kernel call
	values, scales, sums := b.activations(host.F32(o.A), m, k, group, offset)
	var weighted []float32
	if wide {
		sums, weighted = b.halves(values, scales, m, blocks, group, offset)
	}
	raw, packed, size := host.Bytes(o.B), b.keptQuant(o.B, n, blocks), b.panelSize(o.B.Type, blocks)
	out, residual, bias, lanes := host.F32(o.Out), host.F32(o.Residual), host.F32(o.Bias), b.quantLanes
	plain := o.Scale() == 1 && !o.Accumulate && residual == nil && bias == nil
	b.spans((n+lanes-1)/lanes, 1, func(s *scratch, from, to int) {
		for j := from; j < to; j++ {
			var panel []byte
			if packed != nil {
				panel = packed[j*size : (j+1)*size]
			} else {
				panel = bytesOf(s.need(slotB, (size+3)/4))[:size]
				b.packQuant(panel, raw, o.B.Type, j, n, blocks)
			}
			columns := min(lanes, n-j*lanes)
			for r := 0; r < m; r += group {
				rows := min(group, m-r)
				t := &s.quant
				*t = quantTile{values: atInt8(values, r*k), scales: at(scales, r*blocks), sums: atInt32(sums, r*blocks), blocks: blocks}
				if wide {
					t.sums, t.weighted = atInt32(sums, 2*r*blocks), at(weighted, r*blocks)
				}
				if blocks > 0 {
					t.weights = &panel[0]
				}
				if plain && columns == lanes {
					t.out, t.stride = at(out, r*n+j*lanes), n*4
					kernels[rows-1](t)
					continue
				}
				edge := s.need(slotD, group*lanes)
				t.out, t.stride = at(edge, 0), lanes*4
				kernels[rows-1](t)
				for i := range rows {
					for c := range columns {
						v := float32(edge[i*lanes+c] * o.Scale())
						x := (r+i)*n + j*lanes + c
						if o.Accumulate {
							v += out[x]
						}
						if residual != nil {
							v += residual[x]
						}
						if bias != nil {
							v += bias[j*lanes+c]
						}
						out[x] = v
					}
				}
			}
		}
	})
	return nil
}

// activations rounds rows to int8 in blocks of 32 as MatMul says and lays them out for the kernels: groups of rows, in a group
// block by block, in a block row by row. sums are −offset times the sums of blocks.
func (b *backend) activations(a []float32, m, k, group, offset int) (values []int8, scales []float32, sums []int32) {
	blocks := k / quantBlock
	bytes := bytesOf(b.shared.need(slotE, (m*k+3)/4))
	values = unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(bytes))), m*k)
	scales = b.shared.need(slotF, m*blocks)
	whole := b.shared.need(slotG, m*blocks)
	sums = unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(whole))), m*blocks)
	b.spans(m, 4, func(_ *scratch, from, to int) {
		for r := from; r < to; r++ {
			first := r / group * group
			rows, lane := min(group, m-first), r-first
			where := first*blocks + lane
			b.round8(atInt8(values, where*quantBlock), at(scales, where), atInt32(sums, where), at(a, r*k), blocks, rows*quantBlock, rows*4, offset)
		}
	})
	return values, scales, sums
}

func bytesOf(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*4)
}

func atInt8(x []int8, i int) *int8 {
	return (*int8)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(x)), i))
}

func atInt32(x []int32, i int) *int32 {
	return (*int32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(x)), i*4))
}
