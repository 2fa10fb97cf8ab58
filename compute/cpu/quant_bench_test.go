package cpu

import (
	"fmt"
	"testing"

	"lian/compute"
	"lian/compute/computetest"
	"lian/dtype"
)

// BenchmarkFewRows is decoding: 1, 8 and 64 rows against constant weights of 2048 × 2048, per second of processor time.
func BenchmarkFewRows(b *testing.B) {
	const n, k = 2048, 2048
	for _, level := range available[1:] {
		be := newBackend(level, 1)
		for _, kind := range []dtype.Type{dtype.F32, dtype.Q8_0, dtype.Q4_0, dtype.F16} {
			build := computetest.NewBuild(be, 1)
			w := packed(build, kind, n, k)
			w.Constant = true
			for _, m := range []int{1, 8, 64} {
				o := &compute.MatMul{A: build.Normal(1, m, k), B: w, Out: build.Zero(dtype.F32, m, n), TransB: true, Fast: true}
				st := be.NewStream()
				b.Run(fmt.Sprintf("%s/%v/m%d", level.level, kind, m), func(b *testing.B) {
					st.Launch(o)
					from := cpuTime()
					for b.Loop() {
						st.Launch(o)
					}
					s := (cpuTime() - from).Seconds()
					b.ReportMetric(float64(w.Bytes())*float64(b.N)/s/1e9, "GB/s")
					b.ReportMetric(2*n*k*float64(m)*float64(b.N)/s/1e9, "GOP/s")
				})
			}
		}
	}
}
