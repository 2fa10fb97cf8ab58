package cpu

import (
	"math"
	"unsafe"

	"lian/compute"
	"lian/dtype"
)

// Fast products of AWQ and GPTQ weights: their panels are those of Q4_1, a scale and a minimum for each 32 inputs, and so are the
// kernels. Only how a panel is filled differs, and the order of the inputs in it.

// hasPanels says whether the weight has 4 bits and its groups are whole blocks of neighbours.
func (r *packedRows) hasPanels() bool {
	if r.words == nil || r.Bits != 4 || r.Inputs%quantBlock != 0 || r.Inputs == 0 {
		return false
	}
	if r.index == nil {
		return r.Group%quantBlock == 0
	}
	for i := 0; i < len(r.index); i += quantBlock { // files without act-order have an index too
		for _, g := range r.index[i : i+quantBlock] {
			if g != r.index[i] {
				return false
			}
		}
	}
	return true
}

// ordersPacked put eight inputs into the order 0 2 4 6 1 3 5 7: the even and the odd nibbles of a word.
var ordersPacked = func() *orders {
	var out orders
	for p := range quantBlock {
		from := p/8*8 + p%4*2 + p%8/4
		for b := range out {
			out[b][0][p], out[b][1][p] = byte(from%16), 0x80
		}
	}
	return &out
}()

// packedKind is Q4_1's kind for panels of packed weights.
func (c *kernels) packedKind() *quantKind {
	if c.quantPacked == nil {
		k := *c.quants[dtype.Q4_1]
		k.few = nil // they read Q4_1's blocks
		k.round = func(k *quantKind, records *byte, src *float32, blocks, rows, lane int) {
			values := (*byte)(unsafe.Add(unsafe.Pointer(records), lane*quantBlock))
			scales := (*float32)(unsafe.Add(unsafe.Pointer(records), rows*quantBlock+lane*4))
			k.round8(values, scales, src, &ordersPacked[0][0][0], blocks, rows*k.recordBytes, rows*4, -1, 1)
		}
		c.quantPacked = &k
	}
	return c.quantPacked
}

// panel fills `count` blocks of a panel, of the outputs from `column` on.
func (r *packedRows) panel(c *kernels, s *scratch, k *quantKind, dst *byte, column, first, count int) {
	n, lanes := r.Outputs, k.lanes
	width := min(lanes, n-column)
	space := s.need(slotPacked, 2*lanes)
	scales, zeros, last := space[:width], space[lanes:lanes+width], -1
	out := unsafe.Slice(dst, count*k.panelBytes)
	kernel, stride := c.gptqPanel, n*4
	if r.Layout == compute.PackedAWQ {
		kernel, stride = c.awqPanel, n/2
	}
	if c.packedLanes != lanes || width < lanes {
		kernel = nil
	}
	for b := range count {
		input := (first + b) * quantBlock
		g := 0
		if r.index != nil {
			g = int(r.index[input])
		} else {
			g = input / r.Group
		}
		if g != last {
			r.group(c, g, column, scales, zeros)
			last = g
		}
		block := out[b*k.panelBytes : (b+1)*k.panelBytes]
		for i, v := range scales {
			putUint32(block, i*4, math.Float32bits(v))
			putUint32(block, (lanes+i)*4, math.Float32bits(-zeros[i]*v))
		}
		values := block[2*lanes*4:]
		switch {
		case kernel == nil:
			r.genericPanel(values, lanes, width, column, input)
		case r.Layout == compute.PackedAWQ:
			kernel(&values[0], &r.words[(input*n+column)/8], stride)
		default:
			kernel(&values[0], &r.words[input/8*n+column], stride)
		}
	}
}

// genericPanel writes the values of 32 inputs, one by one.
func (r *packedRows) genericPanel(values []byte, lanes, width, column, input int) {
	n := r.Outputs
	for p := range quantBlock {
		i := input + p/8*8 + p%4*2 + p%8/4
		for lane := range width {
			v := uint32(0)
			if r.Layout == compute.PackedAWQ {
				v = awqNibble(r.words[i*n/8:], column+lane)
			} else {
				v = uint32(r.words[i/8*n+column+lane]) >> (i % 8 * 4) & 15
			}
			values[(p/4*lanes+lane)*4+p%4] = byte(v)
		}
	}
}
