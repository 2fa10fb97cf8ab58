package engine

import (
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/model"
	"lian/model/nn"
	"lian/tokenizer"
)

// tinyOn is a random model over bytes on one core, with switches of its own; nil is none.
func tinyOn(t *testing.T, change func(s *nn.Spec)) (compute.Backend, model.Model, *tokenizer.Tokenizer) {
	t.Helper()
	tok, err := tokenizer.New(tokenizer.Definition{Tokens: append(tokenizer.Alphabet(), "<|end|>"), Added: []tokenizer.Added{{ID: 256, Text: "<|end|>", Special: true}}})
	if err != nil {
		t.Fatal(err)
	}
	s := nn.Spec{Family: "llama", Vocab: 257, Hidden: 16, Layers: 2, Context: 160, Norm: nn.Norm{Epsilon: 1e-5}, TiedEmbedding: true, Block: nn.Block{
		Attention:   nn.Attention{Heads: 4, KVHeads: 2, HeadSize: 4, RoPE: nn.RoPE{Theta: 10000, Rotary: 4}},
		FeedForward: nn.FeedForward{Hidden: 24}}}
	if change != nil {
		change(&s)
	}
	b := cpu.New(1)
	m, err := nn.Initialise(b, s, 3, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	return b, m, tok
}
