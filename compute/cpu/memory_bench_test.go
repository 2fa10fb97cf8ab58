package cpu

import (
	"context"
	"testing"
	"time"

	"lian/compute"
	"lian/compute/computetest"
	"lian/dtype"
)

// BenchmarkMemory runs operations that do little with each value on tensors larger than caches, and says how many bytes they read and
// write a second and what share that is of a copy measured beside them.
func BenchmarkMemory(b *testing.B) {
	const rows, n = 4096, 4096
	be := New(0)
	build := computetest.NewBuild(be, 1)
	zero := func(t dtype.Type, shape ...int) *compute.Tensor {
		x := build.Zero(t, shape...)
		if t == dtype.F32 {
			v := make([]float32, n)
			for i := range v {
				v[i] = float32(i%37)/16 - 1
			}
			for i := range x.Elements() / n {
				build.Set(x.View(x.Elements()/n, n).Slice(i, i+1), v)
			}
		}
		return x
	}
	x, y, z, d := zero(dtype.F32, rows, n), zero(dtype.F32, rows, n), zero(dtype.F32, rows, n), zero(dtype.F32, rows, n)
	q := zero(dtype.F32, rows, n)
	dx, dy := zero(dtype.F32, rows, n), zero(dtype.F32, rows, n)
	half := build.Zero(dtype.BF16, rows, n)
	w, bias, dw, column := zero(dtype.F32, n), zero(dtype.F32, n), zero(dtype.F32, n), build.Zero(dtype.F32, rows)
	places := make([]int32, rows)
	for i := range places {
		places[i] = int32(i * 1237 % rows)
	}
	index := build.Ints(places)
	meter := CeilingMeter(be, CeilingCopy)
	for _, f := range []struct {
		name  string
		bytes int // of each value, read and written
		op    compute.Op
	}{
		{"add", 12, &compute.Add{A: x, B: y, Out: z}},
		{"copy", 8, &compute.Add{A: x, Out: z}},
		{"add in place", 12, &compute.Add{A: q, B: y, Out: q}},
		{"silu", 8, &compute.Activation{X: x, Out: z, Kind: compute.SiLU}},
		{"gelu", 8, &compute.Activation{X: x, Out: z, Kind: compute.GELU}},
		{"gelu_tanh", 8, &compute.Activation{X: x, Out: z, Kind: compute.GELUTanh}},
		{"swiglu", 12, &compute.Gated{Gate: x, Up: y, Out: z, Kind: compute.SiLU}},
		{"swiglu in place", 12, &compute.Gated{Gate: q, Up: y, Out: q, Kind: compute.SiLU}},
		{"geglu", 12, &compute.Gated{Gate: x, Up: y, Out: z, Kind: compute.GELU}},
		{"swiglu backward", 20, &compute.GatedBackward{Gate: x, Up: y, DOut: d, DGate: dx, DUp: dy, Kind: compute.SiLU}},
		{"rmsnorm", 8, &compute.RMSNorm{X: x, Weight: w, Out: z, Epsilon: 1e-5}},
		{"rmsnorm residual", 16, &compute.RMSNorm{X: x, Residual: q, Sum: q, Weight: w, Out: z, Epsilon: 1e-5}},
		{"rmsnorm backward", 12, &compute.RMSNormBackward{X: x, Weight: w, DOut: d, DX: dx, DWeight: dw, Epsilon: 1e-5}},
		{"layernorm", 8, &compute.LayerNorm{X: x, Weight: w, Bias: bias, Out: z, Epsilon: 1e-5}},
		{"layernorm backward", 12, &compute.LayerNormBackward{X: x, Weight: w, DOut: d, DX: dx, DWeight: dw, Epsilon: 1e-5}},
		{"softmax", 8, &compute.Softmax{X: x, Out: z}},
		{"logsumexp", 4, &compute.RowReduce{X: x, Out: column, Kind: compute.RowLogSumExp}},
		{"sum", 4, &compute.RowReduce{X: x, Out: column, Kind: compute.RowSum}},
		{"argmax", 4, &compute.Argmax{X: x, Out: index}},
		{"dropout", 8, &compute.Dropout{X: x, Out: z, Key: 1, Rate: 0.1}},
		{"to bf16", 6, &compute.Cast{X: x, Out: half}},
		{"from bf16", 6, &compute.Cast{X: half, Out: z}},
		{"scatter_add", 16, &compute.ScatterAdd{X: x, Index: index, Out: z}},
		{"adamw", 28, &compute.AdamW{Param: q, Grad: d, M: dx, V: dy, LearningRate: 1e-9, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Step: 3}},
		{"lion", 20, &compute.Lion{Param: q, Grad: d, M: dx, LearningRate: 1e-9, Beta1: 0.9, Beta2: 0.99}},
	} {
		b.Run(f.name, func(b *testing.B) {
			s := be.NewStream()
			s.Launch(f.op)
			ceiling, best := 0.0, 0.0
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				from := time.Now()
				s.Launch(f.op)
				if err := s.Err(); err != nil {
					b.Fatal(err)
				}
				best = max(best, float64(rows*n*f.bytes)/time.Since(from).Seconds()/1e9)
			}
			b.StopTimer()
			ceiling = meter(context.Background(), 60*time.Millisecond)
			b.ReportMetric(best, "GB/s")
			b.ReportMetric(100*best/ceiling, "%copy")
		})
	}
}
