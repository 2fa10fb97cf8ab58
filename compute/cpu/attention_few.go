package cpu

import (
	"math"

	"lian/compute/host"
)

// fewKernels serve a few queries at a time, at the levels that have them: a row for each query and a lane for each key, so that
// decoding is not slower than memory. The first index is 0 for float32 and 1 for bfloat16, the last one the queries less one.
type fewKernels struct {
	keyScores [2][]func(t *strip)    // with 16 keys, k a multiple of 8; nil where strips serve
	bring     [2][3][]func(t *strip) // what values bring: 1, 2 or 4 registers of them
	powerRow  func(x *float32, n int, most float32, sum *float32)
	joinRow   func(x, y *float32, n int, old, new float32) // x = x·old + y·new
}

// fewPart is a tile of keys of one sequence, for the rows of kv heads [first, last). Heads lie beside each other in a cache: going
// through them together reads memory in order.
type fewPart struct {
	sequence, tile, first, last int
	at                          int  // where the results begin
	alone                       bool // there is no other tile to join it with
}

// takesFew says whether the rows of a sequence and kv head go this way. Every chain is that of a panel.
func (a *attending) takesFew(rows int) bool { return rows <= len(a.b.keyScores[0]) && a.slopes == nil }

// fewSize is the memory of the results for one kv head: values, largest scores and sums.
func (a *attending) fewSize(rows int) int { return roundUp(rows*(a.deepValue+2), 16) }

// planFew makes the parts of the sequences that go this way, and tasks to join those of more than one tile.
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
				p := fewPart{s, tile, a.kv * i / split, a.kv * (i + 1) / split, at, begin/keyTile == (end-1)/keyTile}
				a.fewParts = append(a.fewParts, p)
				at += (p.last - p.first) * a.fewSize(rows)
			}
		}
		if len(a.fewParts) > from && a.fewParts[from].alone {
			continue // joined with nothing, where it was made
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
	f := fewTask{attending: a, s: s, part: t, rows: rows, scores: s.need(slotJ, groups*rows*keyTile), begin: keyTile}
	if number+1 < len(a.fewParts) {
		f.next = &a.fewParts[number+1]
	}
	for r := range rows {
		lo, hi := a.rangeOf(t, r)
		f.masked = f.masked || r > 0 && (lo != f.begin || hi != f.end)
		f.begin, f.end = min(f.begin, lo), max(f.end, hi)
	}
	f.score()
	for g := range groups {
		part, most, sum := a.fewResult(t, g, rows)
		for r := range rows {
			lo, hi := a.rangeOf(t, r)
			most[r], sum[r] = a.fewSoftmax(s, f.row(g, r), lo, hi)
		}
		clear(part)
	}
	f.bring()
	if t.alone {
		for g := t.first; g < t.last; g++ {
			a.join1(s, fewJoin{t.sequence, g, number, number + 1})
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

// fewJoin is one kv head of a sequence, whose parts are [from, to) as far as they have it.
type fewJoin struct{ sequence, group, from, to int }

// joinFew is join number `number`.
func (a *attending) joinFew(s *scratch, number int) { a.join1(s, a.fewJoins[number]) }

// join1 joins the tiles of a kv head in ascending order, divides by the sums and writes the rows.
func (a *attending) join1(s *scratch, j fewJoin) {
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
		to := a.rowOf(j.sequence, j.group, r)
		a.b.scale(at(row, 0), a.value, a.finish(to, lanes(0)[r], lanes(1)[r]))
		copy(out[to*a.value:], row)
	}
}
