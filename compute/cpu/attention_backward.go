package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// panelsOfBlock is the panels of queries whose probabilities for a tile of keys are there at one time.
const panelsOfBlock = 4

// attendingBack is what the gradient of an attention has besides.
type attendingBack struct {
	o     *compute.AttentionBackward
	pairs []prepared // queries of each (sequence, kv head), if all workers read them
	tiles []backTask
	runs  [6]func(s *scratch, t int) // whole pairs, prepare, tiles of keys, blocks of queries; tiles of keys for keys and queries, their sums

	parts []float32 // of DQ by tile of keys: those of one pair after those of the other
}

// backTask is a tile of keys, or a block of panels, of one (sequence, kv head).
type backTask struct{ pair, from int }

// prepared is the query side of one (sequence, kv head), linear in its length. Rows are padded to whole panels.
type prepared struct {
	sequence, group, rows int
	queries, douts        []float32 // lanes: each panel [head, width] times the scores' factor, and [value, width]; or pairs of k
	queryPairs, doutPairs []float32 // the same for the tile unit
	q, d                  []float32 // rows, headRow and valueRow apart; or pairs of rows
	most, mean            []float32 // LogSumExp to base 2; Σ DOut · Out
	dq                    []float32 // lanes: each panel [head, width], sums
}

func (k *attendingBack) init(a *attending) {
	k.runs = [6]func(s *scratch, t int){
		func(s *scratch, t int) {
			p := a.preparation(s.need(slotD, a.preparedSize(t/a.kv)), t/a.kv, t%a.kv)
			for i := range a.panels(p.rows) {
				a.prepare(s, &p, i)
			}
			for tile := 0; tile < int(a.lengths[p.sequence]); tile += keyTile {
				a.backTile(s, &p, tile, 0, a.panels(p.rows), true, p.dq, true)
			}
			a.storeQueries(s, &p, 0, a.panels(p.rows))
		},
		func(s *scratch, t int) {
			u := k.tiles[t]
			p := &k.pairs[u.pair]
			for i := range min(panelsOfBlock, a.panels(p.rows)-u.from) {
				a.prepare(s, p, u.from+i)
			}
		},
		func(s *scratch, t int) {
			u := k.tiles[t]
			p := &k.pairs[u.pair]
			a.backTile(s, p, u.from, 0, a.panels(p.rows), true, nil, false)
		},
		func(s *scratch, t int) {
			u := k.tiles[len(k.tiles)-1-t] // the longest first
			p := &k.pairs[u.pair]
			to := min(u.from+panelsOfBlock, a.panels(p.rows))
			width := 2 * a.b.lanes
			task := attentionTask{p.sequence, p.group, u.from * width, min(to*width, p.rows)}
			begin, end := a.seen(task)
			for tile := begin / keyTile * keyTile; tile < end; tile += keyTile {
				a.backTile(s, p, tile, u.from, to, false, p.dq, true)
			}
			a.storeQueries(s, p, u.from, to)
		},
		func(s *scratch, t int) {
			u := k.tiles[t]
			p := &k.pairs[u.pair]
			part := a.sumsOf(p, u.from)
			clear(part)
			a.backTile(s, p, u.from, 0, a.panels(p.rows), true, part, false)
		},
		func(s *scratch, t int) {
			u := k.tiles[t]
			p := &k.pairs[u.pair]
			to, one := min(u.from+panelsOfBlock, a.panels(p.rows)), 2*a.b.lanes*a.deepHead
			for tile := 0; tile < int(a.lengths[p.sequence]); tile += keyTile {
				part := a.sumsOf(p, tile)
				a.b.add(at(p.dq, u.from*one), at(p.dq, u.from*one), at(part, u.from*one), (to-u.from)*one)
			}
			a.storeQueries(s, p, u.from, to)
		},
	}
}

var _ = provides((*backend).attentionBackward)

