package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

const (
	keyTile       = compute.KeyTile
	panelsOfTask  = 32        // panels of queries that share a tile of keys, if their state
	panelsBytes   = 512 << 10 // takes no more than this of the level-2 cache
	noneYet       = -1e38
	log2E         = 1.44269504088896340736
	notReachable  = 1e38 // a LogSumExp, to base 2, that makes every probability 0
	leastJoined   = 4096 // values of partial results that are worth the workers
	longestSerial = 2    // tiles of keys that one worker joins rather than have them split
)

// attending is one attention on its way: what its tasks read. It is kept by the backend, so that a launch allocates nothing.
type attending struct {
	b *backend
	o *compute.Attention
	sequences
	heads, kv, group, head, value int
	deepHead, deepValue           int // rounded up to whole registers
	headRow, valueRow             int // from one dense row to the next
	per                           int // values of k in an element of a product's operands: 1, or 2 bfloat16
	strips                        *stripKernels
	factor                        float32 // of Q·Kᵀ, so that scores are logarithms to base 2
	slopes, sinks, lse            []float32
	tasks                         []attentionTask
	parts                         []attentionPart
	firstParts                    []int     // of each split task, and the end
	partial                       []float32 // results of the tiles of parts
	fewParts                      []fewPart
	fewJoins                      []fewJoin
	fewResults                    []float32
	back                          attendingBack

	runTask, runPart, runJoin, runFew, runFewJoin func(s *scratch, t int) // made once
}

// attentionTask is rows [first, last) of one sequence and kv head: row r is query r / group, head r % group.
type attentionTask struct{ sequence, group, first, last int }

// attentionPart is one tile of keys for a task of few rows. Its result is number `at` of the partial results.
type attentionPart struct {
	task attentionTask
	tile int // key position
	at   int
}

var _ = provides((*backend).attention)

// attention cuts the rows into panels, one lane for each, and goes over the tiles of keys: Sᵀ = K·Qᵀ, a softmax down each lane,
// Oᵀ = Vᵀ·Pᵀ. Few rows with many keys (decoding) are split over the tiles too, which are joined afterwards in the same order.
func (b *backend) attention(o *compute.Attention) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, err := b.attend(o)
	if err != nil {
		return err
	}
	a.plan()
	b.each(len(a.tasks), a.runTask)
	b.each(len(a.fewParts), a.runFew)
	if len(a.fewJoins) > 0 {
		if len(a.fewParts)*a.group*a.value < leastJoined { // less work than to start a worker
			for t := range a.fewJoins {
				a.joinFew(&b.scratch[0], t)
			}
		} else {
			b.each(len(a.fewJoins), a.runFewJoin)
		}
	}
	if len(a.parts) > 0 {
		b.each(len(a.parts), a.runPart)
		b.each(a.joins(), a.runJoin)
	}
	return nil
}

// attend sets up what all tasks of an attention read.
func (b *backend) attend(o *compute.Attention) (*attending, error) {
	a := frame[attending](b)
	if a.b == nil {
		a.b = b
		a.runTask = func(s *scratch, t int) { a.rows(s, len(a.tasks)-1-t) } // the longest first
		a.runPart, a.runJoin, a.runFew, a.runFewJoin = a.part, a.join, a.fewTile, a.joinFew
		a.back.init(a)
	}
	seqs, err := layout(o)
	if err != nil {
		return nil, err
	}
	a.o, a.sequences = o, seqs
	a.heads, a.kv, a.head, a.value = o.Q.Shape[1], o.K.Shape[1], o.Q.Shape[2], o.ValueHead()
	a.group = a.heads / a.kv
	a.deepHead, a.deepValue = roundUp(a.head, max(b.lanes, 8)), roundUp(a.value, max(b.lanes, 8))
	a.headRow, a.valueRow = oddLines(a.deepHead), oddLines(a.deepValue)
	a.per, a.strips = 1, &b.strips
	if o.BF16 && b.amx == nil && b.roundRows != nil {
		a.per, a.strips = 2, &b.stripPairs
	}
	a.factor = float32(float64(o.Scale) * log2E)
	if o.Softcap > 0 {
		a.factor = float32(float64(o.Scale) / float64(o.Softcap))
	}
	a.slopes, a.sinks, a.lse = host.F32(o.Slopes), host.F32(o.Sinks), host.F32(o.LogSumExp)
	a.tasks, a.parts, a.fewParts, a.fewJoins = a.tasks[:0], a.parts[:0], a.fewParts[:0], a.fewJoins[:0]
	return a, nil
}

