package cpu

import (
	"fmt"
	"os"
	"sort"
	"testing"
	"time"

	"lian/compute"
	"lian/compute/computetest"
	"lian/dtype"
)

// BenchmarkDecode is one step of decoding of a small Llama (hidden 256, 6 layers, vocabulary 4096) with 250 keys for each
// sequence: mostly fixed costs. The least time of each operation over the runs, one worker, µs for each step.
func BenchmarkDecode(b *testing.B) {
	const hidden, layers, heads, kv, head, ffn, vocab, keys, size = 256, 6, 4, 2, 64, 704, 4096, 250, 16
	level := available[len(available)-1]
	for _, kind := range []dtype.Type{dtype.F32, dtype.F16, dtype.Q8_0, dtype.Q4_0} {
		for _, m := range []int{1, 8} {
			be := newBackend(level, 1)
			x := computetest.NewBuild(be, 1)
			weight := func(n, k int) *compute.Tensor {
				w := x.Packed(kind, 0.05, n, k)
				w.Constant = true
				return w
			}
			blocks := (keys + size - 1) / size
			table, starts, lengths, slots := make([]int32, m*blocks), make([]int32, m+1), make([]int32, m), make([]int32, m)
			for i := range table {
				table[i] = int32(i)
			}
			for i := range m {
				starts[i+1], lengths[i] = int32(i+1), keys
				slots[i] = int32(i*blocks*size + keys - 1)
			}
			tBlocks, tStarts, tLengths, tSlots := x.Ints(table, m, blocks), x.Ints(starts), x.Ints(lengths), x.Ints(slots)
			positions, norm := x.Ints(lengths), x.Normal(1, hidden)
			frequencies := x.Normal(1, head/2)
			h, n1, q, k, v, o := x.Normal(1, m, hidden), x.Normal(1, m, hidden), x.Normal(1, m, heads, head), x.Normal(1, m, kv, head), x.Normal(1, m, kv, head), x.Normal(1, m, heads, head)
			gate, up, logits := x.Normal(1, m, ffn), x.Normal(1, m, ffn), x.Normal(1, m, vocab)
			var ops []compute.Op
			linear := func(a, w, out, residual *compute.Tensor) {
				ops = append(ops, &compute.MatMul{A: a, B: w, Out: out, TransB: true, Residual: residual, Fast: true})
			}
			for range layers {
				cacheK, cacheV := x.Normal(1, m*blocks*size, kv, head), x.Normal(1, m*blocks*size, kv, head)
				ops = append(ops, &compute.RMSNorm{X: h, Weight: norm, Out: n1, Epsilon: 1e-5})
				linear(n1, weight(heads*head, hidden), q.View(m, heads*head), nil)
				linear(n1, weight(kv*head, hidden), k.View(m, kv*head), nil)
				linear(n1, weight(kv*head, hidden), v.View(m, kv*head), nil)
				ops = append(ops, &compute.RoPE{X: q, Positions: positions, Frequencies: frequencies}, &compute.RoPE{X: k, Positions: positions, Frequencies: frequencies},
					&compute.Scatter{X: k, Index: tSlots, Out: cacheK}, &compute.Scatter{X: v, Index: tSlots, Out: cacheV},
					&compute.Attention{Q: q, K: cacheK, V: cacheV, Out: o, QueryStart: tStarts, KeyLength: tLengths, Blocks: tBlocks, BlockSize: size, Scale: 0.125, Causal: true})
				linear(o.View(m, heads*head), weight(hidden, heads*head), h, h)
				ops = append(ops, &compute.RMSNorm{X: h, Weight: norm, Out: n1, Epsilon: 1e-5})
				linear(n1, weight(ffn, hidden), gate, nil)
				linear(n1, weight(ffn, hidden), up, nil)
				ops = append(ops, &compute.Gated{Gate: gate, Up: up, Out: gate, Kind: compute.SiLU})
				linear(gate, weight(hidden, ffn), h, h)
			}
			linear(n1, weight(vocab, hidden), logits, nil)
			st := be.NewStream()
			b.Run(fmt.Sprintf("%v/m%d", kind, m), func(b *testing.B) {
				least := make([]time.Duration, len(ops)) // of all runs: other programs only add
				for b.Loop() {
					for i, op := range ops {
						from := time.Now()
						st.Launch(op)
						if d := time.Since(from); least[i] == 0 || d < least[i] {
							least[i] = d
						}
					}
				}
				times := map[string]time.Duration{}
				all := time.Duration(0)
				for i, d := range least {
					times[ops[i].Name()] += d
					all += d
				}
				if err := st.Err(); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(all.Seconds()*1e6, "µs/step")
				if os.Getenv("LIAN_PROFILE") == "" {
					return
				}
				var names []string
				for n := range times {
					names = append(names, n)
				}
				sort.Slice(names, func(i, j int) bool { return times[names[i]] > times[names[j]] })
				for _, n := range names[:5] {
					fmt.Fprintf(os.Stderr, "%-14s %7.1f µs\n", n, times[n].Seconds()*1e6)
				}
			})
		}
	}
}
