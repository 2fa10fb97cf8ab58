package cpu

import "lian/compute/host"

// panel is up to two registers of rows of one task, a lane each, and the state of their running softmax.
type panel struct {
	sequence, group int
	first, rows     int // row numbers first … first+rows−1
	width           int // lanes: one register or two
	vecs            int

	queries            []float32 // [head, width], times the factor of the scores; or pairs of k
	pairs              []float32 // the same for the tile unit
	out                []float32 // [value, width]
	most, sum          []float32 // of the tile at hand
	allMost, allSum    []float32 // of all tiles so far
	old, new           []float32 // factors of what is so far and of the tile
	firsts, lasts      []int32   // keys that each lane sees
	minFirst, maxFirst int
	minLast, maxLast   int
}

// panelSize is the memory of a panel.
func (a *attending) panelSize() int {
	return 2 * a.b.lanes * (a.deepHead/a.per + a.deepValue + 8 + a.tileDeep(a.head))
}

// panel lays a panel out in memory and finds what its rows see.
func (a *attending) panel(memory []float32, t attentionTask, first int) panel {
	vecs := 1
	if t.last-first > a.b.lanes || a.tiled() {
		vecs = 2
	}
	p := a.panelOf(memory, t, first, vecs)
	a.look(&p)
	return p
}

// panelOf lays out a panel of so many registers.
func (a *attending) panelOf(memory []float32, t attentionTask, first, vecs int) panel {
	p := panel{sequence: t.sequence, group: t.group, first: first, rows: min(t.last-first, 2*a.b.lanes), vecs: vecs}
	p.width = p.vecs * a.b.lanes
	take := func(n int) []float32 {
		x := memory[: n*p.width : n*p.width]
		memory = memory[n*p.width:]
		return x
	}
	p.queries, p.out = take(a.deepHead/a.per), take(a.deepValue)
	p.pairs = take(a.tileDeep(a.head))
	p.most, p.sum, p.allMost, p.allSum, p.old, p.new = take(1), take(1), take(1), take(1), take(1), take(1)
	p.firsts, p.lasts = intsOf(take(1)), intsOf(take(1))
	return p
}

// look finds what the rows of a panel see.
func (a *attending) look(p *panel) {
	position := int(a.lengths[p.sequence]) - a.queries(p.sequence) + p.first/a.group
	for i, heads := 0, a.group-p.first%a.group; i < p.rows; position, heads = position+1, a.group { // of one query all see the same
		f, l := a.seesFrom(p.sequence, position)
		for to := min(i+heads, p.rows); i < to; i++ {
			p.firsts[i], p.lasts[i] = int32(f), int32(l)
		}
	}
	for i := p.rows; i < p.width; i++ { // a lane without a row
		p.firsts[i], p.lasts[i] = p.firsts[i-1], p.lasts[i-1]
	}
	p.minFirst, p.maxFirst = int(p.firsts[0]), int(p.firsts[p.rows-1]) // both ascend
	p.minLast, p.maxLast = int(p.lasts[0]), int(p.lasts[p.rows-1])
}

func (p *panel) at(x []float32) *float32 { return at(x, 0) }

// begin clears the running softmax.
func (p *panel) begin() {
	fill(p.allMost, noneYet)
	clear(p.allSum)
	clear(p.out)
}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

func finite(x float32) bool { return x-x == 0 }

// range_ is the keys of a tile that some lane sees, from a multiple of 4.
func (p *panel) range_(tile int) (from, to int) {
	return max(p.minFirst-tile, 0) &^ 3, min(p.maxLast-tile, keyTile)
}

// masked says whether some lane does not see all of the keys from … to of a tile.
func (p *panel) masked(tile, from, to int) bool { return p.maxFirst > tile+from || p.minLast < tile+to }

// loadQueries packs the rows of a panel as lanes.
func (a *attending) loadQueries(s *scratch, p *panel) {
	a.packRows(s, p.queries, host.F32(a.o.Q), p, a.head, a.deepHead, a.factor)
	if a.tiled() {
		a.pairs(s, p.pairs, p.queries, p.width, 0, amxLanes, 0, a.head)
	}
}

// packRows writes rows of a tensor [rows, heads, n] as lanes [n, width], times a factor.
func (a *attending) packRows(s *scratch, dst, src []float32, p *panel, n, deep int, by float32) {
	dense := s.need(slotG, p.width*deep)
	a.denseRows(dense, src, p, n, deep, deep, by)
	a.turnRows(dst, dense, p.width, deep, deep)
}

