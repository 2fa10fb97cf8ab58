package cpu

import (
	"unsafe"

	"lian/dtype"
)

// amxTile is one call of the tile unit's kernels. The assembly reads it by offset, and counts in it.
type amxTile struct {
	streams, stays *float32 // packed operands: blocks after each other, and the one block that each is multiplied with
	begin, end     *float32 // sums of all blocks that the chains go on from, and where sums go that are not final; or nil
	c              *float32
	residual       *float32
	bias           *float32
	config         *byte
	space          *float32 // of a block's sums
	steps          int      // of 32 k
	rows, columns  int
	stride         int      // bytes from one row of c to the next
	next           *float32 // rows of an operand with contiguous k that will be packed next, or nil
	nextRow        int      // bytes from one of them to the next
	perStep        int      // rows of outputs to finish in a step of the next block
	alpha          float32
	flags          uint32
	moved          int // bytes that residual and bias have moved by
	added          int // bytes from one row of residual to the next
}

const (
	flagResidual = 2
	flagBias     = 4
	flagBrain    = 8 // c is bfloat16
)

// amxKernels is what a processor with a tile unit for bfloat16 (Intel AMX) has.
type amxKernels struct {
	config        *byte // the shapes of the tile registers
	rows, columns func(*amxTile)

	few     func(t *rowsTile, config *byte)   // up to 16 rows times 32 rows of weights where they lie; sums are [2][16][16], weights first
	fewRows func(dst, src *float32, rows int) // makes rows of 32 sums of them

	// Packers of 16 or 32 lanes, by whether k runs along memory and whether lanes are to be rows (A) or columns (B).
	floats, brains amxPackers
}

// amxPackers pack operands of one type: 32·steps values of k of each lane.
type amxPackers struct {
	packRows, packPairs, turnRows, turnPairs func(dst, src *float32, stride, steps, lanes int)
}

const (
	amxLanes = 32                     // rows or columns of a block
	amxDeep  = 32                     // values of k in a step
	amxUnit  = amxLanes * amxDeep / 2 // float32-sized elements of a packed step
	amxBlock = amxLanes * amxLanes    // sums of a block

	amxMostSteps  = 18  // of what stays: 36 KiB of the level-1 cache
	amxMostBlocks = 18  // of what streams in a task, if there are many steps
	amxMostUnits  = 576 // of packed steps that stream: about half of a level-2 cache of 2 MiB
	amxMostStays  = 72  // blocks of what stays in a task that keeps their sums
	amxWidth      = 8   // blocks of what stays that are packed together, if their lanes are contiguous
)

// amxProduct is how a product is cut. Only parts, the bounds of k, could change a result, and they depend on k alone.
//
// A task takes blocks of one operand that stream through the kernels again and again: they are packed first, all of k if they
// then fit the level-2 cache. Blocks of the other operand are packed one by one, multiplied with all of those, and forgotten.
type amxProduct struct {
	product
	b                       *backend
	streamsRows             bool
	blocks, blockTasks      int // of what streams, 32 lanes each
	others, otherTasks      int // of what stays
	parts, deep             int // blocks of k; steps of 32 k in one
	whole                   bool
	streams, stays          source
	streamLanes, otherLanes int
}

func ceil(a, b int) int { return (a + b - 1) / b }

// plan chooses what streams.
func (c *amxProduct) plan(workers int) {
	rows, columns := c.cut(true, workers), c.cut(false, workers)
	// What stays is packed in pieces, between calls: if there is a choice, the operand whose k is contiguous, which is read in
	// long stretches.
	near := rows.read() / 8
	switch {
	case rows.parts == 1: // little is read for much that is written: columns write along the rows of C
		near = rows.read() / 5
	case !c.a.contiguous || c.product.b.contiguous:
		near = -near
	}
	if c.m <= amxLanes || columns.read() > rows.read()+near {
		*c = rows
	} else {
		*c = columns
	}
}

