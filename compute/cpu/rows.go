package cpu

import (
	"math/bits"
	"unsafe"

	"lian/dtype"
)

// rowsTile is one call of a kernel for few rows: sums of rows × columns. The assembly reads it by offset.
type rowsTile struct {
	a          *float32
	b          *byte
	begin, end *float32 // sums that the chains go on from, or nil, and where they go: dense
	stride     int      // bytes from one row of A to the next
	rowBytes   int      // from one row of B to the next
	chunks     int      // 16 bytes of every row of B
	ahead      int      // how many bytes behind B's rows are fetched
}

const (
	rowsDeep  = 4096 // k of one kernel call
	rowsTasks = 2    // bundles for each worker at least
	rowsNear  = 512  // bytes of each row of B that stay in the level-1 cache until all rows of A have used them
)

// canReadRows says whether few rows are multiplied with B where it lies. Pairs of bfloat16 must be whole loads, or whole steps of tiles.
func (f *multiplication) canReadRows() bool {
	return f.m <= decodeRows && f.product.packed == nil && f.a.kind == dtype.F32 && f.a.contiguous && f.b.contiguous && f.rowsKernels() != nil &&
		(!f.pairs || f.k%8 == 0 && f.out16 == nil && f.residual16 == nil && (f.amx == nil || f.k > 0 && f.k%amxDeep == 0))
}

// rowsKernels are the kernels for 1, 2, 4 … rows and the type of B.
func (f *multiplication) rowsKernels() []func(*rowsTile) {
	switch {
	case f.pairs && f.b.kind != dtype.BF16:
		return nil
	case f.pairs:
		return f.rowsOfPairs
	}
	switch f.b.kind {
	case dtype.F32:
		return f.rowsOf[formFloats]
	case dtype.BF16:
		return f.rowsOf[formBrain]
	case dtype.F16:
		return f.rowsOf[formHalf]
	}
	return nil
}

// few is a product of few rows in work.
type few struct {
	is     bool
	a      []float32
	rows   int // of a: so many that each kernel call has its number
	stride int // of a
	group  int // rows of a kernel call
	each   int // bytes of a row of B that one element of a is multiplied with
	tiles  bool

	step, bundles int // see rowsTask
}

// at is the operand for what row i of B has from a byte on.
func (w *few) at(i, byte int) *float32 {
	if w.tiles {
		return at(w.a, byte/(2*amxDeep)*amxUnit)
	}
	return at(w.a, i*w.stride+byte/w.each)
}

