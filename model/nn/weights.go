package nn

import "fmt"

// Weight is a parameter's place in a Spec: its logical name and shape.
type Weight struct {
	Name  string
	Shape []int
	Kind  Kind
}

// Kind is what a weight is, which decides its start and whether it decays.
type Kind int

// The kinds of weight.
const (
	Matrix    Kind = iota // [out, in], or [experts or heads, out, in]
	Residual              // a matrix that writes into the residual stream
	Embedding             // [vocab, hidden]
	Gain                  // a norm's scale, starts at 1 (less the norm's offset)
	Bias                  // starts at 0
)

// Weights are all parameters of a Spec in order.
func (s Spec) Weights() []Weight {
	w := weightList{spec: &s}
	w.add("embedding", Embedding, s.Vocab, s.width())
	if s.EmbeddingWidth > 0 {
		w.add("embedding_in", Matrix, s.Hidden, s.EmbeddingWidth)
	}
	if s.Positions > 0 && !s.FixedPositions {
		w.add("positions", Embedding, s.Positions, s.Hidden)
	}
	if s.EmbeddingNorm {
		w.norm("embedding_norm", s.Norm, s.Hidden)
	}
	for l := range s.Layers {
		w.prefix = fmt.Sprintf("layers.%d.", l)
		w.block(s.Layer(l))
	}
	w.prefix = ""
	if !s.NoFinalNorm {
		w.norm("norm", s.Norm, s.Hidden)
	}
	if s.EmbeddingWidth > 0 {
		w.add("embedding_out", Matrix, s.EmbeddingWidth, s.Hidden)
	}
	if !s.TiedEmbedding {
		w.add("head", Embedding, s.Vocab, s.width())
	}
	if s.HeadBias {
		w.add("head.bias", Bias, s.Vocab)
	}
	return w.list
}

// width is the size of an embedding.
func (s *Spec) width() int {
	if s.EmbeddingWidth > 0 {
		return s.EmbeddingWidth
	}
	return s.Hidden
}

// weightList gathers weights.
type weightList struct {
	spec   *Spec
	prefix string
	list   []Weight
}

func (w *weightList) add(name string, kind Kind, shape ...int) {
	w.list = append(w.list, Weight{w.prefix + name, shape, kind})
}

// linear is a product's matrix, and its bias.
func (w *weightList) linear(name string, kind Kind, bias bool, out, in int) {
	w.add(name, kind, out, in)
	if bias {
		w.add(name+".bias", Bias, out)
	}
}

func (w *weightList) norm(name string, n Norm, shape ...int) {
	if n.NoGain {
		return
	}
	w.add(name, Gain, shape...)
	if n.Bias {
		w.add(name+".bias", Bias, shape...)
	}
}

func (w *weightList) block(b *Block) {
	s, hidden := w.spec, w.spec.Hidden
	if !b.NoPreNorm {
		w.norm("attention_norm", s.Norm, hidden)
	}
	w.attention(&b.Attention)
	if b.PostNorm {
		w.norm("attention_post_norm", s.Norm, hidden)
	}
	if !b.NoPreNorm && !b.SharedNorm {
		w.norm("feed_forward_norm", s.Norm, hidden)
	}
	w.feedForward(&b.FeedForward)
	if b.PostNorm {
		w.norm("feed_forward_post_norm", s.Norm, hidden)
	}
}

func (w *weightList) attention(a *Attention) {
	hidden := w.spec.Hidden
	if a.Latent.Rank > 0 {
		w.latent(a)
		return
	}
	w.linear("attention.q", Matrix, a.Bias, a.Heads*a.HeadSize, hidden)
	w.linear("attention.k", Matrix, a.Bias, a.KVHeads*a.HeadSize, hidden)
	w.linear("attention.v", Matrix, a.Bias, a.KVHeads*a.Values(), hidden)
	n := a.headNorm(w.spec)
	switch a.HeadNorm {
	case EachHead:
		w.norm("attention.q_norm", n, a.HeadSize)
		w.norm("attention.k_norm", n, a.HeadSize)
	case EachOwnHead:
		w.norm("attention.q_norm", n, a.Heads, a.HeadSize)
		w.norm("attention.k_norm", n, a.KVHeads, a.HeadSize)
	case AllHeads:
		w.norm("attention.q_norm", n, a.Heads*a.HeadSize)
		w.norm("attention.k_norm", n, a.KVHeads*a.HeadSize)
	}
	if a.Sinks {
		w.add("attention.sinks", Bias, a.Heads)
	}
	if a.InnerNorm {
		w.norm("attention.inner_norm", w.spec.Norm, a.Heads*a.Values())
	}
	w.linear("attention.o", Residual, a.OutputBias, hidden, a.Heads*a.Values())
}

