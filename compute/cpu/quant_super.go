package cpu

import (
	"unsafe"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// superSize is the values of a super-block.
const superSize = 256

// superTile is one call of a kernel for super-blocks. The assembly reads it by offset.
type superTile struct {
	panel  *byte    // super-blocks of a panel: see gen/super.go
	values *int8    // activations: for each block, 256 of each row
	sums   *byte    // for each block and row, what superRound makes of the sums of sub-blocks
	scales *float32 // for each block, one of each row
	out    *float32
	blocks int
	stride int // bytes from one row of out to the next
	resume int // 1: the chains go on from what is in out

	// What is fetched into the cache on the way, so that memory is busy while a panel is multiplied: super-blocks that come next, of
	// the second half of the rows. It is an address only: it may lie behind the weight's end.
	ahead      uintptr
	aheadRow   int // bytes from one row to the next; 0: nothing is fetched
	aheadBlock int // bytes of a super-block
}

// superForm is how a block type of 256 values is multiplied.
type superForm uint8

const (
	superNibble8   superForm = iota // eight sub-blocks with a scale and a minimum each, 4-bit values
	superMinimum8                   // the same, 5-bit values
	superMinimum16                  // sixteen
	superOffset16                   // sixteen with a scale, values stored above their meaning
	superTable8                     // eight with a scale, any 8-bit values
	superForms
)

// superType is what the kernels know of a block type.
type superType struct {
	form  superForm
	subs  int // sub-blocks
	shift int // stored values are 1<<shift above their meaning
}

// superTypes are the block types of 256 values that have kernels.
var superTypes = map[dtype.Type]superType{
	dtype.Q2_K:   {superMinimum16, 16, 0},
	dtype.Q3_K:   {superOffset16, 16, 5},
	dtype.Q4_K:   {superNibble8, 8, 0},
	dtype.Q5_K:   {superMinimum8, 8, 0},
	dtype.Q6_K:   {superOffset16, 16, 5},
	dtype.IQ4_XS: {superTable8, 8, 7},
}

// superKernels are a level's kernels for super-blocks.
type superKernels struct {
	superLanes    int // outputs of a panel
	superUnpack   map[dtype.Type]func(dst, src *byte, stride, blocks int)
	superMultiply [superForms][]func(*superTile) // by rows
	superBegins   bool                           // integers begin with what takes a form's offset off: sums are 32-bit, −offset times those of sub-blocks
	superRound    func(dst *int8, scales *float32, sums *byte, src *float32, blocks, dstStride, scaleStride, sumStride, subs, shift int)
}

// superElements is how many 32-bit elements each lane of a panel has for a super-block: d, dmin, scales, pairs, values.
func superElements(subs int) int { return 2 + subs + subs/2 + superSize/4 }

// superProduct is MatMul with Fast for block types of 256 values that have kernels. Weights are read once, where they lie, unpacked to
// panels a chunk of k at a time, and each panel is multiplied with all rows; nothing of a weight is kept.
type superProduct struct {
	*kernels
	superType
	unpack   func(dst, src *byte, stride, blocks int)
	multiply []func(*superTile)

	m, n, blocks         int
	rowBytes, blockBytes int
	weights              []byte
	rounding             *superRounding
	x                    superActivations
	out                  []float32
	end                  epilogue
}

const (
	// superChunk is how many super-blocks are unpacked at a time: panels of them stay in the level-1 cache while all rows are
	// multiplied with them.
	superChunk = 2
	// superTogether is how many panels are multiplied with a group of rows while it is in the level-1 cache, where rows are many.
	superTogether = 4
	// superRows is how many rows a task rounds and multiplies where there are at most superNarrow panels: a multiple of any group.
	superRows, superNarrow = 128, 64
	// superDistance is how far ahead of the loads memory is fetched, in bytes of a row.
	superDistance = 512
)

func (b *backend) superOf(o *compute.MatMul) superProduct {
	m, n, k := o.Dimensions()
	kind := superTypes[o.B.Type]
	return superProduct{kernels: b.kernels, superType: kind, unpack: b.superUnpack[o.B.Type], multiply: b.superMultiply[kind.form],
		m: m, n: n, blocks: k / superSize, rowBytes: o.B.Type.Bytes(k), blockBytes: o.B.Type.BlockBytes(),
		weights: host.Bytes(o.B), out: host.F32(o.Out), end: epilogueOf(o)}
}

func (b *backend) multiplySuper(o *compute.MatMul, m, n, k int) error {
	q, kind := frame[superProduct](b), superTypes[o.B.Type]
	*q = b.superOf(o)
	panels := (n + b.superLanes - 1) / b.superLanes
	q.rounding = b.superRoundingOf(host.F32(o.A), m, k, len(q.multiply), kind, o.Outliers)
	if q.x = q.rounding.superActivations; m >= 2*superRows && panels <= superNarrow {
		b.eachOf((m+superRows-1)/superRows, q)
	} else {
		b.spansOf(m, 1, q.rounding)
		b.spansOf(panels, 1, q)
	}
	b.addAll(b.outlierProductOf(q.rounding.far, o.B, m, n, k, 0), q.out, n, m, n, q.end.scale)
	*q.rounding, *q = superRounding{}, superProduct{}
	return nil
}

// task computes all outputs of some rows: where there are few panels, rows that one worker rounds and multiplies stay in its
// level-2 cache, and unpacking the weight again costs little.
func (q *superProduct) task(s *scratch, task int) {
	from, to := task*superRows, min((task+1)*superRows, q.m)
	q.rounding.span(s, from, to)
	q.outputs(s, 0, q.n, from, to)
}

// span computes the outputs of panels [from, to) for all rows.
func (q *superProduct) span(s *scratch, from, to int) {
	q.outputs(s, from*q.superLanes, min(to*q.superLanes, q.n), 0, q.m)
}

// outputs computes outputs [row, last) of rows [from, to) of activations.
func (q *superProduct) outputs(s *scratch, row, last, from, to int) {
	lanes := q.superLanes
	for row < last {
		if last-row < lanes { // what is not there is 0
			edge := bytesOf(s.need(slotC, (lanes*q.rowBytes+3)/4))[:lanes*q.rowBytes]
			clear(edge[copy(edge, q.weights[row*q.rowBytes:]):])
			sums := s.need(slotD, (to-from)*lanes)
			q.few(s, &edge[0], 1, sums, from, to)
			q.end.write(q.out, sums, row, last-row, lanes, from, to, q.n)
			break
		}
		if q.m > fewRows {
			count := min(superTogether, (last-row)/lanes)
			q.many(s, row, count, from, to)
			row += count * lanes
			continue
		}
		apart := q.apart((last - row) / lanes)
		sums := s.need(slotD, apart*q.m*lanes)
		for i := range apart {
			q.few(s, &q.weights[(row+i)*q.rowBytes], apart, sums[i*q.m*lanes:], from, to)
		}
		q.end.spread(q.kernels, s, q.out, sums, row, apart, lanes, q.m, q.n)
		row += apart * lanes
	}
}

// apart is how many rows lie between the lanes of panels, where there are rows for at most so many panels. Hardware follows a
// stream of addresses within pages of 4 KiB, one stream a page; so each lane reads a stretch of memory of its own, rows after
// rows, longer than a page. Lanes must not all be a multiple of 4 KiB apart, where they would meet in one set of the level-1 cache.
func (q *superProduct) apart(most int) int {
	const stretch, page = 16 << 10, 4096
	rows, unit := min(most, (stretch+q.rowBytes-1)/q.rowBytes), 1
	if rows >= 4 { // sums of four panels are turned at a time
		rows, unit = rows&^3, 4
	}
	for less := rows; less > rows/2; less -= unit {
		if off := less * q.rowBytes % page; off >= 64 && off <= page-64 && less*q.rowBytes*2%page >= 64 {
			return less
		}
	}
	return rows
}

// few computes a panel of sums for rows [from, to) of activations: lane i is row i·apart of the weight from src on.
func (q *superProduct) few(s *scratch, src *byte, apart int, sums []float32, from, to int) {
	lanes, group, t := q.superLanes, len(q.multiply), &s.super
	*t = superTile{panel: q.panelSpace(s, 1), stride: lanes * 4}
	for done := 0; done < q.blocks; done += superChunk {
		t.blocks = min(superChunk, q.blocks-done)
		q.unpack(t.panel, (*byte)(unsafe.Add(unsafe.Pointer(src), done*q.blockBytes)), apart*q.rowBytes, t.blocks)
		t.ahead = uintptr(unsafe.Pointer(src)) + uintptr(done*q.blockBytes+lanes/2*apart*q.rowBytes+superDistance)
		t.aheadRow, t.aheadBlock = apart*q.rowBytes, q.blockBytes
		for r := from; r < to; r += group {
			t.out = at(sums, (r-from)*lanes)
			q.call(t, r, done)
			t.aheadRow = 0
		}
		t.resume = 1
	}
}

// many computes panels of outputs from row on for rows [from, to) of activations.
func (q *superProduct) many(s *scratch, row, panels, from, to int) {
	lanes, group := q.superLanes, len(q.multiply)
	t := &s.super
	*t = superTile{}
	first, size := q.panelSpace(s, panels), superElements(q.subs)*lanes*4
	sums, stride := q.out[from*q.n+row:], q.n
	if q.end.accumulate || q.end.residual != nil { // which may be out
		sums, stride = s.need(slotD, (to-from)*panels*lanes), panels*lanes
	}
	for done := 0; done < q.blocks; done += superChunk {
		t.blocks = min(superChunk, q.blocks-done)
		for p := range panels {
			q.unpack((*byte)(unsafe.Add(unsafe.Pointer(first), p*size*superChunk)), &q.weights[(row+p*lanes)*q.rowBytes+done*q.blockBytes], q.rowBytes, t.blocks)
		}
		for r := from; r < to; r += group {
			for p := range panels {
				t.panel = (*byte)(unsafe.Add(unsafe.Pointer(first), p*size*superChunk))
				t.out, t.stride = at(sums, (r-from)*stride+p*lanes), stride*4
				q.call(t, r, done)
			}
		}
		t.resume = 1
	}
	if !q.end.plain {
		q.end.finish(q.kernels, q.out, sums, stride, row, panels*lanes, from, to, q.n)
	}
}

// panelSpace is memory for panels of a chunk.
func (q *superProduct) panelSpace(s *scratch, panels int) *byte {
	return (*byte)(unsafe.Pointer(unsafe.SliceData(s.need(slotB, superElements(q.subs)*q.superLanes*superChunk*panels))))
}

// call multiplies the group of rows from r on with a panel whose first super-block is number `done`.
func (q *superProduct) call(t *superTile, r, done int) {
	count := min(len(q.multiply), q.m-r)
	x := r*q.blocks + done*count
	t.values, t.scales, t.sums = atInt8(q.x.values, x*superSize), at(q.x.scales, x), &q.x.sums[x*q.x.sumBytes]
	q.multiply[count-1](t)
}

// superActivations are rows of activations as the kernels read them: groups of rows, in a group block by block, in a block row by
// row.
type superActivations struct {
	values []int8
	scales []float32
	sums   []byte // of sub-blocks

	sumBytes, shift int // of a block of a row, and what superRound shifts sums by
}

// superRounding makes them.
type superRounding struct {
	*kernels
	superActivations
	a                      []float32
	m, blocks, group, subs int
	far                    *outliers
}

// superRoundingOf has the memory for rounded rows; its span rounds them.
func (b *backend) superRoundingOf(a []float32, m, k, group int, kind superType, far bool) *superRounding {
	blocks, x := k/superSize, superActivations{sumBytes: kind.subs * 2}
	if b.superBegins && kind.shift > 0 {
		x.shift, x.sumBytes = kind.shift, kind.subs*4
	}
	x.values = unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(b.shared.need(slotE, m*k/4)))), m*k)
	x.sums = bytesOf(b.shared.need(slotG, m*blocks*x.sumBytes/4))
	x.scales = b.shared.need(slotF, m*blocks)
	q := frame[superRounding](b)
	*q = superRounding{kernels: b.kernels, a: a, m: m, blocks: blocks, group: group, subs: kind.subs, superActivations: x}
	if far {
		q.far = b.outliersOf(m, k)
	}
	return q
}