// turnRows writes dense rows of a panel, row values apart, as lanes [deep, width], or pairs of deep.
func (a *attending) turnRows(dst, dense []float32, width, deep, row int) {
	turn, blocks := a.b.transpose8, deep/8
	if a.paired() {
		turn, blocks = a.b.transposePairs, deep/16
	}
	for i := 0; i < width; i += 8 {
		turn(at(dst, i), width*4, at(dense, i*row), row*4, blocks)
	}
}

// denseRows copies the rows of a panel from a tensor [rows, heads, n] to rows of deep values, row values apart; of lanes without a
// row it makes zeros.
func (a *attending) denseRows(dst, src []float32, p *panel, n, deep, row int, by float32) {
	for r := 0; r < p.rows; {
		// Rows that lie evenly: the heads of one query, or with one head to a kv head all.
		count := min(a.group-(p.first+r)%a.group, p.rows-r)
		stride := n
		if a.group == 1 {
			count, stride = p.rows, a.heads*n
		}
		a.b.widen(at(dst, r*row), row, floatRows, bytesAt(src, a.rowAt(p, r)*n), stride*4, count, n, deep, by)
		r += count
	}
	if p.rows < p.width {
		clear(dst[p.rows*row : p.width*row])
	}
}

// rowAt is the number of a panel's row in a tensor [rows · heads, …].
func (a *attending) rowAt(p *panel, r int) int { return a.rowOf(p.sequence, p.group, p.first+r) }

// rowOf is the number of row r of a sequence and kv head.
func (a *attending) rowOf(s, g, r int) int {
	return (int(a.starts[s])+r/a.group)*a.heads + g*a.group + r%a.group
}

// rowAfter is the number of the row after the one with this number: of the next head, or after a kv head's last one of the next query.
func (a *attending) rowAfter(row int) int {
	if row++; row%a.group == 0 {
		row += a.heads - a.group
	}
	return row
}

// unpackRows writes lanes [deep, width] as rows of a tensor [rows, heads, n].
func (a *attending) unpackRows(s *scratch, dst []float32, p *panel, src []float32, n, deep int) {
	if a.group == 1 && n%8 == 0 && p.rows == p.width {
		for x := 0; x < n; x += 8 {
			a.b.transpose8(at(dst, a.rowAt(p, 0)*n+x), a.heads*n*4, at(src, x*p.width), p.width*4, p.width/8)
		}
		return
	}
	dense := s.need(slotG, p.width*deep)
	for x := 0; x < n; x += 8 {
		a.b.transpose8(at(dense, x), deep*4, at(src, x*p.width), p.width*4, p.width/8)
	}
	for r, row := 0, a.rowAt(p, 0); r < p.rows; r, row = r+1, a.rowAfter(row) {
		copy(dst[row*n:][:n], dense[r*deep:])
	}
}

// product runs strips over m rows: C (+)= A·B for A with k along memory, or with the rows along memory.
func (c *kernels) product(s *scratch, strips *stripKernels, byColumns bool, vecs, m int) {
	t := &s.strip
	kernels, step := strips.rows[vecs-1], t.aStride
	if byColumns {
		kernels, step = strips.columns[vecs-1], 4
	}
	most := len(kernels)
	count := (m + most - 1) / most
	for i, done := 0, 0; i < count; i++ {
		rows := (m - done + count - i - 1) / (count - i)
		s.step(c)
		kernels[rows-1](t)
		t.a, t.c = bytesFrom(t.a, rows*step), bytesFrom(t.c, rows*t.cStride)
		done += rows
	}
}

// scores makes the probabilities of the keys [from, to) of a tile, up to each lane's largest score and sum.
func (a *attending) scores(s *scratch, p *panel, t *tileRows, from, to int) {
	x := s.need(slotJ, keyTile*p.width)
	a.rawScores(s, p, t, x, nil, p.width, from, to)
	for j := 0; j < p.width; j += a.b.lanes {
		a.b.softmaxKeys(at(x, from*p.width+j), p.width*4, to-from, at(p.most, j), at(p.sum, j))
	}
}

