package cpu

import (
	"unsafe"

	"lian/dtype"
)

// operand is a matrix seen as lanes (rows of A, columns of B) over k.
type operand struct {
	data       []float32
	stride     int  // values from one lane to the next if contiguous, else from one k to the next
	contiguous bool // k runs along memory
}

// source is an operand of any type: float32 values, or rows of another type that become float32 (or pairs) on the way into a panel.
type source struct {
	operand
	kind  dtype.Type
	bytes []byte // instead of data, unless kind is F32

	packed *packedRows // instead of both: a weight of another program
}

// plain is a source of float32 values.
func plain(x operand) source { return source{operand: x, kind: dtype.F32} }

// panelKernels pack whole panels. A level may lack any of them.
type panelKernels struct {
	// By what rows hold: k runs along src; rows become lanes, as many as the name says.
	turnB, turnA [packForms]func(dst *float32, dstStride int, src *byte, rowBytes, bytes, ahead int) // transposeLanes; rows of a tile
	// Rows of src are k; their values become lanes of several panels side by side, dstStride bytes apart.
	tilesA, tilesB [packForms]func(dst *float32, dstStride int, src *byte, srcStride, count, panels int)
}

// What is packed, and as what.
const (
	formFloats     = iota     // float32 (to turn: four bytes of anything)
	formBrain                 // bfloat16 as float32
	formHalf                  // float16 as float32
	turnForms                 // for what k runs along
	formPairs      = iota - 1 // float32 as pairs of bfloat16
	formBrainPairs            // bfloat16 as pairs
	packForms
)

// aheadOfRows is how far packing rows fetches ahead, in bytes of each row.
const aheadOfRows = 512

// depth is the number of 32-bit elements that k values take in a panel: half as many when they are bfloat16 pairs.
func depth(k int, pairs bool) int {
	if pairs {
		return (k + 1) / 2
	}
	return k
}

// panels is some lanes of an operand that are to be packed for k in [from, to), and how.
type panels struct {
	pairs    bool // as pairs of bfloat16; from is even then
	width    int  // lanes of a panel
	size     int  // values from the start of a panel to the next
	compact  bool // a last panel of fewer lanes is as wide as it has lanes; else the lanes that it lacks are 0
	from, to int
	ahead    int // bytes ahead of what is read that will be read next
}

// packPanels writes the panels of lanes [first, last) of x. first is a multiple of the width, last too unless no lanes follow.
func (c *kernels) packPanels(s *scratch, dst []float32, x *source, p *panels, first, last int) error {
	if p.to <= p.from {
		return nil
	}
	whole := (last - first) / p.width
	form := packForms
	switch {
	case x.kind == dtype.F32 && !p.pairs:
		form = formFloats
	case x.kind == dtype.F32:
		form = formPairs
	case x.kind == dtype.BF16 && !p.pairs:
		form = formBrain
	case x.kind == dtype.BF16:
		form = formBrainPairs
	case x.kind == dtype.F16 && !p.pairs:
		form = formHalf
	}
	switch {
	case form == packForms:
		whole = 0
	case x.contiguous:
		whole = c.turnPanels(dst, x, p, form, first, whole)
	default:
		whole = c.copyPanels(dst, x, p, form, first, whole)
	}
	first += whole * p.width
	if first == last {
		return nil
	}
	return c.packRest(s, dst[whole*p.size:], x, p, first, last)
}

// turnPanels packs whole panels of rows that k runs along and says how many it packed.
func (c *kernels) turnPanels(dst []float32, x *source, p *panels, form, first, count int) int {
	raw, size := x.raw()
	turn, lanes, values, packed := form, c.transposeLanes, p.to-p.from, size // bytes of a value, and of one that is turned
	switch form {
	case formBrainPairs:
		turn = formFloats // two values are four bytes
	case formPairs:
		packed = 2
	}
	if values*packed < 16 {
		return 0
	}
	kernel := c.turnB[turn]
	if p.width == c.rows && p.width != c.columns {
		kernel, lanes = c.turnA[turn], c.rows
	}
	if kernel == nil {
		return 0
	}
	whole := values * packed &^ 3
	for i := range count {
		panel := dst[i*p.size:]
		for lane := 0; lane < p.width; lane += lanes {
			from := ((first+i*p.width+lane)*x.stride + p.from) * size
			kernel(at(panel, lane), p.width*4, (*byte)(unsafe.Add(raw, from)), x.stride*size, whole, p.ahead)
		}
		if values*packed != whole { // an odd value of 16 bits
			for lane := range p.width {
				at := (first+i*p.width+lane)*x.stride + p.to - 1
				v := uint16(0)
				if form == formPairs {
					v = dtype.F32ToBF16(x.data[at])
				} else {
					v = *(*uint16)(unsafe.Add(raw, at*size))
				}
				panel[(depth(values, p.pairs)-1)*p.width+lane] = lone(v, form)
			}
		}
	}
	return count
}