func (q *superRounding) span(s *scratch, from, to int) {
	for r := from; r < to; r++ {
		row := q.a[r*q.blocks*superSize : (r+1)*q.blocks*superSize]
		q.round(r, 0, row)
		if q.far != nil && q.far.find(r, row) { // the blocks of outliers once more, without them
			q.far.cleaned(r, row, s.need(slotOutlier, superSize), superSize, func(from int, values []float32) { q.round(r, from/superSize, values) })
		}
	}
}

// round makes the blocks of row r from number `block` on.
func (q *superRounding) round(r, block int, values []float32) {
	first := r / q.group * q.group
	rows := min(q.group, q.m-first)
	where := first*q.blocks + block*rows + r - first
	q.superRound(atInt8(q.values, where*superSize), at(q.scales, where), &q.sums[where*q.sumBytes], &values[0],
		len(values)/superSize, rows*superSize, rows*4, rows*q.sumBytes, q.subs, q.shift)
}

// epilogue is what MatMul does with finished sums: alpha, what is in out, residual, bias, in this order.
type epilogue struct {
	scale          float32
	accumulate     bool
	residual, bias []float32
	plain          bool // nothing
}

func epilogueOf(o *compute.MatMul) epilogue {
	e := epilogue{scale: o.Scale(), accumulate: o.Accumulate, residual: host.F32(o.Residual), bias: host.F32(o.Bias)}
	e.plain = e.scale == 1 && !e.accumulate && e.residual == nil && e.bias == nil
	return e
}