// attentionBackward goes over tiles of keys and blocks of queries: Sᵀ and dPᵀ as in the forward pass, then DV and DK of the tile
// (chains over ascending rows) and DQ of the block (a chain over the ascending keys of each tile, then a sum of tiles in ascending order). With
// enough pairs of sequence and kv head a worker does whole pairs. Else tiles of keys are shared out and what each brings to DQ is kept until
// all are done; or, where that is too much memory or tiles are few, tiles for keys and then blocks of queries, which costs 7 products instead of 5. The chains
// are the same.
func (b *backend) attentionBackward(o *compute.AttentionBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, err := b.attend(&o.Forward)
	if err != nil {
		return err
	}
	k := &a.back
	k.o = o
	a.clearGradients()
	if a.sinks != nil {
		a.sinkGradients()
	}
	way := a.shareBackward()
	if way == wholePairs {
		b.each(len(a.lengths)*a.kv, k.runs[0])
		return nil
	}
	size := 0
	for s := range a.lengths {
		size += a.kv * a.preparedSize(s)
	}
	memory := b.shared.need(slotA, size)
	k.pairs, k.tiles = k.pairs[:0], k.tiles[:0]
	for s := range a.lengths {
		for g := range a.kv {
			n := a.preparedSize(s)
			k.pairs = append(k.pairs, a.preparation(memory[:n:n], s, g))
			memory = memory[n:]
		}
	}
	blocks := func() {
		k.tiles = k.tiles[:0]
		for i := range k.pairs {
			for p := 0; p < a.panels(k.pairs[i].rows); p += panelsOfBlock {
				k.tiles = append(k.tiles, backTask{i, p})
			}
		}
	}
	blocks()
	b.each(len(k.tiles), k.runs[1])
	k.tiles = k.tiles[:0]
	longest := 0
	for s := range a.lengths {
		longest = max(longest, int(a.lengths[s]))
	}
	for tile := 0; tile < longest; tile += keyTile { // the largest first
		for i := range k.pairs {
			if tile < int(a.lengths[k.pairs[i].sequence]) {
				k.tiles = append(k.tiles, backTask{i, tile})
			}
		}
	}
	if way == tilesOfKeys {
		k.parts = b.shared.need(slotB, a.partsSize())
		b.each(len(k.tiles), k.runs[4])
		blocks()
		b.each(len(k.tiles), k.runs[5])
		return nil
	}
	b.each(len(k.tiles), k.runs[2])
	blocks()
	b.each(len(k.tiles), k.runs[3])
	return nil
}

// How the gradient of an attention is shared out among the workers.
const (
	wholePairs  = iota // a pair of sequence and kv head is one task
	tilesOfKeys        // a tile of keys of a pair is one task
	twoPasses          // tiles of keys, then blocks of queries
)

// mostParts is how many values of DQ may wait for their sum.
const mostParts = 16 << 20

// shareBackward chooses by what would be done first. It changes no result.
func (a *attending) shareBackward() int {
	workers := float64(a.b.workers)
	longest, largest, total := 0.0, 0.0, 0.0
	for s, n := range a.lengths {
		keys, queries := float64(n), float64(a.queries(s))
		cost, first := keys*queries, min(keys, keyTile)*queries
		if a.o.Causal && a.o.Window == 0 { // half of all pairs, but of the first tile more
			cost, first = cost/2, first-min(keys, keyTile)*min(keys, keyTile)/2
		}
		longest, largest, total = max(longest, cost), max(largest, first), total+cost*float64(a.kv)
	}
	share := total / workers
	rounds := math.Ceil(float64(len(a.lengths)*a.kv) / workers)
	whole := min(rounds*longest, share+longest)
	tiles := max(share, largest) * 1.05
	two := share * 1.5
	switch {
	case whole <= min(tiles, two):
		return wholePairs
	case tiles <= two && a.partsSize() <= mostParts:
		return tilesOfKeys
	}
	return twoPasses
}

