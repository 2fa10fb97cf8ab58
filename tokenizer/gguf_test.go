package tokenizer_test

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"testing"
	"unicode/utf8"

	"lian/format/gguf"
	"lian/tokenizer"
	"lian/verify/shared"
)

// TestEqualsLlamaCpp compares ids of the vocabularies inside GGUF files.
func TestEqualsLlamaCpp(t *testing.T) {
	texts := inputs(t)
	for _, c := range []struct {
		golden string
		file   []string
		pre    string
	}{
		{"gpt-2", []string{"tokenizers", "ggml-vocab", "ggml-vocab-gpt-2.gguf"}, "gpt-2"},
		{"mpt", []string{"tokenizers", "ggml-vocab", "ggml-vocab-mpt.gguf"}, "gpt-2"},
		{"refact", []string{"tokenizers", "ggml-vocab", "ggml-vocab-refact.gguf"}, "smollm"},
		{"starcoder", []string{"tokenizers", "ggml-vocab", "ggml-vocab-starcoder.gguf"}, "smollm"},
		{"falcon", []string{"tokenizers", "ggml-vocab", "ggml-vocab-falcon.gguf"}, "falcon"},
		{"gpt-neox", []string{"tokenizers", "ggml-vocab", "ggml-vocab-gpt-neox.gguf"}, "default"},
		{"deepseek-coder", []string{"tokenizers", "ggml-vocab", "ggml-vocab-deepseek-coder.gguf"}, "deepseek-coder"},
		{"deepseek-llm", []string{"tokenizers", "ggml-vocab", "ggml-vocab-deepseek-llm.gguf"}, "deepseek-llm"},
		{"smollm2", []string{"models", "smollm2-135m-instruct-q4_1.gguf"}, "smollm"},
		{"llama-spm", []string{"tokenizers", "ggml-vocab", "ggml-vocab-llama-spm.gguf"}, ""},
		{"baichuan", []string{"tokenizers", "ggml-vocab", "ggml-vocab-baichuan.gguf"}, ""},
		{"phi-3", []string{"tokenizers", "ggml-vocab", "ggml-vocab-phi-3.gguf"}, ""},
		{"bert-bge", []string{"tokenizers", "ggml-vocab", "ggml-vocab-bert-bge.gguf"}, ""},
	} {
		t.Run(c.golden, func(t *testing.T) {
			t.Parallel()
			file, err := gguf.Open(shared.Path(t, append([]string{"testdata"}, c.file...)...))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			tok, err := tokenizer.FromGGUF(file)
			if err != nil {
				t.Fatal(err)
			}
			if c.pre != "" && tok.PatternName() != c.pre {
				t.Errorf("pattern name %q, want %q", tok.PatternName(), c.pre)
			}
			type row struct {
				ID         string
				Error      any
				IDs        []int32
				IDsSpecial []int32         `json:"ids_special"`
				IDsAdd     []int32         `json:"ids_add"`
				Detok      json.RawMessage `json:"detok_hex"`
			}
			rows(t, shared.Path(t, "testdata", "golden", "data", "tokenizers", "gguf-"+c.golden+".jsonl"), func(r row) {
				text, ok := texts[r.ID]
				if !ok {
					t.Fatalf("%s: no such text", r.ID)
				}
				// Bytes that are no UTF-8 must do no harm; SentencePiece's kinds give the same ids.
				if r.Error != nil || !utf8.ValidString(text) && c.pre != "" || !utf8.ValidString(text) && c.golden == "bert-bge" {
					tok.EncodeAll(text)
					return
				}
				if got := tok.Encode(text); !slices.Equal(got, r.IDs) {
					t.Errorf("%s %q:\n got %v\nwant %v", r.ID, text, got, r.IDs)
				}
				for i, x := range tok.EncodeWith(text, nil) {
					if x.ID != r.IDs[i] || x.Start > x.End || x.End > len(text) {
						t.Errorf("%s %q: with places token %d is %+v, want %d", r.ID, text, i, x, r.IDs[i])
					}
				}
				if got := tok.EncodeAll(text); r.IDsSpecial != nil && !slices.Equal(got, r.IDsSpecial) {
					t.Errorf("%s %q with control tokens:\n got %v\nwant %v", r.ID, text, got, r.IDsSpecial)
				}
				before, after := tok.Around()
				if got := slices.Concat(before, tok.Encode(text), after); r.IDsAdd != nil && !slices.Equal(got, r.IDsAdd) {
					t.Errorf("%s %q with BOS and EOS:\n got %v\nwant %v", r.ID, text, got, r.IDsAdd)
				}
				want := text
				if string(r.Detok) != "true" {
					var code string
					if err := json.Unmarshal(r.Detok, &code); err != nil {
						t.Fatal(err)
					}
					raw, err := hex.DecodeString(code)
					if err != nil {
						t.Fatal(err)
					}
					want = string(raw)
				}
				if got := tok.Detokenize(r.IDs, false); got != want {
					t.Errorf("%s: decode: got %q, want %q", r.ID, got, want)
				}
			})
		})
	}
}
