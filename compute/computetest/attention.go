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
	gone            bool // blocks that no query sees are −1
	causal          bool

	value         int     // size of a head of V; 0: as of K
	prefix        []int32 // keys that all queries of a sequence see
	softcap       float32
	slopes, sinks bool
	kind          dtype.Type // of K and V; 0: float32
	bits          int        // of the codes of a quantised cache
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
		{name: "paged_window_gone", queries: []int{9, 1, 3, 40}, keys: []int{400, 1500, 40, 700}, heads: 4, kv: 1, head: 32, block: 16, causal: true, window: 50, gone: true},
		{name: "paged_window_gone_bf16", queries: []int{1, 33}, keys: []int{900, 600}, heads: 6, kv: 2, head: 64, block: 32, causal: true, window: 300, gone: true, kind: dtype.BF16},
		{name: "paged_window_gone_int8", queries: []int{1, 33}, keys: []int{900, 600}, heads: 4, kv: 2, head: 40, block: 8, causal: true, window: 61, gone: true, slopes: true, kind: dtype.U8, bits: 8},
		{name: "no_keys", queries: []int{2, 3}, keys: []int{0, 3}, heads: 2, kv: 1, head: 8, block: 4, causal: true},
		{name: "more_queries_than_keys", queries: []int{5}, keys: []int{3}, heads: 2, kv: 1, head: 8, block: 4, causal: true},
		{name: "softcap", queries: []int{70, 3}, keys: []int{70, 3}, heads: 4, kv: 2, head: 16, causal: true, softcap: 2},
		{name: "softcap_window", queries: []int{90}, keys: []int{90}, heads: 2, kv: 2, head: 33, causal: true, softcap: 5, window: 20},
		{name: "alibi", queries: []int{70, 3}, keys: []int{70, 3}, heads: 6, kv: 3, head: 16, causal: true, slopes: true},
		{name: "alibi_bidirectional", queries: []int{40}, keys: []int{40}, heads: 2, kv: 1, head: 8, slopes: true, softcap: 3},
		{name: "sinks", queries: []int{70, 0, 3}, keys: []int{70, 0, 3}, heads: 4, kv: 2, head: 16, causal: true, sinks: true},
		{name: "sinks_window", queries: []int{40}, keys: []int{40}, heads: 2, kv: 1, head: 8, causal: true, sinks: true, window: 9},
		{name: "prefix", queries: []int{70, 30, 9}, keys: []int{70, 30, 9}, heads: 2, kv: 1, head: 16, causal: true, prefix: []int32{40, 0, 100}},
		{name: "prefix_window", queries: []int{70}, keys: []int{70}, heads: 2, kv: 1, head: 16, causal: true, prefix: []int32{40}, window: 20},
		{name: "latent", queries: []int{37}, keys: []int{37}, heads: 4, kv: 4, head: 192, value: 128, causal: true},
		{name: "latent_absorbed", queries: []int{9}, keys: []int{9}, heads: 8, kv: 1, head: 576, value: 512, causal: true},
		{name: "value_larger", queries: []int{50}, keys: []int{50}, heads: 2, kv: 1, head: 5, value: 40, causal: true},
		{name: "tiles", queries: []int{600}, keys: []int{600}, heads: 2, kv: 1, head: 16, causal: true},
		{name: "tiles_window", queries: []int{600}, keys: []int{600}, heads: 1, kv: 1, head: 16, causal: true, window: 300},
		{name: "tiles_everything", queries: []int{530}, keys: []int{530}, heads: 2, kv: 1, head: 12, causal: true, window: 270, softcap: 4, slopes: true, sinks: true, value: 20},
		{name: "head1", queries: []int{20}, keys: []int{20}, heads: 3, kv: 1, head: 1, causal: true},
		{name: "head80", queries: []int{20}, keys: []int{20}, heads: 2, kv: 1, head: 80, causal: true},
		{name: "head96", queries: []int{20}, keys: []int{20}, heads: 2, kv: 2, head: 96, causal: true},
		{name: "head112", queries: []int{20}, keys: []int{20}, heads: 2, kv: 2, head: 112, causal: true},
		{name: "head256", queries: []int{20}, keys: []int{20}, heads: 2, kv: 1, head: 256, causal: true},
		{name: "decode", queries: []int{1, 1, 2}, keys: []int{1500, 3, 700}, heads: 6, kv: 2, head: 64, block: 16, causal: true},
		{name: "decode_everything", queries: []int{1, 3}, keys: []int{900, 1100}, heads: 4, kv: 2, head: 33, value: 17, block: 16, causal: true, window: 800, softcap: 4, slopes: true, sinks: true},
		{name: "f16", queries: []int{1, 40}, keys: []int{800, 70}, heads: 4, kv: 2, head: 64, block: 16, causal: true, kind: dtype.F16},
		{name: "f16_rows", queries: []int{40}, keys: []int{40}, heads: 4, kv: 2, head: 20, causal: true, kind: dtype.F16},
		{name: "bf16", queries: []int{1, 40}, keys: []int{800, 70}, heads: 4, kv: 2, head: 64, block: 16, causal: true, kind: dtype.BF16},
		{name: "bf16_odd", queries: []int{1, 40}, keys: []int{80, 70}, heads: 3, kv: 1, head: 37, value: 5, block: 7, causal: true, kind: dtype.BF16},
		{name: "int8", queries: []int{1, 40}, keys: []int{800, 70}, heads: 4, kv: 2, head: 64, block: 16, causal: true, kind: dtype.U8, bits: 8},
		{name: "int8_odd", queries: []int{1, 40}, keys: []int{80, 70}, heads: 3, kv: 1, head: 37, block: 7, causal: true, kind: dtype.U8, bits: 8},
		{name: "int4", queries: []int{1, 40}, keys: []int{800, 70}, heads: 4, kv: 2, head: 64, block: 16, causal: true, kind: dtype.U8, bits: 4},
		{name: "int4_odd", queries: []int{1, 40}, keys: []int{80, 70}, heads: 3, kv: 1, head: 37, value: 40, block: 7, causal: true, kind: dtype.U8, bits: 4},
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
				if r.gone && (i+1)*r.block <= k-r.queries[s]+1-r.window {
					table[s*most+i] = -1
				}
			}
		}
		slots = max(used, 1) * r.block
		o.Blocks, o.BlockSize = b.Ints(table, len(r.keys), most), r.block
	}
	value := r.value
	if value == 0 {
		value = r.head
	}
	o.Q, o.Out = b.Normal(1, rows, r.heads, r.head), b.Normal(1, rows, r.heads, value)
	o.K, o.KScale = r.cache(b, slots, r.head)
	o.V, o.VScale = r.cache(b, slots, value)
	o.Softcap = r.softcap
	if r.slopes {
		o.Slopes = b.Normal(0.1, r.heads)
	}
	if r.sinks {
		o.Sinks = b.Normal(1, r.heads)
	}
	if r.prefix != nil {
		o.Prefix = b.Ints(r.prefix)
	}
	o.QueryStart, o.KeyLength = b.Ints(starts), b.Ints(lengths)
	if gradients || r.block == 0 {
		o.LogSumExp = b.Zero(dtype.F32, rows, r.heads)
	}
	return o
}

