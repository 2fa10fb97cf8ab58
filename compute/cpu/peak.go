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

// MeasurePeak measures the float32 peak of a backend made by New in about a quarter of a second: the best of several runs of
// the matrix-multiplication kernel on panels that stay in the level-1 cache, on all workers at once. Another backend's
// peak is 0.
func MeasurePeak(ctx context.Context, on compute.Backend) Peak {
	b, ok := on.(*backend)
	if !ok {
		return Peak{}
	}
	p := Peak{Level: b.level, Workers: b.workers}
	for end := time.Now().Add(250 * time.Millisecond); time.Now().Before(end) && ctx.Err() == nil; {
		p.GFLOPS = max(p.GFLOPS, b.measurePeak(20*time.Millisecond))
	}
	return p
}

// measurePeak runs the largest tile for a while and gives GFLOP/s.
func (b *backend) measurePeak(long time.Duration) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	const k, calls = 128, 200
	flops := 2 * float64(b.rows*b.columns) * k * calls * float64(b.workers)
	best := 0.0
	for end := time.Now().Add(long); best == 0 || time.Now().Before(end); {
		from := time.Now()
		b.each(b.workers, func(s *scratch, _ int) {
			x, y, z := s.need(slotA, b.rows*k), s.need(slotB, b.columns*k), s.need(slotC, b.rows*b.columns)
			for range calls {
				s.tile = tile0(at(x, 0), at(y, 0), at(z, 0), b.columns, k)
				b.gemm[b.rows-1](&s.tile)
			}
		})
		best = max(best, flops/time.Since(from).Seconds()/1e9)
	}
	return best
}
