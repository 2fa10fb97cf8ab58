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

import (
	"lian/compute"
	"lian/model"
)

// Spec is a decoder's shape and switches.
type Spec struct {
	Family     string // name in config.json's model_type
	Vocab      int
	Hidden     int
	Layers     int
	SelfExtend SelfExtend // see ExtendContext; no file has it
	Context    int        // longest sequence it was made for

	Block         // the switches of every layer
	Each  []Block // or, where layers differ, of each; nil otherwise

	Norm          Norm // of every norm on the residual stream; also the default of the others
	TiedEmbedding bool // the head is the embedding
	HeadBias      bool
	UnitHead      bool // the head's rows were scaled to length 1 as the model was opened (Baichuan 2)

	EmbeddingScale float32 // what embeddings are multiplied by; 0 is 1 (Gemma: √hidden)
	EmbeddingNorm  bool    // a norm after the embedding (BLOOM)
	EmbeddingWidth int     // of embeddings where it is another than Hidden: matrices lead in and, before the head, out; 0: Hidden (OPT-350M)
	Positions      int     // learned positions that are added to the embedding; 0: none (GPT-2)
	PositionOffset int     // row of position 0 (OPT: 2)
	FixedPositions bool    // positions are sines and cosines instead of learned (XGLM)
	NoFinalNorm    bool
	LogitScale     float32 // what logits are multiplied by; 0 is 1 (Cohere, Granite, MiniCPM)
	LogitSoftcap   float32 // logits become c·tanh(logits/c); 0: none (Gemma 2)
}

// Block is the switches of a layer: two branches, attention and feed-forward, whose outputs are added to the residual stream.
//
// A branch reads the stream through a norm, unless a switch says otherwise.
type Block struct {
	Attention   Attention
	FeedForward FeedForward

	// Parallel: both branches read the stream as it comes into the layer (GPT-J, Phi, Falcon, Cohere). With SharedNorm through
	// one norm.
	Parallel, SharedNorm bool
	// NoPreNorm: branches read the stream itself (OLMo 2).
	NoPreNorm bool
	// PostNorm: a norm on each branch's output, before it is added (Gemma 2, GLM-4, OLMo 2).
	PostNorm bool
	// NormAfter: the norms come after the sum instead of before the branch (the original Transformer, OPT-350M).
	NormAfter bool
	// NormedResidual: the normed input is what a branch's output is added to (an option of BLOOM).
	NormedResidual bool
	// ResidualScale multiplies a branch's output; 0 is 1 (Granite, MiniCPM).
	ResidualScale float32
}

// NormKind is a kind of norm.
type NormKind int

// The kinds of norm.
const (
	RMSNorm   NormKind = iota
	LayerNorm          // with a mean
)

// Norm are the switches of a norm.
type Norm struct {
	Kind    NormKind
	Epsilon float32
	Bias    bool
	NoGain  bool    // no parameters at all (OLMo)
	Offset  float32 // added to the gain: Gemma stores what its gains are above 1
}

// HeadNorm says how queries and keys are normed before they turn.
type HeadNorm int

// The norms of queries and keys.
const (
	NoHeadNorm  HeadNorm = iota
	EachHead             // one gain [head] for all heads (Qwen3, Gemma 3)
	EachOwnHead          // a gain [heads, head] (Cohere, StableLM)
	AllHeads             // over the whole width, gain [heads·head] (OLMo 2)
)

// Attention are the switches of a layer's attention.
type Attention struct {
	Heads, KVHeads, HeadSize int
	ValueSize                int  // of a head's values; 0 is HeadSize
	Bias                     bool // on q, k and v
	OutputBias               bool
	Window                   int // keys a query sees; 0 is all
	RoPE                     RoPE
	Scale                    float32 // of scores; 0 is 1/√HeadSize
	Softcap                  float32 // scores become c·tanh(scores/c); 0: none (Gemma 2)
	LongScale                LongScale
	Clip                     float32 // q, k and v are clamped to ±Clip, q and k after their norm (OLMoE); 0: none (OLMo, MPT)
	ALiBi                    ALiBi
	Sinks                    bool // a learned logit for each head that has no value (gpt-oss)
	HeadNorm                 HeadNorm
	HeadNormKind             Norm // where it is another than the Spec's: Epsilon > 0
	NormAfterRoPE            bool // queries and keys are normed after they turned, not before (Hunyuan, nanochat)
	InnerNorm                bool // a norm on what heads bring, before the output product (BitNet)
	Latent                   Latent
}

// Latent are the switches of latent attention (MLA, DeepSeek-V2, arXiv 2405.04434): a token's keys and values are made of one short
// vector, and one rotary key is shared by all heads; those two are all that a cache keeps. Of a head's HeadSize elements the last
// RoPE.Rotary turn.
type Latent struct {
	Rank      int  // size of what keys and values are made of; 0: no latent attention
	QueryRank int  // size of what queries are made of; 0: they are made of the stream
	Norm      Norm // of both
}

