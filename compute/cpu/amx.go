package cpu

import "lian/dtype"

// amxTile is one call of the tile unit's kernel: rows × up to 32 columns. The assembly reads it by offset.
type amxTile struct {
	a, b       *float32 // packed by amxKernels
	begin, end *float32 // sums in blocks of 32 × 32 that the chains go on from, and where sums go that are not final; or nil
	c          *float32
	residual   *float32
	bias       *float32
	config     *byte
	space      *float32 // 1024 values
	steps      int      // of 32 k
	rows       int
	stride     int // bytes from one row of c and residual to the next
	columns    int
	alpha      float32
	flags      uint32
}

const flagDirect = 2 // nothing to add, nothing to scale, all columns

// amxKernels is what a processor with a tile unit for bfloat16 (Intel AMX) has.
type amxKernels struct {
	config   *byte // the shapes of the tile registers
	multiply func(*amxTile)

	// Packers of 16 or 32 lanes, by whether k runs along memory and whether lanes are to be rows (A) or columns (B).
	packRows, packPairs, turnRows, turnPairs func(dst, src *float32, stride, steps, lanes int)
}

const (
	amxLanes = 32                     // rows of a block, columns of a panel
	amxDeep  = 32                     // values of k in a step
	amxUnit  = amxLanes * amxDeep / 2 // float32-sized elements of a packed step
	amxBlock = amxLanes * amxLanes    // sums of a block

	amxMostSteps  = 18  // of a panel of B that stays in the level-1 cache
	amxMostBlocks = 16  // of rows in a task
	amxMostPanels = 18  // of columns in a task whose sums stay in the level-2 cache
	amxMostUnits  = 576 // of packed rows that stay in the level-2 cache
)

// amxPlan is how a product is cut. Only parts, the bounds of k, could change a result, and they depend on k alone.
type amxPlan struct {
	blocks, rowTasks    int // of 32 rows
	panels, columnTasks int // of 32 columns
	steps, parts, deep  int // of 32 k, blocks of k, steps in one
	wholeRows           bool
}

func planAMX(m, n, k, workers int) amxPlan {
	up := func(a, b int) int { return (a + b - 1) / b }
	c := amxPlan{blocks: up(m, amxLanes), panels: up(n, amxLanes), steps: up(k, amxDeep)}
	c.parts = max(1, up(c.steps, amxMostSteps))
	c.deep = up(c.steps, c.parts)
	c.rowTasks, c.columnTasks = up(c.blocks, amxMostBlocks), 1
	c.wholeRows = c.parts == 1 || up(c.blocks, c.rowTasks)*c.steps <= amxMostUnits
	if !c.wholeRows {
		c.columnTasks = up(c.panels, amxMostPanels)
	}
	if workers > 1 {
		c.columnTasks = min(c.panels, max(c.columnTasks, up(2*workers, c.rowTasks)))
	}
	return c
}

// multiplyAMX computes a product of bfloat16 pairs with the tile unit. A task packs its rows once (or, if they are too many
// for the level-2 cache, one block of k at a time) and its columns panel by panel, and keeps sums that are not final. An
// output's chain goes over k in steps of 32, whoever computes it.
func (b *backend) multiplyAMX(p *product) error {
	plan := planAMX(p.m, p.n, p.k, b.workers)
	for i := range b.scratch {
		b.scratch[i].amxRows = -1
	}
	b.each(plan.rowTasks*plan.columnTasks, func(s *scratch, task int) {
		r, c := task/plan.columnTasks, task%plan.columnTasks
		first, last := plan.blocks*r/plan.rowTasks, plan.blocks*(r+1)/plan.rowTasks
		from, to := plan.panels*c/plan.columnTasks, plan.panels*(c+1)/plan.columnTasks
		b.amxTask(s, p, &plan, first*amxLanes, min(last*amxLanes, p.m), from, to, r)
	})
	return nil
}

