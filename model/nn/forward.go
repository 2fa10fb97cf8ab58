package nn

import (
	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// forward is one run of Forward: the pass, and the batch as the backend sees it.
type forward struct {
	*model.Pass
	d    *Decoder
	rows int

	positions, queryStart, keyLength *compute.Tensor
	slots, blocks                    *compute.Tensor // with a cache
}

func (d *Decoder) prepare(p *model.Pass, b *model.Batch) (*forward, error) {
	f := compute.New[forward](p.Arena)
	*f = forward{Pass: p, d: d, rows: b.Rows(), positions: p.Ints(b.Positions), queryStart: p.Ints(b.QueryStart), keyLength: p.Ints(b.KeyLength)}
	if p.Cache == nil {
		return f, nil
	}
	slots, err := p.Cache.Slots(b, p.Arena.Int32s(b.Rows())[:0])
	if err != nil {
		return nil, err
	}
	f.slots = p.Ints(slots)
	most := 1
	for _, blocks := range b.Blocks {
		most = max(most, len(blocks))
	}
	table := p.Arena.Int32s(b.Sequences() * most)
	for s, blocks := range b.Blocks {
		copy(table[s*most:], blocks)
	}
	f.blocks = p.Arena.Tensor(dtype.I32, b.Sequences(), most)
	p.Stream.Write(f.blocks, compute.HostBytes(table))
	return f, nil
}

// rounded is x as a cache of this precision holds it.
func (f *forward) rounded(x *compute.Tensor) *compute.Tensor {
	out := f.Arena.Tensor(f.Precision.CacheType(), x.Shape...)
	model.Launch(f.Pass, compute.Cast{X: x, Out: out})
	return out
}

// norm is RMSNorm.
func (f *forward) norm(weight, x *compute.Tensor) *compute.Tensor {
	out := f.Tensor(x.Shape...)
	model.Launch(f.Pass, compute.RMSNorm{X: x, Weight: weight, Out: out, Epsilon: f.d.Spec.NormEpsilon})
	return out
}

// linear is x·Wᵀ + bias + residual, and what the pass's adapter adds.
func (f *forward) linear(w *weight, x, residual *compute.Tensor) *compute.Tensor {
	out := f.Tensor(x.Rows(), w.matrix.Shape[0])
	model.Launch(f.Pass, compute.MatMul{A: x, B: w.matrix, Out: out, TransB: true, Bias: w.bias, Residual: residual,
		Fast: f.Precision == model.Fast, BF16: f.BF16})
	if f.Adapter != nil {
		f.Adapter.Apply(f.Pass, w.name, x, out)
	}
	return out
}
