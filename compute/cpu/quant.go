package cpu

import (
	"math"
	"unsafe"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// quantTile is one call of a kernel that multiplies rows of int8 with two panels of quantised weights. The assembly reads it by
// offset.
type quantTile struct {
	first, second *byte    // panels; see gen/quant.go
	records       *byte    // blocks of a group of rows of activations
	blocks        int      //
	out           *float32 //
	stride        int      // bytes from one row of out to the next
	partial       *float32 // dense rows × two panels to begin the chains with; nil begins with 0
	residual      *float32
	rstride       int // bytes from one row of residual to the next
	bias          *float32
	alpha         float32
	flags         uint32

	// Kernels for few rows only.
	rowBytes int // from one row of the weight to the next
	bytes    int // of a unit of one row
	units    int
	columns  *byte // of a unit: memory to work in
	ahead    int   // how many bytes behind the loads is fetched
	rate     int   // lines that are fetched for each block, times 256
	nextLine int   // from one row past the last to the next line of the first
}

// quantKind is how a block type is multiplied with Fast at one level. There is one driver (multiplyQuant) for all of them; what
// a panel and a block of activations look like is known to a type's own functions only.
type quantKind struct {
	block  int // values of a block: 32 or 256, of the weights and of the activations
	bytes  int // of a block in a file
	period int // blocks that unpack takes at a time
	lanes  int // outputs of a panel

	panelBytes  int // of a block of a panel
	recordBytes int // of a block of one row of activations

	transpose transposer
	// unpack makes columns of periods × period blocks a panel.
	unpack func(panel, columns *byte, periods int)
	// multiply has the kernels for 1 … len(multiply) rows.
	multiply []func(*quantTile)
	// few has kernels for 1 … len(few) rows that read the weight themselves, a panel without unpacking it first: first is its
	// rows.
	few []func(*quantTile)
	// round writes the records of one row, number `lane` of a group of `rows`: a group has, block by block, what the kernels read.
	round func(k *quantKind, records *byte, src *float32, blocks, rows, lane int)
	// round8 is what round calls, for kinds of blocks of 32.
	round8 func(dst *byte, scales, src *float32, orders *byte, blocks, stride, sumAt, offset, period int)
}

// quantProduct is out = alpha·A·Bᵀ (+ out) (+ residual) (+ bias) with a quantised B.
type quantProduct struct {
	*quantKind
	kernels      *kernels
	m, n, blocks int
	a            []float32
	weights      []byte      // n rows
	packed       *packedRows // instead of weights
	out          []float32
	stride       int // values from one row of out and residual to the next
	alpha        float32
	accumulate   bool
	residual     []float32
	bias         []float32

	group   int    // rows of a kernel call
	groups  int    //
	chunk   int    // blocks of a panel that are unpacked at a time
	records []byte // activations: groups, one after the other
	rounded bool   // they are there: the product before was of the same rows

	weight *compute.Tensor
	far    outlierProduct // what is not in the records; without outliers for packed weights

	fewPlan         // of the kernels for few rows
	pairs, side int // panel pairs; of these, how many a task goes through side by side
	split       int // tasks that the groups are split over
	rowTask     func(s *scratch, from, to int)
	pairTask    func(s *scratch, task int)
	fewTask     func(s *scratch, task int)
}

const (
	// fewRows is how many rows count as decoding: the time is that of reading the weights.
	fewRows = 16
	// quantChunk is how many values of k are unpacked at a time: two panels of them lie in a level-1 cache, or nearly.
	quantChunk = 1024
	// quantPairs is how many pairs of panels a task goes through side by side, a chunk of k at a time, where all activations are
	// more than quantCache bytes: then those of a chunk come from the level-2 cache for all pairs but the first.
	quantPairs = 4
	quantCache = 1 << 20
)

// multiplyQuant computes a product. Each output is one float32 chain over ascending blocks, whatever the tasks, groups and
// chunks: chunks go on through partial sums that are stored and loaded again. A weight is read where it lies; nothing of it is
// kept.
func (b *backend) multiplyQuant(p quantProduct) {
	if p.m <= 0 || p.n <= 0 {
		return
	}
	p.planRows()
	p.chunk = max(quantChunk/p.block, p.period)
	p.pairs, p.split = (p.n+2*p.lanes-1)/(2*p.lanes), 1
	p.records = bytesOf(b.shared.need(slotE, (p.m*p.blocks*p.recordBytes+3)/4))
	q := &b.quant
	p.rowTask, p.pairTask, p.fewTask = q.rowTask, q.pairTask, q.fewTask
	p.far.outliers = nil
	switch {
	case p.weight == nil:
	case p.rounded:
		p.far.outliers = &b.far
	default:
		p.far.outliers = b.outliersOf(p.m, p.blocks*p.block)
	}
	*q = p
	if q.rowTask == nil { // once: starting work must not allocate
		q.rowTask, q.pairTask, q.fewTask = q.roundRows, q.multiplyPairs, q.few1
	}
	switch {
	case p.rounded:
	case p.m == 1:
		q.roundRows(&b.scratch[0], 0, 1)
	default:
		b.spans(p.m, 1, q.rowTask)
	}
	if q.far.outliers != nil {
		q.far = b.outlierProductOf(q.far.outliers, q.weight, q.m, q.n, q.blocks*q.block, 0)
	}
	if q.isFew() {
		b.each(q.planFew(b.workers), q.fewTask)
	} else {
		if q.m > fewRows { // where there are too few pairs for all workers, rows are split too
			q.split = min(q.groups, max(1, 2*b.workers/q.pairs))
		}
		q.side = 1
		if len(q.records) > quantCache {
			q.side = min(quantPairs, max(1, q.pairs/(2*b.workers)))
		}
		b.each((q.pairs+q.side-1)/q.side*q.split, q.pairTask)
	}
	if q.far.outliers != nil {
		b.addAll(q.far, q.out, q.stride, q.m, q.n, q.alpha)
	}
	q.a, q.weights, q.packed, q.out, q.residual, q.bias, q.records, q.weight, q.far = nil, nil, nil, nil, nil, nil, nil, nil, outlierProduct{}
}

// quantOf is a product with a weight that has a quantKind.
func (b *backend) quantOf(o *compute.MatMul) quantProduct {
	m, n, k := o.Dimensions()
	kind := b.quants[o.B.Type]
	return quantProduct{quantKind: kind, kernels: b.kernels, m: m, n: n, blocks: k / kind.block, a: host.F32(o.A), weights: host.Bytes(o.B), weight: weightOf(o),
		out: host.F32(o.Out), stride: n, alpha: o.Scale(), accumulate: o.Accumulate, residual: host.F32(o.Residual), bias: host.F32(o.Bias)}
}

// planRows cuts the rows into groups, one for each call of a kernel.
func (q *quantProduct) planRows() {
	most := len(q.multiply)
	if q.isFew() {
		most = len(q.few)
	}
	q.groups = (q.m + most - 1) / most
	q.group = (q.m + q.groups - 1) / q.groups
	q.groups = (q.m + q.group - 1) / q.group
}

// roundRows makes the records of rows.
func (q *quantProduct) roundRows(s *scratch, from, to int) {
	k := q.blocks * q.block
	for r := from; r < to && k > 0; r++ {
		first := r / q.group * q.group
		rows := min(q.group, q.m-first)
		q.round(q.quantKind, &q.records[first*q.blocks*q.recordBytes], at(q.a, r*k), q.blocks, rows, r-first)
		if q.far.outliers == nil {
			continue
		}
		if row := q.a[r*k : (r+1)*k]; q.far.find(r, row) { // the blocks of outliers once more, without them
			size := q.period * q.block
			q.far.cleaned(r, row, s.need(slotOutlier, size), size, func(from int, values []float32) {
				where := (first*q.blocks + from/q.block*rows) * q.recordBytes
				q.round(q.quantKind, &q.records[where], &values[0], len(values)/q.block, rows, r-first)
			})
		}
	}
}

// multiplyPairs is one task: some pairs of panels, for some of the groups of rows.
func (q *quantProduct) multiplyPairs(s *scratch, task int) {
	pair, part := task/q.split*q.side, task%q.split
	q.multiplyPanels(s, pair, min(pair+q.side, q.pairs), q.groups*part/q.split, q.groups*(part+1)/q.split)
}

// multiplyPanels computes the outputs of some pairs of panels for groups [from, to).
func (q *quantProduct) multiplyPanels(s *scratch, pair, last, from, to int) {
	size := q.chunk * q.panelBytes
	space := bytesOf(s.need(slotB, (2*size+3)/4))
	width := 2 * q.lanes
	each := (to - from) * q.group * width // partial sums of a pair
	partial := s.need(slotPartial, (last-pair)*each)
	for first := 0; first == 0 || first < q.blocks; first += q.chunk {
		for j := pair; j < last; j++ {
			q.multiplyChunk(s, space, partial[(j-pair)*each:], j*width, first, from, to)
		}
	}
}

// multiplyChunk multiplies the blocks of a chunk of a pair of panels with groups [from, to).
func (q *quantProduct) multiplyChunk(s *scratch, space []byte, partial []float32, column, first, from, to int) {
	count, width, size := min(q.chunk, q.blocks-first), 2*q.lanes, len(space)/2
	t := &s.quant
	*t = quantTile{blocks: count}
	if count > 0 {
		t.first, t.second = &space[0], &space[size]
		q.panel(s, t.first, column, first, count, 0)
		if column+q.lanes < q.n {
			q.panel(s, t.second, column+q.lanes, first, count, 1)
		} else {
			t.second = t.first // its outputs go nowhere
		}
	}
	for g := from; g < to; g++ {
		row := g * q.group
		rows := min(q.group, q.m-row)
		if count > 0 {
			t.records = &q.records[(row*q.blocks+first*rows)*q.recordBytes]
		}
		here := at(partial, (g-from)*q.group*width)
		t.partial = nil
		if first > 0 {
			t.partial = here
		}
		if first+count < q.blocks {
			t.out, t.stride, t.alpha = here, width*4, 1
			q.multiply[rows-1](t)
			continue
		}
		q.finish(s, t, q.multiply[rows-1], row, rows, column, width, 0)
	}
}

// panel unpacks blocks [first, first+count) of the rows of the weight from number `row` on, and asks for as many bytes of the
// next pair of panels: its first ones for the first panel of a chunk of this pair, then the next ones.
func (q *quantProduct) panel(s *scratch, dst *byte, row, first, count, second int) {
	if q.packed != nil {
		q.packed.panel(q.kernels, s, q.quantKind, dst, row, first, count)
		return
	}
	periods := (count + q.period - 1) / q.period
	columns := bytesOf(s.need(slotC, periods*q.period*q.bytes*q.lanes/4))
	rowBytes, chunk := q.blocks*q.bytes, q.lanes*q.bytes
	ahead := (row-second*q.lanes+2*q.lanes)*rowBytes + (2*first+second*count)*chunk
	ahead = min(ahead, len(q.weights)-1)
	transposeRows(q.transpose, q.lanes, columns, q.weights[row*rowBytes+first*q.bytes:], rowBytes, min(q.lanes, q.n-row), count*q.bytes, &q.weights[ahead])
	q.unpack(dst, &columns[0], periods)
}

// finish runs the last kernel call of a tile of rows × width outputs, which writes them, except the first `skip` columns.
func (q *quantProduct) finish(s *scratch, t *quantTile, kernel func(*quantTile), row, rows, column, width, skip int) {
	where := row*q.stride + column
	t.alpha = q.alpha
	if column+width <= q.n && skip == 0 {
		t.out, t.stride = at(q.out, where), q.stride*4
		if q.accumulate {
			t.flags = flagAccumulate
		}
		if q.residual != nil {
			t.residual, t.rstride = at(q.residual, where), q.stride*4
		}
		if q.bias != nil {
			t.bias = at(q.bias, column)
		}
		kernel(t)
		t.flags, t.residual, t.bias = 0, nil, nil
		return
	}
	edge := s.need(slotD, rows*width)
	t.out, t.stride = at(edge, 0), width*4
	kernel(t)
	for i := range rows {
		for c := skip; c < min(width, q.n-column); c++ {
			v, x := edge[i*width+c], where+i*q.stride+c
			if q.accumulate {
				v += q.out[x]
			}
			if q.residual != nil {
				v += q.residual[x]
			}
			if q.bias != nil {
				v += q.bias[column+c]
			}
			q.out[x] = v
		}
	}
}

// quantKinds are the types that a level multiplies with Fast.
type quantKinds map[dtype.Type]*quantKind

// genericFinish is the end of a generic kernel: what quantTileOf.finish does.
func (t *quantTile) genericFinish(sum []float32, rows, width int) {
	for r := range rows {
		out := slice(at(slice(t.out, 1), r*t.stride/4), width)
		for i := range out {
			v := float32(sum[r*width+i] * t.alpha)
			if t.flags&flagAccumulate != 0 {
				v += out[i]
			}
			if t.residual != nil {
				v += slice(at(slice(t.residual, 1), r*t.rstride/4), width)[i]
			}
			if t.bias != nil {
				v += slice(t.bias, width)[i]
			}
			out[i] = v
		}
	}
}

func bytesOf(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*4)
}

// floatAt reads a float32 of a panel or a record.
func floatAt(x []byte, i int) float32 {
	return math.Float32frombits(uint32At(x, i))
}

func uint32At(x []byte, i int) uint32 { return *(*uint32)(unsafe.Pointer(&x[i])) }

func putUint32(x []byte, i int, v uint32) { *(*uint32)(unsafe.Pointer(&x[i])) = v }

func atInt8(x []int8, i int) *int8 {
	return (*int8)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(x)), i))
}
