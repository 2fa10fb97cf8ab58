package step

import (
	"fmt"
	"slices"
	"strings"

	"lian/tokenizer"
)

// sameWords says whether two tokenizers give the same ids, though they may be of different kinds (a GGUF file has no form for
// some): on texts of neighbouring and of far-apart ordinary tokens of the vocabulary, and on some that no vocabulary was made for.
// Whether an added token is a mark or text may differ: GGUF's readers take what looks like a mark for one. No text holds U+0000,
// which ends a text in C.
func sameWords(a, b *tokenizer.Tokenizer) error {
	if a.Hash() == b.Hash() {
		return nil
	}
	var texts []string
	added := map[int32]bool{}
	for _, x := range a.Definition().Added {
		added[x.ID] = true
	}
	for vocabulary, step := a.VocabSize(), 1; step < 1<<20; step = step*7 + 1 {
		for from := 0; from < 2000; from++ {
			var text strings.Builder
			for i := range 6 {
				if id := int32((from*13 + i*step) % vocabulary); !added[id] {
					text.Write(a.TokenBytes(id))
				}
			}
			texts = append(texts, strings.ReplaceAll(strings.ToValidUTF8(text.String(), ""), "\x00", ""))
		}
	}
	texts = append(texts, "", " ", "  two  blanks ", "\n\n\t", "Hello, world! 你好，世界。", "١٢٣ १२३ 123", "👩‍👩‍👧‍👦", "\u200b", "def f(x):\n    return x**2  # ok\n")
	for _, text := range texts {
		if got, want := b.Encode(text), a.Encode(text); !slices.Equal(got, want) {
			return fmt.Errorf("its tokenizer gives %v for %q, expected %v", got, text, want)
		}
	}
	beforeA, afterA := a.Around()
	beforeB, afterB := b.Around()
	if !slices.Equal(beforeA, beforeB) || !slices.Equal(afterA, afterB) {
		return fmt.Errorf("its tokenizer puts %v and %v around a text, expected %v and %v", beforeB, afterB, beforeA, afterA)
	}
	return nil
}
