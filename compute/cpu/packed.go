package cpu

import (
	"unsafe"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// packedKernels read rows of weights that other programs quantised. Counts are of whole registers of values.
type packedKernels struct {
	packedLanes int // values in a register
	gptqRow     func(dst *float32, words, next *int32, scales, zeros *float32, registers, right, left, mask int)
	awqRow      func(dst *float32, words *int32, scales, zeros *float32, registers int)
	codesRow    func(dst *float32, src *byte, codes, scales *float32, blocks, groups int)
	int8Row     func(dst *float32, src *byte, registers int, scale float32)

	// The values of 32 inputs of a panel of packedLanes outputs for int8 products; stride is the bytes of a row of words.
	gptqPanel, awqPanel func(dst *byte, words *int32, stride int)
	quantPacked         *quantKind // see packedKind
}

var _ = provides((*backend).packedMatmul)

func (b *backend) packedMatmul(o *compute.PackedMatMul) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, n, k := o.Dimensions()
	rows := frame[packedRows](b)
	defer func() { *rows = packedRows{} }() // keeps nothing alive
	if err := rows.open(&o.Weight); err != nil {
		return err
	}
	if o.Fast && rows.hasPanels() {
		b.multiplyQuant(quantProduct{quantKind: b.packedKind(), kernels: b.kernels, packed: rows, m: m, n: n, blocks: k / quantBlock, a: host.F32(o.A), out: host.F32(o.Out),
			stride: n, alpha: o.Scale(), accumulate: o.Accumulate, residual: host.F32(o.Residual), bias: host.F32(o.Bias)})
		return nil
	}
	a := operand{host.F32(o.A), k, true}
	if o.Fast {
		a = b.roundToInt8(a, m, k, quantBlock, false)
	}
	// AWQ and GPTQ weights have rows of outputs, the others of inputs.
	along, contiguous := o.Weight.Inputs, !o.Transposed
	if o.Weight.Layout == compute.PackedAWQ || o.Weight.Layout == compute.PackedGPTQ {
		along, contiguous = o.Weight.Outputs, o.Transposed
	}
	return b.multiply(&product{
		m: m, n: n, k: k,
		a:   plain(a),
		b:   source{operand: operand{nil, along, contiguous}, packed: rows},
		out: host.F32(o.Out), stride: n,
		alpha: o.Scale(), accumulate: o.Accumulate,
		residual: host.F32(o.Residual), bias: host.F32(o.Bias),
	})
}

// packedRows is a weight of another program as rows in the order in which it is stored.
type packedRows struct {
	compute.PackedWeight
	words, zeros, index []int32
	values, scales      []byte
	codes               []float32
	scaleCodes          []float32
	scaleScales         []float32
	grid, gridZeros     []float32 // scales and zeros of a grid
}

func (r *packedRows) open(w *compute.PackedWeight) error {
	*r = packedRows{PackedWeight: *w, index: host.I32(w.GroupIndex), scales: host.Bytes(w.Scales), codes: host.F32(w.Codes),
		scaleCodes: host.F32(w.ScaleCodes), scaleScales: host.F32(w.ScaleScales)}
	switch w.Layout {
	case compute.PackedAWQ, compute.PackedGPTQ:
		r.words, r.zeros = host.I32(w.Values), host.I32(w.Zeros)
		if err := host.CheckIndex(r.index, w.Groups()); err != nil {
			return err
		}
		if w.Layout == compute.PackedAWQ {
			r.Bits = 4
		}
	case compute.PackedGrid:
		r.values, r.grid, r.gridZeros = host.Bytes(w.Values), host.F32(w.Scales), host.F32(w.Zeros)
		return host.CheckIndex(r.index, w.Groups())
	default:
		r.values = host.Bytes(w.Values)
	}
	return nil
}

// packedColumns is what a worker keeps for a range of columns: the scales and zeros of groups that it has met.
type packedColumns struct {
	from, to int
	ready    []bool
}

// start begins with another range of columns. AWQ's must begin and end at multiples of eight.
func (r *packedRows) start(s *scratch, from, to int) {
	if r.words == nil {
		return
	}
	s.columns.from, s.columns.to = from, to
	groups := r.Groups()
	if cap(s.columns.ready) < groups {
		s.columns.ready = make([]bool, groups)
	}
	s.columns.ready = s.columns.ready[:groups]
	clear(s.columns.ready)
	s.need(slotPacked, 2*groups*(to-from))
}

// row writes the columns of the range that was started, of row i.
func (r *packedRows) row(c *kernels, s *scratch, i, from, to int, dst []float32) {
	switch {
	case r.words != nil:
		r.groupedRow(c, s, i, dst)
	case r.Layout == compute.PackedCodes:
		r.codesOf(c, s, i*r.Inputs+from, dst)
	case r.Layout == compute.PackedGrid:
		r.gridRow(i, from, dst)
	default:
		scale := *(*float32)(unsafe.Pointer(&r.scales[4*i])) / 127
		src := r.values[i*r.Inputs+from:][:to-from]
		whole := len(dst) &^ (c.packedLanes - 1)
		if whole > 0 {
			c.int8Row(&dst[0], &src[0], whole/c.packedLanes, scale)
		}
		for j, v := range src[whole:] {
			dst[whole+j] = float32(int8(v)) * scale
		}
	}
}

