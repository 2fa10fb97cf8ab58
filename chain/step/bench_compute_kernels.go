package step

import (
	"fmt"
	"math"

	"lian/compute"
	"lian/compute/cpu"
	"lian/dtype"
)

// layerShapes are the products of a layer and of the head, out × in: SmolLM2-135M and TinyLlama-1.1B.
var layerShapes = [][2]int{
	{576, 576}, {192, 576}, {1536, 576}, {576, 1536},
	{2048, 2048}, {256, 2048}, {5632, 2048}, {2048, 5632},
}

var headShapes = [][2]int{{49152, 576}, {32000, 2048}}

// kernelBenches are all measurements of kernels.
func kernelBenches() []kernelBench {
	var all []kernelBench
	for _, f := range []func() []kernelBench{denseBenches, quantBenches, vectorBenches, attentionBenches, memoryBenches} {
		all = append(all, f()...)
	}
	return all
}

// denseBenches are products of float32 matrices, forward and both gradients, with operands as they are and rounded to bfloat16.
func denseBenches() []kernelBench {
	shapes := [][3]int{{1024, 1024, 1024}, {2048, 2048, 2048}}
	for _, s := range append(layerShapes[:len(layerShapes):len(layerShapes)], headShapes...) {
		shapes = append(shapes, [3]int{512, s[0], s[1]})
	}
	var all []kernelBench
	for _, bf16 := range []bool{false, true} {
		kind, ceiling := "f32", cpu.CeilingF32
		if bf16 {
			kind, ceiling = "bf16", cpu.CeilingBF16
		}
		for order, name := range []string{"gemm", "gemm_dx", "gemm_dw"} {
			for _, s := range shapes {
				m, n, k := s[0], s[1], s[2]
				all = append(all, kernelBench{
					name: fmt.Sprintf("%s/%s/%dx%dx%d", name, kind, m, n, k), ceiling: ceiling, amount: 2 * float64(m) * float64(n) * float64(k) / 1e9,
					make: func(w *workshop) ([]compute.Op, error) {
						var x, weight, y *compute.Tensor
						err := w.floats(map[**compute.Tensor][]int{&x: {m, k}, &weight: {n, k}, &y: {m, n}})
						o := []*compute.MatMul{
							{A: x, B: weight, Out: y, TransB: true},
							{A: y, B: weight, Out: x},
							{A: y, B: x, Out: weight, TransA: true},
						}[order]
						o.BF16 = bf16
						return []compute.Op{o}, err
					},
				})
			}
		}
	}
	return all
}

// quantTypes are the packed types that are measured, those with promises first.
var quantTypes = []dtype.Type{dtype.Q4_0, dtype.Q4_1, dtype.Q8_0, dtype.Q4_K, dtype.Q5_K, dtype.Q6_K, dtype.Q5_0, dtype.Q5_1, dtype.Q2_K, dtype.Q3_K, dtype.IQ4_NL, dtype.IQ4_XS, dtype.MXFP4}

// quantBenches are products of many rows with quantised weights.
func quantBenches() []kernelBench {
	var all []kernelBench
	for _, t := range quantTypes {
		for _, s := range layerShapes {
			n, k := s[0], s[1]
			if k%t.BlockSize() != 0 {
				continue
			}
			all = append(all, kernelBench{
				name: fmt.Sprintf("gemm/%v/512x%dx%d", t, n, k), ceiling: cpu.CeilingInt8, amount: 2 * 512 * float64(n) * float64(k) / 1e9,
				make: func(w *workshop) ([]compute.Op, error) { return w.product(t, 512, n, k) },
			})
		}
	}
	return all
}

// product is x · Wᵀ in the fast precision.
func (w *workshop) product(t dtype.Type, rows, n, k int) ([]compute.Op, error) {
	var x, y *compute.Tensor
	if err := w.floats(map[**compute.Tensor][]int{&x: {rows, k}, &y: {rows, n}}); err != nil {
		return nil, err
	}
	weight, err := w.tensor(t, n, k)
	if err != nil {
		return nil, err
	}
	weight.Constant = true
	return []compute.Op{&compute.MatMul{A: x, B: weight, Out: y, TransB: true, Fast: true}}, nil
}