// runRows multiplies few rows: every task reads some rows of B once, as they lie.
func (f *multiplication) runRows() error {
	if err := f.planRows(); err != nil {
		return err
	}
	f.eachOf(f.tasks, f)
	if err := f.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// planRows prepares the operand and the tasks.
func (f *multiplication) planRows() error {
	w := &f.few
	w.group = 1 << (len(f.rowsKernels()) - 1)
	for w.group/2 >= f.m {
		w.group /= 2
	}
	w.rows = (f.m + w.group - 1) / w.group * w.group
	w.a, w.stride, w.each, w.tiles = f.a.data, f.a.stride, f.b.kind.Bytes(1), f.pairs && f.amx != nil
	switch {
	case w.tiles:
		f.rowsAsTiles()
	case f.pairs:
		if err := f.rowsAsPairs(); err != nil {
			return err
		}
	case w.rows != f.m: // what is computed too much is the last row again
		w.a, w.stride = f.backend.shared.need(slotA, w.rows*f.k), f.k
		for i := range w.rows {
			copy(w.a[i*f.k:(i+1)*f.k], f.row(i))
		}
	}
	f.planRowTasks()
	return nil
}

// planRowTasks cuts the columns.
func (f *multiplication) planRowTasks() {
	_, size := f.b.raw()
	panels := (f.n + f.columns - 1) / f.columns
	f.few.step = streamStep(f.b.stride*size, f.columns, f.n, f.workers*rowsTasks, 1)
	f.few.bundles = 0
	if f.few.step > 1 {
		f.few.bundles = f.n / (f.columns * f.few.step)
	}
	f.tasks = f.few.bundles + min(panels-f.few.bundles*f.few.step, 16*f.workers)
}

// row is row i of A, the last one again past the end.
func (f *multiplication) row(i int) []float32 {
	i = min(i, f.m-1)
	return f.a.data[i*f.a.stride:][:f.k]
}

// rowsAsPairs rounds A to bfloat16: two values of a row are one element.
func (f *multiplication) rowsAsPairs() error {
	w := &f.few
	w.a, w.stride, w.each = f.backend.shared.need(slotA, w.rows*f.k/2), f.k/2, 4
	bytes := bytesOf(w.a)
	for i := range w.rows {
		if err := f.fromFloats(dtype.BF16, f.row(i), bytes[i*f.k*2:(i+1)*f.k*2]); err != nil {
			return err
		}
	}
	return nil
}

// rowsAsTiles packs A as columns of tiles, 16 whatever their number: what those past the last are is nobody's.
func (f *multiplication) rowsAsTiles() {
	w := &f.few
	w.rows, w.group, w.stride = amxLanes/2, amxLanes/2, 0
	rows := f.backend.shared.need(slotB, w.rows*f.k)
	for i := range f.m {
		copy(rows[i*f.k:(i+1)*f.k], f.row(i))
	}
	w.a = f.backend.shared.need(slotA, f.k/amxDeep*amxUnit)
	f.amx.floats.turnPairs(at(w.a, 0), at(rows, 0), f.k*4, f.k/amxDeep, amxLanes/2)
}

// rowsTask computes outputs [from, to): a bundle of panels whose lanes are `step` rows apart, so that each lane reads a long stream, or some
// of the panels that are left.
func (f *multiplication) rowsTask(s *scratch, task int) (from, to int) {
	w := &f.few
	first, last := 0, 0 // panels
	if task < w.bundles {
		first, last = task*w.step, (task+1)*w.step
		f.rowsBundle(s, first)
	} else {
		panels := (f.n+f.columns-1)/f.columns - w.bundles*w.step
		task, tasks := task-w.bundles, f.tasks-w.bundles
		first, last = w.bundles*w.step+panels*task/tasks, w.bundles*w.step+panels*(task+1)/tasks
		for j := first; j < last; j++ {
			sums := f.rowsPanel(s, j*f.columns, 1, true)
			f.finishRows(s, j, sums)
		}
	}
	return first * f.columns, min(last*f.columns, f.n)
}

// rowsBundle computes the panels of a bundle. Lane l of its panel p is row l·step + p.
func (f *multiplication) rowsBundle(s *scratch, first int) {
	step, each := f.few.step, f.few.rows*f.columns
	all := s.need(slotH, step*each)
	for p := range step {
		sums := f.rowsPanel(s, first*f.columns+p, step, p == step-1)
		for i := range f.m {
			for lane, v := range sums[i*f.columns:][:f.columns] {
				c := lane*step + p
				all[c/f.columns*each+i*f.columns+c%f.columns] = v
			}
		}
	}
	for p := range step {
		f.finishRows(s, first+p, all[p*each:][:each])
	}
}

// taken is how much of a row of B the kernels take, in bytes.
func (f *multiplication) taken() int {
	_, size := f.b.raw()
	return f.k * size &^ 15
}

// rowsPanel computes the sums of a panel, the lanes of which are `step` rows of B apart from number `row` on. The end of the streams'
// last rows fetches the next panels.
func (f *multiplication) rowsPanel(s *scratch, row, step int, last bool) []float32 {
	raw, size := f.b.raw()
	rowBytes, whole := f.b.stride*size, f.taken()
	kernels := f.rowsKernels()
	kernel := kernels[min(bits.Len(uint(f.few.group)), len(kernels))-1] // unless there are tiles
	sums := s.need(slotPartial, f.few.rows*f.columns)
	b := unsafe.Add(raw, row*rowBytes)
	if count := f.n - row; step == 1 && count < f.columns { // a copy, so that there are as many rows as lanes
		edge := bytesOf(s.need(slotC, (f.columns*rowBytes+3)/4))
		clear(edge[copy(edge, unsafe.Slice((*byte)(b), (count-1)*rowBytes+f.k*size)):])
		b = unsafe.Pointer(unsafe.SliceData(edge))
	}
	near := rowsDeep * size
	if f.few.rows > f.few.group {
		near = rowsNear
	}
	tail := whole // from here on the next panels are fetched
	if last {
		tail = max(whole-aheadOfRows, 0) &^ 63
	}
	for from := 0; from < whole; {
		to, ahead := min(from+near, whole), aheadOfRows
		if from >= tail {
			ahead += (f.columns - 1) * step * rowBytes
		} else {
			to = min(to, tail)
		}
		for i := 0; i < f.few.rows; i += f.few.group {
			t := &s.rows
			*t = rowsTile{a: f.few.at(i, from), b: (*byte)(unsafe.Add(b, from)), end: at(sums, i*f.columns), stride: f.few.stride * 4,
				rowBytes: step * rowBytes, chunks: (to - from) / 16, ahead: ahead}
			if from > 0 {
				t.begin = t.end
			}
			if f.few.tiles {
				f.amx.few(t, f.amx.config)
			} else {
				kernel(t)
			}
		}
		from = to
	}
	if f.few.tiles {
		tiles := sums
		sums = s.need(slotE, f.few.rows*f.columns)
		f.amx.fewRows(at(sums, 0), at(tiles, 0), f.m)
	}
	return sums
}

// finishRows computes what is left of k and writes the outputs of a panel of columns.
func (f *multiplication) finishRows(s *scratch, panel int, sums []float32) {
	_, size := f.b.raw()
	done := f.taken() / size
	left := f.k - done
	var mine, theirs []float32
	if left > 0 {
		theirs = s.need(slotB, f.columns*left)
		p := panels{width: f.columns, size: f.columns * left, from: done, to: f.k, ahead: aheadOfRows}
		if err := f.packPanels(s, theirs, &f.b, &p, panel*f.columns, min((panel+1)*f.columns, f.n)); err != nil {
			f.fail(err)
			return
		}
	}
	for row := 0; row < f.m; row += f.rows {
		rows := min(f.rows, f.m-row)
		s.tile = tile{k: left}
		if left > 0 {
			mine = s.need(slotA, rows*left)
			f.packAs(false, mine, f.a.operand, row, rows, rows, done, f.k)
			s.tile.a, s.tile.b = at(mine, 0), at(theirs, 0)
		}
		if done > 0 {
			s.tile.partial = at(sums, row*f.columns)
		}
		f.finish(s, row, rows, panel)
	}
}
