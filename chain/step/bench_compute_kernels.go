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
	for _, f := range []func() []kernelBench{denseBenches, quantBenches, vectorBenches, attentionBenches, decodeBenches, memoryBenches} {
		all = append(all, f()...)
	}
	return all
}

// denseBenches are products of float matrices: gemm/f32 and gemm/bf16 of operands and results of that type; their gradients; and
// gemm/mixed, what training in bfloat16 does: float32 operands rounded on the way, float32 results.
func denseBenches() []kernelBench {
	shapes := [][3]int{{1024, 1024, 1024}, {2048, 2048, 2048}}
	for _, s := range append(layerShapes[:len(layerShapes):len(layerShapes)], headShapes...) {
		shapes = append(shapes, [3]int{512, s[0], s[1]})
	}
	kinds := []struct {
		name    string
		stored  dtype.Type
		ceiling cpu.Ceiling
		bf16    bool
	}{{"f32", dtype.F32, cpu.CeilingF32, false}, {"bf16", dtype.BF16, cpu.CeilingBF16, true}, {"mixed", dtype.F32, cpu.CeilingBF16, true}}
	var all []kernelBench
	for _, kind := range kinds {
		for order, name := range []string{"gemm", "gemm_dx", "gemm_dw"} {
			for _, s := range shapes {
				m, n, k := s[0], s[1], s[2]
				all = append(all, kernelBench{
					name: fmt.Sprintf("%s/%s/%dx%dx%d", name, kind.name, m, n, k), ceiling: kind.ceiling, amount: 2 * float64(m) * float64(n) * float64(k) / 1e9,
					make: func(w *workshop) ([]compute.Op, error) {
						x, y, weight := w.tensor(kind.stored, m, k), w.tensor(kind.stored, m, n), w.tensor(kind.stored, n, k)
						o := []*compute.MatMul{
							{A: x, B: weight, Out: y, TransB: true},
							{A: y, B: weight, Out: x},
							{A: y, B: x, Out: weight, TransA: true},
						}[order]
						o.BF16 = kind.bf16
						return []compute.Op{o}, w.stream.Err()
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
	weight := w.tensor(t, n, k)
	weight.Constant = true
	return []compute.Op{&compute.MatMul{A: w.floats(rows, k), B: weight, Out: w.floats(rows, n), TransB: true, Fast: true}}, w.stream.Err()
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
			forward := func(w *workshop) *compute.Attention {
				return &compute.Attention{Scale: float32(1 / math.Sqrt(float64(head))), Causal: true,
					Q: w.floats(length, heads, head), K: w.floats(length, kv, head), V: w.floats(length, kv, head), Out: w.floats(length, heads, head), LogSumExp: w.floats(length, heads),
					QueryStart: w.ints([]int32{0, int32(length)}, 2), KeyLength: w.ints([]int32{int32(length)}, 1)}
			}
			also := []Setting{{"heads", heads}, {"kv_heads", kv}, {"head", head}}
			all = append(all, kernelBench{
				name: fmt.Sprintf("attention/%d/%d", head, length), ceiling: cpu.CeilingF32, amount: 4 * pairs * float64(head) / 1e9, also: also,
				make: func(w *workshop) ([]compute.Op, error) { return []compute.Op{forward(w)}, w.stream.Err() },
			}, kernelBench{
				name: fmt.Sprintf("attention_backward/%d/%d", head, length), ceiling: cpu.CeilingF32, amount: 10 * pairs * float64(head) / 1e9, also: also,
				make: func(w *workshop) ([]compute.Op, error) {
					f := forward(w)
					w.stream.Launch(f)
					return []compute.Op{&compute.AttentionBackward{Forward: *f, DOut: w.floats(f.Q.Shape...), DQ: w.floats(f.Q.Shape...), DK: w.floats(f.K.Shape...), DV: w.floats(f.K.Shape...)}}, w.stream.Err()
				},
			})
		}
	}
	return all
}

// decodeBenches are one new token of several sequences over a cache that no processor cache holds: reading keys and values bounds
// them.
func decodeBenches() []kernelBench {
	const heads, kv, head, block = 32, 8, 128, 16
	var all []kernelBench
	for _, t := range []dtype.Type{dtype.F32, dtype.BF16} {
		for _, s := range [][2]int{{1, 32768}, {8, 4096}} {
			sequences, length := s[0], s[1]
			slots := sequences * length
			all = append(all, kernelBench{
				name: fmt.Sprintf("attention_decode/%v/%dx%d", t, sequences, length), ceiling: cpu.CeilingRead, amount: 2 * float64(t.Bytes(slots*kv*head)) / 1e9,
				also: []Setting{{"heads", heads}, {"kv_heads", kv}, {"head", head}, {"block", block}},
				make: func(w *workshop) ([]compute.Op, error) {
					starts, lengths, blocks := make([]int32, sequences+1), make([]int32, sequences), make([]int32, slots/block)
					for i := range sequences {
						starts[i+1], lengths[i] = int32(i+1), int32(length)
					}
					for i := range blocks {
						blocks[i] = int32(i)
					}
					return []compute.Op{&compute.Attention{Scale: 0.1, Causal: true, BlockSize: block,
						Q: w.floats(sequences, heads, head), K: w.tensor(t, slots, kv, head), V: w.tensor(t, slots, kv, head), Out: w.floats(sequences, heads, head),
						QueryStart: w.ints(starts, sequences+1), KeyLength: w.ints(lengths, sequences), Blocks: w.ints(blocks, sequences, length/block)}}, w.stream.Err()
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
	bench := func(name string, tensors float64, f func(w *workshop) compute.Op) kernelBench {
		return kernelBench{name: fmt.Sprintf("%s/%dx%d", name, rows, n), ceiling: cpu.CeilingCopy, amount: tensors * one, make: func(w *workshop) ([]compute.Op, error) {
			return []compute.Op{f(w)}, w.stream.Err()
		}}
	}
	x := func(w *workshop) *compute.Tensor { return w.floats(rows, n) }
	return []kernelBench{
		bench("add", 3, func(w *workshop) compute.Op { return &compute.Add{A: x(w), B: x(w), Out: x(w)} }),
		bench("gelu", 2, func(w *workshop) compute.Op { return &compute.Activation{X: x(w), Out: x(w), Kind: compute.GELU} }),
		bench("swiglu", 3, func(w *workshop) compute.Op {
			return &compute.Gated{Gate: x(w), Up: x(w), Out: x(w), Kind: compute.SiLU}
		}),
		bench("swiglu_backward", 5, func(w *workshop) compute.Op {
			return &compute.GatedBackward{Gate: x(w), Up: x(w), DOut: x(w), DGate: x(w), DUp: x(w), Kind: compute.SiLU}
		}),
		bench("rmsnorm", 2, func(w *workshop) compute.Op {
			return &compute.RMSNorm{X: x(w), Weight: w.floats(n), Out: x(w), Epsilon: 1e-5}
		}),
		bench("rmsnorm_residual", 4, func(w *workshop) compute.Op {
			return &compute.RMSNorm{X: x(w), Residual: x(w), Sum: x(w), Weight: w.floats(n), Out: x(w), Epsilon: 1e-5}
		}),
		bench("layernorm", 2, func(w *workshop) compute.Op {
			return &compute.LayerNorm{X: x(w), Weight: w.floats(n), Bias: w.floats(n), Out: x(w), Epsilon: 1e-5}
		}),
		bench("rope", 2, func(w *workshop) compute.Op {
			positions := make([]int32, rows)
			for i := range positions {
				positions[i] = int32(i)
			}
			return &compute.RoPE{X: x(w).View(rows, n/64, 64), Positions: w.ints(positions, rows), Frequencies: w.floats(32)}
		}),
		bench("adamw", 7, func(w *workshop) compute.Op {
			return &compute.AdamW{Param: x(w), Grad: x(w), M: x(w), V: w.zeros(rows, n), LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Decay: 0.1, Step: 10}
		}),
	}
}