// cut is the product cut with rows or with columns as what streams.
func (c *amxProduct) cut(streamsRows bool, workers int) amxProduct {
	d := *c
	d.streamsRows = streamsRows
	d.streams, d.streamLanes, d.stays, d.otherLanes = d.a, d.m, d.product.b, d.n
	if !streamsRows {
		d.streams, d.streamLanes, d.stays, d.otherLanes = d.stays, d.otherLanes, d.streams, d.streamLanes
	}
	d.blocks, d.others = ceil(d.streamLanes, amxLanes), ceil(d.otherLanes, amxLanes)
	steps := ceil(d.k, amxDeep)
	d.parts = max(1, ceil(steps, amxMostSteps))
	d.deep = ceil(steps, d.parts)
	most := amxMostBlocks
	if d.parts == 1 {
		most, d.whole = max(most, amxMostUnits/max(1, steps)), true
	} else if tasks := ceil(d.blocks, most); ceil(d.blocks, tasks)*steps <= amxMostUnits {
		d.whole = true
	}
	d.blockTasks, d.otherTasks = ceil(d.blocks, most), 1
	if !d.whole {
		d.otherTasks = ceil(d.others, amxMostStays)
	}
	want := workers
	if d.whole && workers > 1 { // a worker that takes a second task with the same blocks has them packed
		want = 2 * workers
	}
	for d.blockTasks*d.otherTasks < want {
		switch {
		case d.otherTasks < d.others && d.others*d.blockTasks >= d.blocks*d.otherTasks:
			d.otherTasks++
		case d.blockTasks < d.blocks:
			d.blockTasks++
		case d.otherTasks < d.others:
			d.otherTasks++
		default:
			want = 0
		}
	}
	return d
}

// read is how many lanes are packed in all.
func (c *amxProduct) read() int {
	if c.whole {
		return c.streamLanes + c.otherLanes*c.blockTasks
	}
	return c.streamLanes*c.otherTasks + c.otherLanes*c.blockTasks
}

// multiplyAMX computes a product of bfloat16 pairs with the tile unit. An output's chain goes over k in steps of 32, whoever
// computes it.
func (b *backend) multiplyAMX(p *product) error {
	c := frame[amxProduct](b)
	*c = amxProduct{product: *p, b: b}
	c.plan(b.workers)
	for i := range b.scratch {
		b.scratch[i].amxPacked = -1
	}
	b.eachOf(c.blockTasks*c.otherTasks, c)
	*c = amxProduct{}
	return nil
}

// task computes some blocks with some others. It implements tasker.
func (c *amxProduct) task(s *scratch, task int) {
	mine, amx := task/c.otherTasks, c.b.amx
	top, bottom := c.blocks*mine/c.blockTasks*amxLanes, min(c.blocks*(mine+1)/c.blockTasks*amxLanes, c.streamLanes)
	from, to := c.others*(task%c.otherTasks)/c.otherTasks, c.others*(task%c.otherTasks+1)/c.otherTasks
	blocks := ceil(bottom-top, amxLanes)
	group, kept := 1, to-from // parts packed at a time, others whose sums are kept
	if c.whole {
		group, kept = c.parts, c.width()
	}
	if c.parts == 1 {
		kept = 0
	}
	streams := s.need(slotA, blocks*amxUnit*group*c.deep)
	stays := s.need(slotB, amxUnit*c.deep*c.width())
	sums := s.need(slotPartial, kept*blocks*amxBlock)
	space := s.need(slotD, amxBlock)
	for g := 0; g < c.parts; g += group {
		if !c.whole || s.amxPacked != mine {
			s.amxPacked = mine
			for part := g; part < g+group; part++ {
				amx.packBlocks(s, streams[(part-g)*c.deep*blocks*amxUnit:], c, c.streams, top, bottom, part, c.streamsRows)
			}
		}
		for j := from; j < to; j += c.width() {
			width := min(c.width(), to-j)
			for part := g; part < g+group; part++ {
				amx.packBlocks(s, stays, c, c.stays, j*amxLanes, min((j+width)*amxLanes, c.otherLanes), part, !c.streamsRows)
				deep := c.steps(part)
				for i := range width {
					t := &s.amx
					*t = amxTile{
						streams: at(streams, (part-g)*c.deep*blocks*amxUnit), stays: at(stays, i*deep*amxUnit), config: amx.config, space: at(space, 0),
						steps: deep, stride: c.stride * 4, added: c.stride * 4, alpha: c.alpha, perStep: ceil(amxLanes, max(1, deep)),
					}
					here := i * blocks * amxBlock
					if !c.whole {
						here += (j - from) * blocks * amxBlock
					}
					if part > 0 {
						t.begin = at(sums, here)
					}
					if part+1 < c.parts {
						t.end = at(sums, here)
					}
					if c.stays.contiguous && c.stays.kind == dtype.F32 && blocks >= 8 {
						if part+1 < g+group {
							t.fetch(c, j, part+1)
						} else if j+1 < to {
							t.fetch(c, j+1, g)
						}
					}
					lanes := min(amxLanes, c.otherLanes-(j+i)*amxLanes)
					if c.streamsRows {
						t.rows, t.columns = bottom-top, lanes
						t.outputs(&c.product, top, (j+i)*amxLanes)
						amx.rows(t)
					} else {
						t.rows, t.columns = lanes, bottom-top
						t.outputs(&c.product, (j+i)*amxLanes, top)
						amx.columns(t)
					}
				}
			}
		}
	}
}

