package cpu

import (
	"sync/atomic"

	"lian/dtype"
)

// product is out = alpha·A·B (+ out) (+ residual) (+ bias).
type product struct {
	m, n, k    int
	pairs      bool // multiply as bfloat16 pairs
	a          operand
	b          source
	packed     []float32 // B as panels of all k, if someone has them
	form       form      // of packed
	out        []float32
	stride     int // values from one row of out and residual to the next
	alpha      float32
	accumulate bool
	residual   []float32
	bias       []float32
}

const (
	longestK    = 1024     // a panel of A and one of B of this depth lie in a level-2 cache together
	panelBytes  = 12 << 20 // of packed B that lie in the level-3 cache at one time
	tilesOfTask = 10       // tile rows of A packed by one task
)

// multiply computes a product on the workers. Each output is one chain over ascending k: blocks of k go through partial sums
// that are stored and loaded again, which rounds nothing.
func (b *backend) multiply(p *product) error {
	if p.m <= 0 || p.n <= 0 {
		return nil
	}
	if p.pairs && b.gemmPairs == nil {
		return b.multiplyRounded(p)
	}
	if b.canAMX(p) {
		return b.multiplyAMX(p)
	}
	if (p.m <= b.rows || p.m <= 16) && !p.b.across {
		return b.multiplyFlat(p)
	}
	count := (p.n + b.columns - 1) / b.columns
	size := b.columns * depth(p.k, p.pairs)
	most := min(count, max(1, panelBytes/4/max(size, 1)))
	var failed atomic.Pointer[error]
	for first := 0; first < count; first += most {
		np := min(most, count-first)
		packed, at := p.packed, first
		if packed == nil {
			at = 0
			packed = b.shared.need(slotB, np*size)
			b.spans(np, b.panelGroup(&p.b), func(s *scratch, from, to int) {
				if p.b.across {
					if err := b.packAcross(s, packed[from*size:], size, &p.b, first+from, to-from, p.n, p.k, p.pairs); err != nil {
						failed.Store(&err)
					}
					return
				}
				for i := from; i < to; i++ {
					if err := b.packB(s, packed[i*size:], &p.b, first+i, p.n, p.k, p.pairs); err != nil {
						failed.Store(&err)
						return
					}
				}
			})
			if err := failed.Load(); err != nil {
				return *err
			}
		}
		b.multiplyPanels(p, packed, at, first, np)
	}
	return nil
}

// multiplyPanels computes the columns of np packed panels, from number `where` of packed on, for all rows.
func (b *backend) multiplyPanels(p *product, packed []float32, where, first, np int) {
	tiles := (p.m + b.rows - 1) / b.rows
	tasks := min(tiles, max((tiles+tilesOfTask-1)/tilesOfTask, b.workers*3))
	unit := 1
	if p.pairs {
		unit = 2
	}
	parts := (p.k + longestK*unit - 1) / (longestK * unit)
	step := p.k
	if parts > 1 {
		step = ((p.k+parts-1)/parts + 15) &^ 15
	}
	elements := depth(p.k, p.pairs)
	b.each(tasks, func(s *scratch, task int) {
		t0, t1 := tiles*task/tasks, tiles*(task+1)/tasks
		partial := s.need(slotPartial, 0)
		if parts > 1 {
			partial = s.need(slotPartial, (t1-t0)*np*b.rows*b.columns)
		}
		block := s.need(slotA, (t1-t0)*b.rows*depth(step, p.pairs))
		for from := 0; from == 0 || from < p.k; from += step {
			to := min(from+step, p.k)
			deep := depth(to-from, p.pairs)
			for t := t0; t < t1; t++ {
				rows := min(b.rows, p.m-t*b.rows)
				b.packAs(p.pairs, block[(t-t0)*b.rows*deep:], p.a, t*b.rows, rows, rows, from, to)
			}
			for j := range np {
				for t := t0; t < t1; t++ {
					c := &s.tile
					*c = tile{
						a: at(block, (t-t0)*b.rows*deep),
						b: p.form.elementAt(packed, ((where+j)*elements+from/unit)*b.columns),
						k: deep, alpha: 1,
					}
					var here *float32
					if parts > 1 {
						here = at(partial, ((t-t0)*np+j)*b.rows*b.columns)
					}
					if from > 0 {
						c.partial = here
					}
					if to < p.k {
						c.c, c.stride = here, b.columns*4
						b.kernel(p, min(b.rows, p.m-t*b.rows))(c)
						continue
					}
					b.finish(s, p, t*b.rows, min(b.rows, p.m-t*b.rows), first+j)
				}
			}
		}
	})
}

