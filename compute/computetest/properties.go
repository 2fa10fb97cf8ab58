package computetest

import (
	"math"
	"testing"

	"lian/compute"
	"lian/compute/ref"
	"lian/dtype"
)

// aliasing runs operations in place that allow it: the result must be the one with an output of its own.
func aliasing(t *testing.T, backend compute.Backend) {
	const rows, n = 37, 129
	cases := map[string]func(b *Build, x, y *compute.Tensor, out func(*compute.Tensor) *compute.Tensor) (compute.Op, *compute.Tensor){
		"add/a": func(b *Build, x, y *compute.Tensor, out func(*compute.Tensor) *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.Add{A: x, B: y, Out: out(x)}
			return o, o.Out
		},
		"add/b": func(b *Build, x, y *compute.Tensor, out func(*compute.Tensor) *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.Add{A: x, B: y, Out: out(y)}
			return o, o.Out
		},
		"rmsnorm": func(b *Build, x, y *compute.Tensor, out func(*compute.Tensor) *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.RMSNorm{X: x, Weight: b.Normal(1, n), Out: out(x), Epsilon: 1e-5}
			return o, o.Out
		},
		"rmsnorm/sum": func(b *Build, x, y *compute.Tensor, out func(*compute.Tensor) *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.RMSNorm{X: x, Residual: y, Sum: out(y), Weight: b.Normal(1, n), Out: b.Zero(dtype.F32, rows, n), Epsilon: 1e-5}
			return o, o.Sum
		},
		"layernorm": func(b *Build, x, y *compute.Tensor, out func(*compute.Tensor) *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.LayerNorm{X: x, Weight: b.Normal(1, n), Out: out(x), Epsilon: 1e-5}
			return o, o.Out
		},
		"swiglu/gate": func(b *Build, x, y *compute.Tensor, out func(*compute.Tensor) *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.Gated{Gate: x, Up: y, Out: out(x), Kind: compute.SiLU}
			return o, o.Out
		},
		"swiglu/up": func(b *Build, x, y *compute.Tensor, out func(*compute.Tensor) *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.Gated{Gate: x, Up: y, Out: out(y), Kind: compute.SiLU}
			return o, o.Out
		},
		"matmul/residual": func(b *Build, x, y *compute.Tensor, out func(*compute.Tensor) *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.MatMul{A: x, B: b.Normal(1, n, n), Residual: y, Out: out(y), TransB: true}
			return o, o.Out
		},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			var results [2][]float32
			for i := range results {
				b := NewBuild(backend, 5)
				op, out := f(b, b.Normal(1, rows, n), b.Normal(1, rows, n), func(in *compute.Tensor) *compute.Tensor {
					if i == 0 {
						return b.Zero(dtype.F32, rows, n)
					}
					return in
				})
				b.stream.Launch(op)
				v, err := b.Floats(out)
				if err != nil {
					t.Fatal(err)
				}
				results[i] = v
			}
			if at := differentBits(results[1], results[0]); at >= 0 {
				t.Errorf("value %d is %v in place, %v with an output of its own", at, results[1][at], results[0][at])
			}
		})
	}
}

