package nn_test

import (
	"lian/compute"
	"lian/model/nn"
)

// parts are decoders whose layers are made of other parts than Llama's.
func parts() map[string]nn.Spec {
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
	latent.FeedForward.Experts = nn.Experts{Count: 6, Chosen: 3, Correction: true, Shared: 10, // at the test's weights no choice is close
		Route: compute.RouteRule{Sigmoid: true, Renormalise: true, Groups: 3, TopGroups: 2, GroupBest: 2, Scale: 2.5}}
	direct := latent
	direct.Attention.Latent.QueryRank = 0
	plain := base
	plain.Norm, plain.EmbeddingScale, plain.ResidualScale = nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5, Bias: true}, 2, 0.5
	plain.FeedForward.Plain, plain.FeedForward.Activation, plain.PostNorm = true, compute.GELUTanh, true
	plain.Attention.HeadNorm, plain.Attention.HeadNormKind, plain.Attention.Clip, plain.Attention.Bias = nn.EachOwnHead, nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5}, 4, true
	return map[string]nn.Spec{"plain": plain, "mixture": mixed, "biased mixture": oss, "sparse mixer": mixer, "latents": latent, "latents of the stream": direct}
}