// amxTask computes rows [top, bottom) and panels [from, to).
func (b *backend) amxTask(s *scratch, p *product, plan *amxPlan, top, bottom, from, to, rowTask int) {
	blocks := (bottom - top + amxLanes - 1) / amxLanes
	group, kept := 1, to-from // parts packed at a time, panels whose sums are kept
	if plan.wholeRows {
		group, kept = plan.parts, 1
	}
	if plan.parts == 1 {
		kept = 0
	}
	rows := s.need(slotA, blocks*amxUnit*min(plan.steps, group*plan.deep))
	panel := s.need(slotB, amxUnit*plan.deep)
	sums := s.need(slotPartial, kept*blocks*amxBlock)
	space := s.need(slotD, amxBlock)
	for g := 0; g < plan.parts; g += group {
		if !plan.wholeRows || s.amxRows != rowTask {
			s.amxRows = rowTask
			for part := g; part < g+group; part++ {
				k0, k1 := plan.span(part, p.k)
				deep := (k1 - k0 + amxDeep - 1) / amxDeep
				for i := range blocks {
					to := (part-g)*plan.deep*blocks + i*deep
					b.amx.pack(s, rows[to*amxUnit:], p.a.operand, top+i*amxLanes, min(amxLanes, bottom-top-i*amxLanes), k0, k1, true)
				}
			}
		}
		for j := from; j < to; j++ {
			columns := min(amxLanes, p.n-j*amxLanes)
			for part := g; part < g+group; part++ {
				k0, k1 := plan.span(part, p.k)
				b.amx.pack(s, panel, p.b.operand, j*amxLanes, columns, k0, k1, false)
				t := &s.amx
				*t = amxTile{
					a: at(rows, (part-g)*plan.deep*blocks*amxUnit), b: at(panel, 0), config: b.amx.config, space: at(space, 0),
					steps: (k1 - k0 + amxDeep - 1) / amxDeep, rows: bottom - top, stride: p.stride * 4, columns: columns, alpha: p.alpha,
				}
				here := 0
				if !plan.wholeRows {
					here = (j - from) * blocks * amxBlock
				}
				if part > 0 {
					t.begin = at(sums, here)
				}
				if part+1 < plan.parts {
					t.end = at(sums, here)
				} else {
					t.outputs(p, top, j*amxLanes)
				}
				b.amx.multiply(t)
			}
		}
	}
}

// span is the k of a part.
func (c *amxPlan) span(part, k int) (from, to int) {
	return min(part*c.deep*amxDeep, k), min((part+1)*c.deep*amxDeep, k)
}

// outputs says where the outputs from a row and a column on go, and what is added to them.
func (t *amxTile) outputs(p *product, row, column int) {
	first := row*p.stride + column
	t.c = at(p.out, first)
	if p.accumulate {
		t.flags = flagAccumulate
	}
	if p.residual != nil {
		t.residual = at(p.residual, first)
	}
	if p.bias != nil {
		t.bias = at(p.bias, column)
	}
	if p.alpha == 1 && !p.accumulate && p.residual == nil && p.bias == nil && t.columns == amxLanes {
		t.flags = flagDirect
	}
}

// pack rounds lanes [lane, lane+count), at most 32, for k in [from, to), as rows or as pairs. k past the last counts as 0; what
// lanes past count hold is undefined: nobody reads their outputs.
func (c *amxKernels) pack(s *scratch, dst []float32, x operand, lane, count, from, to int, rows bool) {
	f := c.packPairs
	switch {
	case x.contiguous && rows:
		f = c.packRows
	case x.contiguous:
		f = c.turnPairs
	case rows:
		f = c.turnRows
	}
	lanes := amxLanes
	if count <= amxLanes/2 {
		lanes = amxLanes / 2
	}
	done := 0
	if count == lanes {
		done = (to - from) / amxDeep
		first := (lane * x.stride) + from
		if !x.contiguous {
			first = from*x.stride + lane
		}
		f(at(dst, 0), at(x.data, first), x.stride*4, done, lanes)
	}
	for ; from+done*amxDeep < to; done++ {
		k := from + done*amxDeep
		deep := min(amxDeep, to-k)
		edge := s.need(slotC, amxDeep*amxLanes)
		if deep < amxDeep {
			clear(edge)
		}
		if x.contiguous {
			for i := range count {
				copy(edge[i*amxDeep:i*amxDeep+deep], x.data[(lane+i)*x.stride+k:])
			}
		} else {
			for i := range deep {
				copy(edge[i*amxLanes:i*amxLanes+count], x.data[(k+i)*x.stride+lane:])
			}
		}
		f(at(dst, done*amxUnit), at(edge, 0), amxDeep*4, 1, lanes)
	}
}

// packsPairs says whether products of bfloat16 pairs take B as panels.
func (b *backend) packsPairs() bool { return b.gemmPairs != nil && b.amx == nil }

// canAMX says whether the tile unit computes a product.
func (b *backend) canAMX(p *product) bool {
	return b.amx != nil && p.pairs && p.a.kind == dtype.F32 && p.b.kind == dtype.F32
}
