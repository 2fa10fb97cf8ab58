package step

import (
	"fmt"
	"math"

	"lian/model/nn"
)

// Size is the shape of a Llama as plans choose it.
type Size struct {
	Hidden      int
	Layers      int
	Heads       int
	KVHeads     int
	FeedForward int
	Context     int
	Theta       float64
	Deviation   float64
}

// Spec is the size as a model of so many tokens.
func (s Size) Spec(vocab int) nn.Spec {
	head := s.Hidden / max(s.Heads, 1)
	return nn.Spec{Family: "llama", Vocab: vocab, Hidden: s.Hidden, Layers: s.Layers, Context: s.Context, Norm: nn.Norm{Epsilon: 1e-5}, TiedEmbedding: true, Block: nn.Block{
		Attention:   nn.Attention{Heads: s.Heads, KVHeads: s.KVHeads, HeadSize: head, RoPE: nn.RoPE{Theta: s.Theta, Rotary: head}},
		FeedForward: nn.FeedForward{Hidden: s.FeedForward}}}
}

// shapes are the sizes that can be chosen, smallest first. Heads have 32 or 64
// channels, queries twice as many heads as keys, the inner width is about 8/3 of
// the hidden one.
var shapes = []Size{
	{Hidden: 64, Layers: 3, Heads: 2, KVHeads: 1, FeedForward: 192},
	{Hidden: 96, Layers: 4, Heads: 3, KVHeads: 1, FeedForward: 256},
	{Hidden: 128, Layers: 4, Heads: 4, KVHeads: 2, FeedForward: 352},
	{Hidden: 160, Layers: 5, Heads: 5, KVHeads: 1, FeedForward: 448},
	{Hidden: 192, Layers: 5, Heads: 6, KVHeads: 2, FeedForward: 512},
	{Hidden: 224, Layers: 6, Heads: 7, KVHeads: 1, FeedForward: 608},
	{Hidden: 256, Layers: 6, Heads: 8, KVHeads: 4, FeedForward: 704},
	{Hidden: 320, Layers: 7, Heads: 10, KVHeads: 5, FeedForward: 864},
	{Hidden: 384, Layers: 8, Heads: 6, KVHeads: 3, FeedForward: 1024},
	{Hidden: 512, Layers: 8, Heads: 8, KVHeads: 4, FeedForward: 1376},
	{Hidden: 768, Layers: 12, Heads: 12, KVHeads: 6, FeedForward: 2048},
}

// inner is the number of parameters outside the embedding.
func (s Size) inner() int {
	head := s.Hidden / s.Heads
	attention := 2*s.Hidden*s.Hidden + 2*s.Hidden*head*s.KVHeads
	return s.Layers * (attention + 3*s.Hidden*s.FeedForward)
}

// operations is the number of floating-point operations to learn from one token:
// two for each weight forward, four backward; the output layer is the embedding
// used once more; attention over half the context on average.
func (s Size) operations(vocab int) float64 {
	return 6*float64(s.inner()+vocab*s.Hidden) + 6*float64(s.Layers*s.Hidden*s.Context)
}

// words is the size in words.
func (s Size) words() string {
	return fmt.Sprintf("%d layers of width %d, %d heads (%d for keys), feed-forward %d", s.Layers, s.Hidden, s.Heads, s.KVHeads, s.FeedForward)
}

// sizeFor is the Llama with about so many parameters, embedding included: of all widths and depths near the number the one whose depth suits its width best.
func sizeFor(parameters float64, rows, context int) (Size, error) {
	best, cost := Size{}, math.Inf(1)
	for hidden := 64; hidden <= 16384; {
		one := llamaOf(hidden)
		if one.KVHeads == one.Heads && one.Heads > 1 { // a prime number of heads shares no keys
			hidden += 64
			continue
		}
		one.Layers, one.Context = 1, max(context, 8)
		ends := float64(rows*hidden + hidden)
		layer := float64(one.Spec(rows).Count()) - ends
		for _, layers := range []int{int((parameters - ends) / layer), int((parameters-ends)/layer) + 1} {
			if layers < 2 || layers > 200 {
				continue
			}
			off := math.Abs(math.Log((ends + float64(layers)*layer) / parameters))
			depth := math.Log(float64(hidden) / float64(layers) / 40) // wide and shallow computes faster, deep and narrow learns more
			if c := 20*off + depth*depth; c < cost {
				best, cost = one, c
				best.Layers = layers
			}
		}
		hidden += 64
	}
	if math.IsInf(cost, 1) {
		return best, fmt.Errorf("params: no model of %s parameters with a vocabulary of %d; the embedding alone has %s at width 64", count(parameters), rows, count(float64(64*rows)))
	}
	return best, nil
}

// llamaOf is a layer of a width: heads of 64 (of 32 below 256), a third as many for keys where that divides, half otherwise.
func llamaOf(hidden int) Size {
	head := 64
	if hidden < 256 {
		head = 32
	}
	s := Size{Hidden: hidden, Heads: hidden / head, FeedForward: (hidden*8/3 + 31) / 32 * 32, Theta: 10000}
	switch {
	case s.Heads%3 == 0:
		s.KVHeads = s.Heads / 3
	case s.Heads%2 == 0:
		s.KVHeads = s.Heads / 2
	default:
		s.KVHeads = s.Heads
	}
	return s
}
