package figure

import (
	"testing"

	"lian/model/nn"
)

func llama(hidden, layers, heads, kv, forward, vocab int) nn.Spec {
	return nn.Spec{Hidden: hidden, Layers: layers, Vocab: vocab, TiedEmbedding: true, Norm: nn.Norm{Epsilon: 1e-5}, Block: nn.Block{
		Attention:   nn.Attention{Heads: heads, KVHeads: kv, HeadSize: hidden / heads, RoPE: nn.RoPE{Theta: 1e4, Rotary: hidden / heads}},
		FeedForward: nn.FeedForward{Hidden: forward}}}
}

func TestOperationsCountWhatTheModelNeedsAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		why     string
		change  func(*nn.Spec)
		lengths []int
		labels  int
		forward float64
	}{
		// a layer's products: q 64·64, k and v 32·64 each, o 64·64, three of 64·128: 36864 weights
		{"one row sees itself", nil, []int{1}, 1, 2*(2*36864+2*64*2) + 2*1000*64},
		{"causal attention over n rows has n(n+1)/2 pairs", nil, []int{10}, 10, 10*2*2*36864 + 55*2*2*64*2 + 10*2*1000*64},
		{"packed sequences do not see each other", nil, []int{5, 5}, 10, 10*2*2*36864 + 2*15*2*2*64*2 + 10*2*1000*64},
		{"rows without a target need no head", nil, []int{10}, 3, 10*2*2*36864 + 55*2*2*64*2 + 3*2*1000*64},
		{"a window of 4 sees 1+2+3+4 and then 4 each", func(s *nn.Spec) { s.Attention.Window = 4 }, []int{10}, 0, 10*2*2*36864 + (10+24)*2*2*64*2},
		{"a window wider than the text is none", func(s *nn.Spec) { s.Attention.Window = 40 }, []int{10}, 0, 10*2*2*36864 + 55*2*2*64*2},
		{"of four experts a token goes through two", func(s *nn.Spec) { s.FeedForward.Experts = nn.Experts{Count: 4, Chosen: 2} }, []int{1}, 0,
			2 * 2 * (12288 + 4*64 + 2*3*64*128 + 64*2)},
	} {
		s := llama(64, 2, 4, 2, 128, 1000)
		if c.change != nil {
			c.change(&s)
		}
		o := NewOperations(s)
		if got := o.Step(c.lengths, c.labels, true); got != 3*c.forward {
			t.Errorf("%s: %v operations, expected 3 · %v", c.why, got, c.forward)
		}
		if got := o.Step(c.lengths, c.labels, false); got != 2*c.forward {
			t.Errorf("%s, frozen: %v operations, expected 2 · %v", c.why, got, c.forward)
		}
	}
}

func TestAnUntiedHeadCostsAsMuchAsATiedOne(t *testing.T) {
	a, b := llama(64, 2, 4, 2, 128, 1000), llama(64, 2, 4, 2, 128, 1000)
	b.TiedEmbedding = false
	if x, y := NewOperations(a).Step([]int{7}, 7, true), NewOperations(b).Step([]int{7}, 7, true); x != y {
		t.Errorf("%v tied, %v untied", x, y)
	}
}
