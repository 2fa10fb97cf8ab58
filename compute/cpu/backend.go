package cpu

import (
	"sync"

	"lian/compute"
	"lian/compute/host"
)

// backend runs operations through the kernels of one level.
type backend struct {
	*kernels
	pool    *pool
	workers int
	table   host.Table

	mu      sync.Mutex   // one operation at a time: scratch memory is shared
	scratch []scratch    // one for each worker
	shared  scratch      // what all workers of an operation read
	turns   []*turns     // see RoPE
	quant   quantProduct // in work
}

// operations put the functions of a backend into its table. Each is registered by the file that holds it.
var operations []func(b *backend)

// provides registers the function of one operation.
func provides[O compute.Op](run func(*backend, O) error) struct{} {
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
	b := &backend{kernels: k, pool: resident(workers), workers: workers, table: host.Table{}, scratch: make([]scratch, workers)}
	for _, provide := range operations {
		provide(b)
	}
	return b
}

// Name implements compute.Backend.
func (*backend) Name() string { return "cpu" }

// Alloc implements compute.Backend.
func (*backend) Alloc(bytes int) compute.Buffer { return host.Alloc(bytes) }

// Import implements compute.Backend.
func (*backend) Import(data []byte, owner any) compute.Buffer { return host.Import(data, owner) }

// NewStream implements compute.Backend.
func (b *backend) NewStream() compute.Stream { return host.NewStream("cpu", b.table) }

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
	tasks := min((n+unit-1)/unit, b.workers*4)
	if b.workers == 1 {
		tasks = 1
	}
	b.pool.do(min(b.workers, tasks), work{spans: f, n: n, unit: unit, scratch: b.scratch, tasks: int64(tasks)})
}

// Workers is the number of goroutines that a backend made by New computes with; 0 for another backend.
func Workers(on compute.Backend) int {
	if b, ok := on.(*backend); ok {
		return b.workers
	}
	return 0
}