// sumsSize is how many values of DQ one tile of keys of a sequence and kv head has.
func (a *attending) sumsSize(s int) int {
	return a.panels(a.queries(s)*a.group) * 2 * a.b.lanes * a.deepHead
}

func (a *attending) partsSize() int {
	n := 0
	for s := range a.lengths {
		n += a.kv * a.tilesOf(s) * a.sumsSize(s)
	}
	return n
}

func (a *attending) tilesOf(s int) int { return (int(a.lengths[s]) + keyTile - 1) / keyTile }

// sumsOf is what a tile of keys of a pair brings to DQ.
func (a *attending) sumsOf(p *prepared, tile int) []float32 {
	from := 0
	for s := range p.sequence {
		from += a.kv * a.tilesOf(s) * a.sumsSize(s)
	}
	size := a.sumsSize(p.sequence)
	from += (p.group*a.tilesOf(p.sequence) + tile/keyTile) * size
	return a.back.parts[from : from+size]
}

// clearGradients zeroes the rows that no sequence has.
func (a *attending) clearGradients() {
	covered := 0
	for s := range a.lengths {
		if int(a.starts[s]) == covered && int(a.lengths[s]) == a.queries(s) {
			covered = int(a.starts[s+1])
		}
	}
	if covered == a.o.Q.Shape[0] && covered == a.o.K.Shape[0] {
		return // every row is written
	}
	for _, t := range []*compute.Tensor{a.back.o.DQ, a.back.o.DK, a.back.o.DV} {
		clear(host.F32(t))
	}
}

// sinkGradients sums −P(sink)·D over the rows of each head.
func (a *attending) sinkGradients() {
	t := frame[sinkTask](a.b)
	t.attending = a
	a.b.eachOf(a.heads, t)
}

// sinkTask is the gradient of one head's sink.
type sinkTask struct{ *attending }

func (t *sinkTask) task(_ *scratch, h int) {
	out, dout, lse, d := host.F32(t.o.Out), host.F32(t.back.o.DOut), host.F32(t.o.LogSumExp), host.F32(t.back.o.DSinks)
	sum := 0.0
	for s := range t.lengths {
		for row := int(t.starts[s]); row < int(t.starts[s+1]); row++ {
			i := row*t.heads + h
			sum -= math.Exp(float64(t.sinks[h])-float64(lse[i])) * float64(t.b.dot(at(out, i*t.value), at(dout, i*t.value), t.value))
		}
	}
	d[h] = float32(sum)
}

// panels is the number of panels of so many rows.
func (a *attending) panels(rows int) int { return (rows + 2*a.b.lanes - 1) / (2 * a.b.lanes) }

func (a *attending) preparedSize(s int) int {
	return a.panels(a.queries(s)*a.group) * 2 * a.b.lanes * ((a.deepHead+a.headRow+a.deepValue+a.valueRow)/a.per + a.deepHead + 2 + a.tileDeep(a.head) + a.tileDeep(a.value))
}

func (a *attending) preparation(memory []float32, s, g int) prepared {
	p := prepared{sequence: s, group: g, rows: a.queries(s) * a.group}
	width := a.panels(p.rows) * 2 * a.b.lanes
	take := func(n int) []float32 {
		x := memory[: n*width : n*width]
		memory = memory[n*width:]
		return x
	}
	p.queries, p.douts, p.q, p.d, p.dq = take(a.deepHead/a.per), take(a.deepValue/a.per), take(a.headRow/a.per), take(a.valueRow/a.per), take(a.deepHead)
	p.most, p.mean = take(1), take(1)
	p.queryPairs, p.doutPairs = take(a.tileDeep(a.head)), take(a.tileDeep(a.value))
	return p
}

