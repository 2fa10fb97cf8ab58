package draft

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkSuffixOfAPrompt is what drafting costs before its first guess: 3000 tokens with the repetitions of text.
func BenchmarkSuffixOfAPrompt(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	text := make([]int32, 3000)
	for i := range text {
		text[i] = int32(r.ExpFloat64() * 300)
	}
	b.ReportAllocs()
	for b.Loop() {
		NewSuffix(nil).Draft(text, 8)
	}
}
