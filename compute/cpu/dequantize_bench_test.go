package cpu

import (
	"fmt"
	"testing"

	"lian/compute"
	"lian/compute/computetest"
	"lian/dtype"
)

// BenchmarkPackedExact is a layer of a 1.1B Llama without Fast: forward, and the gradient to the activations, beside float32.
func BenchmarkPackedExact(b *testing.B) {
	const n, k = 5632, 2048
	for _, workers := range []int{1, 2} {
		be := newBackend(available[len(available)-1], workers)
		for _, kind := range []dtype.Type{dtype.F32, dtype.BF16, dtype.Q4_0, dtype.Q8_0, dtype.Q4_K, dtype.Q6_K, dtype.IQ3_S} {
			build := computetest.NewBuild(be, 1)
			w := build.Zero(kind, n, k)
			if kind != dtype.F32 {
				w = build.PackedAtRandom(kind, n, k)
			}
			for _, m := range []int{1, 8, 512} {
				forward := &compute.MatMul{A: build.Normal(1, m, k), B: w, Out: build.Zero(dtype.F32, m, n), TransB: true}
				backward := &compute.MatMul{A: build.Normal(1, m, n), B: w, Out: build.Zero(dtype.F32, m, k)}
				for i, o := range []*compute.MatMul{forward, backward} {
					b.Run(fmt.Sprintf("workers=%d/%v/%s/%dx%dx%d", workers, kind, []string{"forward", "backward"}[i], m, n, k), func(b *testing.B) {
						st := be.NewStream()
						b.ReportAllocs()
						for b.Loop() {
							st.Launch(o)
						}
						if err := st.Err(); err != nil {
							b.Fatal(err)
						}
						b.ReportMetric(2*float64(m)*n*k*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
					})
				}
			}
		}
	}
}
