package nn_test

import (
	"math"
	"testing"

	"lian/compute"
	"lian/compute/autograd"
	"lian/compute/cpu"
	"lian/model"
	"lian/model/nn"
)

// specs are decoders whose layers are made of other parts than Llama's.
func specs() map[string]nn.Spec {
	base := nn.Spec{Family: "test", Vocab: 67, Hidden: 24, Layers: 2, Context: 64, Norm: nn.Norm{Epsilon: 1e-6}, Block: nn.Block{
		Attention:   nn.Attention{Heads: 4, KVHeads: 2, HeadSize: 8, RoPE: nn.RoPE{Theta: 10000, Rotary: 8}},
		FeedForward: nn.FeedForward{Hidden: 20}}}
	mixed := base
	mixed.FeedForward.Experts = nn.Experts{Count: 5, Chosen: 2, Route: compute.RouteRule{Renormalise: true}, Shared: 12, SharedGate: true}
	mixed.Vary(func(l int, b *nn.Block) {
		if l == 0 {
			b.FeedForward.Experts = nn.Experts{}
		}
	})
	oss := base
	oss.Attention.Sinks, oss.Attention.Bias, oss.Attention.Window = true, true, 5
	oss.FeedForward.Bias, oss.FeedForward.Activation, oss.FeedForward.Limit, oss.FeedForward.Offset = true, compute.QuickGELU, 7, 1
	oss.FeedForward.Experts = nn.Experts{Count: 4, Chosen: 2, Route: compute.RouteRule{Renormalise: true}, RouterBias: true}
	mixer := base
	mixer.FeedForward.Experts = nn.Experts{Count: 4, Chosen: 2, Route: compute.RouteRule{Mixer: true, Jitter: 0.2}}
	latent := base
	latent.Attention = nn.Attention{Heads: 4, KVHeads: 4, HeadSize: 10, ValueSize: 6, RoPE: nn.RoPE{Theta: 10000, Rotary: 4, Interleaved: true},
		Latent: nn.Latent{Rank: 12, QueryRank: 14, Norm: nn.Norm{Epsilon: 1e-6}}}
	latent.FeedForward.Experts = nn.Experts{Count: 8, Chosen: 3, Correction: true, Shared: 10,
		Route: compute.RouteRule{Sigmoid: true, Renormalise: true, Groups: 4, TopGroups: 2, GroupBest: 2, Scale: 2.5}}
	direct := latent
	direct.Attention.Latent.QueryRank = 0
	plain := base
	plain.Norm, plain.EmbeddingScale, plain.ResidualScale = nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5, Bias: true}, 2, 0.5
	plain.FeedForward.Plain, plain.FeedForward.Activation, plain.PostNorm = true, compute.GELUTanh, true
	plain.Attention.HeadNorm, plain.Attention.HeadNormKind, plain.Attention.Clip, plain.Attention.Bias = nn.EachOwnHead, nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5}, 4, true
	return map[string]nn.Spec{"plain": plain, "mixture": mixed, "biased mixture": oss, "sparse mixer": mixer, "latents": latent, "latents of the stream": direct}
}

// TestGradientsOfDecodersAreSlopesOfTheirLoss: moved along each parameter's gradient, the loss changes as fast as the gradient is long.
func TestGradientsOfDecodersAreSlopesOfTheirLoss(t *testing.T) {
	ids, targets := make([]int32, 23), make([]int32, 23)
	for i := range ids {
		ids[i], targets[i] = int32(i*i%67), int32((i*i+3)%67)
	}
	batch := &model.Batch{}
	batch.Add(ids[:14], 0, nil)
	batch.Add(ids[14:], 0, nil)
	for name, spec := range specs() {
		t.Run(name, func(t *testing.T) {
			b := cpu.New(1)
			d, err := nn.Initialise(b, spec, 11, 0.3)
			if err != nil {
				t.Fatal(err)
			}
			stream, arena := b.NewStream(), compute.NewArena(b, 1<<20)
			gradients := autograd.NewGradients(b, d.Parameters().Tensors())
			loss := func(tape *autograd.Tape) float64 {
				arena.Reset()
				pass := &model.Pass{Stream: stream, Arena: arena, Tape: tape, Precision: model.Exact}
				hidden, err := d.Forward(pass, batch)
				if err != nil {
					t.Fatal(err)
				}
				out, err := model.CrossEntropy(pass, d, hidden, targets, nil, 1, nil)
				if err != nil {
					t.Fatal(err)
				}
				if tape != nil {
					if err := tape.Backward(); err != nil {
						t.Fatal(err)
					}
				}
				sum := 0.0
				for _, x := range floats(t, stream, out) {
					sum += float64(x)
				}
				return sum
			}
			loss(autograd.NewTape(stream, arena, gradients))
			for _, p := range d.Parameters().All() {
				if !gradients.Written(p.Tensor) {
					if spec.Layer(spec.Layers-1).FeedForward.Experts.Correction && len(p.Tensor.Shape) == 1 {
						continue // counts in the choice only
					}
					t.Errorf("%s has no gradient", p.Name)
					continue
				}
				g, was := floats(t, stream, gradients.Of(p.Tensor)), floats(t, stream, p.Tensor)
				length := 0.0
				for _, x := range g {
					length += float64(x) * float64(x)
				}
				if length = math.Sqrt(length); length < 1e-3 {
					continue
				}
				step := 2e-3
				moved := func(by float64) float64 {
					now := make([]float32, len(was))
					for i := range now {
						now[i] = was[i] + float32(by*float64(g[i])/length)
					}
					stream.Write(p.Tensor, compute.HostBytes(now))
					return loss(nil)
				}
				slope := (moved(step) - moved(-step)) / (2 * step)
				stream.Write(p.Tensor, compute.HostBytes(was))
				if math.Abs(slope-length) > 0.01*length+5e-3 {
					t.Errorf("%s: along a gradient of length %.5g the loss changes by %.5g", p.Name, length, slope)
				}
			}
		})
	}
}

func floats(t *testing.T, s compute.Stream, x *compute.Tensor) []float32 {
	t.Helper()
	out := make([]float32, x.Elements())
	if err := s.Read(x, compute.HostBytes(out)); err != nil {
		t.Fatal(err)
	}
	return out
}
