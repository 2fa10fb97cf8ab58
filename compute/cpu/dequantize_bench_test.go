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

// BenchmarkPackedMatMul is the same layer in the layouts of other programs.
func BenchmarkPackedMatMul(b *testing.B) {
	const n, k, group = 5632, 2048, 128
	be := newBackend(available[len(available)-1], 1)
	build := computetest.NewBuild(be, 1)
	scales := build.Packed(dtype.F16, 0.1, k/group, n)
	order := build.Ints(build.Below(k, 0, k/group))
	weights := []struct {
		name string
		w    compute.PackedWeight
	}{
		{"awq", compute.PackedWeight{Layout: compute.PackedAWQ, Group: group, Values: build.Zero(dtype.I32, k, n/8), Zeros: build.Zero(dtype.I32, k/group, n/8), Scales: scales}},
		{"gptq4", compute.PackedWeight{Layout: compute.PackedGPTQ, Bits: 4, Group: group, Values: build.Zero(dtype.I32, k/8, n), Zeros: build.Zero(dtype.I32, k/group, n/8), Scales: scales}},
		{"gptq4/order", compute.PackedWeight{Layout: compute.PackedGPTQ, Bits: 4, Values: build.Zero(dtype.I32, k/8, n), Zeros: build.Zero(dtype.I32, k/group, n/8), Scales: scales, GroupIndex: order}},
		{"gptq3", compute.PackedWeight{Layout: compute.PackedGPTQ, Bits: 3, Group: group, Values: build.Zero(dtype.I32, k*3/32, n), Zeros: build.Zero(dtype.I32, k/group, n*3/32), Scales: scales}},
		{"nf4", compute.PackedWeight{Layout: compute.PackedCodes, Group: 64, Values: build.Zero(dtype.U8, n*k/2), Codes: build.Normal(1, 16), Scales: build.Normal(1, n*k/64)}},
		{"int8", compute.PackedWeight{Layout: compute.PackedRows, Values: build.Zero(dtype.I8, n, k), Scales: build.Normal(1, n)}},
	}
	for _, c := range weights {
		c.w.Outputs, c.w.Inputs = n, k
		for _, m := range []int{1, 8, 512} {
			for mode, name := range []string{"exact", "transposed", "fast"} {
				transposed := mode == 1
				o := &compute.PackedMatMul{A: build.Normal(1, m, k), Out: build.Zero(dtype.F32, m, n), Weight: c.w, Transposed: transposed, Fast: mode == 2}
				if transposed {
					o.A, o.Out = o.Out, o.A
				}
				b.Run(fmt.Sprintf("%s/%d/%s", c.name, m, name), func(b *testing.B) {
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
