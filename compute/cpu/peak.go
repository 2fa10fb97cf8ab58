package cpu

import (
	"context"
	"time"

	"lian/compute"
)

// Peak is what this machine was measured to do.
type Peak struct {
	Level   string  `json:"level"`   // kernels used
	Workers int     `json:"workers"` // goroutines that computed
	GFLOPS  float64 `json:"gflops"`  // of float32 multiply-adds, each counted as two operations, all workers together
}

// MeasurePeak measures the float32 peak of a backend made by New in about a quarter of a second. Another backend's peak is 0.
func MeasurePeak(ctx context.Context, on compute.Backend) Peak {
	b, ok := on.(*backend)
	if !ok {
		return Peak{}
	}
	return Peak{Level: b.level, Workers: b.workers, GFLOPS: b.bestRate(ctx, b.peakOf(CeilingF32), 250*time.Millisecond)}
}

// ceilingLoop is a loop on registers and what one round of it counts.
type ceilingLoop struct {
	run        func(rounds int)
	operations float64
}

// Ceiling is a limit of the machine that kernels are measured against.
type Ceiling string

// The ceilings. Arithmetic is done in registers (or tiles) by all workers at once, a multiply-add counted as two operations;
// memory is 256 MiB, more than caches hold for long, a copy counted as the bytes read and the bytes written.
const (
	CeilingF32  Ceiling = "f32"  // GFLOP/s
	CeilingBF16 Ceiling = "bf16" // GFLOP/s, float32 sums
	CeilingInt8 Ceiling = "int8" // GOP/s, int32 sums
	CeilingRead Ceiling = "read" // GB/s
	CeilingCopy Ceiling = "copy" // GB/s
	ceilingTime         = 20 * time.Millisecond
)

// Ceilings are all ceilings, in the order in which people read them.
func Ceilings() []Ceiling {
	return []Ceiling{CeilingF32, CeilingBF16, CeilingInt8, CeilingRead, CeilingCopy}
}

// Unit is the unit of a ceiling's value.
func (c Ceiling) Unit() string {
	switch c {
	case CeilingInt8:
		return "GOP/s"
	case CeilingRead, CeilingCopy:
		return "GB/s"
	}
	return "GFLOP/s"
}

// CeilingMeter returns a function that works at a ceiling of a backend made by New for about the given time and gives what that
// came to: billions of operations or bytes a second, all workers together. It is the mean and not the best moment, because what is
// compared with it is a mean too, and the clock goes up and down. The memory that it needs is kept between
// calls. The function gives 0 if the backend is another, or this processor has no instruction for it (bfloat16 without
// AVX512-BF16 or AMX).
func CeilingMeter(on compute.Backend, c Ceiling) func(ctx context.Context, long time.Duration) float64 {
	b, ok := on.(*backend)
	if !ok {
		return func(context.Context, time.Duration) float64 { return 0 }
	}
	w := b.peakOf(c)
	return func(ctx context.Context, long time.Duration) float64 { return b.rate(ctx, w, long) }
}

// burst is work of many equal tasks, and how much all of them count: billions of operations or bytes.
type burst struct {
	amount float64
	tasks  int
	run    func(task int)
}

// bestRate is the most that bursts did in a fraction of the time.
func (b *backend) bestRate(ctx context.Context, w burst, long time.Duration) float64 {
	best := 0.0
	for end := time.Now().Add(long); best == 0 || time.Now().Before(end) && ctx.Err() == nil; {
		rate := b.rate(ctx, w, ceilingTime)
		if rate == 0 {
			return 0
		}
		best = max(best, rate)
	}
	return best
}

// rate repeats a burst for a time and gives what it did in a second.
func (b *backend) rate(ctx context.Context, w burst, long time.Duration) float64 {
	if w.run == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	n, from := 0, time.Now()
	for n == 0 || time.Since(from) < long && ctx.Err() == nil {
		b.each(w.tasks, func(_ *scratch, task int) { w.run(task) })
		n++
	}
	return w.amount * float64(n) / time.Since(from).Seconds()
}

const (
	ceilingRounds = 1000 // of one kernel call: about 10 µs
	memoryBytes   = 256 << 20
)

// peakOf is the burst that measures a ceiling with this level's instructions.
func (b *backend) peakOf(c Ceiling) burst {
	switch c {
	case CeilingF32:
		return b.ceilingF32.burst(b.workers)
	case CeilingInt8:
		return b.ceilingInt8.burst(b.workers)
	case CeilingBF16:
		return b.ceilingBF16.burst(b.workers)
	}
	src := aligned(memoryBytes / 4)
	for i := 0; i < len(src); i += 1024 { // touches each page
		src[i] = 1
	}
	const tasks = memoryBytes / memoryStretch
	if c == CeilingRead {
		return burst{memoryBytes / 1e9, tasks, func(task int) { b.readMemory(&src[task*memoryStretch/4], memoryStretch) }}
	}
	dst := aligned(memoryBytes / 4)
	clear(dst)
	return burst{2 * memoryBytes / 1e9, tasks, func(task int) {
		b.copyMemory(&dst[task*memoryStretch/4], &src[task*memoryStretch/4], memoryStretch)
	}}
}

// memoryStretch is what one kernel call reads or copies: well under 100 µs.
const memoryStretch = 256 << 10

// burst repeats the loop, a call at a time.
func (l ceilingLoop) burst(workers int) burst {
	if l.run == nil {
		return burst{}
	}
	tasks := 64 * workers
	return burst{l.operations * ceilingRounds * float64(tasks) / 1e9, tasks, func(int) { l.run(ceilingRounds) }}
}