// backPanel is panel i of a pair; it always has two registers of lanes.
func (a *attending) backPanel(s *scratch, p *prepared, i int) panel {
	width := 2 * a.b.lanes
	t := attentionTask{p.sequence, p.group, i * width, min((i+1)*width, p.rows)}
	q := a.panelOf(s.need(slotE, panelsOfBlock*a.panelSize())[i%panelsOfBlock*a.panelSize():], t, t.first, 2)
	deep := width * a.deepHead / a.per
	q.queries = p.queries[i*deep:][:deep]
	q.pairs = p.queryPairs[i*width*a.tileDeep(a.head):]
	return q
}

// prepare packs panel i of a pair.
func (a *attending) prepare(s *scratch, p *prepared, i int) {
	width := 2 * a.b.lanes
	q := a.backPanel(s, p, i)
	first := i * width
	dense := func(lanes, rows, src []float32, n, deep, row int, by float32) {
		lanes, rows = lanes[first*deep/a.per:], rows[first*row/a.per:]
		if a.paired() { // rounded last
			x := s.need(slotG, width*deep)
			a.denseRows(x, src, &q, n, deep, deep, 1)
			a.b.interleaveRows(at(rows, 0), row*4, at(x, 0), deep*4, width/2, deep)
			a.b.scale(at(x, 0), width*deep, by)
			a.turnRows(lanes, x, width, deep, deep)
			return
		}
		a.denseRows(rows, src, &q, n, deep, row, 1)
		a.turnRows(lanes, rows, width, deep, row)
		a.b.scale(at(lanes, 0), width*deep, by)
	}
	dout := host.F32(a.back.o.DOut)
	dense(p.queries, p.q, host.F32(a.o.Q), a.head, a.deepHead, a.headRow, a.factor)
	dense(p.douts, p.d, dout, a.value, a.deepValue, a.valueRow, 1)
	if a.tiled() {
		a.pairs(s, q.pairs, q.queries, width, 0, amxLanes, 0, a.head)
		a.pairs(s, p.doutPairs[first*a.tileDeep(a.value):], p.douts[first*a.deepValue:], width, 0, amxLanes, 0, a.value)
	}
	clear(p.dq[first*a.deepHead : (first+width)*a.deepHead])
	fill(p.most[first:first+width], notReachable)
	clear(p.mean[first : first+width])
	out := host.F32(a.o.Out)
	for r, row := first, a.rowAt(&q, 0); r < first+q.rows; r, row = r+1, a.rowAfter(row) {
		p.mean[r] = a.b.dot(at(dout, row*a.value), at(out, row*a.value), a.value)
		if l := a.lse[row]; !math.IsInf(float64(l), -1) { // −∞: the row saw no key
			p.most[r] = float32(float64(l) * log2E)
		}
	}
}

