package cpu

import (
	"math"

	"lian/compute/host"
)

// fewKernels serve a few queries at a time, at the levels that have them: a row for each query and a lane for each key, so that
// decoding is not slower than memory.
type fewKernels struct {
	keyScores []func(t *strip) // of 1 … queries with 16 keys, k a multiple of 8; nil where strips serve
	powerRow  func(x *float32, n int, most float32, sum *float32)
	joinRow   func(x, y *float32, n int, old, new float32) // x = x·old + y·new
}

// fewPart is a tile of keys of one sequence, for the rows of kv heads [first, last). Heads lie beside each other in a cache: going
// through them together reads memory in order.
type fewPart struct {
	sequence, tile, first, last int
	at                          int // where the results begin
}

// keysTogether is the keys whose rows of all heads are read at one time. Asking for the next ones beforehand made it slower.
const keysTogether = 32

// takesFew says whether the rows of a sequence and kv head go this way. Every chain is that of a panel.
func (a *attending) takesFew(rows int) bool { return rows <= len(a.b.keyScores) && a.slopes == nil }

// fewSize is the memory of the results for one kv head: values, largest scores and sums.
func (a *attending) fewSize(rows int) int { return roundUp(rows*(a.deepValue+2), 16) }

// planFew makes the parts of the sequences that go this way, and tasks to join them.
func (a *attending) planFew() {
	tiles := 0
	for s := range a.lengths {
		if rows := a.queries(s) * a.group; rows > 0 && a.takesFew(rows) {
			begin, end := a.seen(attentionTask{s, 0, 0, rows})
			tiles += (end+keyTile-1)/keyTile - begin/keyTile
		}
	}
	split := min(a.kv, (4*a.b.workers+tiles-1)/max(tiles, 1))
	if tiles == 1 { // neighbouring heads share cache lines
		split = min(a.kv, a.b.workers)
	}
	if a.b.workers == 1 {
		split = 1
	}
	at := 0
	for s := range a.lengths {
		rows := a.queries(s) * a.group
		if rows == 0 || !a.takesFew(rows) {
			continue
		}
		from := len(a.fewParts)
		begin, end := a.seen(attentionTask{s, 0, 0, rows})
		for tile := begin / keyTile * keyTile; tile < end; tile += keyTile {
			for i := range split {
				p := fewPart{s, tile, a.kv * i / split, a.kv * (i + 1) / split, at}
				a.fewParts = append(a.fewParts, p)
				at += (p.last - p.first) * a.fewSize(rows)
			}
		}
		for g := range a.kv {
			a.fewJoins = append(a.fewJoins, fewJoin{s, g, from, len(a.fewParts)})
		}
	}
	if at > 0 {
		a.fewResults = a.b.shared.need(slotB, at)
	}
}

// fewTile is part number `number`.
func (a *attending) fewTile(s *scratch, number int) {
	t := &a.fewParts[number]
	rows, groups := a.queries(t.sequence)*a.group, t.last-t.first
	x := s.need(slotJ, groups*rows*keyTile)
	q := s.need(slotD, groups*rows*a.deepHead)
	for g := range groups {
		p := panel{sequence: t.sequence, group: t.first + g, rows: rows}
		a.denseRows(q[g*rows*a.deepHead:], host.F32(a.o.Q), &p, a.head, a.deepHead, a.deepHead, a.factor)
	}
	first, last := keyTile, 0
	masked := false
	for r := range rows {
		lo, hi := a.rangeOf(t, r)
		masked = masked || r > 0 && (lo != first || hi != last)
		first, last = min(first, lo), max(last, hi)
	}
	k := s.need(slotA, keysTogether*a.deepHead)
	for i := first &^ (keysTogether - 1); i < last; i += keysTogether {
		for g := range groups {
			a.loadRows(k, a.o.K, a.o.KScale, attentionTask{sequence: t.sequence, group: t.first + g}, t.tile+i, min(keysTogether, last-i), a.head, a.deepHead, a.deepHead)
			for j := 0; j < keysTogether && i+j < last; j += 16 {
				s.strip = strip{a: at(q, g*rows*a.deepHead), aStride: a.deepHead * 4, b: at(k, j*a.deepHead), bStride: a.deepHead * 4, c: at(x, g*rows*keyTile+i+j), cStride: keyTile * 4, k: a.deepHead}
				a.b.keyScores[rows-1](&s.strip)
			}
		}
	}
	for g := range groups {
		_, most, sum := a.fewResult(t, g, rows)
		for r := range rows {
			lo, hi := a.rangeOf(t, r)
			most[r], sum[r] = a.fewSoftmax(s, x[(g*rows+r)*keyTile:][:keyTile], lo, hi)
		}
	}
	for g := range groups {
		part, _, _ := a.fewResult(t, g, rows)
		clear(part)
	}
	v := s.need(slotB, keysTogether*a.deepValue)
	for i := first &^ (keysTogether - 1); i < last; i += keysTogether {
		from, to := max(i, first), min(i+keysTogether, last)
		for g := range groups {
			a.loadRows(v, a.o.V, a.o.VScale, attentionTask{sequence: t.sequence, group: t.first + g}, t.tile+from, to-from, a.value, a.deepValue, a.deepValue)
			part, _, _ := a.fewResult(t, g, rows)
			p := x[g*rows*keyTile:]
			if !masked {
				a.fewValues(s, at(v, 0), at(p, from), at(part, 0), rows, to-from)
				continue
			}
			for r := range rows {
				if lo, hi := a.rangeOf(t, r); max(lo, from) < min(hi, to) {
					lo, hi = max(lo, from), min(hi, to)
					a.fewValues(s, at(v, (lo-from)*a.deepValue), at(p, r*keyTile+lo), at(part, r*a.deepValue), 1, hi-lo)
				}
			}
		}
	}
}

