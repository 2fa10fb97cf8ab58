package cpu

const (
	// fewUnit is how many blocks the kernels for few rows turn at a time, where no number up to mostUnit divides those of a row.
	fewUnit, leastUnit, mostUnit = 8, 5, 12
	// streamBytes is how long the streams are that these kernels read at least, one for each lane, if there are rows enough. Short
	// ones lie in one page together, where the hardware fetches ahead for one of them only.
	streamBytes = 16 << 10
	// fewAhead is how many bytes of a stream are fetched ahead of the loads.
	fewAhead = 512
	// fewTasks is how many tasks each worker has at least, if there are rows enough.
	fewTasks = 4
)

// fewPlan is how a product of few rows is cut: bundles of step panels, the lanes of which are step rows apart, then single panels.
// Each lane reads step rows one after the other; behind the last of them comes what it reads of the next bundle, and that is
// fetched there.
type fewPlan struct {
	step, bundles int
	unit          int // blocks that are turned at a time
	ahead         int // bytes
}

// isFew says whether the kernels for few rows compute a product: of twice as many rows as they take a panel is read again while it is
// in a cache.
func (q *quantProduct) isFew() bool {
	return q.m <= min(2*len(q.few), fewRows) && q.n >= q.lanes && q.blocks > 0 && q.packed == nil
}

// planFew cuts a product and returns its number of tasks: bundles, then panels of what they leave.
func (q *quantProduct) planFew(workers int) int {
	rowBytes := q.blocks * q.bytes
	step := streamStep(rowBytes, q.lanes, q.n, workers*fewTasks, 4) // sums of four panels are turned at a time
	q.fewPlan = fewPlan{step: step, bundles: q.n / (q.lanes * step), unit: fewUnit, ahead: fewAhead}
	for u := leastUnit; u <= mostUnit; u++ {
		if u == q.blocks || q.blocks%u == 0 && u%q.period == 0 {
			q.unit = u
		}
	}
	if rowBytes < 2*fewAhead { // whole rows, so that each is fetched
		q.ahead = rowBytes * min((fewAhead+rowBytes-1)/rowBytes, step)
	}
	rest := q.n - q.bundles*q.lanes*step
	return q.bundles + (rest+q.lanes-1)/q.lanes
}

func (q *quantProduct) few1(s *scratch, task int) { q.fewOutputs(s, task) }

// fewOutputs computes outputs [from, to) of a task, for all rows.
func (q *quantProduct) fewOutputs(s *scratch, task int) (from, to int) {
	if task >= q.bundles || q.step == 1 {
		row := q.bundles*q.lanes*q.step + (task-q.bundles)*q.lanes
		again := 0
		if task < q.bundles {
			row = task * q.lanes
		} else if row+q.lanes > q.n { // the last panel begins before its place, so that it has all rows
			again = row + q.lanes - q.n
			row -= again
		}
		for i := 0; i < q.m; i += q.group {
			t, kernel := q.fewPanel(s, row, 1, 0, i)
			q.finish(s, t, kernel, i, min(q.group, q.m-i), row, q.lanes, again)
		}
		return row + again, row + q.lanes
	}
	sums := s.need(slotD, q.step*q.m*q.lanes)
	first := task * q.lanes * q.step
	for p := range q.step {
		for i := 0; i < q.m; i += q.group {
			t, kernel := q.fewPanel(s, first+p, q.step, p, i)
			t.out, t.stride, t.alpha = at(sums, (p*q.m+i)*q.lanes), q.lanes*4, q.alpha
			kernel(t)
		}
	}
	end := epilogue{scale: 1, accumulate: q.accumulate, residual: q.residual, bias: q.bias}
	end.plain = !q.accumulate && q.residual == nil && q.bias == nil
	end.spread(q.kernels, s, q.out, sums, first, q.step, q.lanes, q.m, q.stride)
	return first, first + q.lanes*q.step
}

// fewPanel prepares the last kernel call for a panel, the lanes of which are `step` rows apart from number `row` on: number p of its
// bundle, and the group of rows of activations that begins with number `first`.
func (q *quantProduct) fewPanel(s *scratch, row, step, p, first int) (*quantTile, func(*quantTile)) {
	rows := min(q.group, q.m-first)
	kernel, unit, rowBytes := q.few[rows-1], q.unit*q.bytes, q.blocks*q.bytes
	t := &s.quant
	*t = quantTile{columns: &bytesOf(s.need(slotC, (unit+12)*q.lanes/4+q.lanes))[0], rowBytes: step * rowBytes, alpha: q.alpha, ahead: q.ahead}
	if (p+1)*rowBytes+q.ahead > step*rowBytes+rowBytes/2 { // behind the stream's end: the next bundle
		t.ahead += (q.lanes - 1) * step * rowBytes
	}
	t.rate, t.nextLine = 256*q.lanes*q.bytes/(64*q.groups), 64-q.lanes*t.rowBytes
	t.ahead += first / q.group * rowBytes / q.groups // each group of rows fetches its part
	where := row * rowBytes
	records := q.records[first*q.blocks*q.recordBytes:]
	t.first, t.records = &q.weights[where], &records[0]
	t.units, t.bytes, t.blocks = q.blocks/q.unit, unit, q.unit
	rest := q.blocks % q.unit
	if q.unit == q.blocks {
		t.units, rest = 0, q.blocks
	}
	if rest == 0 {
		return t, kernel
	}
	if t.units > 0 {
		t.out, t.stride, t.alpha = at(s.need(slotPartial, rows*q.lanes), 0), q.lanes*4, 1
		kernel(t)
		t.partial = t.out
	}
	done := q.blocks - rest
	t.units, t.bytes, t.blocks = 1, max(16, (rest*q.bytes+3)&^3), rest
	t.records = &records[done*rows*q.recordBytes]
	where += done * q.bytes
	if where+(q.lanes-1)*t.rowBytes+t.bytes <= len(q.weights) { // what is read too much of a row is not used
		t.first = &q.weights[where]
	} else {
		t.first, t.rowBytes, t.rate = q.padded(s, where, t.rowBytes, rest*q.bytes, t.bytes), t.bytes, 0
	}
	return t, kernel
}

// padded copies some bytes of each row of a panel to where the bytes after them may be read.
func (q *quantProduct) padded(s *scratch, from, rowBytes, bytes, apart int) *byte {
	dst := bytesOf(s.need(slotB, (apart*q.lanes+3)/4))
	for r := range q.lanes {
		copy(dst[r*apart:], q.weights[from+r*rowBytes:][:bytes])
	}
	return &dst[0]
}

// streamStep is how many rows each lane of a panel reads one after the other, with at least so many tasks if there are rows enough: a
// multiple of unit, or 1.
func streamStep(rowBytes, lanes, n, tasks, unit int) int {
	rowBytes = max(rowBytes, 1)
	step := min((streamBytes+rowBytes-1)/rowBytes, n/(lanes*tasks)) / unit * unit
	if step > unit && (step*rowBytes+256)%4096 < 512 { // streams a multiple of a page apart would fall into one set of the level-1 cache
		step -= unit
	}
	return max(step, 1)
}
