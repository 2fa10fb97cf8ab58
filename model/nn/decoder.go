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
	layers      []layer
	frequencies *compute.Tensor // [rotary/2] radians per position
}

// layer is the weights of a layer, looked up once.
type layer struct {
	attentionNorm, feedForwardNorm *compute.Tensor
	q, k, v, o, gate, up, down     weight
}

// weight is a product's matrix and bias, and the name that adapters know it by.
type weight struct {
	name         string
	matrix, bias *compute.Tensor // bias may be nil
}

func (d *Decoder) weight(name string) weight {
	return weight{name, d.parameters.Get(name), d.parameters.Get(name + ".bias")}
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
	for l := range s.Layers {
		at := fmt.Sprintf("layers.%d.", l)
		d.layers = append(d.layers, layer{
			attentionNorm: d.parameters.Get(at + "attention_norm"), feedForwardNorm: d.parameters.Get(at + "feed_forward_norm"),
			q: d.weight(at + "attention.q"), k: d.weight(at + "attention.k"), v: d.weight(at + "attention.v"), o: d.weight(at + "attention.o"),
			gate: d.weight(at + "feed_forward.gate"), up: d.weight(at + "feed_forward.up"), down: d.weight(at + "feed_forward.down"),
		})
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
	model.Launch(f.Pass, compute.Gather{Table: d.parameters.Get("embedding"), Index: f.Ints(b.IDs), Out: x})
	for l := range d.layers {
		x = d.attention(f, l, x)
		x = d.feedForward(f, &d.layers[l], x)
	}
	return f.norm(d.parameters.Get("norm"), x), nil
}

// attention is x + o(attend(rope(q), rope(k), v)) of the normed x.
func (d *Decoder) attention(f *forward, number int, x *compute.Tensor) *compute.Tensor {
	a, w := &d.Spec.Attention, &d.layers[number]
	h := f.norm(w.attentionNorm, x)
	q := f.linear(&w.q, h, nil).View(f.rows, a.Heads, a.HeadSize)
	k := f.linear(&w.k, h, nil).View(f.rows, a.KVHeads, a.HeadSize)
	v := f.linear(&w.v, h, nil).View(f.rows, a.KVHeads, a.HeadSize)
	if a.RoPE.Rotary > 0 {
		for _, t := range []*compute.Tensor{q, k} {
			model.Launch(f.Pass, compute.RoPE{X: t, Positions: f.positions, Frequencies: d.frequencies, Interleaved: a.RoPE.Interleaved})
		}
	}
	out := f.Tensor(f.rows, a.Heads, a.HeadSize)
	op := compute.Attention{Q: q, K: k, V: v, Out: out, QueryStart: f.queryStart, KeyLength: f.keyLength,
		Scale: float32(1 / math.Sqrt(float64(a.HeadSize))), Causal: true, Window: a.Window, BF16: f.BF16}
	if f.Cache != nil {
		model.Launch(f.Pass, compute.KVWrite{X: k, Index: f.slots, Out: f.Cache.Keys[number]})
		model.Launch(f.Pass, compute.KVWrite{X: v, Index: f.slots, Out: f.Cache.Values[number]})
		op.K, op.V, op.Blocks, op.BlockSize = f.Cache.Keys[number], f.Cache.Values[number], f.blocks, f.Cache.BlockSize
	}
	if f.Cache == nil && !f.Training() && f.Precision.CacheType() != op.K.Type { // what a cache would hold: scores are those of generation
		op.K, op.V = f.rounded(k), f.rounded(v)
	}
	if f.Training() {
		op.LogSumExp = f.Tensor(f.rows, a.Heads)
	}
	model.Launch(f.Pass, op)
	return f.linear(&w.o, out.View(f.rows, a.Heads*a.HeadSize), x)
}

// feedForward is x + down(silu(gate(h)) · up(h)) of the normed x.
func (d *Decoder) feedForward(f *forward, w *layer, x *compute.Tensor) *compute.Tensor {
	h := f.norm(w.feedForwardNorm, x)
	gate, up := f.linear(&w.gate, h, nil), f.linear(&w.up, h, nil)
	inner := f.Tensor(gate.Shape...)
	model.Launch(f.Pass, compute.Gated{Gate: gate, Up: up, Out: inner, Kind: compute.SiLU})
	return f.linear(&w.down, inner, x)
}