// cache makes keys or values of the layout's type.
func (r *ragged) cache(b *Build, slots, head int) (x, scale *compute.Tensor) {
	switch {
	case r.kind == dtype.Invalid:
		return b.Normal(1, slots, r.kv, head), nil
	case r.kind != dtype.U8:
		return b.Packed(r.kind, 1, slots, r.kv, head), nil
	}
	stored, most := head, int32(256)
	if r.bits == 4 {
		stored, most = (head+1)/2, 256
	}
	codes := make([]byte, slots*r.kv*stored)
	for i, c := range b.Below(len(codes), 0, most) {
		codes[i] = byte(c)
	}
	x = b.Zero(dtype.U8, slots, r.kv, stored)
	b.stream.Write(x, codes)
	scales := make([]float32, slots*r.kv*2)
	for i := 0; i < len(scales); i += 2 {
		width := 1 + float32(b.random.Float64())
		scales[i], scales[i+1] = width*4/(float32(int(1)<<r.bits)-1), -width*2
	}
	return x, b.Set(b.Zero(dtype.F32, slots, r.kv, 2), scales)
}

// backward is the gradient of an attention that has run.
func backward(b *Build, f *compute.Attention) *compute.AttentionBackward {
	o := &compute.AttentionBackward{Forward: *f, DOut: b.Normal(1, f.Out.Shape...), DQ: b.Normal(1, f.Q.Shape...), DK: b.Normal(1, f.K.Shape...), DV: b.Normal(1, f.V.Shape...)}
	if f.Sinks != nil {
		o.DSinks = b.Normal(1, f.Sinks.Shape...)
	}
	return o
}

func attentionCases() []Case {
	var cases []Case
	for _, r := range layouts() {
		cases = append(cases, Case{Name: "attention/" + r.name, Make: func(b *Build) compute.Op { return r.build(b, false) }, Tolerance: 5e-6, gradient: gradientOf(r.block > 0 || r.slopes || r.kind != dtype.Invalid)}) // slopes have no gradient
		cases = append(cases, Case{Name: "attention_bf16/" + r.name, Make: func(b *Build) compute.Op {
			o := r.build(b, false)
			o.BF16 = true
			return o
		}, Tolerance: 2e-2, gradient: rounds, finite: true})
		if r.block > 0 || r.kind != dtype.Invalid {
			continue
		}
		floor := 0.0
		if r.window == 1 || r.name == "one" || r.head == 1 {
			floor = 1 // one key: the gradients of q and k are 0, what is left is rounding
		}
		cases = append(cases, Case{Floor: floor, Name: fmt.Sprintf("attention_backward/%s", r.name), Make: func(b *Build) compute.Op {
			f := r.build(b, true)
			b.stream.Launch(f)
			return backward(b, f)
		}, Tolerance: 1e-5, gradient: rounds, finite: true})
		cases = append(cases, Case{Floor: floor, Name: fmt.Sprintf("attention_backward_bf16/%s", r.name), Make: func(b *Build) compute.Op {
			f := r.build(b, true)
			b.stream.Launch(f) // exact: only the gradient's own rounding is compared
			f.BF16 = true
			return backward(b, f)
		}, Tolerance: 3e-2, gradient: rounds, finite: true})
	}
	return cases
}
