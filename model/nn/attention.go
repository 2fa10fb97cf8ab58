package nn

import (
	"math"

	"lian/compute"
	"lian/model"
)

// attention is what the heads bring [rows, heads · value size], before the output product.
func (d *Decoder) attention(f *forward, number int, h *compute.Tensor) *compute.Tensor {
	w := &d.layers[number]
	a := &w.Attention
	if w.latent != nil {
		return f.latentAttention(w, number, h)
	}
	made := f.products(h, &w.q, &w.k, &w.v)
	q, k, v := made[0], made[1], f.clipped(a, made[2]).View(f.rows, a.KVHeads, a.Values())
	var inner *compute.Tensor
	if d.Spec.SelfExtend.Group > 0 {
		inner = d.extendedAttention(f, number, q, k, v)
	} else {
		q, k = f.turned(w, w.qNorm, q, a.Heads, f.positions), f.turned(w, w.kNorm, k, a.KVHeads, f.positions)
		inner = f.attend(w, number, f.longScaled(a, q), k, v)
	}
	if w.attentionInner != nil {
		inner = f.norm(w.attentionInner, inner)
	}
	return inner
}

// turned is a product's rows [rows, heads, size] as queries or keys: normed, clamped and turned as the switches say, by these positions.
func (f *forward) turned(w *layer, n *norm, x *compute.Tensor, heads int, positions *compute.Tensor) *compute.Tensor {
	a := &w.Attention
	if !a.NormAfterRoPE {
		x = f.headNorm(n, a, x, heads)
	}
	x = f.clipped(a, x).View(f.rows, heads, a.HeadSize)
	if w.rotation >= 0 {
		f.turnAt(w.rotation, x, positions)
	}
	if a.NormAfterRoPE {
		x = f.headNorm(n, a, x.View(f.rows, heads*a.HeadSize), heads).View(f.rows, heads, a.HeadSize)
	}
	return x
}

func (f *forward) clipped(a *Attention, x *compute.Tensor) *compute.Tensor {
	if a.Clip == 0 {
		return x
	}
	out := f.Tensor(x.Shape...)
	model.Launch(f.Pass, compute.Clip{X: x, Out: out, Low: -a.Clip, High: a.Clip})
	return out
}

// headNorm is rows [rows, heads · size] normed as HeadNorm says.
func (f *forward) headNorm(n *norm, a *Attention, x *compute.Tensor, heads int) *compute.Tensor {
	switch a.HeadNorm {
	case AllHeads:
		x = f.norm(n, x)
	case EachHead:
		x = f.norm(n, x.View(f.rows*heads, a.HeadSize))
	case EachOwnHead:
		bare := norm{Norm: n.Norm}
		x = f.norm(&bare, x.View(f.rows*heads, a.HeadSize)).View(f.rows, heads*a.HeadSize)
		if n.gain != nil {
			out := f.Tensor(x.Shape...)
			model.Launch(f.Pass, compute.Mul{A: x, B: n.gain, Out: out})
			x = out
		}
	}
	return x
}

// attend is softmax(q·k)·v over the cache, or over the batch's own keys.
func (f *forward) attend(w *layer, number int, q, k, v *compute.Tensor) *compute.Tensor {
	op := f.attentionOf(w, number, q, k, v)
	if f.Training() {
		op.LogSumExp = f.Tensor(f.rows, w.Attention.Heads)
	}
	model.Launch(f.Pass, op)
	if f.Taps.Attention != nil {
		seen := op // a copy, so that op stays where it is when nobody looks
		f.Taps.Attention(number, &seen)
	}
	return f.brought(op.Out)
}

// attentionOf is a layer's attention, its keys and values written where it reads them; brought is what its result says.
func (f *forward) attentionOf(w *layer, number int, q, k, v *compute.Tensor) compute.Attention {
	a, size := &w.Attention, v.Columns()
	kv := f.kvType()
	v = f.spread(kv, v)
	op := compute.Attention{Q: q, K: k, V: v, Out: f.Tensor(f.rows, a.Heads, size), QueryStart: f.queryStart, KeyLength: f.keyLength,
		Scale: w.scale, Causal: true, Window: a.Window, Softcap: a.Softcap, Slopes: w.slopes, Sinks: w.sinks, BF16: f.BF16}
	if c := f.Cache; c != nil {
		at := f.cached[c.GroupOf[number]]
		op.K, op.KScale, op.V, op.VScale = c.Keys[number], c.KeyScales[number], c.Values[number], c.ValueScales[number]
		model.Launch(f.Pass, compute.KVWrite{X: k, Index: at.slots, Out: op.K, Scales: op.KScale})
		model.Launch(f.Pass, compute.KVWrite{X: v, Index: at.slots, Out: op.V, Scales: op.VScale})
		op.Blocks, op.BlockSize = at.blocks, c.BlockSize
	} else if kv != model.KVF32 { // scores are those of generation
		keys, values := kv.Columns(model.CacheShape{KeySize: k.Columns(), ValueSize: size})
		op.K, op.KScale = f.kept(kv, k, keys)
		op.V, op.VScale = f.kept(kv, v, values)
	}
	return op
}

// brought is what the heads of an attention bring [rows, heads · value size], from its result over values as they are kept.
func (f *forward) brought(out *compute.Tensor) *compute.Tensor {
	return f.spread(f.kvType(), out).View(f.rows, out.Shape[1]*out.Shape[2])
}

// scale is what scores are multiplied by.
func (a *Attention) scale() float32 {
	if a.Scale != 0 {
		return a.Scale
	}
	return float32(1 / math.Sqrt(float64(a.HeadSize)))
}

// slopes are the linear biases' slopes by head, nil for none. Sources: Press et al., arXiv 2108.12409, and the code of BLOOM and MPT.
func (a *Attention) slopes() []float32 {
	if a.ALiBi.Rule == NoALiBi {
		return nil
	}
	most := a.ALiBi.Max
	if most == 0 {
		most = 8
	}
	// even are the slopes of n heads, a power of two: 2^(−most/n), 2^(−2·most/n) …
	even := func(n int) (list []float64) {
		for i := 1; i <= n; i++ {
			list = append(list, math.Exp2(-most*float64(i)/float64(n)))
		}
		return list
	}
	lower := 1
	for 2*lower <= a.Heads {
		lower *= 2
	}
	list := even(lower)
	if lower < a.Heads {
		var first, second []float64
		for i, s := range even(2 * lower) {
			if i%2 == 0 {
				first = append(first, s)
			} else {
				second = append(second, s)
			}
		}
		if a.ALiBi.Rule == ALiBiMPT {
			list = append(second, first...)
		} else {
			list = append(list, first...)
		}
	}
	out := make([]float32, a.Heads)
	for h := range out {
		out[h] = float32(list[h])
		if a.ALiBi.Scaled {
			out[h] *= a.scale()
		}
		if a.ALiBi.Twice {
			out[h] *= 2
		}
	}
	return out
}