// vectorBenches are products of one row and of a few with 256 MiB of weights, which no cache holds: reading is what bounds them.
func vectorBenches() []kernelBench {
	const k, size = 4096, 256 << 20
	var all []kernelBench
	for _, rows := range []int{1, 2, 4, 8, 16} {
		for _, t := range append([]dtype.Type{dtype.F32, dtype.F16, dtype.BF16}, quantTypes...) {
			n := size / t.Bytes(k)
			name := fmt.Sprintf("gemv/%v/%dx%d", t, n, k)
			if rows > 1 {
				name = fmt.Sprintf("gemv_rows%d/%v/%dx%d", rows, t, n, k)
			}
			all = append(all, kernelBench{
				name: name, ceiling: cpu.CeilingRead, amount: float64(t.Bytes(n*k)) / 1e9, also: []Setting{{"rows", rows}},
				make: func(w *workshop) ([]compute.Op, error) { return w.product(t, rows, n, k) },
			})
		}
	}
	return all
}

// attentionBenches are causal attention of one long sequence, and of one new token; only pairs that are seen count.
func attentionBenches() []kernelBench {
	var all []kernelBench
	for _, head := range []int{64, 128} {
		heads, kv := 2048/head/2, 2048/head/4
		for _, length := range []int{512, 2048, 8192} {
			pairs := float64(heads) * float64(length) * float64(length+1) / 2
			forward := func(w *workshop) (*compute.Attention, error) {
				o := &compute.Attention{Scale: float32(1 / math.Sqrt(float64(head))), Causal: true}
				err := w.floats(map[**compute.Tensor][]int{&o.Q: {length, heads, head}, &o.K: {length, kv, head}, &o.V: {length, kv, head}, &o.Out: {length, heads, head}, &o.LogSumExp: {length, heads}})
				o.QueryStart, o.KeyLength = w.ints([]int32{0, int32(length)}, 2), w.ints([]int32{int32(length)}, 1)
				return o, err
			}
			also := []Setting{{"heads", heads}, {"kv_heads", kv}, {"head", head}}
			all = append(all, kernelBench{
				name: fmt.Sprintf("attention/%d/%d", head, length), ceiling: cpu.CeilingF32, amount: 4 * pairs * float64(head) / 1e9, also: also,
				make: func(w *workshop) ([]compute.Op, error) {
					o, err := forward(w)
					return []compute.Op{o}, err
				},
			}, kernelBench{
				name: fmt.Sprintf("attention_backward/%d/%d", head, length), ceiling: cpu.CeilingF32, amount: 10 * pairs * float64(head) / 1e9, also: also,
				make: func(w *workshop) ([]compute.Op, error) {
					f, err := forward(w)
					if err != nil {
						return nil, err
					}
					w.stream.Launch(f)
					o := &compute.AttentionBackward{Forward: *f}
					err = w.floats(map[**compute.Tensor][]int{&o.DOut: f.Q.Shape, &o.DQ: f.Q.Shape, &o.DK: f.K.Shape, &o.DV: f.K.Shape})
					return []compute.Op{o}, err
				},
			})
		}
	}
	return all
}

// memoryBenches are operations that do little with each value: bytes read and written, against a copy.
func memoryBenches() []kernelBench {
	const rows, n = 8192, 2048 // 64 MiB
	one := float64(rows*n*4) / 1e9
	type maker func(w *workshop, x, y, z *compute.Tensor) compute.Op
	bench := func(name string, tensors float64, f maker) kernelBench {
		return kernelBench{name: fmt.Sprintf("%s/%dx%d", name, rows, n), ceiling: cpu.CeilingCopy, amount: tensors * one, make: func(w *workshop) ([]compute.Op, error) {
			var x, y, z *compute.Tensor
			err := w.floats(map[**compute.Tensor][]int{&x: {rows, n}, &y: {rows, n}, &z: {rows, n}})
			return []compute.Op{f(w, x, y, z)}, err
		}}
	}
	return []kernelBench{
		bench("add", 3, func(_ *workshop, x, y, z *compute.Tensor) compute.Op { return &compute.Add{A: x, B: y, Out: z} }),
		bench("swiglu", 3, func(_ *workshop, x, y, z *compute.Tensor) compute.Op {
			return &compute.Gated{Gate: x, Up: y, Out: z, Kind: compute.SiLU}
		}),
		bench("rmsnorm", 2, func(w *workshop, x, y, _ *compute.Tensor) compute.Op {
			return &compute.RMSNorm{X: x, Weight: x.Slice(0, 1).View(n), Out: y, Epsilon: 1e-5}
		}),
		bench("rope", 2, func(w *workshop, x, _, _ *compute.Tensor) compute.Op {
			positions := make([]int32, rows)
			for i := range positions {
				positions[i] = int32(i)
			}
			frequencies, _ := w.tensor(dtype.F32, 32)
			return &compute.RoPE{X: x.View(rows, n/64, 64), Positions: w.ints(positions, rows), Frequencies: frequencies}
		}),
	}
}