// fewResult is where the results of group g of a part lie.
func (a *attending) fewResult(t *fewPart, g, rows int) (part, most, sum []float32) {
	x := a.fewResults[t.at+g*a.fewSize(rows):][:a.fewSize(rows)]
	n := rows * a.deepValue
	return x[:n], x[n : n+rows], x[n+rows : n+2*rows]
}

// rangeOf is the keys of a part's tile that a row sees.
func (a *attending) rangeOf(t *fewPart, r int) (first, last int) {
	first, last = a.sees(t.sequence, r)
	first = min(max(first-t.tile, 0), keyTile)
	return first, min(max(last-t.tile, first), keyTile)
}

// fewSoftmax turns the scores [lo, hi) of a row into probabilities up to the largest score and their sum.
func (a *attending) fewSoftmax(s *scratch, row []float32, lo, hi int) (most, sum float32) {
	if lo >= hi {
		return noneYet, 0
	}
	if a.o.Softcap > 0 {
		from := lo &^ 15
		a.b.tanhScale(at(row, from), roundUp(hi-from, 16), float32(float64(a.o.Softcap)*log2E))
	}
	most = max(a.b.most(at(row, lo), hi-lo), noneYet)
	lower := lo &^ 3 // where the four sums begin
	fill(row[lower:lo], float32(math.Inf(-1)))
	sums := s.need(slotI, 4)
	a.b.powerRow(at(row, lower), hi-lower, most, at(sums, 0))
	return most, (sums[0] + sums[1]) + (sums[2] + sums[3])
}

// fewValues adds the products of rows of probabilities with n values.
func (a *attending) fewValues(s *scratch, v, p, part *float32, rows, n int) {
	for j := 0; j < a.deepValue; j += 2 * a.b.lanes {
		vecs := min(2, (a.deepValue-j)/a.b.lanes)
		s.strip = strip{a: p, aStride: keyTile * 4, b: bytesFrom(v, 4*j), bStride: a.deepValue * 4, c: bytesFrom(part, 4*j), cStride: a.deepValue * 4, k: n, flags: flagAccumulate}
		a.b.stripRows[vecs-1][rows-1](&s.strip)
	}
}

// fewJoin is one kv head of a sequence, whose parts are [from, to) as far as they have it.
type fewJoin struct{ sequence, group, from, to int }

// joinFew joins the tiles of a kv head in ascending order, divides by the sums and writes the rows.
func (a *attending) joinFew(s *scratch, number int) {
	j := &a.fewJoins[number]
	rows := a.queries(j.sequence) * a.group
	memory := s.need(slotD, rows*a.deepValue)
	state := s.need(slotI, 6*a.b.lanes)
	clear(state)
	lanes := func(i int) []float32 { return state[i*a.b.lanes:][:a.b.lanes] }
	most, sum, old, now := lanes(2), lanes(3), lanes(4), lanes(5)
	fill(lanes(0), noneYet)
	clear(memory)
	for i := j.from; i < j.to; i++ {
		t := &a.fewParts[i]
		if j.group < t.first || j.group >= t.last {
			continue
		}
		part, m, l := a.fewResult(t, j.group-t.first, rows)
		copy(most, m)
		copy(sum, l)
		a.b.softmaxJoin(at(most, 0), at(sum, 0), at(state, 0), at(lanes(1), 0), at(old, 0), at(now, 0), a.b.lanes)
		for r := range rows {
			a.b.joinRow(at(memory, r*a.deepValue), at(part, r*a.deepValue), a.value, old[r], now[r])
		}
	}
	out := host.F32(a.o.Out)
	for r := range rows {
		row := memory[r*a.deepValue:][:a.value]
		to, by := a.finish(attentionTask{sequence: j.sequence, group: j.group}, r, lanes(0)[r], lanes(1)[r])
		a.b.scale(at(row, 0), a.value, by)
		copy(out[to*a.value:], row)
	}
}