// rawScores writes rows of scores to base 2, `stride` values apart, −∞ where a lane does not see the key; with a softcap also its
// derivative, if that is wanted.
func (a *attending) rawScores(s *scratch, p *panel, t *tileRows, x, derivative []float32, stride, from, to int) {
	tile := t.from
	if a.tiled() {
		a.tiledScores(s, t.tiles.keyRows, p.pairs, x, stride, a.head, from, to)
	} else {
		s.strip = strip{a: at(t.keys.data, from*t.keys.stride), aStride: t.keys.stride * 4, b: at(p.queries, 0), bStride: p.width * 4, c: at(x, from*stride), cStride: stride * 4, k: ceil(a.head, a.per)}
		a.b.product(s, a.strips, false, p.vecs, to-from)
	}
	if a.o.Softcap > 0 {
		a.softcap(p, x, derivative, stride, from, to)
	}
	if a.slopes != nil {
		a.addSlopes(s, p, x, stride, tile, from, to)
	}
	if !p.masked(tile, from, to) {
		return
	}
	hide := func(first, last int) {
		first, last = max(first-tile, from), min(last-tile, to)
		for j := 0; j < p.width && first < last; j += a.b.lanes {
			a.b.hideKeys(at(x, first*stride+j), stride*4, last-first, tile+first, &p.firsts[j], &p.lasts[j])
		}
	}
	hide(p.minFirst&^3, p.maxFirst)
	hide(p.minLast, p.maxLast)
}

// values adds the values of the keys [from, to) of a tile to rows of `out`: joined with what is there, or alone.
func (a *attending) values(s *scratch, p *panel, t *tileRows, from, to int, out []float32, joined bool) {
	x := s.need(slotJ, keyTile*p.width)
	if p.masked(t.from, from, to) && !a.finite(t) {
		a.seenValues(s, p, t.v, x, t.from, from, to, out, joined)
		return
	}
	if a.tiled() {
		a.tiledValues(s, p, t, x, from, to, out, joined)
		return
	}
	probabilities := at(x, from*p.width)
	if a.paired() {
		probabilities = a.pairKeys(s, x, p.width, p.width, from, to)
	}
	a.addValues(s, p, a.strips, t.valuesTurned, probabilities, from/a.per, ceil(to-from, a.per), out, joined)
}

// addValues multiplies k rows of values, from the first one on, with rows of lanes.
func (a *attending) addValues(s *scratch, p *panel, strips *stripKernels, v operand, lanes *float32, first, k int, out []float32, joined bool) {
	s.strip = strip{a: at(v.data, first*v.stride), aStride: v.stride * 4, b: lanes, bStride: p.width * 4, c: at(out, 0), cStride: p.width * 4, k: k}
	if joined {
		s.strip.old, s.strip.new = at(p.old, 0), at(p.new, 0)
	}
	a.b.product(s, strips, true, p.vecs, a.value)
}

// seenValues is addValues for a tile that holds NaN or ∞, which must not reach the lanes that do not see it: lane by lane, with
// 0 for the values that the lane does not see. The chains are those of float32.
func (a *attending) seenValues(s *scratch, p *panel, v, x []float32, tile, from, to int, out []float32, joined bool) {
	n := a.value * p.width
	work := s.need(slotH, 3*n+keyTile*a.valueRow)
	before, after, result, seen := work[:n], work[n:2*n], work[2*n:3*n], work[3*n:]
	copy(before, out[:n])
	for lane := range p.rows {
		clear(seen)
		first, last := max(int(p.firsts[lane])-tile, from), min(int(p.lasts[lane])-tile, to)
		if first < last {
			copy(seen[first*a.valueRow:last*a.valueRow], v[first*a.valueRow:])
		}
		copy(after, before)
		a.addValues(s, p, &a.b.strips, operand{data: seen, stride: a.valueRow}, at(x, from*p.width), from, to-from, after, joined)
		for i := lane; i < n; i += p.width {
			result[i] = after[i]
		}
	}
	copy(out[:n], result)
}

// softcap turns scores / Softcap into Softcap · tanh, to base 2.
func (a *attending) softcap(p *panel, x, derivative []float32, stride, from, to int) {
	by := float32(float64(a.o.Softcap) * log2E)
	for i := from; i < to; i++ {
		a.b.tanhScale(at(x, i*stride), p.width, by)
	}
	for j := 0; j < p.width && derivative != nil; j += a.b.lanes {
		a.b.softcapSlope(at(derivative, from*stride+j), at(x, from*stride+j), stride*4, to-from, 1/by)
	}
}

// addSlopes adds −slope · (query position − key position).
func (a *attending) addSlopes(s *scratch, p *panel, x []float32, stride, tile, from, to int) {
	both := s.need(slotI, 2*p.width)
	distance, slope := both[:p.width], both[p.width:]
	before := int(a.lengths[p.sequence]) - a.queries(p.sequence)
	for i := range p.width {
		distance[i] = float32(tile + from - before - (p.first+i)/a.group)
		slope[i] = a.slopes[p.group*a.group+(p.first+i)%a.group] * log2E
	}
	for j := 0; j < p.width; j += a.b.lanes {
		a.b.addSlopes(at(x, from*stride+j), stride*4, to-from, at(distance, j), at(slope, j))
	}
}
