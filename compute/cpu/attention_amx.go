package cpu

// tilesOfRows are the keys and values of a tile of keys as operands of the tile unit, for attention that may round to bfloat16.
type tilesOfRows struct {
	keyRows, valueRows    []float32 // rows are keys, k is the head
	keyTurned, valueTurns []float32 // rows are elements of the head, k is keys
}

// tiled says whether the tile unit makes the products.
func (a *attending) tiled() bool { return a.o.BF16 && a.b.amx != nil }

// stepsOf is the steps of so many values of k.
func stepsOf(k int) int { return ceil(k, amxDeep) }

// tileDeep is the rows of a panel's lanes that so many values of k take for the tile unit.
func (a *attending) tileDeep(k int) int {
	if !a.tiled() {
		return 0
	}
	return stepsOf(k) * amxDeep / 2
}

// packTiles packs all lanes of x as rows, in blocks of 32: dst holds blocks · steps units.
func (a *attending) packTiles(s *scratch, dst []float32, x operand, lanes, k int) {
	for i := 0; i < lanes; i += amxLanes {
		a.b.amx.pack(s, dst[i/amxLanes*stepsOf(k)*amxUnit:], plain(x), i, min(amxLanes, lanes-i), 0, k, true)
	}
}

// loadTiles packs a tile of keys; backward needs its keys and values in the other order too.
func (a *attending) loadTiles(s *scratch, t *tileRows, backward bool) {
	rows := stepsOf(keyTile) * amxUnit
	heads, values := stepsOf(a.head)*rows, stepsOf(a.value)*rows
	memory := s.need(slotTiles, 2*(heads+values))
	take := func(n int) []float32 {
		x := memory[:n:n]
		memory = memory[n:]
		return x
	}
	x := &t.tiles
	x.keyRows = take(heads)
	a.packTiles(s, x.keyRows, operand{t.k, a.headRow, true}, t.count, a.head)
	if !backward {
		x.valueTurns = take(values)
		a.packTiles(s, x.valueTurns, operand{t.v, a.valueRow, false}, a.value, t.count)
		return
	}
	x.valueRows, x.keyTurned = take(values), take(heads)
	a.packTiles(s, x.valueRows, operand{t.v, a.valueRow, true}, t.count, a.value)
	a.packTiles(s, x.keyTurned, operand{t.k, a.headRow, false}, a.head, t.count)
}

// pairs packs 32 lanes of rows, `row` values apart, as pairs of k in [from, to).
func (a *attending) pairs(s *scratch, dst, rows []float32, row, lane, lanes, from, to int) {
	a.b.amx.pack(s, dst, plain(operand{rows, row, false}), lane, lanes, from, to, false)
}

// tileProduct writes or adds rows of A · B to rows of C, stride values apart.
func (a *attending) tileProduct(s *scratch, rows, pairs *float32, c *float32, stride, m, columns, steps int, add bool) {
	s.amx = amxTile{streams: rows, stays: pairs, c: c, config: a.b.amx.config, space: at(s.need(slotPartial, amxBlock), 0),
		steps: steps, rows: m, columns: columns, stride: stride * 4, perStep: ceil(amxLanes, max(1, steps)), alpha: 1}
	if add {
		s.amx.flags = flagAccumulate
	}
	for range 4 {
		s.step(a.b.kernels)
	}
	a.b.amx.rows(&s.amx)
}

// tiledScores is Sᵀ = K·Qᵀ for the keys [from, to) of a tile; rows from the last multiple of 32 on are written.
func (a *attending) tiledScores(s *scratch, rows, queries, x []float32, stride, head, from, to int) {
	from &^= amxLanes - 1
	steps := stepsOf(head)
	a.tileProduct(s, at(rows, from*steps*amxUnit/amxLanes), at(queries, 0), at(x, from*stride), stride, to-from, amxLanes, steps, false)
}

// tiledTurned is Cᵀ (+)= Xᵀ·rows: for each element of a head, over the keys [from, to), whose rows of x are rounded first. Rows of
// x from the last multiple of 32 on are zeroed.
func (a *attending) tiledTurned(s *scratch, turned, x, c []float32, stride, n, count, from, to int, add bool) {
	first := from &^ (amxDeep - 1)
	for i := first; i < from; i++ {
		clear(x[i*stride : i*stride+amxLanes])
	}
	pairs := s.need(slotH, stepsOf(keyTile)*amxUnit)
	a.pairs(s, pairs, x, stride, 0, amxLanes, first, to)
	steps := stepsOf(count)
	for i := 0; i < n; i += amxLanes {
		a.tileProduct(s, at(turned, (i/amxLanes*steps+first/amxDeep)*amxUnit), at(pairs, 0), at(c, i*amxLanes), amxLanes, min(amxLanes, n-i), amxLanes, stepsOf(to-first), add)
	}
}

// tiledValues is addValues by the tile unit.
func (a *attending) tiledValues(s *scratch, p *panel, t *tileRows, x []float32, from, to int, out []float32, joined bool) {
	if !joined {
		a.tiledTurned(s, t.tiles.valueTurns, x, out, p.width, a.value, t.count, from, to, false)
		return
	}
	part := s.need(slotE, roundUp(a.value, amxLanes)*p.width)
	a.tiledTurned(s, t.tiles.valueTurns, x, part, p.width, a.value, t.count, from, to, false)
	for j := 0; j < p.width; j += a.b.lanes {
		a.b.joinLanes(at(out, j), at(part, j), p.width*4, a.value, at(p.old, j), at(p.new, j))
	}
}

// tiledKeys is addKeys by the tile unit: all n rows of the block, for keys from a multiple of 32 on.
func (a *attending) tiledKeys(s *scratch, sums, x, rows []float32, deep, row, n, begin, end int) {
	steps := stepsOf(n)
	packed := s.need(slotI, (keyTile/amxLanes+1)*steps*amxUnit)
	left, pairs := packed[:keyTile/amxLanes*steps*amxUnit], packed[keyTile/amxLanes*steps*amxUnit:]
	a.packTiles(s, left, operand{x[begin*a.blockRow():], a.blockRow(), true}, end-begin, n)
	for j := 0; j < deep; j += amxLanes {
		columns := min(amxLanes, deep-j)
		a.pairs(s, pairs, rows, row, j, columns, 0, n)
		a.tileProduct(s, at(left, 0), at(pairs, 0), at(sums, begin*deep+j), deep, end-begin, columns, steps, true)
	}
}