// LongScale makes scores steeper far into a text: queries at position p are multiplied by 1 + Beta·ln(1 + ⌊p/Every⌋), 1 within the first
// Every positions. Beta 0: not at all. Source: Llama 4, and Ministral 3 in transformers, modeling_ministral3.py.
type LongScale struct {
	Beta  float64
	Every int
}

// ALiBi are the switches of linear biases by distance.
type ALiBi struct {
	Rule ALiBiRule
	Max  float64 // exponent of the smallest slope; 0 is 8
	// Scaled: biases are added before scores are scaled, so they are scaled too (Falcon). Twice: and then once more (Falcon under
	// transformers 5, whose mask already holds them).
	Scaled, Twice bool
}

// ALiBiRule says how slopes are made.
type ALiBiRule int

// The rules of slopes. They agree where the number of heads is a power of two.
const (
	NoALiBi    ALiBiRule = iota
	ALiBiPress           // the published rule: slopes of the next lower power of two, then every other of the next higher one
	ALiBiMPT             // MPT's: slopes of the next higher power of two, the even ones first
)

// Values is the size of a head's values.
func (a Attention) Values() int {
	if a.ValueSize > 0 {
		return a.ValueSize
	}
	return a.HeadSize
}

// RoPE are the switches of the rotary embedding.
type RoPE struct {
	Theta       float64
	Rotary      int                 // leading elements of a head that turn; 0: none
	Interleaved bool                // pairs (2p, 2p+1) instead of (p, p+Rotary/2)
	Backwards   bool                // turns the other way (nanochat)
	Scaling     compute.RoPEScaling // Theta and Rotary in it are ignored: those above count
}

// rule is Scaling with Theta and Rotary.
func (r RoPE) rule() compute.RoPEScaling {
	s := r.Scaling
	s.Theta, s.Rotary = r.Theta, r.Rotary
	return s
}

// FeedForward are the switches of a layer's feed-forward.
type FeedForward struct {
	Hidden int
	// Plain: down(activation(up(x))) instead of down(activation(gate(x)) · up(x)).
	Plain      bool
	Activation compute.ActivationKind // the zero value is SiLU
	Bias       bool
	InnerNorm  bool // a norm before down (BitNet)
	// Limit and Offset: act(min(gate, Limit)) · (up within ±Limit + Offset) (gpt-oss); 0: none.
	Limit, Offset float32
	Experts       Experts
}

// Experts make a feed-forward a mixture: a router chooses for each token which of many feed-forwards of size Hidden it goes through.
type Experts struct {
	Count, Chosen int // 0: no mixture
	Route         compute.RouteRule
	RouterBias    bool
	Correction    bool // a bias that counts in the choice only (DeepSeek-V3)
	Shared        int  // size of the feed-forward that every token goes through besides; 0: none
	SharedGate    bool // it counts as much as the sigmoid of a product of its own says (Qwen2-MoE)
}

// Function is the activation with its default.
func (f FeedForward) Function() compute.ActivationKind {
	if f.Activation == compute.Identity {
		return compute.SiLU
	}
	return f.Activation
}

// Layer is the switches of one layer.
func (s *Spec) Layer(l int) *Block {
	if s.Each != nil {
		return &s.Each[l]
	}
	return &s.Block
}

// Vary makes layers differ: change is called with each layer's number and its switches, which start as those of all.
func (s *Spec) Vary(change func(l int, b *Block)) {
	if s.Each == nil {
		s.Each = make([]Block, s.Layers)
		for l := range s.Each {
			s.Each[l] = s.Block
		}
	}
	for l := range s.Each {
		change(l, &s.Each[l])
	}
	if s.Layers > 0 {
		s.Block = s.Each[0]
	}
}

// CacheShapes are what each layer keeps of a token.
func (s *Spec) CacheShapes() []model.CacheShape {
	list := make([]model.CacheShape, s.Layers)
	for l := range list {
		list[l] = s.cacheShape(l)
	}
	return list
}

func (s *Spec) cacheShape(l int) model.CacheShape {
	a := s.Layer(l).Attention
	if n := a.Latent.Rank; n > 0 {
		return model.CacheShape{KVHeads: 1, KeySize: n + a.RoPE.Rotary, ValueSize: n, Window: a.Window}
	}
	keys := a.HeadSize
	if s.SelfExtend.Group > 0 {
		keys *= 2 // by their place, and by their group's
	}
	return model.CacheShape{KVHeads: a.KVHeads, KeySize: keys, ValueSize: a.Values(), Window: a.Window}
}
