package nn

import (
	"fmt"
	"slices"

	"lian/compute"
	"lian/model"
)

// SelfExtend lets a model read texts longer than it was made for, without training: the last Window keys stand where they are, keys
// further back where their group of Group positions stands, so that no distance is larger than the model knows. The context becomes
// (Context − Window)·Group + Window. Keys are cached both ways, and a query attends to near and to far keys apart. Source: Jin et al.,
// arXiv 2401.01325.
type SelfExtend struct{ Group, Window int }

// ExtendContext turns self-extend on. It refuses models whose positions are not those of a rotary embedding alone.
func (d *Decoder) ExtendContext(e SelfExtend) error {
	s := &d.Spec
	switch {
	case e.Group < 2:
		return fmt.Errorf("self-extend: the group is %d, expected 2 or more", e.Group)
	case e.Window < 1 || e.Window >= s.Context:
		return fmt.Errorf("self-extend: the window is %d, expected 1 to %d, less than the model's context", e.Window, s.Context-1)
	case s.SelfExtend.Group > 0:
		return fmt.Errorf("self-extend is on already")
	case s.Positions > 0:
		return fmt.Errorf("self-extend: this model has learned positions; only those of rotary embeddings can be grouped")
	}
	for l := range s.Layers {
		if a := &s.Layer(l).Attention; a.Latent.Rank > 0 || a.ALiBi.Rule != NoALiBi || a.RoPE.Rotary == 0 || a.Window > 0 || a.RoPE.threshold() > 0 {
			return fmt.Errorf("self-extend: layer %d has no plain rotary attention over all keys (latent, biases, no rotation, a window, or a rotation that depends on the length)", l)
		}
	}
	s.SelfExtend = e
	s.Context = (s.Context-e.Window)*e.Group + e.Window
	return nil
}

// grouped are a batch's positions by their groups, and how many keys each sequence's last query has far behind it.
type grouped struct{ queries, keys, far *compute.Tensor }

func (e SelfExtend) group(p *model.Pass, b *model.Batch) grouped {
	queries, keys, far := slices.Clone(b.Positions), slices.Clone(b.Positions), slices.Clone(b.KeyLength)
	for i := range keys {
		keys[i] /= int32(e.Group)
		queries[i] = keys[i] + int32(e.Window-e.Window/e.Group)
	}
	for i := range far {
		far[i] = max(far[i]-int32(e.Window), 0)
	}
	return grouped{p.Ints(queries), p.Ints(keys), p.Ints(far)}
}

// extendedAttention is attention with near keys where they are and far ones in groups.
func (d *Decoder) extendedAttention(f *forward, number int, q, k, v *compute.Tensor) *compute.Tensor {
	w := &d.layers[number]
	a, size := &w.Attention, w.Attention.HeadSize
	both := func(n *norm, x *compute.Tensor, heads int, groups *compute.Tensor) (near, far *compute.Tensor) {
		again := f.scaled(x, 1) // turning is in place
		return f.turned(w, n, x, heads, f.positions), f.turned(w, n, again, heads, groups)
	}
	nearQ, farQ := both(w.qNorm, q, a.Heads, f.groups.queries)
	nearK, farK := both(w.kNorm, k, a.KVHeads, f.groups.keys)
	beside := func(left, right *compute.Tensor, heads int) *compute.Tensor {
		out := f.Tensor(f.rows, heads, 2*size)
		model.Launch(f.Pass, compute.Join{Left: left, Right: right, Out: out})
		return out
	}
	keys := beside(nearK, farK, a.KVHeads)
	near := f.attentionOf(w, number, beside(f.longScaled(a, nearQ), nil, a.Heads), keys, v)
	near.Window, near.LogSumExp = d.Spec.SelfExtend.Window, f.Tensor(f.rows, a.Heads)
	model.Launch(f.Pass, near)
	far := near
	far.Q, far.Window, far.Sinks, far.KeyLength = beside(nil, f.longScaled(a, farQ), a.Heads), 0, nil, f.groups.far
	far.Out, far.LogSumExp = f.Tensor(near.Out.Shape...), f.Tensor(f.rows, a.Heads)
	model.Launch(f.Pass, far)
	model.Launch(f.Pass, compute.AttentionMerge{A: near.Out, B: far.Out, ASum: near.LogSumExp, BSum: far.LogSumExp, Out: near.Out})
	return f.brought(near.Out)
}
