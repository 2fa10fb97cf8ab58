package cpu

import (
	"fmt"
	"testing"
)

// BenchmarkForkJoin is the cost of handing nothing to two workers and waiting for them.
func BenchmarkForkJoin(b *testing.B) {
	for _, workers := range []int{1, 2} {
		be := newBackend(available[0], workers)
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				be.each(2, func(*scratch, int) {})
			}
		})
	}
}

// BenchmarkManySmallJobs is like decoding: 200 jobs of eight tasks, about 10 µs each. Run it beside programs that use all
// processors: two workers must then not be much slower than one.
func BenchmarkManySmallJobs(b *testing.B) {
	for _, workers := range []int{1, 2} {
		be := newBackend(available[0], workers)
		x := make([][]float32, 8)
		for i := range x {
			x[i] = make([]float32, 4096)
		}
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			for b.Loop() {
				for range 200 {
					be.each(len(x), func(_ *scratch, task int) { genericScale(at(x[task], 0), 4096, 1) })
				}
			}
		})
	}
}
