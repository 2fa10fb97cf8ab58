package engine

import (
	"context"
	"slices"
	"testing"

	"lian/compute/cpu"
	"lian/model/nn"
)

// TestLongPromptsAreTheSameHoweverTheyAreCut: under every rule of scaling rotary embeddings, the logits after a prompt that is longer
// than the original context are those of one forward without a cache, for any chunks, after a hit, and with tokens that a
// request chose in between.
func TestLongPromptsAreTheSameHoweverTheyAreCut(t *testing.T) {
	for name, length := range map[string]int{"internlm2-dynamic": 90, "llama-yarn": 200, "llama-llama3": 200, "phi3-longrope": 110, "llama-linear": 200, "mistral": 200, "gemma3": 200} {
		ids := make([]int32, length)
		for i := range ids {
			ids[i] = int32((i*37 + i*i) % 150)
		}
		room := 0 // the model's own
		if name == "internlm2-dynamic" {
			room = length + 30
		}
		whole := golden(t, name, Options{Precision: "exact", Context: room})
		want := rowsOf(t, whole.backend, whole.Model, ids)
		reply := result(t, whole, Request{Prompt: ids, MaxTokens: 12}).IDs
		for _, steps := range []int{7, 32, 100} {
			e := golden(t, name, Options{Precision: "exact", Context: room, StepTokens: steps})
			for turn := range 2 { // the second finds the first's blocks
				b, err := e.OpenBranch(ids, "")
				if err != nil {
					t.Fatal(err)
				}
				got, err := e.Logits(context.Background(), b)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got[0], want[length-1]) {
					t.Errorf("%s: in steps of %d, turn %d, the logits after %d tokens are others", name, steps, turn, length)
				}
				if turn == 1 && b.CachedTokens() == 0 {
					t.Errorf("%s: nothing of the prompt was found", name)
				}
				b.Close()
			}
			if got := result(t, e, Request{Prompt: ids, MaxTokens: 12}).IDs; !slices.Equal(got, reply) {
				t.Errorf("%s: in steps of %d the reply is %v, expected %v", name, steps, got, reply)
			}
		}
	}
}

// TestAContextLongerThanTheModelsIsForThoseThatExtend.
func TestAContextLongerThanTheModelsIsForThoseThatExtend(t *testing.T) {
	if e := golden(t, "internlm2-dynamic", Options{Context: 100}); e.Options.Context != 100 {
		t.Errorf("a dynamic model of 24 opened for 100 has %d", e.Options.Context)
	}
	if e := golden(t, "internlm2-dynamic", Options{}); e.Options.Context != 24 {
		t.Errorf("opened without a wish it has %d, expected its own 24", e.Options.Context)
	}
}

// TestMemoryOfAPromptIsLinear: what a step needs beside the cache does not grow with the prompt, and the cache by its blocks only;
// with a window not even those.
func TestMemoryOfAPromptIsLinear(t *testing.T) {
	for _, window := range []int{0, 128} {
		b := cpu.New(1)
		_, tok := tiny(t, b, 96)
		m, err := nn.Initialise(b, nn.Spec{Family: "llama", Vocab: 257, Hidden: 8, Layers: 1, Context: 40000, Norm: nn.Norm{Epsilon: 1e-5}, TiedEmbedding: true, Block: nn.Block{
			Attention:   nn.Attention{Heads: 1, KVHeads: 1, HeadSize: 8, Window: window, RoPE: nn.RoPE{Theta: 10000, Rotary: 8}},
			FeedForward: nn.FeedForward{Hidden: 8}}}, 3, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		lengths := []int{2048, 8192}
		if window > 0 {
			lengths = []int{2048, 32768}
		}
		var scratch, cached []int
		for _, n := range lengths {
			e, err := New(b, m, tok, Options{Context: n + 8, CacheTokens: n + 8, Sequences: 1, Precision: "exact"})
			if err != nil {
				t.Fatal(err)
			}
			ids := make([]int32, n)
			for i := range ids {
				ids[i] = int32(i % 251)
			}
			result(t, e, Request{Prompt: ids, MaxTokens: 4})
			scratch = append(scratch, e.arena.Bytes())
			bytes := 0
			for l := range e.cache.Keys {
				bytes += e.cache.Keys[l].Bytes() + e.cache.Values[l].Bytes()
			}
			cached = append(cached, bytes)
			e.Close()
		}
		times := lengths[1] / lengths[0]
		if scratch[1] > scratch[0]+scratch[0]/4 {
			t.Errorf("window %d: %d tokens take %d bytes beside the cache, %d take %d", window, lengths[0], scratch[0], lengths[1], scratch[1])
		}
		if cached[1] > times*cached[0] || window > 0 && cached[1] != cached[0] {
			t.Errorf("window %d: the cache has %d bytes for %d tokens, %d for %d", window, cached[0], lengths[0], cached[1], lengths[1])
		}
	}
}
