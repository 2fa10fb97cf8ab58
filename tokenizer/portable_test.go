package tokenizer_test

import (
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"lian/format/gguf"
	"lian/tokenizer"
	"lian/verify/shared"
)

// TestTokenizersOfOtherFilesAreWrittenAsTokenizerJSON: SentencePiece's, tiktoken's and GGUF's tokenizers become a tokenizer.json
// that gives the same ids.
func TestTokenizersOfOtherFilesAreWrittenAsTokenizerJSON(t *testing.T) {
	texts := inputs(t)
	for _, elem := range [][]string{
		{"llama2", "tokenizer.model"}, {"internlm", "tokenizer_internlm.model"}, {"internlm", "tokenizer_internlm2.model"}, {"qwen", "qwen.tiktoken"},
		{"ggml-vocab", "ggml-vocab-llama-spm.gguf"}, {"ggml-vocab", "ggml-vocab-phi-3.gguf"}, {"ggml-vocab", "ggml-vocab-gpt-2.gguf"},
	} {
		t.Run(elem[1], func(t *testing.T) {
			t.Parallel()
			path := shared.Path(t, append([]string{"testdata", "tokenizers"}, elem...)...)
			var tok *tokenizer.Tokenizer
			var err error
			if filepath.Ext(path) == ".gguf" {
				f, openErr := gguf.Open(path)
				if openErr != nil {
					t.Fatal(openErr)
				}
				defer f.Close()
				tok, err = tokenizer.FromGGUF(f)
			} else {
				tok, err = tokenizer.Load(path)
			}
			if err != nil {
				t.Fatal(err)
			}
			raw, err := tok.JSON()
			if err != nil {
				t.Fatal(err)
			}
			again, err := tokenizer.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			differ := 0
			for id, text := range texts {
				if !utf8.ValidString(text) || slices.Contains([]byte(text), 0) {
					continue
				}
				want := tok.Encode(text)
				if got := again.Encode(text); !slices.Equal(got, want) {
					if differ++; differ < 4 {
						t.Errorf("%s %q: %v, want %v", id, text, got, want)
					}
				}
			}
			if differ > 0 {
				t.Errorf("%d of %d texts differ", differ, len(texts))
			}
		})
	}
}
