package nn_test

import (
	"math"
	"strings"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/model"
	"lian/model/nn"
)

// growingSpecs are a small model and what it becomes.
func growingSpecs() map[string][2]nn.Spec {
	llama := nn.Spec{Family: "llama", Vocab: 37, Hidden: 24, Layers: 2, Context: 64, Norm: nn.Norm{Epsilon: 1e-3}, TiedEmbedding: true, Block: nn.Block{
		Attention:   nn.Attention{Heads: 4, KVHeads: 2, HeadSize: 8, RoPE: nn.RoPE{Theta: 10000, Rotary: 8}},
		FeedForward: nn.FeedForward{Hidden: 20}}}
	wide := llama
	wide.Hidden, wide.Layers, wide.Attention.Heads, wide.Attention.KVHeads, wide.FeedForward.Hidden = 40, 5, 6, 3, 52
	untied, untiedWide := llama, wide
	untied.TiedEmbedding, untiedWide.TiedEmbedding = false, false
	untied.Attention.Bias, untiedWide.Attention.Bias = true, true
	gemma, gemmaWide := llama, wide
	gemma.Norm.Offset, gemmaWide.Norm.Offset, gemma.PostNorm, gemmaWide.PostNorm = 1, 1, true, true
	gpt := llama
	gpt.Norm, gpt.FeedForward.Plain, gpt.FeedForward.Bias, gpt.Attention.OutputBias, gpt.PostNorm = nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5, Bias: true}, true, true, true, true
	deep := gpt
	deep.Layers, deep.FeedForward.Hidden = 7, 33
	mixture := llama
	mixture.FeedForward.Experts = nn.Experts{Count: 4, Chosen: 2, Shared: 12}
	deepMixture := mixture
	deepMixture.Layers = 3
	return map[string][2]nn.Spec{"everything": {llama, wide}, "untied, biases": {untied, untiedWide}, "offset and post norms": {gemma, gemmaWide},
		"LayerNorm": {gpt, deep}, "mixture": {mixture, deepMixture}}
}

// TestAGrownModelComputesWhatTheSmallerOneDoes: same logits for layers, heads, channels and feed-forwards added at once.
func TestAGrownModelComputesWhatTheSmallerOneDoes(t *testing.T) {
	b := cpu.New(1)
	for name, specs := range growingSpecs() {
		t.Run(name, func(t *testing.T) {
			small, err := nn.Initialise(b, specs[0], 3, 0.2)
			if err != nil {
				t.Fatal(err)
			}
			shake(t, b, small)
			big, err := nn.Grow(b, small, specs[1], 5, nn.DepthPreserve)
			if err != nil {
				t.Fatal(err)
			}
			want, got := allLogits(t, b, small), allLogits(t, b, big)
			for i := range want {
				if math.Abs(float64(want[i]-got[i])) > 2e-5*math.Max(1, math.Abs(float64(want[i]))) {
					t.Fatalf("logit %d is %v, the smaller model's %v", i, got[i], want[i])
				}
			}
			stacked, err := nn.Grow(b, small, specs[1], 5, nn.DepthStack)
			if err != nil {
				t.Fatal(err)
			}
			if specs[1].Layers > specs[0].Layers && allLogits(t, b, stacked)[0] == want[0] {
				t.Error("stacked layers do nothing")
			}
		})
	}
}

func TestWhatCannotGrowIsRefused(t *testing.T) {
	b := cpu.New(1)
	specs := growingSpecs()
	for says, change := range map[string]func(from, to *nn.Spec){
		"vocabulary is 99":       func(_, to *nn.Spec) { to.Vocab = 99 },
		"at least the smaller":   func(_, to *nn.Spec) { to.Layers = 1 },
		"head size":              func(_, to *nn.Spec) { to.Attention.HeadSize = 16 },
		"heads for each kv head": func(_, to *nn.Spec) { to.Attention.KVHeads = 6 },
		"needs RMSNorm":          func(from, to *nn.Spec) { from.Norm.Kind, to.Norm.Kind = nn.LayerNorm, nn.LayerNorm },
	} {
		from, to := specs["everything"][0], specs["everything"][1]
		change(&from, &to)
		small, err := nn.Initialise(b, from, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nn.Grow(b, small, to, 1, nn.DepthPreserve); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("says %v, expected %q", err, says)
		}
	}
	small, err := nn.Initialise(b, specs["everything"][0], 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nn.Grow(b, small, specs["everything"][1], 1, "sideways"); err == nil {
		t.Error("an unknown way to more layers was accepted")
	}
}

// shake gives biases and gains values of their own, which start as 0 and 1.
func shake(t *testing.T, b compute.Backend, d *nn.Decoder) {
	t.Helper()
	s := b.NewStream()
	for _, w := range d.Spec.Weights() {
		if w.Kind != nn.Bias && w.Kind != nn.Gain {
			continue
		}
		x := d.Parameters().Get(w.Name)
		values := make([]float32, x.Elements())
		if err := s.Read(x, compute.HostBytes(values)); err != nil {
			t.Fatal(err)
		}
		for i := range values {
			values[i] += 0.3 * float32(math.Sin(float64(7*i+len(w.Name))))
		}
		s.Write(x, compute.HostBytes(values))
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

func allLogits(t *testing.T, b compute.Backend, d *nn.Decoder) []float32 {
	t.Helper()
	s := b.NewStream()
	p := &model.Pass{Stream: s, Arena: compute.NewArena(b, 1<<16)}
	batch := &model.Batch{}
	batch.Add([]int32{1, 2, 3, 30, 9, 9, 0}, 0, nil)
	h, err := d.Forward(p, batch)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, 7*d.Spec.Vocab)
	if err := s.Read(model.Logits(p, d, h, []int32{0, 1, 2, 3, 4, 5, 6}), compute.HostBytes(out)); err != nil {
		t.Fatal(err)
	}
	return out
}
