package nn_test

import (
	"maps"
	"math"
	"testing"

	"lian/compute"
	"lian/compute/autograd"
	"lian/compute/ref"
	"lian/model"
	"lian/model/nn"
	"lian/random"
)

// odd are decoders with switches of their own, by the family that has them.
func odd() map[string]nn.Spec {
	base := func() nn.Spec {
		s := nn.Spec{Vocab: 23, Hidden: 12, Layers: 2, Context: 32, Norm: nn.Norm{Epsilon: 1e-5}}
		s.Attention = nn.Attention{Heads: 4, KVHeads: 2, HeadSize: 4, RoPE: nn.RoPE{Theta: 100, Rotary: 4}}
		s.FeedForward = nn.FeedForward{Hidden: 14, Activation: compute.SiLU}
		return s
	}
	out := map[string]nn.Spec{}
	add := func(name string, change func(s *nn.Spec, a *nn.Attention, f *nn.FeedForward)) {
		s := base()
		s.Family = name
		change(&s, &s.Attention, &s.FeedForward)
		out[name] = s
	}
	layer := nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5, Bias: true}
	add("gemma2", func(s *nn.Spec, a *nn.Attention, f *nn.FeedForward) {
		s.Norm.Offset, s.PostNorm, s.TiedEmbedding, s.EmbeddingScale, s.LogitSoftcap = 1, true, true, 3, 2
		a.Softcap, a.Scale, f.Activation = 2, 0.4, compute.GELUTanh
		s.Vary(func(l int, b *nn.Block) { b.Attention.Window = 3 * (1 - l) })
	})
	add("phi", func(s *nn.Spec, a *nn.Attention, f *nn.FeedForward) {
		s.Norm, s.Parallel, s.SharedNorm, s.HeadBias = layer, true, true, true
		a.Bias, a.OutputBias, a.HeadNorm, a.RoPE.Rotary, f.Bias, f.Plain, f.Activation = true, true, nn.EachHead, 2, true, true, compute.GELUTanh
	})
	add("gpt2", func(s *nn.Spec, a *nn.Attention, f *nn.FeedForward) {
		s.Norm, s.Positions, s.TiedEmbedding, a.RoPE = layer, 32, true, nn.RoPE{}
		a.Bias, a.OutputBias, f.Bias, f.Plain, f.Activation = true, true, true, true, compute.GELU
		s.Vary(func(l int, b *nn.Block) { b.Attention.Scale = 0.5 / float32(l+1) })
	})
	add("olmo2", func(s *nn.Spec, a *nn.Attention, _ *nn.FeedForward) {
		s.NoPreNorm, s.PostNorm, a.HeadNorm = true, true, nn.AllHeads
	})
	add("olmo", func(s *nn.Spec, a *nn.Attention, _ *nn.FeedForward) {
		s.Norm, a.Clip = nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5, NoGain: true}, 0.8
	})
	add("cohere", func(s *nn.Spec, a *nn.Attention, _ *nn.FeedForward) {
		s.Norm, s.Parallel, s.SharedNorm, s.TiedEmbedding, s.LogitScale = nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5}, true, true, true, 0.5
		a.HeadNorm, a.RoPE.Interleaved = nn.EachOwnHead, true
	})
	add("stablelm", func(s *nn.Spec, a *nn.Attention, _ *nn.FeedForward) {
		s.Norm, s.Parallel, s.SharedNorm, a.RoPE.Rotary = layer, true, true, 2
		a.HeadNorm, a.HeadNormKind = nn.EachOwnHead, nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5}
	})
	add("bloom", func(s *nn.Spec, a *nn.Attention, f *nn.FeedForward) {
		s.Norm, s.EmbeddingNorm, s.NormedResidual = layer, true, true
		a.RoPE, a.ALiBi.Rule, f.Plain, f.Bias = nn.RoPE{}, nn.ALiBiPress, true, true
	})
	add("opt", func(s *nn.Spec, a *nn.Attention, f *nn.FeedForward) {
		s.Norm, s.NormAfter, s.NoFinalNorm, s.EmbeddingWidth = layer, true, true, 7
		s.Positions, s.PositionOffset, a.RoPE, f.Plain, f.Activation = 34, 2, nn.RoPE{}, true, compute.GELU
	})
	add("granite", func(s *nn.Spec, a *nn.Attention, f *nn.FeedForward) {
		s.EmbeddingScale, s.ResidualScale, s.LogitScale, a.Scale, a.OutputBias, f.Bias = 2, 0.7, 0.3, 0.25, true, true
	})
	add("falcon", func(s *nn.Spec, a *nn.Attention, f *nn.FeedForward) {
		s.Norm, s.Parallel, a.RoPE, a.ALiBi, f.Plain = layer, true, nn.RoPE{}, nn.ALiBi{Rule: nn.ALiBiPress, Scaled: true}, true
	})
	add("nanochat", func(s *nn.Spec, a *nn.Attention, f *nn.FeedForward) {
		s.Norm.NoGain, s.EmbeddingNorm, s.LogitSoftcap = true, true, 3
		a.HeadNorm, a.NormAfterRoPE, a.RoPE.Backwards, f.Plain = nn.EachHead, true, true, true
	})
	add("hunyuan", func(_ *nn.Spec, a *nn.Attention, _ *nn.FeedForward) { a.HeadNorm, a.NormAfterRoPE = nn.EachHead, true })
	add("bitnet", func(_ *nn.Spec, a *nn.Attention, f *nn.FeedForward) { a.InnerNorm, f.InnerNorm = true, true })
	add("xglm", func(s *nn.Spec, a *nn.Attention, f *nn.FeedForward) {
		s.Norm, s.Positions, s.PositionOffset, s.FixedPositions, a.RoPE, f.Plain, f.Activation = layer, 34, 2, true, nn.RoPE{}, true, compute.GELU
	})
	add("ministral3", func(_ *nn.Spec, a *nn.Attention, _ *nn.FeedForward) { a.LongScale = nn.LongScale{Beta: 0.3, Every: 3} })
	return out
}

