package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// pool is the resident goroutines of the process. A goroutine that has nothing to do looks for work a while, then parks (see idle.go); starting work on one that still looks costs well under a microsecond.
type pool struct {
	mu      sync.Mutex // one job at a time
	job     job
	workers []*worker
	crowd   crowd
}

type worker struct {
	job    atomic.Pointer[job]
	parked atomic.Bool
	wake   chan struct{}
}

// work is a number of tasks: one of four ways to say what a task is.
type work struct {
	run     func(s *scratch, task int)
	tasker  tasker
	spans   func(s *scratch, from, to int) // task t is units [units·t/tasks, units·(t+1)/tasks) of [0, n)
	spanner spanner
	n, unit int
	scratch []scratch // one for each worker
	tasks   int64
}

// job is the work that the pool has. There is one, used again and again: starting work allocates nothing.
type job struct {
	work
	shares []share       // of the tasks, one for each worker
	active atomic.Int64  // helpers that have the job and are not done
	asleep atomic.Bool   // the caller waits on done
	done   chan struct{} // capacity 1
	panics atomic.Pointer[any]
}

// share is the tasks [next, end) that one worker begins with; those who have done theirs go on with those of others. So a worker
// meets the same rows in one operation after the other, which its own caches then hold.
type share struct {
	next atomic.Int64
	end  int64
	_    [112]byte // no two in one pair of cache lines
}

var theOne = &pool{job: job{done: make(chan struct{}, 1)}}

// waitTurns is how often a caller looks whether its helpers are done, about 50 ns apart, before it sleeps.
const waitTurns = 1600

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
		j.help(index)
		if j.active.Add(-1) == 0 && j.asleep.CompareAndSwap(true, false) {
			j.done <- struct{}{}
		}
	}
}

// wait looks for a job, then parks, until there is one.
func (w *worker) wait(index int) *job {
	for {
		if j := w.look(index); j != nil {
			return j
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

// look spins until there is a job, nil after a while without one.
func (w *worker) look(index int) *job {
	if index >= processors() {
		return nil // more workers than processors: spinning would take the time of those that work
	}
	crowd := &theOne.crowd
	begun := clock()
	for now, last := begun, begun; now-begun < crowd.patience(now); now, last = clock(), now {
		if now-last > lostTime {
			crowd.loses(now)
		}
		for range turnsToClock {
			if j := w.job.Load(); j != nil && w.job.CompareAndSwap(j, nil) {
				return j
			}
			pause()
		}
	}
	return nil
}

// give hands a job to an idle worker.
func (w *worker) give(j *job) {
	w.job.Store(j)
	if w.parked.CompareAndSwap(true, false) {
		w.wake <- struct{}{}
	}
}

func (j *job) help(worker int) {
	defer func() {
		if r := recover(); r != nil {
			why := r // of its own: only a panic allocates
			j.panics.CompareAndSwap(nil, &why)
			for i := range j.shares {
				j.shares[i].next.Store(j.tasks)
			}
		}
	}()
	s := &j.scratch[worker]
	for i := range j.shares {
		from := &j.shares[(worker+i)%len(j.shares)]
		for {
			t := from.next.Add(1) - 1
			if t >= from.end {
				break
			}
			j.do(s, int(t))
		}
	}
}

// do is one task.
func (w *work) do(s *scratch, t int) {
	switch {
	case w.run != nil:
		w.run(s, t)
		return
	case w.tasker != nil:
		w.tasker.task(s, t)
		return
	}
	units, tasks := (w.n+w.unit-1)/w.unit, int(w.tasks)
	from, to := units*t/tasks*w.unit, min(units*(t+1)/tasks*w.unit, w.n)
	switch {
	case from >= to:
	case w.spans != nil:
		w.spans(s, from, to)
	default:
		w.spanner.span(s, from, to)
	}
}

// do does all tasks of some work on up to `workers` goroutines, of which the caller is number 0, and waits. A task that panics
// makes do panic.
func (p *pool) do(workers int, w work) {
	if w.tasks <= 0 {
		return
	}
	if workers <= 1 {
		for t := range w.tasks {
			w.do(&w.scratch[0], int(t))
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	j := &p.job
	j.work = w
	j.asleep.Store(false)
	helpers := p.workers[:min(workers-1, len(p.workers))]
	if cap(j.shares) <= len(helpers) {
		j.shares = make([]share, len(p.workers)+1)
	}
	j.shares = j.shares[:len(helpers)+1]
	for i := range j.shares {
		n := int64(len(j.shares))
		j.shares[i].next.Store(w.tasks * int64(i) / n)
		j.shares[i].end = w.tasks * int64(i+1) / n
	}
	j.active.Store(int64(len(helpers)))
	for _, w := range helpers {
		w.give(j)
	}
	j.help(0)
	for _, w := range helpers {
		if w.job.CompareAndSwap(j, nil) { // it never began
			j.active.Add(-1)
		}
	}
	for turn := 0; j.active.Load() != 0 && turn < waitTurns; turn++ {
		pause()
	}
	for j.active.Load() != 0 { // a helper has lost its processor to another program
		j.asleep.Store(true)
		if j.active.Load() != 0 || !j.asleep.CompareAndSwap(true, false) {
			<-j.done // perhaps a late word of the job before: look again
		}
	}
	j.work = work{} // keeps nothing alive
	if r := j.panics.Swap(nil); r != nil {
		panic(*r)
	}
}
