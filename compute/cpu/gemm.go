package cpu

import (
	"sync/atomic"

	"lian/compute"
	"lian/dtype"
)

// product is out = activation(alpha·A·B (+ out) (+ residual) (+ bias)).
type product struct {
	m, n, k    int
	pairs      bool // multiply as bfloat16 pairs
	a, b       source
	packed     []float32 // B as panels of all k, if someone has them
	out        []float32
	stride     int // values from one row of out and residual to the next
	alpha      float32
	accumulate bool
	residual   []float32
	bias       []float32
	after      compute.ActivationKind
	out16      []byte // bfloat16 instead of out
	residual16 []byte // bfloat16 instead of residual
}

const (
	shortK     = 256       // the same for few rows: a panel of B lies in the level-1 cache
	longestK   = 1024      // 32-bit elements: a panel of A and one of B of this depth lie in a level-2 cache together
	decodeRows = 16        // up to here B is read from memory faster than it is multiplied
	blockBytes = 512 << 10 // of panels that a task packs for itself: half of a level-2 cache
	manyLanes  = 512       // packing an operand is little work beside multiplying it with so many lanes
)

// sharedBytes is how many bytes of panels all tasks read at a time: they lie in the level-3 cache.
var sharedBytes = 16 << 20

// multiply computes a product on the workers. Each output is one chain over ascending k: blocks of k go through partial sums
// that are stored and loaded again, which rounds nothing.
func (b *backend) multiply(p *product) error {
	if p.m <= 0 || p.n <= 0 {
		return nil
	}
	f := frame[multiplication](b)
	f.backend, f.product = b, *p
	if f.few.is = f.canReadRows(); !f.few.is {
		if b.canAMX(p) {
			f.product = product{}
			return b.multiplyApart(p)
		}
		if p.pairs && !b.packsPairs() {
			return b.multiplyRounded(p)
		}
	}
	err := f.run()
	f.product = product{} // keeps nothing alive
	return err
}

// multiplication is a product in work. The smaller operand is packed once, by all workers, and read by every task; the other one
// is packed by the tasks, each some panels at a time, right before they are multiplied: it is read once, and never lies in
// memory as panels. What a task does changes no result.
type multiplication struct {
	*backend
	product
	shared, own side
	packed      []float32 // the shared panels [first, first+count) for k in [from, to)
	first       int
	count       int
	from, to    int
	sums        []float32 // of all tiles, if not all k are packed at a time
	unit        int       // own panels that stay together
	deep        int       // k of a block
	group       int       // own panels packed at a time
	tasks, cuts int       // of the own panels, of the shared ones
	few         few
	failed      atomic.Pointer[error]
}

// side is one operand as panels.
type side struct {
	source  *source
	isA     bool
	lanes   int
	width   int // lanes of a panel
	panels  int
	compact bool
}

func (f *multiplication) run() error {
	f.failed.Store(nil)
	if f.few.is {
		return f.runRows()
	}
	a := side{&f.a, true, f.m, f.rows, (f.m + f.rows - 1) / f.rows, true}
	b := side{&f.b, false, f.n, f.columns, (f.n + f.columns - 1) / f.columns, false}
	f.shared, f.own = a, b
	if f.product.packed != nil || f.n < f.m {
		f.shared, f.own = b, a
	}
	f.cutK()
	f.cutOwn()
	most, span := f.cutShared()
	f.sums = nil
	if span < f.k {
		f.sums = f.backend.shared.need(slotPartial, min(most, f.shared.panels)*f.own.panels*f.rows*f.columns)
	}
	for f.first = 0; f.first < f.shared.panels; f.first += most {
		f.count = min(most, f.shared.panels-f.first)
		f.cuts = 1
		if few := 2 * f.workers; f.workers > 1 && f.tasks < few { // too few own panels for the workers
			f.cuts = min(f.count, (few+f.tasks-1)/f.tasks)
		}
		for f.from = 0; f.from == 0 || f.from < f.k; f.from += span {
			f.to = min(f.from+span, f.k)
			f.packed = f.product.packed
			if f.packed == nil {
				f.packed = f.backend.shared.need(slotB, f.count*f.shared.width*depth(f.to-f.from, f.pairs))
				f.spansOf(f.count, together(&f.shared), f)
			}
			if f.failed.Load() == nil {
				f.eachOf(f.tasks*f.cuts, f)
			}
			if err := f.failed.Load(); err != nil {
				return *err
			}
		}
	}
	return nil
}

