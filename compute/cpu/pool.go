package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// pool is the resident goroutines of the process. A goroutine that has nothing to do looks for work a short while, then
// parks; starting work on one that still looks costs well under a microsecond.
type pool struct {
	mu      sync.Mutex // one job at a time
	workers []*worker
}

type worker struct {
	job    atomic.Pointer[job]
	parked atomic.Bool
	wake   chan struct{}
}

type job struct {
	run    func(worker, task int)
	tasks  int64
	next   atomic.Int64
	active atomic.Int64  // helpers that have the job and are not done
	asleep atomic.Bool   // the caller waits on done
	done   chan struct{} // capacity 1
	panics atomic.Pointer[any]
}

var (
	theOne    = &pool{}
	spinTurns = 400 // × about 50 ns
)

func processors() int { return runtime.GOMAXPROCS(0) }

// resident is the process's pool, grown to serve a number of workers (the caller being one).
func resident(workers int) *pool {
	theOne.mu.Lock()
	defer theOne.mu.Unlock()
	for len(theOne.workers) < workers-1 {
		w := &worker{wake: make(chan struct{}, 1)}
		theOne.workers = append(theOne.workers, w)
		go w.loop(len(theOne.workers))
	}
	return theOne
}

func (w *worker) loop(index int) {
	for {
		j := w.wait(index)
		j.work(index)
		if j.active.Add(-1) == 0 && j.asleep.CompareAndSwap(true, false) {
			j.done <- struct{}{}
		}
	}
}

// wait spins, then parks, until there is a job.
func (w *worker) wait(index int) *job {
	for {
		turns := spinTurns
		if index >= processors() {
			turns = 0 // more workers than processors: spinning would take the time of those that work
		}
		for range turns {
			if j := w.job.Load(); j != nil && w.job.CompareAndSwap(j, nil) {
				return j
			}
			pause()
		}
		w.parked.Store(true)
		if j := w.job.Load(); j != nil && w.job.CompareAndSwap(j, nil) {
			if !w.parked.CompareAndSwap(true, false) {
				<-w.wake
			}
			return j
		}
		<-w.wake
	}
}

// give hands a job to an idle worker.
func (w *worker) give(j *job) {
	w.job.Store(j)
	if w.parked.CompareAndSwap(true, false) {
		w.wake <- struct{}{}
	}
}

func (j *job) work(worker int) {
	defer func() {
		if r := recover(); r != nil {
			j.panics.CompareAndSwap(nil, &r)
			j.next.Store(j.tasks)
		}
	}()
	for {
		t := j.next.Add(1) - 1
		if t >= j.tasks {
			return
		}
		j.run(worker, int(t))
	}
}

// run calls f for every task, on up to `workers` goroutines of which the caller is number 0, and waits. A task that panics
// makes run panic.
func (p *pool) run(workers, tasks int, f func(worker, task int)) {
	if tasks <= 0 {
		return
	}
	j := &job{run: f, tasks: int64(tasks), done: make(chan struct{}, 1)}
	if workers <= 1 {
		for t := range tasks {
			f(0, t)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	helpers := p.workers[:min(workers-1, len(p.workers))]
	j.active.Store(int64(len(helpers)))
	for _, w := range helpers {
		w.give(j)
	}
	j.work(0)
	for _, w := range helpers {
		if w.job.CompareAndSwap(j, nil) { // it never began
			j.active.Add(-1)
		}
	}
	for turn := 0; j.active.Load() != 0 && turn < spinTurns*4; turn++ {
		pause()
	}
	if j.active.Load() != 0 { // a helper has lost its processor to another program
		j.asleep.Store(true)
		if j.active.Load() != 0 || !j.asleep.CompareAndSwap(true, false) {
			<-j.done
		}
	}
	if r := j.panics.Load(); r != nil {
		panic(*r)
	}
}