// backTile adds what panels [first, last) of a pair have to do with one tile of keys: to DK and DV of the tile, which are
// written, to dq, which has DQ's layout, or to both. add says that dq holds the sums of the tiles before.
func (a *attending) backTile(s *scratch, p *prepared, tile, first, last int, toKeys bool, dq []float32, add bool) {
	toQueries := dq != nil
	b, width := a.b, 2*a.b.lanes
	count := min(keyTile, int(a.lengths[p.sequence])-tile)
	stride := a.blockRow()
	loaded := a.loadTile(s, attentionTask{p.sequence, p.group, 0, p.rows}, tile, count, true)
	tiled, strips := a.tiled(), len(a.strips.rows[0])
	work := s.need(slotJ, 2*keyTile*stride)
	x, y := work[:keyTile*stride], work[keyTile*stride:]
	var capped []float32
	if a.o.Softcap > 0 {
		capped = s.need(slotH, keyTile*stride)
	}
	var dk, dv []float32
	if toKeys {
		sums := s.need(slotF, keyTile*(a.deepHead+a.deepValue))
		dk, dv = sums[:keyTile*a.deepHead], sums[keyTile*a.deepHead:]
		clear(dk[:count*a.deepHead])
		clear(dv[:count*a.deepValue])
	}
	var panels [panelsOfBlock]panel
	for block := first; block < last; block += panelsOfBlock {
		n := min(panelsOfBlock, last-block)
		begin, end := count, 0
		s.ahead.clear()
		if next := block + panelsOfBlock; next < last {
			a.blockAhead(&s.ahead, p, next, min(panelsOfBlock, last-next), toKeys, toQueries)
		}
		for i := range n {
			panels[i] = a.backPanel(s, p, block+i)
			a.look(&panels[i])
			from, to := panels[i].range_(tile)
			if from < to {
				begin, end = min(begin, from), max(end, to)
			}
		}
		if begin >= end {
			continue
		}
		if tiled {
			begin &^= amxLanes - 1
		}
		for i := range n {
			q := &panels[i]
			from, to := q.range_(tile)
			from, to = max(from, begin), min(to, end)
			if from >= to {
				from, to = end, end
			}
			column, row := i*width, (block+i)*width
			if toKeys && tiled {
				clearRows(x, y, column, stride, width, begin, from)
				clearRows(x, y, column, stride, width, to, end)
			}
			if from >= to {
				continue
			}
			var derivative []float32
			if capped != nil {
				derivative = capped[column:]
			}
			a.rawScores(s, q, &loaded, x[column:], derivative, stride, from, to)
			if tiled {
				a.tiledScores(s, loaded.tiles.valueRows, p.doutPairs[row*a.tileDeep(a.value):], y[column:], stride, a.value, from, to)
			} else {
				v := &loaded.values
				s.strip = strip{a: at(v.data, from*v.stride), aStride: v.stride * 4, b: at(p.douts, row*a.deepValue/a.per), bStride: width * 4, c: at(y, from*stride+column), cStride: stride * 4, k: ceil(a.value, a.per)}
				b.product(s, a.strips, false, 2, to-from)
			}
			for j := 0; j < width; j += b.lanes {
				d := at(y, from*stride+column+j)
				b.softmaxKeysGrad(at(x, from*stride+column+j), d, stride*4, to-from, at(p.most, row+j), at(p.mean, row+j), a.o.Scale)
				if capped != nil {
					b.mulRows(d, at(capped, from*stride+column+j), stride*4, to-from)
				}
			}
			if tiled && toKeys { // the products have written rows before the first one
				clearRows(x, y, column, stride, width, from&^(amxLanes-1), from)
			}
			if toQueries {
				out := dq[row*a.deepHead:][:width*a.deepHead]
				if add {
					out = s.need(slotC, width*a.deepHead)
				}
				if tiled {
					a.tiledTurned(s, loaded.tiles.keyTurned, y[column:], out, stride, a.head, count, from, to, false)
				} else {
					k, d, step := &loaded.keysTurned, at(y, from*stride+column), stride
					if a.paired() {
						d, step = a.pairKeys(s, y[column:], stride, width, from, to), width
					}
					s.strip = strip{a: at(k.data, from/a.per*k.stride), aStride: k.stride * 4, b: d, bStride: step * 4, c: at(out, 0), cStride: width * 4, k: ceil(to-from, a.per)}
					b.product(s, a.strips, true, 2, a.head)
				}
				if add {
					sum := at(dq, row*a.deepHead)
					b.add(sum, sum, at(out, 0), width*a.head)
				}
			}
			if toKeys && !tiled {
				if a.paired() {
					a.roundPanel(x, i, from, to)
					a.roundPanel(y, i, from, to)
				}
				// The rest of the strips of keys of which it sees some.
				column, width := column/a.per, width/a.per
				clearRows(x, y, column, stride, width, from-(from-begin)%strips, from)
				clearRows(x, y, column, stride, width, to, min(begin+roundUp(to-begin, strips), end))
			}
		}
		if toKeys && tiled {
			a.tiledKeys(s, dv, x, p.d[block*width*a.valueRow:], a.deepValue, a.valueRow, n*width, begin, end)
			a.tiledKeys(s, dk, y, p.q[block*width*a.headRow:], a.deepHead, a.headRow, n*width, begin, end)
		} else if toKeys {
			a.addKeys(s, panels[:n], dv, x, p.d[block*width*a.valueRow/a.per:], a.deepValue, a.valueRow, tile, begin, end)
			a.addKeys(s, panels[:n], dk, y, p.q[block*width*a.headRow/a.per:], a.deepHead, a.headRow, tile, begin, end)
		}
	}
	s.ahead.clear()
	if toKeys {
		from := (int(a.starts[p.sequence])+tile)*a.kv + p.group
		b.widen(at(host.F32(a.back.o.DK), from*a.head), a.kv*a.head, floatRows, bytesAt(dk, 0), a.deepHead*4, count, a.head, a.head, 1)
		b.widen(at(host.F32(a.back.o.DV), from*a.value), a.kv*a.value, floatRows, bytesAt(dv, 0), a.deepValue*4, count, a.value, a.value, 1)
	}
}