// cutShared chooses how many shared panels and how many k are packed at a time. Each block of lanes packs the other operand again,
// so blocks have many lanes; where k is long they have part of it, and sums go on in memory.
func (f *multiplication) cutShared() (most, span int) {
	x := &f.shared
	most, span = max(1, x.panels), max(1, f.k)
	room := sharedBytes / 4
	if f.product.packed != nil || most*x.width*depth(f.k, f.pairs) <= room {
		return most, span
	}
	if fit := room / depth(f.k, f.pairs) / x.width; fit*x.width >= manyLanes {
		return fit, span
	}
	most = min(most, 2*manyLanes/x.width)
	return most, max(1, room/(most*x.width*depth(f.deep, f.pairs))) * f.deep
}

// together is the number of panels that a block of an operand's type lies across: they are packed at one time.
func together(x *side) int {
	if x.source.contiguous {
		return 1
	}
	return max(1, x.source.kind.BlockSize()/x.width)
}

// cutK chooses the depth of blocks: whole blocks of the packed types, and pairs.
func (f *multiplication) cutK() {
	longest := longestK
	if f.m <= decodeRows {
		longest = shortK
	}
	if f.pairs {
		longest *= 2
	}
	parts := max(1, (f.k+longest-1)/longest)
	unit := max(16, f.a.together(), f.b.together())
	f.deep = max(unit, ((f.k+parts-1)/parts+unit-1)/unit*unit)
}

// cutOwn chooses how many own panels are packed at a time and by one task.
func (f *multiplication) cutOwn() {
	o := &f.own
	f.unit = together(o)
	units := (o.panels + f.unit - 1) / f.unit
	most := max(1, blockBytes/4/max(o.width*depth(min(f.deep, f.k), f.pairs)*f.unit, 1))
	if f.m <= decodeRows {
		most = 1
	}
	f.group = most * f.unit
	f.tasks = (units + most - 1) / most
	if f.workers > 1 {
		f.tasks = min(units, max((f.tasks+f.workers-1)/f.workers*f.workers, 3*f.workers))
	}
}

// layout is how some k of one side are packed.
func (f *multiplication) layout(x *side, size, from, to int) panels {
	p := panels{pairs: f.pairs, width: x.width, size: size, compact: x.compact, from: from, to: to, ahead: aheadOfRows}
	if x.source.contiguous && x.source.together() == 1 && to == f.k { // what is read next is the start of the rows of the panel behind
		p.ahead += (x.width - 1) * x.source.kind.Bytes(x.source.stride)
	}
	return p
}

// span packs some of the shared panels.
func (f *multiplication) span(s *scratch, from, to int) {
	x := &f.shared
	size := x.width * depth(f.to-f.from, f.pairs)
	p := f.layout(x, size, f.from, f.to)
	f.pack(s, f.packed[from*size:], x, &p, f.first+from, f.first+to)
}

// pack packs panels [first, last) of one side.
func (f *multiplication) pack(s *scratch, dst []float32, x *side, p *panels, first, last int) bool {
	err := f.packPanels(s, dst, x.source, p, first*x.width, min(last*x.width, x.lanes))
	if err != nil {
		failure := err // an address of err itself would cost memory at every call
		f.failed.Store(&failure)
	}
	return err == nil
}

// fail keeps an error; a function of its own, so that only an error allocates.
func (f *multiplication) fail(err error) { f.failed.Store(&err) }