// width is how many blocks of what stays are packed together: several if their lanes are contiguous, to read more than 128 bytes
// of each row.
func (c *amxProduct) width() int {
	if c.stays.contiguous {
		return 1
	}
	return amxWidth
}

// span is the k of a part.
func (c *amxProduct) span(part int) (from, to int) {
	return min(part*c.deep*amxDeep, c.k), min((part+1)*c.deep*amxDeep, c.k)
}

// steps is how many steps of 32 k a part has.
func (c *amxProduct) steps(part int) int {
	from, to := c.span(part)
	return ceil(to-from, amxDeep)
}

// fetch says that a part of block j of what stays is what will be packed next.
func (t *amxTile) fetch(c *amxProduct, j, part int) {
	k, _ := c.span(part)
	t.next, t.nextRow = at(c.stays.data, j*amxLanes*c.stays.stride+k), c.stays.stride*4
}

// packBlocks packs lanes [top, bottom) of a part of k, block after block.
func (x *amxKernels) packBlocks(s *scratch, dst []float32, c *amxProduct, from source, top, bottom, part int, rows bool) {
	k0, k1 := c.span(part)
	deep := c.steps(part)
	if from.contiguous {
		for i := top; i < bottom; i += amxLanes {
			x.pack(s, dst[(i-top)/amxLanes*deep*amxUnit:], from, i, min(amxLanes, bottom-i), k0, k1, rows)
		}
		return
	}
	for step := range deep { // along the rows of memory
		k := k0 + step*amxDeep
		for i := top; i < bottom; i += amxLanes {
			x.pack(s, dst[((i-top)/amxLanes*deep+step)*amxUnit:], from, i, min(amxLanes, bottom-i), k, min(k+amxDeep, k1), rows)
		}
	}
}

// outputs says where the outputs from a row and a column on go, and what is added to them.
func (t *amxTile) outputs(p *product, row, column int) {
	first := row*p.stride + column
	if p.out16 != nil {
		t.c, t.stride = (*float32)(unsafe.Pointer(&p.out16[2*first])), p.stride*2
		t.flags |= flagBrain
	} else {
		t.c = at(p.out, first)
	}
	if p.accumulate {
		t.flags |= flagAccumulate
	}
	if p.residual != nil {
		t.residual = at(p.residual, first)
		t.flags |= flagResidual
	}
	if p.bias != nil {
		t.bias = at(p.bias, column)
		t.flags |= flagBias
	}
}

// pack packs lanes [lane, lane+count), at most 32, for k in [from, to), as rows or as pairs. k past the last counts as 0; what
// lanes past count hold is undefined: nobody reads their outputs.
func (c *amxKernels) pack(s *scratch, dst []float32, x source, lane, count, from, to int, rows bool) {
	packers, size, bytes := &c.floats, 4, bytesOf(x.data)
	if x.kind == dtype.BF16 {
		packers, size, bytes = &c.brains, 2, x.bytes
	}
	f := packers.packPairs
	switch {
	case x.contiguous && rows:
		f = packers.packRows
	case x.contiguous:
		f = packers.turnPairs
	case rows:
		f = packers.turnRows
	}
	lanes := amxLanes
	if count <= amxLanes/2 {
		lanes = amxLanes / 2
	}
	start := func(lane, k int) int { // of a value in bytes
		if x.contiguous {
			return (lane*x.stride + k) * size
		}
		return (k*x.stride + lane) * size
	}
	done := 0
	if count == lanes && to-from >= amxDeep {
		done = (to - from) / amxDeep
		f(at(dst, 0), (*float32)(unsafe.Pointer(&bytes[start(lane, from)])), x.stride*size, done, lanes)
	}
	for ; from+done*amxDeep < to; done++ {
		k := from + done*amxDeep
		deep := min(amxDeep, to-k)
		whole := s.need(slotC, amxDeep*amxLanes)
		if deep < amxDeep {
			clear(whole)
		}
		edge := bytesOf(whole)
		along, across, row := deep, count, amxDeep*size
		if !x.contiguous {
			along, across = count, deep
		}
		for i := range across {
			at := start(lane+i, k)
			if !x.contiguous {
				at = start(lane, k+i)
			}
			copy(edge[i*row:i*row+along*size], bytes[at:])
		}
		f(at(dst, done*amxUnit), at(whole, 0), row, 1, lanes)
	}
}

// packsPairs says whether products of bfloat16 pairs take B as panels.
func (b *backend) packsPairs() bool { return b.gemmPairs != nil && b.amx == nil }

// canAMX says whether the tile unit computes a product.
func (b *backend) canAMX(p *product) bool {
	float := func(x *source) bool { return x.packed == nil && (x.kind == dtype.F32 || x.kind == dtype.BF16) }
	return b.amx != nil && p.pairs && float(&p.a) && float(&p.b)
}
