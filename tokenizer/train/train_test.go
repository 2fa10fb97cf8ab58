package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"lian/tokenizer"
	"lian/tokenizer/train"
	"lian/verify/shared"
)

// TestEqualsHuggingFace compares merges, vocabulary and ids of probes with what
// BpeTrainer made of the same lines.
func TestEqualsHuggingFace(t *testing.T) {
	gpt2 := tokenizer.Step{Kind: tokenizer.ByteLevelStep, Pattern: tokenizer.PatternGPT2}
	prefixed := gpt2
	prefixed.PrefixSpace = true
	kinds := map[string]train.Options{
		"bl-gpt2":    {Steps: []tokenizer.Step{gpt2}},
		"bl-llama3":  {Pattern: "llama3"},
		"bl-noalpha": {Steps: []tokenizer.Step{prefixed}, SeenBytesOnly: true},
	}
	for _, corpus := range []string{"en", "mix"} {
		text, err := os.ReadFile(shared.Path(t, "testdata", "golden", "data", "inputs", "train_corpora", corpus+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		for kind, o := range kinds {
			for _, size := range []int{512, 2000, 4096} {
				name := fmt.Sprintf("%s.%s.%d", corpus, kind, size)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					data, err := os.ReadFile(shared.Path(t, "testdata", "golden", "data", "training", name+".json"))
					if err != nil {
						t.Fatal(err)
					}
					var want struct {
						Meta struct {
							Args struct {
								VocabSize      int      `json:"vocab_size"`
								Special        []string `json:"special_tokens"`
								MinFrequency   int64    `json:"min_frequency"`
								MaxTokenLength int      `json:"max_token_length"`
							}
						}
						Merges []string
						Vocab  []string
						Probe  map[string][]int32
					}
					if err := json.Unmarshal(data, &want); err != nil {
						t.Fatal(err)
					}
					a := want.Meta.Args
					o.VocabSize, o.Special, o.MinFrequency, o.MaxTokenBytes = a.VocabSize, a.Special, a.MinFrequency, a.MaxTokenLength
					tok, err := train.Train(context.Background(), lines(string(text)), o)
					if err != nil {
						t.Fatal(err)
					}
					var merges, vocab []string
					for _, m := range tok.Merges() {
						merges = append(merges, m[0]+" "+m[1])
					}
					for _, e := range tok.Vocabulary() {
						vocab = append(vocab, e.Text)
					}
					same(t, "merge", merges, want.Merges)
					same(t, "token", vocab, want.Vocab)
					for text, ids := range want.Probe {
						if got := tok.Encode(text); !slices.Equal(got, ids) {
							t.Errorf("%q: got %v, want %v", text, got, ids)
						}
					}
				})
			}
		}
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s %d: got %q, want %q", what, i, got[i], want[i])
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d %ss, want %d", len(got), what, len(want))
	}
}

// lines is Python's str.splitlines(keepends=True), the texts the vectors were made of.
func lines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for text != "" {
			end := len(text)
			if i := strings.IndexAny(text, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029"); i >= 0 {
				end = i + 1
				if text[i] >= 0x80 {
					end = i + len(string([]rune(text[i : i+3])[:1]))
				}
				if strings.HasPrefix(text[i:], "\r\n") {
					end = i + 2
				}
			}
			if !yield(text[:end]) {
				return
			}
			text = text[end:]
		}
	}
}