// write finishes rows [from, to) of `columns` sums, lanes apart, and puts them into out [m, n], from a column on.
func (e *epilogue) write(out, sums []float32, column, columns, lanes, from, to, n int) {
	for i := from; i < to; i++ {
		row := sums[(i-from)*lanes:][:columns]
		where := i*n + column
		for c, v := range row {
			v = float32(v * e.scale)
			if e.accumulate {
				v += out[where+c]
			}
			if e.residual != nil {
				v += e.residual[where+c]
			}
			if e.bias != nil {
				v += e.bias[column+c]
			}
			out[where+c] = v
		}
	}
}

// spread puts the sums of a bundle, of each of its panels [rows, lanes], where they belong: column + lane·panels + panel.
func (e *epilogue) spread(k *kernels, s *scratch, out, sums []float32, column, panels, lanes, rows, n int) {
	width := lanes * panels
	apart := rows * lanes // panels of one row
	for i := range rows {
		to := out[i*n+column:][:width]
		turned := to
		if e.accumulate || e.residual != nil {
			turned = s.need(slotA, width)
		}
		from, p := sums[i*lanes:], 0
		for ; p+8 <= panels; p += 8 {
			k.transpose8(at(turned, p), panels*4, at(from, p*apart), apart*4, lanes/8)
		}
		for ; p+4 <= panels; p += 4 {
			k.transpose4(at(turned, p), panels*4, at(from, p*apart), apart*4, lanes/8)
		}
		for ; p < panels; p++ {
			for lane, v := range from[p*apart:][:lanes] {
				turned[lane*panels+p] = v
			}
		}
		if !e.plain {
			e.finish(k, out, turned, width, column, width, i, i+1, n)
		}
	}
}

// finish is write for whole neighbouring columns, by vectors. Without an accumulation and residual, sums may be where they go.
func (e *epilogue) finish(k *kernels, out, sums []float32, stride, column, columns, from, last, n int) {
	for i := from; i < last; i++ {
		row, to := at(sums, (i-from)*stride), at(out, i*n+column)
		if e.scale != 1 {
			k.scale(row, columns, e.scale)
		}
		if e.accumulate {
			k.add(to, row, to, columns)
			row = to
		}
		if e.residual != nil {
			k.add(to, row, at(e.residual, i*n+column), columns)
			row = to
		}
		if e.bias != nil {
			k.add(to, row, at(e.bias, column), columns)
		}
	}
}
