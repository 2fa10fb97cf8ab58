package cpu

import (
	"context"
	"fmt"
	"testing"
	"time"

	"lian/compute"
	"lian/compute/computetest"
	"lian/compute/host"
	"lian/dtype"
)

// quantBench are the types whose products are measured.
var quantBench = []dtype.Type{dtype.Q4_0, dtype.Q4_1, dtype.Q5_0, dtype.Q5_1, dtype.Q8_0, dtype.IQ4_NL, dtype.MXFP4, dtype.Q4_K, dtype.Q5_K, dtype.Q6_K, dtype.Q2_K, dtype.Q3_K, dtype.IQ4_XS}

// least is the shortest of several runs of an operation: other programs only add. Between the runs the ceiling is measured.
func least(b *testing.B, st compute.Stream, op compute.Op, meter func(context.Context, time.Duration) float64) (best time.Duration, ceiling float64) {
	st.Launch(op)
	for b.Loop() {
		ceiling = max(ceiling, meter(context.Background(), 20*time.Millisecond))
		for i, end := 0, time.Now().Add(30*time.Millisecond); i < 3 || time.Now().Before(end); i++ {
			from := time.Now()
			st.Launch(op)
			if d := time.Since(from); best == 0 || d < best {
				best = d
			}
		}
	}
	if err := st.Err(); err != nil {
		b.Fatal(err)
	}
	return best, ceiling
}

// large is a weight whose rows are those of a small one, again and again.
func large(b *computetest.Build, kind dtype.Type, n, k int) *compute.Tensor {
	w, some := b.Zero(kind, n, k), host.Bytes(b.PackedAtRandom(kind, 64, k))
	for raw := host.Bytes(w); len(raw) > 0; raw = raw[copy(raw, some):] {
	}
	return w
}

// BenchmarkQuantGemv is decoding: one row against 256 MB of weights, as a share of the read bandwidth measured beside it, and what
// eight rows cost.
func BenchmarkQuantGemv(b *testing.B) {
	const k = 4096
	for _, level := range available[1:] {
		be := newBackend(level, 2)
		meter := CeilingMeter(be, CeilingRead)
		for _, kind := range quantBench {
			build := computetest.NewBuild(be, 1)
			n := 256 << 20 / kind.Bytes(k) &^ 31
			w := large(build, kind, n, k)
			var one time.Duration
			for _, m := range []int{1, 8} {
				b.Run(fmt.Sprintf("%s/%v/rows%d", level.level, kind, m), func(b *testing.B) {
					o := &compute.MatMul{A: build.Normal(1, m, k), B: w, Out: build.Zero(dtype.F32, m, n), TransB: true, Fast: true}
					best, read := least(b, be.NewStream(), o, meter)
					if m == 1 {
						one = best
					}
					rate := float64(w.Bytes()) / best.Seconds() / 1e9
					b.ReportMetric(rate, "GB/s")
					b.ReportMetric(rate/read*100, "%read")
					b.ReportMetric(read, "read")
					b.ReportMetric(float64(best)/float64(one), "×row")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}

// layerShapes are the matrices [n, k] of a layer of a Llama of 135 million and of one of 1.1 billion parameters.
var layerShapes = [][2]int{{1536, 576}, {576, 1536}, {576, 576}, {192, 576}, {5632, 2048}, {2048, 5632}, {2048, 2048}, {256, 2048}}

// BenchmarkQuantLayers is a prompt: 512 rows, as a share of the int8 ceiling measured beside it, everything included.
func BenchmarkQuantLayers(b *testing.B) {
	const m = 512
	for _, level := range available[1:] {
		for _, workers := range []int{1, 2} {
			be := newBackend(level, workers)
			meter := CeilingMeter(be, CeilingInt8)
			for _, kind := range quantBench {
				for _, shape := range layerShapes {
					n, k := shape[0], shape[1]
					if k%kind.BlockSize() != 0 {
						continue
					}
					b.Run(fmt.Sprintf("%s/w%d/%v/%dx%d", level.level, workers, kind, n, k), func(b *testing.B) {
						build := computetest.NewBuild(be, 1)
						o := &compute.MatMul{A: build.Normal(1, m, k), B: build.PackedAtRandom(kind, n, k), Out: build.Zero(dtype.F32, m, n), TransB: true, Fast: true}
						best, peak := least(b, be.NewStream(), o, meter)
						rate := 2 * m * float64(n) * float64(k) / best.Seconds() / 1e9
						b.ReportMetric(rate, "GOP/s")
						b.ReportMetric(rate/peak*100, "%peak")
						b.ReportMetric(0, "ns/op")
					})
				}
			}
		}
	}
}