// nan puts a NaN somewhere and checks which rows of the result have one.
func nan(t *testing.T, backend compute.Backend) {
	nan := float32(math.NaN())
	poison := func(b *Build, x *compute.Tensor, row, column int) *compute.Tensor {
		v, _ := b.Floats(x)
		v[row*x.Columns()+column] = nan
		return b.Set(x, v)
	}
	poisonWith := func(b *Build, x *compute.Tensor, row, column int, with float32) *compute.Tensor {
		v, _ := b.Floats(x)
		v[row*x.Columns()+column] = with
		return b.Set(x, v)
	}
	only := func(t *testing.T, b *Build, op compute.Op, out *compute.Tensor, want func(row, column int) bool) {
		t.Helper()
		b.stream.Launch(op)
		v, err := b.Floats(out)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range v {
			row, column := i/out.Columns(), i%out.Columns()
			if (x != x) != want(row, column) {
				t.Fatalf("[%d %d] is %v, expected NaN there: %v", row, column, x, want(row, column))
			}
		}
	}
	for _, rows := range []int{4, 40} {
		t.Run("matmul", func(t *testing.T) {
			b := NewBuild(backend, 1)
			o := &compute.MatMul{A: poison(b, b.Normal(1, rows, 50), 2, 7), B: poison(b, b.Normal(1, 70, 50), 33, 3), Out: b.Zero(dtype.F32, rows, 70), TransB: true}
			only(t, b, o, o.Out, func(row, column int) bool { return row == 2 || column == 33 })
		})
		t.Run("rmsnorm", func(t *testing.T) {
			b := NewBuild(backend, 1)
			o := &compute.RMSNorm{X: poison(b, b.Normal(1, rows, 50), 3, 49), Weight: b.Normal(1, 50), Out: b.Zero(dtype.F32, rows, 50), Epsilon: 1e-5}
			only(t, b, o, o.Out, func(row, column int) bool { return row == 3 })
		})
		t.Run("layernorm", func(t *testing.T) {
			b := NewBuild(backend, 1)
			o := &compute.LayerNorm{X: poison(b, b.Normal(1, rows, 50), 3, 49), Out: b.Zero(dtype.F32, rows, 50), Epsilon: 1e-5}
			only(t, b, o, o.Out, func(row, column int) bool { return row == 3 })
		})
		for kind := compute.SiLU; kind < compute.ActivationKinds; kind++ {
			t.Run("activation/"+kind.String(), func(t *testing.T) {
				b := NewBuild(backend, 1)
				o := &compute.Activation{X: poison(b, b.Normal(1, rows, 51), 3, 50), Out: b.Zero(dtype.F32, rows, 51), Kind: kind}
				only(t, b, o, o.Out, func(row, column int) bool { return row == 3 && column == 50 })
				if kind <= compute.Sigmoid {
					g := &compute.Gated{Gate: o.X, Up: o.X, Out: o.Out, Kind: kind}
					only(t, b, g, g.Out, func(row, column int) bool { return row == 3 && column == 50 })
				}
			})
		}
		t.Run("swiglu", func(t *testing.T) {
			b := NewBuild(backend, 1)
			o := &compute.Gated{Gate: poison(b, b.Normal(1, rows, 50), 3, 49), Up: poison(b, b.Normal(1, rows, 50), 1, 0), Out: b.Zero(dtype.F32, rows, 50), Kind: compute.SiLU}
			only(t, b, o, o.Out, func(row, column int) bool { return row == 3 && column == 49 || row == 1 && column == 0 })
		})
		t.Run("cross_entropy", func(t *testing.T) {
			b := NewBuild(backend, 1)
			o := &compute.LinearCrossEntropy{Hidden: poison(b, b.Normal(1, rows, 20), 1, 3), Weight: b.Normal(1, 90, 20), Targets: b.Ints(b.Below(rows, 0, 90)), Loss: b.Zero(dtype.F32, rows), Scale: 1}
			only(t, b, o, o.Loss, func(_, i int) bool { return i == 1 })
		})
	}
	t.Run("kv_write", func(t *testing.T) {
		// A head with a NaN or ∞ is NaN as a whole when it is kept as codes, and no other; other types keep it where it is.
		for _, bits := range []int{4, 8} {
			b := NewBuild(backend, 1)
			o := &compute.KVWrite{X: poison(b, poisonWith(b, b.Normal(1, 5, 2, 32), 3, 7, float32(math.Inf(1))), 6, 9), Index: b.Ints([]int32{4, 3, 2, 1, 0}), Out: b.Zero(dtype.U8, 5, 2, 32*bits/8), Scales: b.Zero(dtype.F32, 5, 2, 2)}
			only(t, b, o, o.Scales, func(row, column int) bool { return (row == 7 || row == 2) && column == 0 })
		}
	})
	t.Run("attention_infinite", func(t *testing.T) {
		// A query with a score of +∞ is NaN, −∞ counts nothing; without a key there is 0.
		b := NewBuild(backend, 1)
		o := &compute.Attention{Q: poisonWith(b, b.Normal(1, 4, 1, 8), 2, 0, float32(math.Inf(1))), K: b.Normal(1, 4, 1, 8), V: b.Normal(1, 4, 1, 8), Out: b.Zero(dtype.F32, 4, 1, 8),
			QueryStart: b.Ints([]int32{0, 4}), KeyLength: b.Ints([]int32{4}), Scale: 0.3, Causal: true}
		want := NewBuild(ref.New(), 1)
		r := &compute.Attention{Q: poisonWith(want, want.Normal(1, 4, 1, 8), 2, 0, float32(math.Inf(1))), K: want.Normal(1, 4, 1, 8), V: want.Normal(1, 4, 1, 8), Out: want.Zero(dtype.F32, 4, 1, 8),
			QueryStart: want.Ints([]int32{0, 4}), KeyLength: want.Ints([]int32{4}), Scale: 0.3, Causal: true}
		want.stream.Launch(r)
		expected, err := want.Floats(r.Out)
		if err != nil {
			t.Fatal(err)
		}
		only(t, b, o, o.Out, func(row, column int) bool { return expected[row*8+column] != expected[row*8+column] })
	})
	t.Run("attention", func(t *testing.T) {
		// Two sequences of 150; the value of key 100 of the first is NaN in one element: its later queries, this element, the
		// heads of this kv head, and nothing else.
		b := NewBuild(backend, 1)
		starts, lengths := b.Ints([]int32{0, 150, 300}), b.Ints([]int32{150, 150})
		o := &compute.Attention{Q: b.Normal(1, 300, 4, 8), K: b.Normal(1, 300, 2, 8), V: poison(b, b.Normal(1, 300, 2, 8), 100*2+1, 5), Out: b.Zero(dtype.F32, 300, 4, 8), QueryStart: starts, KeyLength: lengths, Scale: 0.3, Causal: true}
		only(t, b, o, o.Out, func(row, column int) bool {
			query, head := row/4, row%4
			return query >= 100 && query < 150 && head >= 2 && column == 5
		})
		o.V = b.Normal(1, 300, 2, 8)
		o.K = poison(b, b.Normal(1, 300, 2, 8), 200*2, 0)
		only(t, b, o, o.Out, func(row, column int) bool {
			query, head := row/4, row%4
			return query >= 200 && head < 2
		})
	})
}