// multiplyFlat is for few rows: A is packed once, each task makes whole columns, all of k in one kernel call, and B is read
// once in order.
func (b *backend) multiplyFlat(p *product) error {
	tiles := (p.m + b.rows - 1) / b.rows
	elements := depth(p.k, p.pairs)
	block := b.shared.need(slotA, p.m*elements)
	for t := range tiles {
		rows := min(b.rows, p.m-t*b.rows)
		b.packAs(p.pairs, block[t*b.rows*elements:], p.a, t*b.rows, rows, rows, 0, p.k)
	}
	count := (p.n + b.columns - 1) / b.columns
	size := b.columns * depth(p.k, p.pairs)
	var failed atomic.Pointer[error]
	b.spans(count, 1, func(s *scratch, from, to int) {
		for j := from; j < to; j++ {
			panel := p.form.elementAt(p.packed, j*size)
			if p.packed == nil {
				space := s.need(slotB, size)
				if err := b.packB(s, space, &p.b, j, p.n, p.k, p.pairs); err != nil {
					failed.Store(&err)
					return
				}
				panel = at(space, 0)
			}
			for t := range tiles {
				s.tile = tile{a: at(block, t*b.rows*elements), b: panel, k: elements}
				b.finish(s, p, t*b.rows, min(b.rows, p.m-t*b.rows), j)
			}
		}
	})
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// finish runs the last (or only) kernel call of a tile and writes its outputs. s.tile has the panels and partial sums.
func (b *backend) finish(s *scratch, p *product, row, rows, panel int) {
	c := &s.tile
	column := panel * b.columns
	columns := min(b.columns, p.n-column)
	c.alpha = p.alpha
	if columns == b.columns {
		c.c, c.stride = at(p.out, row*p.stride+column), p.stride*4
		if p.accumulate {
			c.flags = flagAccumulate
		}
		if p.residual != nil {
			c.residual, c.rstride = at(p.residual, row*p.stride+column), p.stride*4
		}
		if p.bias != nil {
			c.bias = at(p.bias, column)
		}
		b.kernel(p, rows)(c)
		return
	}
	edge := s.need(slotD, b.rows*b.columns)
	c.c, c.stride = at(edge, 0), b.columns*4
	b.kernel(p, rows)(c)
	for i := range rows {
		at := (row+i)*p.stride + column
		for j := range columns {
			v := edge[i*b.columns+j]
			if p.accumulate {
				v += p.out[at+j]
			}
			if p.residual != nil {
				v += p.residual[at+j]
			}
			if p.bias != nil {
				v += p.bias[column+j]
			}
			p.out[at+j] = v
		}
	}
}

// plain is a source of float32 values.
func plain(x operand) source { return source{operand: x, kind: dtype.F32} }

// kernel is the micro-kernel for a number of rows.
func (b *backend) kernel(p *product, rows int) func(*tile) {
	switch {
	case p.pairs:
		return b.gemmPairs[rows-1]
	case p.form == half:
		return b.gemmHalf[rows-1]
	case p.form == brain:
		return b.gemmBrain[rows-1]
	}
	return b.gemm[rows-1]
}

// multiplyRounded is multiply with bfloat16 operands where the processor cannot multiply those: rounded, then as float32.
func (b *backend) multiplyRounded(p *product) error {
	q := *p
	q.pairs, q.packed = false, nil
	q.a.data = b.rounded(slotF, p.a.data)
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
