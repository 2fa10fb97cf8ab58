package nn

import (
	"encoding/json"
	"fmt"
	"slices"

	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// Decoder is a Spec with its weights.
type Decoder struct {
	Spec       Spec
	Adapter    model.Adapter // of sequences whose batch and pass name none; nil: the model as it is
	parameters model.Parameters
	layers     []layer
	rotations  []*rotation // the different ones of all layers
	spreads    spreads

	embeddingNorm, finalNorm  *norm
	ones                      *compute.Tensor // the gain of a norm without one
	positions                 *compute.Tensor // nil: none
	embeddingIn, embeddingOut weight          // with an EmbeddingWidth
}

// layer is a layer's switches and its weights, looked up once.
type layer struct {
	*Block
	attentionNorm, feedForwardNorm         *norm // nil: none
	attentionPostNorm, feedForwardPostNorm *norm

	q, k, v, o       weight
	qNorm, kNorm     *norm
	attentionInner   *norm
	sinks, slopes    *compute.Tensor
	rotation         int // in rotations; −1: none
	scale            float32
	latent           *latent // nil: keys and values are cached as they are
	gate, up, down   weight
	feedForwardInner *norm
	experts          *experts // nil: one feed-forward for all tokens
}

// weight is a product's matrix and bias, and the name that adapters know it by.
type weight struct {
	name         string
	matrix, bias *compute.Tensor // bias may be nil
}

// norm is a norm's switches and weights, nil where it has none.
type norm struct {
	Norm
	gain, bias *compute.Tensor
}

func (d *Decoder) weight(name string) weight {
	return weight{name, d.parameters.Get(name), d.parameters.Get(name + ".bias")}
}

func (d *Decoder) norm(there bool, n Norm, name string) *norm {
	if !there {
		return nil
	}
	gain := d.parameters.Get(name)
	if gain != nil && len(gain.Shape) > 1 { // of each head
		gain = gain.View(gain.Elements())
	}
	return &norm{n, gain, d.parameters.Get(name + ".bias")}
}

// Shape makes a decoder of a Spec whose weights are a backend's as it allocates them: on a dry backend, one that only says what it needs.
func Shape(b compute.Backend, s Spec) (*Decoder, error) {
	weights := map[string]*compute.Tensor{}
	for _, w := range s.Weights() {
		weights[w.Name] = compute.NewTensor(b, dtype.F32, w.Shape...)
	}
	return New(b, s, weights)
}

// New makes a decoder of given weights. Every weight of the Spec must be there in its shape, and no other.
func New(b compute.Backend, s Spec, weights map[string]*compute.Tensor) (*Decoder, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	d := &Decoder{Spec: s, spreads: spreads{}}
	for _, w := range s.Weights() {
		t := weights[w.Name]
		if t == nil {
			return nil, fmt.Errorf("weight %s %v is missing", w.Name, w.Shape)
		}
		if !slices.Equal(t.Shape, w.Shape) {
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
	stream := b.NewStream()
	d.ones = constant(b, stream, slices.Repeat([]float32{1}, s.widest()))
	if s.FixedPositions {
		d.positions = constant(b, stream, s.sines()).View(s.Positions, s.Hidden)
	} else {
		d.positions = d.parameters.Get("positions")
	}
	for l := range s.Layers {
		if err := d.addLayer(b, stream, l); err != nil {
			return nil, fmt.Errorf("layer %d: %w", l, err)
		}
	}
	d.embeddingNorm = d.norm(s.EmbeddingNorm, s.Norm, "embedding_norm")
	d.finalNorm = d.norm(!s.NoFinalNorm, s.Norm, "norm")
	d.embeddingIn, d.embeddingOut = d.weight("embedding_in"), d.weight("embedding_out")
	return d, stream.Err()
}

func (d *Decoder) addLayer(b compute.Backend, stream compute.Stream, l int) error {
	block, at, n := d.Spec.Layer(l), fmt.Sprintf("layers.%d.", l), d.Spec.Norm
	a := &block.Attention
	headed := a.HeadNorm != NoHeadNorm
	w := layer{
		Block:         block,
		attentionNorm: d.norm(!block.NoPreNorm, n, at+"attention_norm"), attentionPostNorm: d.norm(block.PostNorm, n, at+"attention_post_norm"),
		feedForwardNorm:     d.norm(!block.NoPreNorm && !block.SharedNorm, n, at+"feed_forward_norm"),
		feedForwardPostNorm: d.norm(block.PostNorm, n, at+"feed_forward_post_norm"),
		q:                   d.weight(at + "attention.q"), k: d.weight(at + "attention.k"), v: d.weight(at + "attention.v"), o: d.weight(at + "attention.o"),
		qNorm: d.norm(headed, a.headNorm(&d.Spec), at+"attention.q_norm"), kNorm: d.norm(headed, a.headNorm(&d.Spec), at+"attention.k_norm"),
		attentionInner: d.norm(a.InnerNorm, n, at+"attention.inner_norm"), sinks: d.parameters.Get(at + "attention.sinks"), scale: a.scale(),
		gate: d.weight(at + "feed_forward.gate"), up: d.weight(at + "feed_forward.up"), down: d.weight(at + "feed_forward.down"),
		feedForwardInner: d.norm(block.FeedForward.InnerNorm, n, at+"feed_forward.inner_norm"),
	}
	if a.Latent.Rank > 0 {
		w.latent = d.latent(a, at)
	}
	if block.FeedForward.Experts.Count > 0 {
		w.experts = d.experts(at)
	}
	var err error
	if w.rotation, err = d.rotationOf(b, stream, a.RoPE); err != nil {
		return err
	}
	d.addSpread(b, stream, d.Spec.cacheShape(l).ValueSize)
	if slopes := a.slopes(); slopes != nil {
		w.slopes = constant(b, stream, slopes)
	}
	d.layers = append(d.layers, w)
	return nil
}

// constant is a vector that is no parameter.
func constant(b compute.Backend, s compute.Stream, values []float32) *compute.Tensor {
	t := compute.NewTensor(b, dtype.F32, len(values))
	s.Write(t, compute.HostBytes(values))
	return t
}

// Info implements model.Model.
func (d *Decoder) Info() model.Info {
	i := d.Spec.Info()
	if d.Adapter != nil {
		i.Adapter = d.Adapter.Key()
	}
	return i
}

// Switches are all that the model computes by beside its weights; equal ones are equal texts.
func (d *Decoder) Switches() string {
	text, err := json.Marshal(d.Spec)
	if err != nil {
		panic(err) // a Spec has numbers, texts and lists of them
	}
	return string(text)
}

// Info is what others need to know to run a model of this Spec.
func (s *Spec) Info() model.Info {
	return model.Info{Family: s.Family, Vocab: s.Vocab, Hidden: s.width(), Context: s.Context, Cache: s.CacheShapes(), LengthClass: s.lengthClass(), Extends: s.extends()}
}

// Parameters implements model.Model.
func (d *Decoder) Parameters() *model.Parameters { return &d.parameters }

// Head implements model.Model.
func (d *Decoder) Head() model.Head {
	name := "head"
	if d.Spec.TiedEmbedding {
		name = "embedding"
	}
	return model.Head{Weight: d.parameters.Get(name), Bias: d.parameters.Get("head.bias"), Scale: d.Spec.LogitScale, Softcap: d.Spec.LogitSoftcap}
}

// Forward implements model.Model.
func (d *Decoder) Forward(p *model.Pass, b *model.Batch) (*compute.Tensor, error) {
	if err := b.Check(d.Spec.Vocab, p.Cache); err != nil {
		return nil, err
	}
	f, err := d.prepare(p, b)
	if err != nil {
		return nil, err
	}
	x, err := d.embed(f, b)
	if err != nil {
		return nil, err
	}
	for l := range d.layers {
		if f.Taps.Hidden != nil {
			f.Taps.Hidden(l, x)
		}
		x = d.kept(f, l, x)
	}
	if f.Taps.Hidden != nil {
		f.Taps.Hidden(len(d.layers), x)
	}
	if d.finalNorm != nil {
		x = f.norm(d.finalNorm, x)
	}
	if d.Spec.EmbeddingWidth > 0 {
		x = f.linear(&d.embeddingOut, x, nil, 1)
	}
	return x, nil
}

// embed is the stream before the first layer.
func (d *Decoder) embed(f *forward, b *model.Batch) (*compute.Tensor, error) {
	s := &d.Spec
	x := f.Tensor(f.rows, s.width())
	model.Launch(f.Pass, compute.Gather{Table: d.parameters.Get("embedding"), Index: f.Ints(b.IDs), Out: x})
	f.AdaptEmbedding(b.IDs, x)
	if s.EmbeddingScale != 0 && s.EmbeddingScale != 1 {
		x = f.scaled(x, s.EmbeddingScale)
	}
	if s.EmbeddingWidth > 0 {
		x = f.linear(&d.embeddingIn, x, nil, 1)
	}
	if s.Positions > 0 {
		rows := f.Arena.Int32s(f.rows)
		for i, p := range b.Positions {
			if rows[i] = p + int32(s.PositionOffset); int(rows[i]) >= s.Positions {
				return nil, fmt.Errorf("position %d: this model has %d learned positions", p, s.Positions-s.PositionOffset)
			}
		}
		at := f.Tensor(f.rows, s.Hidden)
		model.Launch(f.Pass, compute.Gather{Table: d.positions, Index: f.Ints(rows), Out: at})
		x = f.sum(x, at)
	}
	if d.embeddingNorm != nil {
		x = f.norm(d.embeddingNorm, x)
	}
	return x, nil
}

// layer is the stream after a layer.
func (d *Decoder) layer(f *forward, number int, x *compute.Tensor) *compute.Tensor {
	w := &d.layers[number]
	b := f.branch()
	h := x
	if w.attentionNorm != nil && !w.NormAfter {
		h = f.entering(w.attentionNorm, x)
	}
	if w.Parallel {
		h2 := h
		if w.feedForwardNorm != nil {
			h2 = f.norm(w.feedForwardNorm, x) // which settles the other
		}
		x = f.join(w, &w.o, d.attention(f, number, h), w.attentionPostNorm, x)
		inner, last := d.feedForward(f, w, h2)
		x = f.join(w, last, inner, w.feedForwardPostNorm, x)
		b.end(f)
		return x
	}
	if w.NormedResidual {
		x = h
	}
	x = f.join(w, &w.o, d.attention(f, number, h), w.attentionPostNorm, x)
	if w.NormAfter {
		x = f.normTo(f.beyond(x), w.attentionNorm, x)
	}
	b.end(f)
	h = x
	if w.feedForwardNorm != nil && !w.NormAfter {
		h = f.entering(w.feedForwardNorm, x)
	}
	if w.NormedResidual {
		x = h
	}
	inner, last := d.feedForward(f, w, h)
	x = f.join(w, last, inner, w.feedForwardPostNorm, x)
	if w.NormAfter {
		x = f.normTo(f.beyond(x), w.feedForwardNorm, x)
	}
	b.end(f)
	return x
}

// feedForward is what goes into the last product: activation(gate(h)) · up(h), or activation(up(h)); of a mixture all of it, and no
// last product.
func (d *Decoder) feedForward(f *forward, w *layer, h *compute.Tensor) (inner *compute.Tensor, last *weight) {
	if w.experts != nil {
		return f.mixture(&w.FeedForward, w.experts, h), nil
	}
	if w.FeedForward.Plain {
		inner = f.activated(&w.FeedForward, nil, f.linear(&w.up, h, nil, 1))
	} else {
		inner = f.gated(&w.FeedForward, &w.gate, &w.up, h)
	}
	if w.feedForwardInner != nil {
		inner = f.norm(w.feedForwardInner, inner)
	}
	return inner, &w.down
}

// gate is a gate's product, nil of a plain feed-forward.
func (f *forward) gate(s *FeedForward, w *weight, h *compute.Tensor) *compute.Tensor {
	if s.Plain {
		return nil
	}
	return f.linear(w, h, nil, 1)
}

// activated is activation(gate) · up, or without a gate activation(up).
func (f *forward) activated(s *FeedForward, gate, up *compute.Tensor) *compute.Tensor {
	out := f.Tensor(up.Shape...)
	switch {
	case gate == nil:
		model.Launch(f.Pass, compute.Activation{X: up, Out: out, Kind: s.Function()})
	case !slices.Contains(compute.GatedKinds(), s.Function()):
		opened := f.Tensor(up.Shape...)
		model.Launch(f.Pass, compute.Activation{X: gate, Out: opened, Kind: s.Function()})
		model.Launch(f.Pass, compute.Mul{A: opened, B: up, Out: out})
	default:
		model.Launch(f.Pass, compute.Gated{Gate: gate, Up: up, Out: out, Kind: s.Function(), Limit: s.Limit, Offset: s.Offset})
	}
	return out
}