// task multiplies some own panels with some shared ones.
func (f *multiplication) task(s *scratch, task int) {
	if f.few.is {
		f.rowsTask(s, task)
		return
	}
	t, c := task/f.cuts, task%f.cuts
	units := (f.own.panels + f.unit - 1) / f.unit
	first, last := units*t/f.tasks*f.unit, min(units*(t+1)/f.tasks*f.unit, f.own.panels)
	from, to := f.first+f.count*c/f.cuts, f.first+f.count*(c+1)/f.cuts
	for ; first < last; first += f.group {
		f.block(s, first, min(first+f.group, last), from, to)
	}
}

// block multiplies own panels [first, last) with shared ones [from, to), block of k by block.
func (f *multiplication) block(s *scratch, first, last, from, to int) {
	c := &s.tile
	area := f.rows * f.columns
	partial, row0, column0, across := f.sums, f.first, 0, f.own.panels // of the sums that are kept
	if f.sums == nil && f.deep < f.k {
		partial, row0, column0, across = s.need(slotPartial, (last-first)*(to-from)*area), from, first, last-first
	}
	size := f.own.width * depth(min(f.deep, f.to-f.from), f.pairs)
	own := s.need(slotA, (last-first)*size)
	whole := depth(f.to-f.from, f.pairs)
	for k := f.from; k == f.from || k < f.to; k += f.deep {
		end := min(k+f.deep, f.to)
		deep, done := depth(end-k, f.pairs), depth(k-f.from, f.pairs)
		p := f.layout(&f.own, size, k, end)
		if !f.pack(s, own, &f.own, &p, first, last) {
			return
		}
		for i := from; i < to; i++ {
			for j := first; j < last; j++ {
				shared, mine := at(f.packed, (i-f.first)*f.shared.width*whole), at(own, (j-first)*size)
				row, column := i, j
				if !f.shared.isA {
					row, column = j, i
				}
				rows := min(f.rows, f.m-row*f.rows)
				*c = tile{k: deep, alpha: 1}
				if off := (j - first) * fetched(deep); i+1 < to && off < f.shared.width*deep*4 { // the next shared panel
					c.ahead = skip(shared, f.shared.width*(whole+done)+off/4)
				}
				if f.shared.isA {
					c.a, c.b = skip(shared, done*rows), mine
				} else {
					c.a, c.b = mine, skip(shared, done*f.columns)
				}
				here := (*float32)(nil)
				if partial != nil {
					here = at(partial, ((i-row0)*across+j-column0)*area)
				}
				if k > 0 {
					c.partial = here
				}
				if end < f.k {
					c.c, c.stride = here, f.columns*4
					f.gemmOf(f.pairs)[rows-1](c)
					continue
				}
				f.finish(s, row*f.rows, rows, column)
			}
		}
	}
}

// finish runs the last (or only) kernel call of a tile and writes its outputs. s.tile has the panels and partial sums.
func (f *multiplication) finish(s *scratch, row, rows, panel int) {
	c := &s.tile
	column := panel * f.columns
	columns := min(f.columns, f.n-column)
	first := row*f.stride + column
	c.alpha = f.alpha
	kernel := f.gemmOf(f.pairs)[rows-1]
	whole := columns == f.columns && f.residual16 == nil // the kernel itself adds what is added
	if whole {
		if f.residual != nil {
			c.residual, c.rstride = at(f.residual, first), f.stride*4
		}
		if f.bias != nil {
			c.bias = at(f.bias, column)
		}
		if f.out16 == nil && f.after == compute.Identity {
			c.c, c.stride = at(f.out, first), f.stride*4
			if f.accumulate {
				c.flags = flagAccumulate
			}
			kernel(c)
			return
		}
	}
	edge := s.need(slotD, f.rows*f.columns)
	c.c, c.stride = at(edge, 0), f.columns*4
	kernel(c)
	if !whole {
		for i := range rows {
			f.addTo(edge[i*f.columns:][:columns], first+i*f.stride, column)
		}
	}
	if f.after != compute.Identity {
		f.activate[f.after](c.c, c.c, rows*f.columns)
	}
	for i := range rows {
		from, values := first+i*f.stride, edge[i*f.columns:][:columns]
		if f.out16 == nil {
			copy(f.out[from:], values)
		} else if err := f.fromFloats(dtype.BF16, values, f.out16[2*from:2*(from+columns)]); err != nil {
			f.fail(err)
		}
	}
}

