package compute

import (
	"fmt"

	"lian/dtype"
)

// packedTypes are the types of a weight that is neither float32 nor integers.
func packedTypes() []dtype.Type {
	var types []dtype.Type
	for _, t := range dtype.All() {
		if dtype.CanDequantize(t) && (t.Quantized() || t == dtype.F16 || t == dtype.BF16) {
			types = append(types, t)
		}
	}
	return types
}

// Samples of products with a packed B, whose meaning is its dequantised values: rows along k (a layer), rows along n (what the
// gradient of a layer multiplies with), the head and its loss, and rows chosen from a table.
var _ = sampled(func() []Sample {
	var list []Sample
	add := func(name string, f func(m Maker) Op) {
		list = append(list, Sample{Name: name, Make: f, Tolerance: 1e-5})
	}
	for _, t := range packedTypes() {
		for _, s := range [][2]int{{1, 5}, {3, 33}, {18, 70}} {
			m, n, k := s[0], s[1], 512
			add(fmt.Sprintf("matmul_packed/%v/%dx%d", t, m, n), func(b Maker) Op {
				return &MatMul{A: b.Normal(1, m, k), B: b.PackedAtRandom(t, n, k), Out: b.Normal(1, m, n), TransB: true, Accumulate: m == 3, Bias: b.Normal(1, n)}
			})
			add(fmt.Sprintf("matmul_packed_across/%v/%dx%d", t, m, n), func(b Maker) Op { // n along the rows, k rows
				return &MatMul{A: b.Normal(1, m, n), B: b.PackedAtRandom(t, n, k), Out: b.Normal(1, m, k), Accumulate: m == 3, Alpha: 0.5}
			})
		}
		add(fmt.Sprintf("cross_entropy_packed/%v", t), func(b Maker) Op {
			return headOf(b, b.PackedAtRandom(t, 80, 256), 21)
		})
		add(fmt.Sprintf("gather_packed/%v", t), func(b Maker) Op {
			return &Gather{Table: b.PackedAtRandom(t, 6, 768), Index: b.Ints([]int32{5, 0, 0, 3}), Out: b.Zero(dtype.F32, 4, 768)}
		})
	}
	for _, t := range []dtype.Type{dtype.BF16, dtype.Q4_0, dtype.Q6_K} { // several blocks of k, panels and chunks
		add(fmt.Sprintf("matmul_packed/%v/long", t), func(b Maker) Op {
			return &MatMul{A: b.Normal(1, 20, 2816), B: b.PackedAtRandom(t, 70, 2816), Out: b.Zero(dtype.F32, 20, 70), TransB: true}
		})
		add(fmt.Sprintf("matmul_packed_across/%v/long", t), func(b Maker) Op {
			return &MatMul{A: b.Normal(1, 20, 1100), B: b.PackedAtRandom(t, 1100, 768), Out: b.Zero(dtype.F32, 20, 768)}
		})
	}
	add("cross_entropy_packed/chunks", func(b Maker) Op { return headOf(b, b.PackedAtRandom(dtype.Q4_0, 9001, 32), 200) })
	return list
})

// headOf is a loss of some rows with the gradient to them. They are small, so that losses are.
func headOf(b Maker, weight *Tensor, rows int) Op {
	vocab, hidden := weight.Rows(), weight.Columns()
	return &LinearCrossEntropy{Hidden: b.Normal(0.01, rows, hidden), Weight: weight, Loss: b.Zero(dtype.F32, rows), Targets: b.Ints(b.Below(rows, -1, int32(vocab))), Scale: 0.5,
		DHidden: b.Zero(dtype.F32, rows, hidden)}
}