// blockAhead adds what the next block of panels reads.
func (a *attending) blockAhead(x *ahead, p *prepared, panel, n int, toKeys, toQueries bool) {
	from, rows := panel*2*a.b.lanes, n*2*a.b.lanes
	add := func(m []float32, deep, per int) { // 1 KiB at a time
		x.add(bytesAt(m, from*deep/per), 1024, rows*deep/per/256, 1024)
	}
	add(p.queries, a.deepHead, a.per)
	add(p.douts, a.deepValue, a.per)
	if toQueries {
		add(p.dq, a.deepHead, 1)
	}
	if toKeys {
		add(p.d, a.valueRow, a.per)
		add(p.q, a.headRow, a.per)
	}
}

// clearRows zeroes width values of rows from … to−1 of both.
func clearRows(x, y []float32, column, stride, width, from, to int) {
	for i := from; i < to; i++ {
		clear(x[i*stride+column : i*stride+column+width])
		clear(y[i*stride+column : i*stride+column+width])
	}
}

// addKeys adds Xᵀ·rows to the sums of the keys [begin, end) of a tile: strip by strip, over the panels that see some of its keys.
func (a *attending) addKeys(s *scratch, panels []panel, sums, x, rows []float32, deep, row, tile, begin, end int) {
	width, stride := 2*a.b.lanes, a.blockRow()
	most := len(a.strips.rows[0])
	for j := 0; j < deep; j += 2 * a.b.lanes { // the lanes of the rows stay in the level-1 cache
		vecs := min(2, (deep-j)/a.b.lanes)
		for i := begin; i < end; i += most {
			count := min(most, end-i)
			first, last := 0, len(panels)
			for first < last && (panels[first].maxLast <= tile+i || panels[first].minFirst >= tile+i+count) {
				first++
			}
			for first < last && (panels[last-1].maxLast <= tile+i || panels[last-1].minFirst >= tile+i+count) {
				last--
			}
			if first == last {
				continue
			}
			from := first * width
			for _, l := range panels[first].lasts { // causal: its first rows do not see these keys yet
				if int(l) > tile+i {
					break
				}
				from++
			}
			from /= a.per
			s.strip = strip{a: at(x, i*stride+from), aStride: stride * 4, b: at(rows, from*row+j), bStride: row * 4, c: at(sums, i*deep+j), cStride: deep * 4, k: last*width/a.per - from, flags: flagAccumulate}
			s.step(a.b.kernels)
			a.strips.rows[vecs-1][count-1](&s.strip)
		}
	}
}

// blockRow is from one key's probabilities for a block of queries to the next one's.
func (a *attending) blockRow() int { return oddLines(panelsOfBlock * 2 * a.b.lanes) }

// storeQueries writes DQ of panels [first, last).
func (a *attending) storeQueries(s *scratch, p *prepared, first, last int) {
	width := 2 * a.b.lanes
	for i := first; i < last; i++ {
		q := a.backPanel(s, p, i)
		a.unpackRows(s, host.F32(a.back.o.DQ), &q, p.dq[i*width*a.deepHead:], a.head, a.deepHead)
	}
}