// copyPanels packs whole panels of rows that are k and says how many it packed.
func (c *kernels) copyPanels(dst []float32, x *source, p *panels, form, first, count int) int {
	const together, deep = 8, 512 // of one kernel call
	kernel := c.tilesB[form]
	if p.width == c.rows && p.width != c.columns {
		kernel = c.tilesA[form]
	}
	if kernel == nil || count == 0 {
		return 0
	}
	raw, size := x.raw()
	unit := 1
	if p.pairs {
		unit = 2
	}
	units := (p.to - p.from) / unit
	for i := 0; i < count; i += together {
		for u := 0; u < units; u += deep {
			from := ((p.from+u*unit)*x.stride + first + i*p.width) * size
			kernel(at(dst, i*p.size+u*p.width), p.size*4, (*byte)(unsafe.Add(raw, from)), x.stride*size, min(deep, units-u), min(together, count-i))
		}
	}
	if units*unit < p.to-p.from { // an odd k: its pair has a 0
		for i := range count {
			for lane := range p.width {
				at := (p.to-1)*x.stride + first + i*p.width + lane
				v := uint16(0)
				if form == formPairs {
					v = dtype.F32ToBF16(x.data[at])
				} else {
					v = *(*uint16)(unsafe.Add(raw, at*size))
				}
				dst[i*p.size+units*p.width+lane] = lone(v, formBrainPairs)
			}
		}
	}
	return count
}

// raw is the address of the first value of float32 or a type of 16 bits, and the bytes of one.
func (x *source) raw() (first unsafe.Pointer, size int) {
	if x.kind == dtype.F32 {
		return unsafe.Pointer(unsafe.SliceData(x.data)), 4
	}
	return unsafe.Pointer(unsafe.SliceData(x.bytes)), 2
}

// lone is what the 16 bits of a value are in a panel of a form, alone in a pair.
func lone(v uint16, form int) float32 {
	switch form {
	case formHalf:
		return dtype.F16ToF32(v)
	case formBrain:
		return dtype.BF16ToF32(v)
	}
	bits := uint32(v)
	return *(*float32)(unsafe.Pointer(&bits))
}

// packRest packs panels of any number of lanes and any type: as float32 first, some k at a time.
func (c *kernels) packRest(s *scratch, dst []float32, x *source, p *panels, first, last int) error {
	if x.kind == dtype.F32 {
		c.packFloats(dst, x.operand, p, 0, first, last, p.from, p.to)
		return nil
	}
	block := x.block()
	if x.contiguous {
		const stride = stretchOfRow + 16 // rows at a distance of a power of two would fall into one set of the cache
		rows := s.need(slotC, p.width*stride)
		for panel := 0; first < last; panel++ {
			count := min(p.width, last-first)
			for from := p.from; from < p.to; from += stretchOfRow {
				n := min(stretchOfRow, p.to-from)
				x.begin(s, from, from+n)
				for i := range count {
					if err := c.read(s, x, first+i, from, from+n, rows[i*stride:i*stride+n]); err != nil {
						return err
					}
				}
				values := source{operand: operand{rows, stride, true}, kind: dtype.F32}
				part := panels{width: p.width, size: p.size, to: n}
				if p.pairs || count < p.width || c.turnPanels(dst[panel*p.size+(from-p.from)*p.width:], &values, &part, formFloats, 0, 1) == 0 {
					c.packFloats(dst[panel*p.size:], values.operand, p, from-p.from, 0, count, 0, n)
				}
			}
			first += count
		}
		return nil
	}
	// Rows are k. A row's blocks are made once for all the panels that they lie across.
	const deep = 16 // rows at a time; even, for pairs
	most := max(8*p.width, block) / p.width * p.width
	for panel := 0; first < last; panel += most / p.width {
		count := min(most, last-first)
		left := first / block * block
		width := (first+count+block-1)/block*block - left
		rows := s.need(slotC, deep*width)
		x.begin(s, left, left+width)
		for r := p.from; r < p.to; r += deep {
			n := min(deep, p.to-r)
			for i := range n {
				if err := c.read(s, x, r+i, left, left+width, rows[i*width:(i+1)*width]); err != nil {
					return err
				}
			}
			c.packFloats(dst[panel*p.size:], operand{rows[first-left:], width, false}, p, r-p.from, 0, count, 0, n)
		}
		first += count
	}
	return nil
}

// stretchOfRow is how many values of a row are made float32 at a time: those of a panel's rows stay in a near cache.
const stretchOfRow = 512

// packFloats packs float32 lanes [first, last) for k in [from, to), behind `done` k of the panels.
func (c *kernels) packFloats(dst []float32, x operand, p *panels, done, first, last, from, to int) {
	for panel := 0; first < last; panel++ {
		count := min(p.width, last-first)
		width := p.width
		if p.compact {
			width = count
		}
		c.packAs(p.pairs, dst[panel*p.size+depth(done, p.pairs)*width:], x, first, count, width, from, to)
		first += count
	}
}