// oddLines is a length of rows, an odd number of cache lines, for which many rows do not fall into the same sets of the cache.
func oddLines(n int) int { return roundUp(n, 16) | 16 }

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// plan makes the tasks. Where rows and tiles are cut changes no result.
func (a *attending) plan() {
	width := 2 * a.b.lanes
	panels, few := 0, 0
	for s := range a.lengths {
		rows := a.queries(s) * a.group
		panels += (rows + width - 1) / width * a.kv
		if rows > 0 && rows <= width {
			few += a.kv
		}
	}
	step := width * min(max(panels/(a.b.workers*4), 1), panelsOfTask, max(1, a.panelsBytes()/4/a.panelSize()))
	a.planFew()
	at := 0
	for s, keys := range a.lengths {
		rows := a.queries(s) * a.group
		if a.takesFew(rows) {
			continue
		}
		for g := range a.kv {
			if rows > 0 && rows <= width && a.b.workers > 1 && few < 4*a.b.workers && int(keys) > longestSerial*keyTile {
				t := attentionTask{s, g, 0, rows}
				begin, end := a.seen(t)
				for tile := begin / keyTile * keyTile; tile < end; tile += keyTile {
					a.parts = append(a.parts, attentionPart{t, tile, at})
					at++
				}
				continue
			}
			for r := 0; r < rows; r += step {
				a.tasks = append(a.tasks, attentionTask{s, g, r, min(r+step, rows)})
			}
		}
	}
	if at > 0 {
		a.partial = a.b.shared.need(slotA, at*a.partSize())
	}
}

// panelsBytes is what the panels of a task may take of the level-2 cache: products by the tile unit are so fast that a tile of keys
// must serve more of them.
func (a *attending) panelsBytes() int {
	if a.tiled() {
		return 2 * panelsBytes
	}
	return panelsBytes
}

// queries is the number of query rows of a sequence.
func (a *attending) queries(s int) int { return int(a.starts[s+1] - a.starts[s]) }

// sees is the range of key positions that a row of a task's sequence sees.
func (a *attending) sees(s, r int) (first, last int) {
	return a.seesFrom(s, int(a.lengths[s])-a.queries(s)+r/a.group)
}

// seesFrom is sees for the rows of the query at a key position.
func (a *attending) seesFrom(s, position int) (first, last int) {
	keys := int(a.lengths[s])
	last = keys
	if a.o.Causal {
		last = position + 1
		if a.prefix != nil {
			last = max(last, int(a.prefix[s]))
		}
		last = min(max(last, 0), keys)
	}
	if a.o.Window > 0 {
		first = min(max(position+1-a.o.Window, 0), last)
	}
	return first, last
}

// seen is the range of key positions that some row of a task sees.
func (a *attending) seen(t attentionTask) (begin, end int) {
	begin, _ = a.sees(t.sequence, t.first)
	_, end = a.sees(t.sequence, t.last-1)
	return begin, end
}

// rows computes the rows of one task.
func (a *attending) rows(s *scratch, number int) {
	t := a.tasks[number]
	width := 2 * a.b.lanes
	count := (t.last - t.first + width - 1) / width
	each := a.panelSize()
	state := s.need(slotD, count*each)
	var panels [panelsOfTask]panel
	for i := range count {
		p := &panels[i]
		*p = a.panel(state[i*each:(i+1)*each], t, t.first+i*width)
		a.loadQueries(s, p)
		p.begin()
	}
	begin, end := a.seen(t)
	for tile := begin / keyTile * keyTile; tile < end; tile += keyTile {
		loaded := a.loadTile(s, t, tile, min(keyTile, end-tile), false)
		s.ahead.clear()
		if next := number - a.b.workers; tile+keyTile < end {
			a.tileAhead(&s.ahead, t, tile+keyTile)
		} else if next >= 0 { // perhaps this worker's next task
			from, _ := a.seen(a.tasks[next])
			a.queriesAhead(&s.ahead, a.tasks[next])
			a.tileAhead(&s.ahead, a.tasks[next], from/keyTile*keyTile)
		}
		for i := range count {
			p := &panels[i]
			if from, to := p.range_(tile); from < to {
				a.scores(s, p, &loaded, from, to)
				a.b.softmaxJoin(p.at(p.most), p.at(p.sum), p.at(p.allMost), p.at(p.allSum), p.at(p.old), p.at(p.new), p.width)
				a.values(s, p, &loaded, from, to, p.out, true)
			}
		}
	}
	s.ahead.clear()
	for i := range count {
		a.store(s, &panels[i])
	}
}

// finish ends the softmax of a row, by its number among all rows and heads: what its values are multiplied by. It writes
// LogSumExp. A row that saw no key gets 0.
func (a *attending) finish(row int, most, sum float32) float32 {
	shrink := float32(1)
	if a.sinks != nil {
		sink := a.sinks[row%a.heads] * log2E
		now := max(most, sink)
		shrink = float32(math.Exp2(float64(most - now)))
		sum = float32(sum*shrink) + float32(math.Exp2(float64(sink-now)))
		most = now
	}
	if a.lse != nil {
		a.lse[row] = float32(float64(float64(most)*math.Ln2) + math.Log(float64(sum)))
	}
	if sum == 0 {
		return 0
	}
	return shrink / sum
}

// store divides by the sums and writes the rows where they belong.
func (a *attending) store(s *scratch, p *panel) {
	clear(p.new)
	for i, row := 0, a.rowAt(p, 0); i < p.rows; i, row = i+1, a.rowAfter(row) {
		p.new[i] = a.finish(row, p.allMost[i], p.allSum[i])
	}
	for j := 0; j < p.width; j += a.b.lanes {
		a.b.scaleLanes(at(p.out, j), p.width*4, a.value, at(p.new, j))
	}
	a.unpackRows(s, host.F32(a.o.Out), p, p.out, a.value, a.deepValue)
}
