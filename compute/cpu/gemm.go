package cpu

import (
	"sync/atomic"

	"lian/dtype"
)

// product is out = alpha·A·B (+ out) (+ residual) (+ bias).
type product struct {
	m, n, k    int
	a          operand
	b          source
	packed     []float32 // B as panels of all k, if someone has them
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
	if p.m <= b.rows || p.m <= 16 {
		return b.multiplyFlat(p)
	}
	count := (p.n + b.columns - 1) / b.columns
	size := b.columns * p.k
	most := count
	if p.packed == nil {
		most = min(count, max(1, panelBytes/4/max(size, 1)))
	}
	var failed atomic.Pointer[error]
	for first := 0; first < count; first += most {
		np := min(most, count-first)
		packed := p.packed
		if packed == nil {
			packed = b.shared.need(slotB, np*size)
			b.spans(np, 1, func(s *scratch, from, to int) {
				for i := from; i < to; i++ {
					if err := b.packB(s, packed[i*size:], &p.b, first+i, p.n, p.k); err != nil {
						failed.Store(&err)
						return
					}
				}
			})
			if err := failed.Load(); err != nil {
				return *err
			}
		} else {
			packed = packed[first*size:]
		}
		b.multiplyPanels(p, packed, first, np)
	}
	return nil
}

// multiplyPanels computes the columns of np packed panels for all rows.
func (b *backend) multiplyPanels(p *product, packed []float32, first, np int) {
	tiles := (p.m + b.rows - 1) / b.rows
	tasks := min(tiles, max((tiles+tilesOfTask-1)/tilesOfTask, b.workers*3))
	parts := (p.k + longestK - 1) / longestK
	depth := p.k
	if parts > 1 {
		depth = ((p.k+parts-1)/parts + 7) &^ 7
	}
	b.each(tasks, func(s *scratch, task int) {
		t0, t1 := tiles*task/tasks, tiles*(task+1)/tasks
		partial := s.need(slotPartial, 0)
		if parts > 1 {
			partial = s.need(slotPartial, (t1-t0)*np*b.rows*b.columns)
		}
		block := s.need(slotA, (t1-t0)*b.rows*depth)
		for from := 0; from == 0 || from < p.k; from += depth {
			to := min(from+depth, p.k)
			for t := t0; t < t1; t++ {
				rows := min(b.rows, p.m-t*b.rows)
				b.pack(block[(t-t0)*b.rows*(to-from):], p.a, t*b.rows, rows, rows, from, to)
			}
			for j := range np {
				for t := t0; t < t1; t++ {
					c := &s.tile
					*c = tile{
						a: at(block, (t-t0)*b.rows*(to-from)),
						b: at(packed, (j*p.k+from)*b.columns),
						k: to - from, alpha: 1,
					}
					here := at(partial, ((t-t0)*np+j)*b.rows*b.columns)
					if from > 0 {
						c.partial = here
					}
					if to < p.k {
						c.c, c.stride = here, b.columns*4
						b.gemm[min(b.rows, p.m-t*b.rows)-1](c)
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
	block := b.shared.need(slotA, p.m*p.k)
	for t := range tiles {
		rows := min(b.rows, p.m-t*b.rows)
		b.pack(block[t*b.rows*p.k:], p.a, t*b.rows, rows, rows, 0, p.k)
	}
	count := (p.n + b.columns - 1) / b.columns
	size := b.columns * p.k
	var failed atomic.Pointer[error]
	b.spans(count, 1, func(s *scratch, from, to int) {
		for j := from; j < to; j++ {
			panel := p.packed
			if panel == nil {
				panel = s.need(slotB, size)
				if err := b.packB(s, panel, &p.b, j, p.n, p.k); err != nil {
					failed.Store(&err)
					return
				}
			} else {
				panel = panel[j*size:]
			}
			for t := range tiles {
				s.tile = tile{a: at(block, t*b.rows*p.k), b: at(panel, 0), k: p.k}
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
		b.gemm[rows-1](c)
		return
	}
	edge := s.need(slotD, b.rows*b.columns)
	c.c, c.stride = at(edge, 0), b.columns*4
	b.gemm[rows-1](c)
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
