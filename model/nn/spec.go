// Package nn is the decoder, written once over a Spec.
//
// Nearly every open decoder is the same machine with other switches. A Spec is
// the switches; a family (package family) turns its authors' config.json into
// one. Forward is the only forward pass in the house: training runs it with a
// tape, inference with a cache.
//
// It guarantees that a row's result depends on the keys it sees and on nothing
// else in the batch. It refuses a Spec that does not fit together.
package nn

import "fmt"

// Spec is a decoder's shape and switches.
type Spec struct {
	Family  string // name in config.json's model_type
	Vocab   int
	Hidden  int
	Layers  int
	Context int // longest sequence it was made for

	Attention   Attention
	FeedForward FeedForward

	NormEpsilon   float32
	TiedEmbedding bool // the head is the embedding
}

// Attention are the switches of a layer's attention.
type Attention struct {
	Heads, KVHeads, HeadSize int
	Bias                     bool // on q, k and v
	OutputBias               bool
	Window                   int // keys a query sees; 0 is all
	RoPE                     RoPE
}

// RoPE are the switches of the rotary embedding.
type RoPE struct {
	Theta       float64
	Rotary      int  // leading elements of a head that turn
	Interleaved bool // pairs (2p, 2p+1) instead of (p, p+Rotary/2)
}

// FeedForward are the switches of a layer's gated feed-forward.
type FeedForward struct {
	Hidden int
}

// Check says what does not fit together.
func (s Spec) Check() error {
	a := s.Attention
	switch {
	case s.Vocab <= 0 || s.Hidden <= 0 || s.Layers <= 0 || s.FeedForward.Hidden <= 0 || s.Context <= 0:
		return fmt.Errorf("vocabulary %d, hidden size %d, layers %d, feed-forward size %d and context %d must be positive", s.Vocab, s.Hidden, s.Layers, s.FeedForward.Hidden, s.Context)
	case a.Heads <= 0 || a.KVHeads <= 0 || a.Heads%a.KVHeads != 0:
		return fmt.Errorf("%d heads must be a multiple of %d kv heads", a.Heads, a.KVHeads)
	case a.HeadSize <= 0 || a.RoPE.Rotary%2 != 0 || a.RoPE.Rotary > a.HeadSize || a.RoPE.Rotary < 0:
		return fmt.Errorf("rotary size %d must be even and at most the head size %d", a.RoPE.Rotary, a.HeadSize)
	case a.RoPE.Rotary > 0 && a.RoPE.Theta <= 0:
		return fmt.Errorf("rotary theta is %v, expected > 0", a.RoPE.Theta)
	}
	return nil
}

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
	Matrix    Kind = iota // [out, in]
	Residual              // a matrix that writes into the residual stream
	Embedding             // [vocab, hidden]
	Gain                  // a norm's scale, starts at 1
	Bias                  // starts at 0
)

// Weights are all parameters of a Spec in order.
func (s Spec) Weights() []Weight {
	a := s.Attention
	q, kv := a.Heads*a.HeadSize, a.KVHeads*a.HeadSize
	list := []Weight{{"embedding", []int{s.Vocab, s.Hidden}, Embedding}}
	for l := range s.Layers {
		at := fmt.Sprintf("layers.%d.", l)
		add := func(name string, kind Kind, shape ...int) { list = append(list, Weight{at + name, shape, kind}) }
		add("attention_norm", Gain, s.Hidden)
		add("attention.q", Matrix, q, s.Hidden)
		add("attention.k", Matrix, kv, s.Hidden)
		add("attention.v", Matrix, kv, s.Hidden)
		if a.Bias {
			add("attention.q.bias", Bias, q)
			add("attention.k.bias", Bias, kv)
			add("attention.v.bias", Bias, kv)
		}
		add("attention.o", Residual, s.Hidden, q)
		if a.OutputBias {
			add("attention.o.bias", Bias, s.Hidden)
		}
		add("feed_forward_norm", Gain, s.Hidden)
		add("feed_forward.gate", Matrix, s.FeedForward.Hidden, s.Hidden)
		add("feed_forward.up", Matrix, s.FeedForward.Hidden, s.Hidden)
		add("feed_forward.down", Residual, s.Hidden, s.FeedForward.Hidden)
	}
	list = append(list, Weight{"norm", []int{s.Hidden}, Gain})
	if !s.TiedEmbedding {
		list = append(list, Weight{"head", []int{s.Vocab, s.Hidden}, Embedding})
	}
	return list
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