// groupedRow is one input of an AWQ or GPTQ weight.
func (r *packedRows) groupedRow(c *kernels, s *scratch, i int, dst []float32) {
	from, width, n := s.columns.from, s.columns.to-s.columns.from, r.Outputs
	if width == 0 {
		return
	}
	g := 0
	if r.index != nil {
		g = int(r.index[i])
	} else {
		g = i / r.Group
	}
	space := s.need(slotPacked, 2*r.Groups()*width)[2*g*width:]
	scales, zeros := space[:width], space[width:2*width]
	if !s.columns.ready[g] {
		s.columns.ready[g] = true
		r.group(c, g, from, scales, zeros)
	}
	whole := width &^ (c.packedLanes - 1)
	if r.Layout == compute.PackedAWQ {
		words := r.words[(i*n+from)/8:]
		if whole > 0 {
			c.awqRow(&dst[0], &words[0], &scales[0], &zeros[0], whole/c.packedLanes)
		}
		for j := whole; j < width; j++ {
			dst[j] = (float32(awqNibble(words, j)) - zeros[j]) * scales[j]
		}
		return
	}
	bit := i * r.Bits
	right, left, mask := bit%32, 32, 1<<r.Bits-1
	words := r.words[bit/32*n+from:]
	next := words
	if right+r.Bits > 32 { // the rest is in the next word
		next, left = words[n:], 32-right
	}
	if whole > 0 {
		c.gptqRow(&dst[0], &words[0], &next[0], &scales[0], &zeros[0], whole/c.packedLanes, right, left, mask)
	}
	for j := whole; j < width; j++ {
		v := (uint32(words[j])>>right | uint32(next[j])<<left) & uint32(mask)
		dst[j] = (float32(v) - zeros[j]) * scales[j]
	}
}

// awqNibble is the value of output j of words that begin with output 0.
func awqNibble(words []int32, j int) uint32 {
	return uint32(words[j/8]) >> (4 * [8]uint8{0, 4, 1, 5, 2, 6, 3, 7}[j%8]) & 15
}

// group reads the scales and zeros of a group for columns from `from` on.
func (r *packedRows) group(c *kernels, g, from int, scales, zeros []float32) {
	n, kind := r.Outputs, r.Scales.Type
	if kind == dtype.F32 {
		for j := range scales {
			scales[j] = *(*float32)(unsafe.Pointer(&r.scales[4*(g*n+from+j)]))
		}
	} else {
		_ = c.dequantize(kind, r.scales[2*(g*n+from):2*(g*n+from+len(scales))], scales) // of a plain type: cannot fail
	}
	row := r.zeros[g*n*r.Bits/32 : (g+1)*n*r.Bits/32]
	for j := range zeros {
		v := uint32(0)
		if r.Layout == compute.PackedAWQ {
			v = awqNibble(row, from+j)
		} else {
			bit := (from + j) * r.Bits
			v = uint32(row[bit/32]) >> (bit % 32)
			if bit%32+r.Bits > 32 {
				v |= uint32(row[bit/32+1]) << (32 - bit%32)
			}
			v &= 1<<r.Bits - 1
		}
		zeros[j] = float32(int(v) + r.ZeroOffset)
	}
}

// codesOf writes values of a table of codes from element `first` on.
func (r *packedRows) codesOf(c *kernels, s *scratch, first int, dst []float32) {
	for at := 0; at < len(dst); {
		e := first + at
		block := e / r.Group
		if blocks := (len(dst) - at) / r.Group; blocks > 0 && e%r.Group == 0 && e%2 == 0 && r.Group%16 == 0 {
			scales := s.need(slotPacked, blocks)
			for i := range scales {
				scales[i] = r.blockScale(block + i)
			}
			c.codesRow(&dst[at], &r.values[e/2], &r.codes[0], &scales[0], blocks, r.Group/16)
			at += blocks * r.Group
			continue
		}
		scale := r.blockScale(block)
		for end := min((block+1)*r.Group-first, len(dst)); at < end; at++ {
			e := first + at
			dst[at] = r.codes[r.values[e/2]>>(4*(1-e%2))&15] * scale
		}
	}
}

// blockScale is the scale of a block of codes, itself quantised or not.
func (r *packedRows) blockScale(block int) float32 {
	if r.scaleCodes == nil {
		return *(*float32)(unsafe.Pointer(&r.scales[4*block]))
	}
	return float32(r.scaleCodes[r.scales[block]]*r.scaleScales[block/256]) + r.ScaleOffset
}