// addTo adds to some outputs of a row, of which the first is number `from` of out, in the order of the kernels.
func (f *multiplication) addTo(values []float32, from, column int) {
	for j := range values {
		if f.accumulate {
			values[j] += f.out[from+j]
		}
		if f.residual != nil {
			values[j] += f.residual[from+j]
		}
		if f.residual16 != nil {
			values[j] += dtype.BF16ToF32(uint16(f.residual16[2*(from+j)]) | uint16(f.residual16[2*(from+j)+1])<<8)
		}
		if f.bias != nil {
			values[j] += f.bias[column+j]
		}
	}
}

// multiplyApart is multiply by the tile unit, which adds float32 and knows no activation: that follows.
func (b *backend) multiplyApart(p *product) error {
	q := *p
	count := 0
	if p.m > 0 {
		count = (p.m-1)*p.stride + p.n
	}
	if p.residual16 != nil {
		q.residual, q.residual16 = b.shared.need(slotF, count), nil
		b.stretches(count, func(_ *scratch, from, n int) {
			_ = b.toFloats(dtype.BF16, p.residual16[2*from:2*(from+n)], q.residual[from:from+n]) // lengths fit: cannot fail
		})
	}
	if p.out16 != nil && p.after != compute.Identity {
		q.out, q.out16 = b.shared.need(slotG, count), nil
	}
	if err := b.multiplyAMX(&q); err != nil {
		return err
	}
	if p.after == compute.Identity {
		return nil
	}
	b.activateAll(q.out, p.after)
	if p.out16 != nil {
		b.stretches(count, func(_ *scratch, from, n int) {
			_ = b.fromFloats(dtype.BF16, q.out[from:from+n], p.out16[2*from:2*(from+n)])
		})
	}
	return nil
}

// packAll writes every panel of B, one behind the other.
func (b *backend) packAll(dst []float32, x *source, n, k int, pairs bool) error {
	size := b.columns * depth(k, pairs)
	p := panels{pairs: pairs, width: b.columns, size: size, to: k, ahead: aheadOfRows}
	var failed atomic.Pointer[error]
	b.spans((n+b.columns-1)/b.columns, max(1, x.kind.BlockSize()/b.columns), func(s *scratch, from, to int) {
		if err := b.packPanels(s, dst[from*size:], x, &p, from*b.columns, min(to*b.columns, n)); err != nil {
			failed.Store(&err)
		}
	})
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// multiplyRounded is multiply with bfloat16 operands where the processor cannot multiply those: rounded, then as float32.
func (b *backend) multiplyRounded(p *product) error {
	q := *p
	q.pairs, q.packed = false, nil
	if q.a.kind == dtype.F32 {
		q.a.data = b.rounded(slotF, p.a.data)
	}
	if q.b.kind == dtype.F32 {
		q.b.data = b.rounded(slotG, p.b.data)
	}
	return b.multiply(&q)
}

// rounded is a copy with every value rounded to bfloat16.
func (b *backend) rounded(slot int, x []float32) []float32 {
	out := b.shared.need(slot, len(x))
	b.spans(len(x), stretch, func(_ *scratch, from, to int) {
		for i, v := range x[from:to] {
			out[from+i] = dtype.BF16ToF32(dtype.F32ToBF16(v))
		}
	})
	return out
}

// gemmOf is the micro-kernels for float32 values or bfloat16 pairs.
func (c *kernels) gemmOf(pairs bool) []func(*tile) {
	if pairs {
		return c.gemmPairs
	}
	return c.gemm
}
