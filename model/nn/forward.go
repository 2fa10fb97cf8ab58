package nn

import (
	"cmp"

	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// forward is one run of Forward: the pass, and the batch as the backend sees it.
type forward struct {
	*model.Pass
	d     *Decoder
	batch *model.Batch
	rows  int

	positions, queryStart, keyLength *compute.Tensor
	cached                           []cached               // of each cache group
	cachedSpace                      [2]cached              // where those of most models lie
	turnings                         [mostRotations]turning // of the decoder's rotations
	order                            headOrder
	groups                           grouped            // with self-extend
	stream                           [2]*compute.Tensor // between layers, see memory.go
	waiting                          *compute.RMSNorm   // see branch.go
}

func (d *Decoder) prepare(p *model.Pass, b *model.Batch) (*forward, error) {
	f := compute.New[forward](p.Arena)
	p.AdaptRows(b, cmp.Or(p.Adapter, d.Adapter))
	*f = forward{Pass: p, d: d, batch: b, rows: b.Rows(), positions: p.Ints(b.Positions), queryStart: p.Ints(b.QueryStart), keyLength: p.Ints(b.KeyLength)}
	for i, r := range d.rotations {
		var err error
		if f.turnings[i], err = r.turning(p, b); err != nil {
			return nil, err
		}
	}
	if e := d.Spec.SelfExtend; e.Group > 0 {
		f.groups = e.group(p, b)
	}
	f.reserve()
	if p.Cache == nil {
		return f, nil
	}
	f.cached = f.cachedSpace[:0]
	for g := range p.Cache.Groups {
		c, err := cachedOf(p, b, g)
		if err != nil {
			return nil, err
		}
		f.cached = append(f.cached, c)
	}
	return f, nil
}

// cached is where a batch's keys lie in a cache group: the slots of its rows, and the blocks of its sequences.
type cached struct{ slots, blocks *compute.Tensor }

func cachedOf(p *model.Pass, b *model.Batch, group int) (c cached, err error) {
	slots, err := p.Cache.Slots(b, group, p.Arena.Int32s(b.Rows())[:0])
	if err != nil {
		return c, err
	}
	c.slots = p.Ints(slots)
	most := 1
	for _, blocks := range b.Blocks {
		most = max(most, len(blocks[group]))
	}
	table := p.Arena.Int32s(b.Sequences() * most)
	for s, blocks := range b.Blocks {
		copy(table[s*most:], blocks[group])
	}
	c.blocks = p.Arena.Tensor(dtype.I32, b.Sequences(), most)
	p.Stream.Write(c.blocks, compute.HostBytes(table))
	return c, nil
}

// kept are keys or values [rows, kv heads, size] as a cache holds them, a head in so many columns, with their scales if they have any.
func (f *forward) kept(kv model.KVType, x *compute.Tensor, columns int) (rows, scales *compute.Tensor) {
	rows = f.Arena.Tensor(kv.Element(), x.Shape[0], x.Shape[1], columns)
	if !kv.Coded() {
		model.Launch(f.Pass, compute.Cast{X: x, Out: rows})
		return rows, nil
	}
	order := f.Arena.Int32s(f.rows)
	for i := range order {
		order[i] = int32(i)
	}
	scales = f.Tensor(x.Shape[0], x.Shape[1], 2)
	model.Launch(f.Pass, compute.KVWrite{X: x, Index: f.Ints(order), Out: rows, Scales: scales})
	return rows, scales
}

// norm is x through a norm.
func (f *forward) norm(n *norm, x *compute.Tensor) *compute.Tensor {
	return f.normTo(f.Tensor(x.Shape...), n, x)
}

// gain is what a norm of x multiplies with.
func (f *forward) gain(n *norm, x *compute.Tensor) *compute.Tensor {
	if n.gain != nil {
		return n.gain
	}
	return f.d.ones.Slice(0, x.Columns())
}

// normTo is norm with a place for the result.
func (f *forward) normTo(out *compute.Tensor, n *norm, x *compute.Tensor) *compute.Tensor {
	f.settle()
	if n.Kind == LayerNorm {
		model.Launch(f.Pass, compute.LayerNorm{X: x, Weight: n.gain, Bias: n.bias, Out: out, Epsilon: n.Epsilon})
	} else {
		model.Launch(f.Pass, compute.RMSNorm{X: x, Weight: f.gain(n, x), Out: out, Epsilon: n.Epsilon, Offset: n.Offset})
	}
	return out
}

// linear is by · x·Wᵀ + bias + residual, and what adapters add to their rows.
func (f *forward) linear(w *weight, x, residual *compute.Tensor, by float32) *compute.Tensor {
	return f.linearTo(f.Tensor(x.Rows(), w.matrix.Shape[0]), w, x, residual, by)
}

// linearTo is linear with a place for the result.
func (f *forward) linearTo(out *compute.Tensor, w *weight, x, residual *compute.Tensor, by float32) *compute.Tensor {
	return f.product(out, w, x, residual, by, false)
}

// product is linearTo; of what a norm made, outliers stay float in Fast: a few channels are large in every row.
func (f *forward) product(out *compute.Tensor, w *weight, x, residual *compute.Tensor, by float32, normed bool) *compute.Tensor {
	f.settle()
	if f.Taps.Input != nil {
		f.Taps.Input(w.name, x)
	}
	if w.matrix.Packed != nil {
		model.Launch(f.Pass, compute.PackedMatMul{A: x, Weight: *w.matrix.Packed, Out: out, Alpha: by, Bias: w.bias, Residual: residual, Fast: f.Precision == model.Fast})
	} else {
		model.Launch(f.Pass, compute.MatMul{A: x, B: w.matrix, Out: out, TransB: true, Alpha: by, Bias: w.bias, Residual: residual,
			Fast: f.Precision == model.Fast, Outliers: normed, BF16: f.RoundsTo16(w.matrix)})
	}
	f.Adapt(w.name, x, out, by)
	return out
}

// join adds a branch to the stream x: its last product of inner (nil: inner is all of it), the norm after it, the scale of branches.
func (f *forward) join(b *layer, w *weight, inner *compute.Tensor, after *norm, x *compute.Tensor) *compute.Tensor {
	by := b.ResidualScale
	if by == 0 {
		by = 1
	}
	if w != nil && after == nil && (by == 1 || w.bias == nil) {
		return f.linearTo(f.beyond(x), w, inner, x, by)
	}
	out := inner
	if w != nil {
		out = f.linear(w, inner, nil, 1)
	}
	if after != nil {
		out = f.norm(after, out)
	}
	if by != 1 {
		out = f.scaled(out, by)
	}
	return f.sumTo(f.beyond(x), x, out)
}

func (f *forward) scaled(x *compute.Tensor, by float32) *compute.Tensor {
	out := f.Tensor(x.Shape...)
	model.Launch(f.Pass, compute.Scale{X: x, Out: out, By: by})
	return out
}

func (f *forward) sum(x, y *compute.Tensor) *compute.Tensor {
	return f.sumTo(f.Tensor(x.Shape...), x, y)
}

// sumTo is sum with a place for the result.
func (f *forward) sumTo(out, x, y *compute.Tensor) *compute.Tensor {
	model.Launch(f.Pass, compute.Add{A: x, B: y, Out: out})
	return out
}
