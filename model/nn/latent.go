package nn

import (
	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// latent are the weights of latent attention.
type latent struct {
	qA, qB, kvA   weight // qA has no matrix where queries are made of the stream
	qNorm, kvNorm *norm
	kB            *compute.Tensor // [heads, rank, head without rotary part]: a query becomes one of latents
	vB            *compute.Tensor // [heads, value, rank]: a mixture of latents becomes one of values
}

func (d *Decoder) latent(a *Attention, at string) *latent {
	l := &latent{qB: d.weight(at + "attention.q"), kvA: d.weight(at + "attention.kv_a"),
		kvNorm: d.norm(true, a.Latent.Norm, at+"attention.kv_a_norm"), kB: d.parameters.Get(at + "attention.k_b"), vB: d.parameters.Get(at + "attention.v_b")}
	if a.Latent.QueryRank > 0 {
		l.qA, l.qB = d.weight(at+"attention.q_a"), d.weight(at+"attention.q_b")
		l.qNorm = d.norm(true, a.Latent.Norm, at+"attention.q_a_norm")
	}
	return l
}

// latentAttention is what the heads bring [rows, heads · value size].
//
// A head's score is q·(K c) + r·s, with c a key's latent, s its rotary part, and q, r those of the query. It is computed as
// (Kᵀ q)·c + r·s: the query goes into the space of latents, in which all heads see the same keys, so that nothing is made of the
// past and the cache holds c and s. Values are mixed as latents too, and v_b makes values of the mixture. Prefill, decoding and
// training have this one form.
func (f *forward) latentAttention(w *layer, number int, h *compute.Tensor) *compute.Tensor {
	a, l := &w.Attention, w.latent
	heads, rank, turned := a.Heads, a.Latent.Rank, a.RoPE.Rotary
	from := h
	if l.qNorm != nil {
		from = f.norm(l.qNorm, f.linear(&l.qA, h, nil, 1))
	}
	still, q := f.split(f.linear(&l.qB, from, nil, 1).View(f.rows*heads, a.HeadSize), a.HeadSize-turned)
	c, k := f.split(f.linear(&l.kvA, h, nil, 1), rank)
	c = f.norm(l.kvNorm, c)
	f.turn(w.rotation, q.View(f.rows, heads, turned))
	f.turn(w.rotation, k.View(f.rows, 1, turned))
	query := f.beside(f.eachHead(l.kB, still), q).View(f.rows, heads, rank+turned)
	key := f.beside(c, k).View(f.rows, 1, rank+turned)
	mixed := f.attend(w, number, query, key, c.View(f.rows, 1, rank))
	return f.eachHead(l.vB, mixed.View(f.rows*heads, rank)).View(f.rows, heads*a.Values())
}

// split are the first columns of x and the others.
func (f *forward) split(x *compute.Tensor, first int) (left, right *compute.Tensor) {
	left, right = f.Tensor(x.Rows(), first), f.Tensor(x.Rows(), x.Columns()-first)
	model.Launch(f.Pass, compute.Split{X: x, Left: left, Right: right})
	return left, right
}

// beside has the columns of left, then those of right.
func (f *forward) beside(left, right *compute.Tensor) *compute.Tensor {
	out := f.Tensor(left.Rows(), left.Columns()+right.Columns())
	model.Launch(f.Pass, compute.Join{Left: left, Right: right, Out: out})
	return out
}

// headOrder has the rows of a batch counted head by head instead of row by row.
type headOrder struct {
	count            int
	to, back, starts *compute.Tensor // nil where a batch has one row, whose two orders are one
}

// eachHead is x[i, h]·W[h]ᵀ for rows x [rows · heads, in] and W [heads, out, in].
func (f *forward) eachHead(w, x *compute.Tensor) *compute.Tensor {
	heads := w.Shape[0]
	f.countHeads(heads)
	if f.rows > 1 {
		x = f.gathered(x, f.order.to)
	}
	out := f.Tensor(f.rows*heads, w.Shape[1])
	model.Launch(f.Pass, compute.GroupedMatMul{A: x, B: w, Starts: f.order.starts, Out: out, Fast: f.Precision == model.Fast, BF16: f.BF16})
	if f.rows > 1 {
		out = f.gathered(out, f.order.back)
	}
	return out
}

// countHeads makes the orders of a number of heads, once for all layers that have as many.
func (f *forward) countHeads(heads int) {
	if f.order.count == heads {
		return
	}
	f.order = headOrder{count: heads}
	starts, to, back := f.Arena.Int32s(heads+1), f.Arena.Int32s(f.rows*heads), f.Arena.Int32s(f.rows*heads)
	for h := range heads {
		starts[h+1] = int32((h + 1) * f.rows)
		for i := range f.rows {
			to[h*f.rows+i], back[i*heads+h] = int32(i*heads+h), int32(h*f.rows+i)
		}
	}
	starts[0] = 0
	f.order.starts = f.Ints(starts)
	if f.rows > 1 {
		f.order.to, f.order.back = f.Ints(to), f.Ints(back)
	}
}

// gathered are chosen rows of x.
func (f *forward) gathered(x, index *compute.Tensor) *compute.Tensor {
	out := f.Arena.Tensor(dtype.F32, index.Elements(), x.Columns())
	model.Launch(f.Pass, compute.Gather{Table: x, Index: index, Out: out})
	return out
}
