package nn

import (
	"fmt"
	"math"

	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// Decoder is a Spec with its weights.
type Decoder struct {
	Spec        Spec
	parameters  model.Parameters
	frequencies *compute.Tensor // [rotary/2] radians per position
}

// New makes a decoder of given weights. Every weight of the Spec must be there in its shape, and no other.
func New(b compute.Backend, s Spec, weights map[string]*compute.Tensor) (*Decoder, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	d := &Decoder{Spec: s, frequencies: compute.NewTensor(b, dtype.F32, s.Attention.RoPE.Rotary/2)}
	for _, w := range s.Weights() {
		t := weights[w.Name]
		if t == nil {
			return nil, fmt.Errorf("weight %s %v is missing", w.Name, w.Shape)
		}
		if fmt.Sprint(t.Shape) != fmt.Sprint(w.Shape) {
			return nil, fmt.Errorf("weight %s is %v, expected %v", w.Name, t.Shape, w.Shape)
		}
		d.parameters.Add(w.Name, t)
	}
	if extra := len(weights) - len(d.parameters.All()); extra > 0 {
		for name := range weights {
			if d.parameters.Get(name) == nil {
				return nil, fmt.Errorf("weight %s is not part of this model", name)
			}
		}
	}
	r := s.Attention.RoPE
	frequencies := make([]float32, r.Rotary/2)
	for p := range frequencies {
		frequencies[p] = float32(math.Pow(r.Theta, -2*float64(p)/float64(r.Rotary)))
	}
	stream := b.NewStream()
	stream.Write(d.frequencies, compute.HostBytes(frequencies))
	return d, stream.Err()
}

// Info implements model.Model.
func (d *Decoder) Info() model.Info {
	s := d.Spec
	return model.Info{Family: s.Family, Vocab: s.Vocab, Hidden: s.Hidden, Layers: s.Layers, Heads: s.Attention.Heads,
		KVHeads: s.Attention.KVHeads, HeadSize: s.Attention.HeadSize, Context: s.Context}
}

// Parameters implements model.Model.
func (d *Decoder) Parameters() *model.Parameters { return &d.parameters }

// Head implements model.Model.
func (d *Decoder) Head() *compute.Tensor {
	if d.Spec.TiedEmbedding {
		return d.parameters.Get("embedding")
	}
	return d.parameters.Get("head")
}

// Forward implements model.Model.
func (d *Decoder) Forward(p *model.Pass, b *model.Batch) (*compute.Tensor, error) {
	block := 0
	if p.Cache != nil {
		block = p.Cache.BlockSize
	}
	if err := b.Check(d.Spec.Vocab, block); err != nil {
		return nil, err
	}
	f, err := d.prepare(p, b)
	if err != nil {
		return nil, err
	}
	x := f.Tensor(f.rows, d.Spec.Hidden)
	f.Launch(&compute.Gather{Table: d.parameters.Get("embedding"), Index: f.Ints(b.IDs), Out: x})
	for l := range d.Spec.Layers {
		at := fmt.Sprintf("layers.%d.", l)
		x = d.attention(f, l, at, x)
		x = d.feedForward(f, at, x)
	}
	return f.norm("norm", x), nil
}

// attention is x + o(attend(rope(q), rope(k), v)) of the normed x.
func (d *Decoder) attention(f *forward, layer int, at string, x *compute.Tensor) *compute.Tensor {
	a := d.Spec.Attention
	h := f.norm(at+"attention_norm", x)
	q := f.linear(at+"attention.q", h, nil).View(f.rows, a.Heads, a.HeadSize)
	k := f.linear(at+"attention.k", h, nil).View(f.rows, a.KVHeads, a.HeadSize)
	v := f.linear(at+"attention.v", h, nil).View(f.rows, a.KVHeads, a.HeadSize)
	if a.RoPE.Rotary > 0 {
		for _, t := range []*compute.Tensor{q, k} {
			f.Launch(&compute.RoPE{X: t, Positions: f.positions, Frequencies: d.frequencies, Interleaved: a.RoPE.Interleaved})
		}
	}
	out := f.Tensor(f.rows, a.Heads, a.HeadSize)
	op := &compute.Attention{Q: q, K: k, V: v, Out: out, QueryStart: f.queryStart, KeyLength: f.keyLength,
		Scale: float32(1 / math.Sqrt(float64(a.HeadSize))), Causal: true, Window: a.Window, BF16: f.BF16}
	if f.Cache != nil {
		f.Launch(&compute.Scatter{X: k, Index: f.slots, Out: f.Cache.Keys[layer]})
		f.Launch(&compute.Scatter{X: v, Index: f.slots, Out: f.Cache.Values[layer]})
		op.K, op.V, op.Blocks, op.BlockSize = f.Cache.Keys[layer], f.Cache.Values[layer], f.blocks, f.Cache.BlockSize
	}
	if f.Training() {
		op.LogSumExp = f.Tensor(f.rows, a.Heads)
	}
	f.Launch(op)
	return f.linear(at+"attention.o", out.View(f.rows, a.Heads*a.HeadSize), x)
}

// feedForward is x + down(silu(gate(h)) · up(h)) of the normed x.
func (d *Decoder) feedForward(f *forward, at string, x *compute.Tensor) *compute.Tensor {
	h := f.norm(at+"feed_forward_norm", x)
	gate, up := f.linear(at+"feed_forward.gate", h, nil), f.linear(at+"feed_forward.up", h, nil)
	inner := f.Tensor(gate.Shape...)
	f.Launch(&compute.SwiGLU{Gate: gate, Up: up, Out: inner})
	return f.linear(at+"feed_forward.down", inner, x)
}
