package computetest

import (
	"fmt"
	"math"
	"testing"

	"lian/compute"
	"lian/dtype"
)

// many is the number of rows that a row alone is compared with.
const many = 513

// rowsAlone runs operations on 513 rows and on some of them: each row must come out with the same bits.
func rowsAlone(t *testing.T, backend compute.Backend) {
	type maker struct {
		name    string
		columns int
		op      func(b *Build, x *compute.Tensor) (op compute.Op, out *compute.Tensor)
	}
	matmul := func(name string, n, k int, weight func(b *Build) *compute.Tensor, set func(o *compute.MatMul)) maker {
		return maker{"matmul_" + name, k, func(b *Build, x *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.MatMul{A: x, B: weight(b), Out: b.Zero(dtype.F32, x.Rows(), n), TransB: true, Bias: b.Normal(1, n)}
			set(o)
			return o, o.Out
		}}
	}
	floats := func(n, k int) func(b *Build) *compute.Tensor {
		return func(b *Build) *compute.Tensor { return b.Normal(1, n, k) }
	}
	packed := func(kind dtype.Type, n, k int) func(b *Build) *compute.Tensor {
		return func(b *Build) *compute.Tensor { return b.Packed(kind, 1, n, k) }
	}
	none := func(*compute.MatMul) {}
	fast := func(o *compute.MatMul) { o.Fast, o.Outliers = true, true }
	makers := []maker{
		matmul("f32", 75, 130, floats(75, 130), none),
		matmul("f32_long", 40, 1500, floats(40, 1500), none),
		matmul("f32_constant", 75, 130, floats(75, 130), func(o *compute.MatMul) { o.B.Constant = true }),
		matmul("f32_bf16", 75, 131, floats(75, 131), func(o *compute.MatMul) { o.BF16 = true }),
		matmul("f32_bf16_long", 40, 2500, floats(40, 2500), func(o *compute.MatMul) { o.BF16 = true }),
		matmul("bf16_bf16", 75, 131, packed(dtype.BF16, 75, 131), func(o *compute.MatMul) { o.BF16 = true }),
		matmul("bf16_bf16_steps", 75, 1184, packed(dtype.BF16, 75, 1184), func(o *compute.MatMul) { o.BF16 = true }),
		matmul("bf16_bf16_half_a_step", 75, 80, packed(dtype.BF16, 75, 80), func(o *compute.MatMul) { o.BF16, o.Alpha = true, 0.3 }),
		matmul("bf16_bf16_deep", 40, 9216, packed(dtype.BF16, 40, 9216), func(o *compute.MatMul) { o.BF16 = true }),
		matmul("f16", 75, 130, packed(dtype.F16, 75, 130), none),
		matmul("bf16", 75, 130, packed(dtype.BF16, 75, 130), none),
		matmul("f16_constant", 75, 130, packed(dtype.F16, 75, 130), func(o *compute.MatMul) { o.B.Constant = true }),
		matmul("bf16_constant", 75, 130, packed(dtype.BF16, 75, 130), func(o *compute.MatMul) { o.B.Constant = true }),
		{"rmsnorm", 100, func(b *Build, x *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.RMSNorm{X: x, Weight: b.Normal(1, 100), Out: b.Zero(dtype.F32, x.Shape...), Epsilon: 1e-6}
			return o, o.Out
		}},
		{"rmsnorm_residual", 100, func(b *Build, x *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.RMSNorm{X: x, Weight: b.Normal(1, 100), Out: b.Zero(dtype.F32, x.Shape...), Residual: x, Sum: b.Zero(dtype.F32, x.Shape...), Epsilon: 1e-6, Offset: 1}
			return o, o.Out
		}},
		{"layernorm", 101, func(b *Build, x *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.LayerNorm{X: x, Weight: b.Normal(1, 101), Out: b.Zero(dtype.F32, x.Shape...), Epsilon: 1e-6}
			return o, o.Out
		}},
		{"swiglu", 33, func(b *Build, x *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.Gated{Gate: x, Up: x, Out: b.Zero(dtype.F32, x.Shape...), Kind: compute.SiLU}
			return o, o.Out
		}},
		{"cross_entropy", 40, func(b *Build, x *compute.Tensor) (compute.Op, *compute.Tensor) {
			targets := make([]int32, x.Rows()) // all 0: a target must not depend on the row's number
			o := &compute.LinearCrossEntropy{Hidden: x, Weight: b.Normal(1, 2100, 40), Targets: b.Ints(targets), Loss: b.Zero(dtype.F32, x.Rows()), Scale: 1}
			return o, o.Loss
		}},
	}
	for _, kind := range []dtype.Type{dtype.F32, dtype.BF16, dtype.Q4_0, dtype.Q4_1, dtype.Q8_0, dtype.Q4_K} { // what one launch does has the bits of many
		makers = append(makers, maker{"branch_" + kind.String(), 256, func(b *Build, x *compute.Tensor) (compute.Op, *compute.Tensor) {
			rows := x.Rows()
			o := &compute.Branch{Norm: &compute.RMSNorm{X: x, Weight: b.Normal(1, 256), Out: b.Zero(dtype.F32, rows, 256), Epsilon: 1e-6}}
			for i := range 2 {
				w := b.Normal(1, 333, 256)
				if kind != dtype.F32 {
					w = b.Packed(kind, 1, 333, 256)
				}
				o.Products[i] = &compute.MatMul{A: o.Norm.Out, B: w, Out: b.Zero(dtype.F32, rows, 333), TransB: true, Fast: true, Outliers: true}
				o.Products[i].B.Constant = i == 0
			}
			o.Gate = &compute.Gated{Gate: o.Products[0].Out, Up: o.Products[1].Out, Out: b.Zero(dtype.F32, rows, 333), Kind: compute.SiLU}
			return o, o.Gate.Out
		}})
	}
	for _, kind := range []dtype.Type{dtype.Q8_0, dtype.Q4_0, dtype.Q4_1, dtype.Q5_0} {
		makers = append(makers, matmul(kind.String(), 45, 160, packed(kind, 45, 160), none), matmul(kind.String()+"_fast", 45, 160, packed(kind, 45, 160), fast))
	}
	for _, kind := range []dtype.Type{dtype.BF16, dtype.Q8_0, dtype.Q6_K} { // as a gradient takes them
		makers = append(makers, maker{"matmul_across_" + kind.String(), 70, func(b *Build, x *compute.Tensor) (compute.Op, *compute.Tensor) {
			o := &compute.MatMul{A: x, B: b.PackedAtRandom(kind, 70, 512), Out: b.Zero(dtype.F32, x.Rows(), 512)}
			return o, o.Out
		}})
	}
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			run := func(from, count int) []float32 {
				b := NewBuild(backend, seedOf(m.name))
				all, _ := b.Floats(b.Normal(1, many, m.columns))
				x := b.Set(b.Zero(dtype.F32, count, m.columns), all[from*m.columns:(from+count)*m.columns])
				op, out := m.op(b, x)
				b.stream.Launch(op)
				v, err := b.Floats(out)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			whole := run(0, many)
			n := len(whole) / many
			for _, count := range []int{1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 64} {
				for _, from := range []int{0, 5, many - count} {
					if at := differentBits(run(from, count), whole[from*n:(from+count)*n]); at >= 0 {
						t.Errorf("rows %d to %d alone: value %d of row %d differs from the same row among %d", from, from+count, at%n, from+at/n, many)
					}
				}
			}
		})
	}
	t.Run("attention_chunks", func(t *testing.T) { attentionChunks(t, backend) })
}

