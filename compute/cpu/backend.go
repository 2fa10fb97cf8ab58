package cpu

import (
	"reflect"
	"sync"
	"sync/atomic"

	"lian/compute"
	"lian/compute/host"
)

// backend runs operations through the kernels of one level.
type backend struct {
	*kernels
	pool    *pool
	workers int
	table   host.Table

	mu      sync.Mutex           // one operation at a time: scratch memory is shared
	scratch []scratch            // one for each worker
	shared  scratch              // what all workers of an operation read
	turns   []*turns             // see RoPE
	frames  map[reflect.Type]any // see frame
	failed  atomic.Pointer[error]
	quant   quantProduct // in work

	far        outliers // of the rows in work
	farColumns [len(compute.Branch{}.Products)]columnTable
}

// operations put the functions of a backend into its table. Each is registered by the file that holds it.
var operations []func(b *backend)

// provides registers the function of one operation.
func provides[O compute.Op](run func(*backend, O) error) struct{} {
	var op O
	served = append(served, op.Name())
	operations = append(operations, func(b *backend) { host.Register(b.table, func(o O) error { return run(b, o) }) })
	return struct{}{}
}

// New returns the backend with the number of workers to use, the caller's
// goroutine included; 0 is one for each processor. All backends of a process
// share one pool of resident goroutines. Results do not depend on workers.
//
// It panics if LIAN_KERNELS names a level that this processor lacks; call
// LevelError first to say so politely.
func New(workers int) compute.Backend {
	if err := LevelError(); err != nil {
		panic("cpu: " + err.Error())
	}
	return newBackend(current, workers)
}

func newBackend(k *kernels, workers int) *backend {
	if workers <= 0 {
		workers = processors()
	}
	b := &backend{kernels: k, pool: resident(workers), workers: workers, table: host.Table{}, scratch: make([]scratch, workers), frames: map[reflect.Type]any{}}
	for _, provide := range operations {
		provide(b)
	}
	return b
}

// Name implements compute.Backend.
func (*backend) Name() string { return "cpu" }

// Level names the kernels of this backend: results are equal bit for bit between backends of one level.
func (b *backend) Level() string {
	if b.amx != nil {
		return b.level + "+amx"
	}
	return b.level
}

// Alloc implements compute.Backend.
func (*backend) Alloc(bytes int) compute.Buffer { return host.Alloc(bytes) }

// Import implements compute.Backend.
func (*backend) Import(data []byte, owner any) compute.Buffer { return host.Import(data, owner) }

// NewStream implements compute.Backend.
func (b *backend) NewStream() compute.Stream { return host.NewStream(b, b.table) }

// each runs f for tasks 0 … tasks−1 on the workers and waits.
func (b *backend) each(tasks int, f func(s *scratch, task int)) {
	b.pool.do(min(b.workers, tasks), work{run: f, scratch: b.scratch, tasks: int64(tasks)})
}

// spans cuts [0, n) into spans whose bounds are multiples of unit and gives them to the workers. The bounds never change a
// result, because whatever f does for one index does not depend on the others.
func (b *backend) spans(n, unit int, f func(s *scratch, from, to int)) {
	if n <= 0 {
		return
	}
	tasks := b.spansFor(n, unit)
	b.pool.do(min(b.workers, tasks), work{spans: f, n: n, unit: unit, scratch: b.scratch, tasks: int64(tasks)})
}

// frame is the backend's one value of a type: what the tasks of an operation need to know. A closure would be an allocation at
// every launch; operations that decoding or training launches often fill a frame and give it to eachOf or spansOf.
func frame[T any](b *backend) *T {
	t, _ := b.frames[reflect.TypeFor[T]()].(*T)
	if t == nil {
		t = new(T)
		b.frames[reflect.TypeFor[T]()] = t
	}
	return t
}

// tasker is each's function as a method of a frame.
type tasker interface{ task(s *scratch, task int) }

// spanner is the same for spans.
type spanner interface {
	span(s *scratch, from, to int)
}

// eachOf is each for a frame.
func (b *backend) eachOf(tasks int, f tasker) {
	b.pool.do(min(b.workers, tasks), work{tasker: f, scratch: b.scratch, tasks: int64(tasks)})
}

// spansOf is spans for a frame.
func (b *backend) spansOf(n, unit int, f spanner) {
	if n <= 0 {
		return
	}
	tasks := b.spansFor(n, unit)
	b.pool.do(min(b.workers, tasks), work{spanner: f, n: n, unit: unit, scratch: b.scratch, tasks: int64(tasks)})
}

// spansWith is spans for a method of the backend that finds what it needs in the operation: the usual way to launch without a
// closure.
func spansWith[O any](b *backend, n, unit int, o *O, run func(b *backend, o *O, s *scratch, from, to int)) {
	t := frame[operationTask[O]](b)
	*t = operationTask[O]{b: b, o: o, spans: run}
	b.spansOf(n, unit, t)
}

// eachWith is the same for each.
func eachWith[O any](b *backend, tasks int, o *O, run func(b *backend, o *O, s *scratch, task int)) {
	t := frame[operationTask[O]](b)
	*t = operationTask[O]{b: b, o: o, each: run}
	b.eachOf(tasks, t)
}

// operationTask is the frame of a method of the backend.
type operationTask[O any] struct {
	b     *backend
	o     *O
	spans func(b *backend, o *O, s *scratch, from, to int)
	each  func(b *backend, o *O, s *scratch, task int)
}

func (t *operationTask[O]) span(s *scratch, from, to int) { t.spans(t.b, t.o, s, from, to) }
func (t *operationTask[O]) task(s *scratch, task int)     { t.each(t.b, t.o, s, task) }

// fail notes that a task of the operation at hand failed.
func (b *backend) fail(err error) { b.failed.Store(&err) }

// zero clears memory, on the workers.
func (b *backend) zero(x []float32) {
	t := frame[zeroTask](b)
	*t = zeroTask{b.kernels, sinkOf(x, slotF)}
	b.spansOf(len(x), stretch, t)
}

type zeroTask struct {
	*kernels
	sink
}

func (t *zeroTask) span(s *scratch, from, to int) {
	if !t.past {
		clear(t.out[from:to])
		return
	}
	clear(s.need(slotF, stretch))
	for ; from < to; from += stretch {
		n := min(stretch, to-from)
		if t.at(s, from, n) == at(t.out, from) { // an odd rest
			clear(t.out[from:to])
		}
		t.done(t.kernels, s, from, n)
	}
}

// spansFor is the number of spans that n is cut into.
func (b *backend) spansFor(n, unit int) int {
	if b.workers == 1 {
		return 1
	}
	return min((n+unit-1)/unit, b.workers*4)
}

// Workers is the number of goroutines that a backend made by New computes with; 0 for another backend.
func Workers(on compute.Backend) int {
	if b, ok := on.(*backend); ok {
		return b.workers
	}
	return 0
}

// Limit lets a backend made by New compute with fewer of its workers from now on, or with all of them again: results are the same,
// so a measurement may ask in the middle of a run what more workers bring.
func Limit(on compute.Backend, workers int) {
	if b, ok := on.(*backend); ok {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.workers = max(1, min(workers, len(b.scratch)))
	}
}