// latent are the weights of latent attention: queries; the latent and the rotary key in one product; what makes keys and values of
// the latent, head by head.
func (w *weightList) latent(a *Attention) {
	n, hidden := a.Latent, w.spec.Hidden
	if n.QueryRank > 0 {
		w.linear("attention.q_a", Matrix, a.Bias, n.QueryRank, hidden)
		w.norm("attention.q_a_norm", n.Norm, n.QueryRank)
		w.linear("attention.q_b", Matrix, false, a.Heads*a.HeadSize, n.QueryRank)
	} else {
		w.linear("attention.q", Matrix, false, a.Heads*a.HeadSize, hidden)
	}
	w.linear("attention.kv_a", Matrix, a.Bias, n.Rank+a.RoPE.Rotary, hidden)
	w.norm("attention.kv_a_norm", n.Norm, n.Rank)
	w.add("attention.k_b", Matrix, a.Heads, n.Rank, a.HeadSize-a.RoPE.Rotary)
	w.add("attention.v_b", Matrix, a.Heads, a.Values(), n.Rank)
	w.linear("attention.o", Residual, a.OutputBias, hidden, a.Heads*a.Values())
}

// headNorm is the norm of queries and keys.
func (a *Attention) headNorm(s *Spec) Norm {
	if a.HeadNormKind.Epsilon > 0 {
		return a.HeadNormKind
	}
	return s.Norm
}

func (w *weightList) feedForward(f *FeedForward) {
	hidden := w.spec.Hidden
	if f.Experts.Count > 0 {
		w.experts(f)
		return
	}
	if !f.Plain {
		w.linear("feed_forward.gate", Matrix, f.Bias, f.Hidden, hidden)
	}
	w.linear("feed_forward.up", Matrix, f.Bias, f.Hidden, hidden)
	if f.InnerNorm {
		w.norm("feed_forward.inner_norm", w.spec.Norm, f.Hidden)
	}
	w.linear("feed_forward.down", Residual, f.Bias, hidden, f.Hidden)
}

// experts are the weights of a mixture.
func (w *weightList) experts(f *FeedForward) {
	e, hidden := f.Experts, w.spec.Hidden
	w.linear("feed_forward.router", Matrix, e.RouterBias, e.Count, hidden)
	if e.Correction {
		w.add("feed_forward.router_correction", Bias, e.Count)
	}
	stack := func(name string, kind Kind, out, in int) {
		w.add(name, kind, e.Count, out, in)
		if f.Bias {
			w.add(name+".bias", Bias, e.Count, out)
		}
	}
	if !f.Plain {
		stack("feed_forward.experts.gate", Matrix, f.Hidden, hidden)
	}
	stack("feed_forward.experts.up", Matrix, f.Hidden, hidden)
	stack("feed_forward.experts.down", Residual, hidden, f.Hidden)
	if e.Shared == 0 {
		return
	}
	if !f.Plain {
		w.add("feed_forward.shared.gate", Matrix, e.Shared, hidden)
	}
	w.add("feed_forward.shared.up", Matrix, e.Shared, hidden)
	w.add("feed_forward.shared.down", Residual, hidden, e.Shared)
	if e.SharedGate {
		w.add("feed_forward.shared_gate", Matrix, 1, hidden)
	}
}

// Count is the number of weights.
func (s Spec) Count() int {
	n := 0
	for _, w := range s.Weights() {
		e := 1
		for _, x := range w.Shape {
			e *= x
		}
		n += e
	}
	return n
}