// attentionChunks computes a prompt at once from rows, and again in chunks of several sizes from a paged cache whose unused
// slots hold NaN, beside another sequence.
func attentionChunks(t *testing.T, backend compute.Backend) {
	for _, c := range []struct {
		kind   dtype.Type // of the keys and values, at once as well
		bits   int
		window int
		chunks []int
	}{
		{dtype.F32, 0, 0, []int{1, 7, 64, 257, 700}}, {dtype.F32, 0, 290, []int{2, 129}}, {dtype.BF16, 0, 0, []int{2, 129}}, {dtype.F16, 0, 290, []int{100}},
		{dtype.U8, 8, 0, []int{3, 129}}, {dtype.U8, 4, 290, []int{3, 129}},
	} {
		for _, chunk := range c.chunks {
			t.Run(fmt.Sprintf("%v%d/window%d/chunk%d", c.kind, c.bits, c.window, chunk), func(t *testing.T) {
				chunked(t, backend, c.kind, c.bits, c.window, chunk)
			})
		}
	}
}

func chunked(t *testing.T, backend compute.Backend, kind dtype.Type, bits, window, chunk int) {
	const length, heads, kv, head, size = 700, 6, 2, 48, 16
	b := NewBuild(backend, 3)
	q, k, v := b.Normal(1, length, heads, head), b.Normal(1, length, kv, head), b.Normal(1, length, kv, head)
	blocks := (length + size - 1) / size
	// cache is a tensor of so many slots, and its scales.
	cache := func(slots int) (x, scale *compute.Tensor) {
		if kind != dtype.U8 {
			x = b.Zero(kind, slots, kv, head)
			raw := make([]byte, x.Bytes())
			for i := range raw {
				raw[i] = 0xff // NaN
			}
			b.stream.Write(x, raw)
			return x, nil
		}
		bad := make([]float32, slots*kv*2)
		for i := range bad {
			bad[i] = float32(math.NaN())
		}
		return b.Zero(kind, slots, kv, head*bits/8), b.Set(b.Zero(dtype.F32, slots, kv, 2), bad)
	}
	attend := func(o compute.Attention, starts, lengths []int32) []float32 {
		o.Out, o.Scale, o.Causal, o.Window = b.Zero(dtype.F32, o.Q.Shape...), 0.2, true, window
		o.QueryStart, o.KeyLength = b.Ints(starts), b.Ints(lengths)
		b.stream.Launch(&o)
		out, err := b.Floats(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	write := func(x, out, scale *compute.Tensor, slots []int32) {
		b.stream.Launch(&compute.KVWrite{X: x, Index: b.Ints(slots), Out: out, Scales: scale})
	}
	slot, order := make([]int32, length), make([]int32, length)
	table := make([]int32, 2*blocks)
	for i := range blocks {
		table[i] = int32(2*blocks - i) // backwards
		table[blocks+i] = table[i]     // a second sequence with the same keys: a shared prefix
	}
	for p := range slot {
		order[p], slot[p] = int32(p), table[p/size]*size+int32(p%size)
	}
	var rows, paged compute.Attention
	rows.K, rows.KScale = cache(length)
	rows.V, rows.VScale = cache(length)
	write(k, rows.K, rows.KScale, order)
	write(v, rows.V, rows.VScale, order)
	rows.Q = q
	want := attend(rows, []int32{0, length}, []int32{length})

	paged.K, paged.KScale = cache((2*blocks + 3) * size)
	paged.V, paged.VScale = cache((2*blocks + 3) * size)
	paged.Blocks, paged.BlockSize = b.Ints(table, 2, blocks), size
	for from := 0; from < length; from += chunk {
		to := min(from+chunk, length)
		n := to - from
		write(k.Slice(from, to), paged.K, paged.KScale, slot[from:to])
		write(v.Slice(from, to), paged.V, paged.VScale, slot[from:to])
		// Both sequences ask the same; the second only its last query.
		queries, _ := b.Floats(q.Slice(from, to))
		paged.Q = b.Set(b.Zero(dtype.F32, n+1, heads, head), append(queries, queries[(n-1)*heads*head:]...))
		for i := range blocks { // what a window's queries do not see any more
			for s, first := range []int{from, to - 1} {
				if window > 0 && (i+1)*size <= first+1-window {
					table[s*blocks+i] = -1
				}
			}
		}
		paged.Blocks = b.Ints(table, 2, blocks)
		got := attend(paged, []int32{0, int32(n), int32(n + 1)}, []int32{int32(to), int32(to)})
		row := heads * head
		if at := differentBits(got[:n*row], want[from*row:to*row]); at >= 0 {
			t.Fatalf("chunk [%d, %d): value %d of query %d is %v, at once it is %v", from, to, at%row, from+at/row, got[at], want[from*row+at])
		}
		if at := differentBits(got[n*row:], want[(to-1)*row:to*row]); at >= 0 {
			t.Fatalf("query %d alone in its sequence: value %d is %v, at once it is %v", to-1, at, got[n*row+at], want[(to-1)*row+at])
		}
	}
}

func differentBits(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return i
		}
	}
	return -1
}
