package cpu

import (
	"sync/atomic"
	"time"
)

// An idle worker looks for work a while before it parks. Waking one that is parked takes longer (30 to 100 µs on a virtual machine)
// than most jobs of a decoding step take, so it must look for longer than what a caller does by itself between two jobs: then
// nobody parks before the step is done. Beside programs that want the processors, looking takes their time and in the end ours,
// so it is short there.
const (
	patience     = 400 * time.Microsecond
	littleOfIt   = 30 * time.Microsecond
	lostTime     = time.Millisecond       // between two looks at the clock: the processor was somebody else's
	lossesApart  = 100 * time.Millisecond // one loss may be a collection of garbage; two in so long are a crowd
	crowdedFor   = 500 * time.Millisecond
	turnsToClock = 32 // looks for work (about 50 ns) between two looks at the clock
)

var began = time.Now()

// clock is the time since the process began.
func clock() time.Duration { return time.Since(began) }

// crowd is what workers have seen of other programs.
type crowd struct{ lost, until atomic.Int64 }

// loses notes that a worker had no processor for a while.
func (c *crowd) loses(now time.Duration) {
	if now-time.Duration(c.lost.Swap(int64(now))) < lossesApart {
		c.until.Store(int64(now + crowdedFor))
	}
}

// patience is how long an idle worker looks for work.
func (c *crowd) patience(now time.Duration) time.Duration {
	if now < time.Duration(c.until.Load()) {
		return littleOfIt
	}
	return patience
}
