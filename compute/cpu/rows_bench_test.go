package cpu

import (
	"context"
	"fmt"
	"testing"
	"time"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// BenchmarkFewRowsOfDense multiplies 1 to 16 rows with 256 MB of weights and gives the share of the read bandwidth measured in the
// same run, two workers.
func BenchmarkFewRowsOfDense(b *testing.B) {
	for _, level := range available[1:] {
		if level.level != "avx512" {
			continue
		}
		be := newBackend(level, 2)
		read := be.peakOf(CeilingRead)
		for _, kind := range []dtype.Type{dtype.BF16, dtype.F16, dtype.F32} {
			for _, k := range []int{576, 2048, 4096} {
				n := (256 << 20) / kind.Bytes(k)
				w := compute.NewTensor(be, kind, n, k)
				for i, raw := 0, host.Bytes(w); i < len(raw); i += 1024 { // pages that were never written are all one
					raw[i] = 1
				}
				for _, m := range []int{1, 2, 8, 16} {
					o := &compute.MatMul{A: compute.NewTensor(be, dtype.F32, m, k), B: w, Out: compute.NewTensor(be, dtype.F32, m, n), TransB: true}
					st := be.NewStream()
					b.Run(fmt.Sprintf("%s/%v/k%d/m%d", level.level, kind, k, m), func(b *testing.B) {
						st.Launch(o)
						best, most := time.Hour, 0.0
						for b.Loop() {
							most = max(most, be.bestRate(context.Background(), read, 20*time.Millisecond))
							from := time.Now()
							st.Launch(o)
							best = min(best, time.Since(from))
						}
						if err := st.Err(); err != nil {
							b.Fatal(err)
						}
						rate := float64(w.Bytes()) / best.Seconds() / 1e9
						b.ReportMetric(rate, "GB/s")
						b.ReportMetric(rate/most*100, "%read")
						b.ReportMetric(best.Seconds()*1e3, "ms")
						b.ReportMetric(0, "ns/op")
					})
				}
			}
		}
	}
}
