package computetest

import (
	"fmt"

	"lian/compute"
	"lian/dtype"
)

// ragged is the layout of a batch: queries and keys of each sequence.
type ragged struct {
	name            string
	queries, keys   []int
	heads, kv, head int
	block           int // slots of a block; 0: keys are rows
	window          int
	causal          bool
}

func layouts() []ragged {
	return []ragged{
		{name: "one", queries: []int{1}, keys: []int{1}, heads: 1, kv: 1, head: 1, causal: true},
		{name: "none", queries: nil, keys: nil, heads: 2, kv: 1, head: 8, causal: true},
		{name: "empty_sequence", queries: []int{0, 3, 0}, keys: []int{0, 3, 0}, heads: 2, kv: 2, head: 5, causal: true},
		{name: "gqa", queries: []int{130}, keys: []int{130}, heads: 6, kv: 2, head: 16, causal: true},
		{name: "packed", queries: []int{7, 64, 1, 65, 200}, keys: []int{7, 64, 1, 65, 200}, heads: 4, kv: 2, head: 64, causal: true},
		{name: "bidirectional", queries: []int{70, 3}, keys: []int{70, 3}, heads: 2, kv: 2, head: 33},
		{name: "window", queries: []int{150, 20}, keys: []int{150, 20}, heads: 2, kv: 1, head: 24, causal: true, window: 40},
		{name: "window1", queries: []int{70}, keys: []int{70}, heads: 2, kv: 1, head: 8, causal: true, window: 1},
		{name: "window_bidirectional", queries: []int{100}, keys: []int{100}, heads: 1, kv: 1, head: 8, window: 30},
		{name: "long", queries: []int{300}, keys: []int{300}, heads: 2, kv: 1, head: 128, causal: true},
		{name: "paged", queries: []int{5, 1, 33}, keys: []int{80, 200, 33}, heads: 4, kv: 2, head: 64, block: 16, causal: true},
		{name: "paged_odd", queries: []int{1, 2}, keys: []int{67, 129}, heads: 3, kv: 3, head: 20, block: 7, causal: true},
		{name: "paged_window", queries: []int{9, 1}, keys: []int{100, 150}, heads: 4, kv: 1, head: 32, block: 16, causal: true, window: 50},
		{name: "no_keys", queries: []int{2, 3}, keys: []int{0, 3}, heads: 2, kv: 1, head: 8, block: 4, causal: true},
		{name: "more_queries_than_keys", queries: []int{5}, keys: []int{3}, heads: 2, kv: 1, head: 8, block: 4, causal: true},
	}
}

func (r *ragged) build(b *Build, gradients bool) *compute.Attention {
	starts, rows, lengths := []int32{0}, 0, []int32{}
	for s, n := range r.queries {
		rows += n
		starts, lengths = append(starts, int32(rows)), append(lengths, int32(r.keys[s]))
	}
	slots := rows
	o := &compute.Attention{Scale: 0.3, Causal: r.causal, Window: r.window}
	if r.block > 0 {
		most, used := 1, 0
		for _, k := range r.keys {
			most = max(most, (k+r.block-1)/r.block)
		}
		table := make([]int32, len(r.keys)*most)
		for s, k := range r.keys {
			used += (k + r.block - 1) / r.block
			_ = s
		}
		next := used - 1 // blocks handed out from the end: never in order
		for s, k := range r.keys {
			for i := range (k + r.block - 1) / r.block {
				table[s*most+i] = int32(next)
				next--
			}
		}
		slots = max(used, 1) * r.block
		o.Blocks, o.BlockSize = b.Ints(table, len(r.keys), most), r.block
	}
	o.Q, o.K, o.V = b.Normal(1, rows, r.heads, r.head), b.Normal(1, slots, r.kv, r.head), b.Normal(1, slots, r.kv, r.head)
	o.Out = b.Normal(1, rows, r.heads, r.head)
	o.QueryStart, o.KeyLength = b.Ints(starts), b.Ints(lengths)
	if gradients || r.block == 0 {
		o.LogSumExp = b.Zero(dtype.F32, rows, r.heads)
	}
	return o
}

func attentionCases() []Case {
	var cases []Case
	for _, r := range layouts() {
		cases = append(cases, Case{Name: "attention/" + r.name, Make: func(b *Build) compute.Op { return r.build(b, false) }, Tolerance: 5e-6, gradient: gradientOf(r.block > 0)})
		cases = append(cases, Case{Name: "attention_bf16/" + r.name, Make: func(b *Build) compute.Op {
			o := r.build(b, false)
			o.BF16 = true
			return o
		}, Tolerance: 2e-2, gradient: rounds})
		if r.block > 0 {
			continue
		}
		floor := 0.0
		if r.window == 1 || r.name == "one" {
			floor = 1 // one key: the gradients of q and k are 0, what is left is rounding
		}
		cases = append(cases, Case{Floor: floor, Name: fmt.Sprintf("attention_backward/%s", r.name), Make: func(b *Build) compute.Op {
			f := r.build(b, true)
			b.stream.Launch(f)
			return &compute.AttentionBackward{Attention: *f, DOut: b.Normal(1, f.Q.Shape...), DQ: b.Normal(1, f.Q.Shape...), DK: b.Normal(1, f.K.Shape...), DV: b.Normal(1, f.K.Shape...)}
		}, Tolerance: 1e-5, gradient: rounds})
		cases = append(cases, Case{Floor: floor, Name: fmt.Sprintf("attention_backward_bf16/%s", r.name), Make: func(b *Build) compute.Op {
			f := r.build(b, true)
			b.stream.Launch(f) // exact: only the gradient's own rounding is compared
			f.BF16 = true
			return &compute.AttentionBackward{Attention: *f, DOut: b.Normal(1, f.Q.Shape...), DQ: b.Normal(1, f.Q.Shape...), DK: b.Normal(1, f.K.Shape...), DV: b.Normal(1, f.K.Shape...)}
		}, Tolerance: 3e-2, gradient: rounds})
	}
	return cases
}