// TestGradientsAreSlopesOfTheLoss: along each parameter's gradient the loss rises as the gradient says, whatever the switches.
func TestGradientsAreSlopesOfTheLoss(t *testing.T) {
	all := odd()
	maps.Copy(all, parts())
	for name, spec := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := ref.New()
			d, err := nn.Initialise(b, spec, 5, 0.4)
			if err != nil {
				t.Fatal(err)
			}
			s := b.NewStream()
			values := map[string][]float32{}
			for _, p := range d.Parameters().All() { // gains and biases start alike: move them
				v, key := make([]float32, p.Tensor.Elements()), random.New(7, "move", p.Name)
				if err := s.Read(p.Tensor, compute.HostBytes(v)); err != nil {
					t.Fatal(err)
				}
				for i := range v {
					v[i] += 0.1 * float32(key.Normal(i))
				}
				s.Write(p.Tensor, compute.HostBytes(v))
				values[p.Name] = v
			}
			g := autograd.NewGradients(b, d.Parameters().Tensors())
			if _, err := loss(b, d, g); err != nil {
				t.Fatal(err)
			}
			for _, p := range d.Parameters().All() {
				slope := make([]float32, p.Tensor.Elements())
				if err := s.Read(g.Of(p.Tensor), compute.HostBytes(slope)); err != nil {
					t.Fatal(err)
				}
				length := 0.0
				for _, x := range slope {
					length += float64(x) * float64(x)
				}
				if length = math.Sqrt(length); length < 1e-3 {
					continue // nothing to measure
				}
				const step = 3e-3
				at := func(by float64) float64 {
					moved := make([]float32, len(slope))
					for i, x := range slope {
						moved[i] = values[p.Name][i] + float32(by*float64(x)/length)
					}
					s.Write(p.Tensor, compute.HostBytes(moved))
					l, err := loss(b, d, nil)
					if err != nil {
						t.Fatal(err)
					}
					return l
				}
				rise := (at(step) - at(-step)) / (2 * step)
				s.Write(p.Tensor, compute.HostBytes(values[p.Name]))
				if math.Abs(rise-length) > 0.02*length+1e-3 {
					t.Errorf("along the gradient of %s the loss rises by %.5g, the gradient says %.5g", p.Name, rise, length)
				}
			}
		})
	}
}

// loss is the mean cross-entropy of two packed sequences; with g its gradients are left there.
func loss(b compute.Backend, d *nn.Decoder, g *autograd.Gradients) (float64, error) {
	s, arena := b.NewStream(), compute.NewArena(b, 1<<20)
	p := &model.Pass{Stream: s, Arena: arena, Precision: model.Exact}
	if g != nil {
		p.Tape = autograd.NewTape(s, arena, g)
	}
	ids := []int32{3, 1, 20, 7, 7, 11, 2, 19, 5, 13, 8}
	targets := []int32{1, 20, 7, 7, 11, 2, -1, 5, 13, 8, -1}
	batch := &model.Batch{}
	batch.Add(ids[:7], 0, nil)
	batch.Add(ids[7:], 0, nil)
	hidden, err := d.Forward(p, batch)
	if err != nil {
		return 0, err
	}
	losses, err := model.CrossEntropy(p, d, hidden, targets, nil, 1.0/9, nil)
	if err != nil {
		return 0, err
	}
	if g != nil {
		if err := p.Tape.Backward(); err != nil {
			return 0, err
		}
	}
	values, sum := make([]float32, len(ids)), 0.0
	err = s.Read(losses, compute.HostBytes(values))
	for _, l := range values {
		sum += float64(l) / 9
	}
	return sum, err
}
