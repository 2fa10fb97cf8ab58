package tokenizer

import (
	"fmt"
	"strings"
)

// Metadata is what FromGGUF needs of a GGUF file's key-value pairs; each method
// gives false when the key is missing or of another type.
type Metadata interface {
	String(key string) (string, bool)
	Strings(key string) ([]string, bool)
	Ints(key string) ([]int64, bool)
	Uint(key string) (uint64, bool)
	Bool(key string) (bool, bool)
}

// Token types of GGUF. Source: llama.cpp, llama.h, llama_token_type.
const (
	ggufNormal      = 1
	ggufUnknown     = 2
	ggufControl     = 3
	ggufUserDefined = 4
	ggufUnused      = 5
	ggufByte        = 6
)

// FromGGUF reads the tokenizer of a GGUF file (keys tokenizer.ggml.*). Byte-level
// BPE (model "gpt2") with a known tokenizer.ggml.pre is implemented; every other
// model or way of splitting is refused by its name.
func FromGGUF(meta Metadata) (*Tokenizer, error) {
	model, ok := meta.String("tokenizer.ggml.model")
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.model: missing; the file has no tokenizer")
	}
	if model != "gpt2" {
		return nil, fmt.Errorf("tokenizer.ggml.model: %q is not implemented; gpt2 (byte-level BPE) is", model)
	}
	pre, ok := meta.String("tokenizer.ggml.pre")
	if !ok {
		pre = "default" // files of before April 2024; llama.cpp splits them so
	}
	pattern, ok := lookup(pre)
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.pre: %w", unknownPattern(pre))
	}
	texts, ok := meta.Strings("tokenizer.ggml.tokens")
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.tokens: missing or not a list of strings")
	}
	merges, ok := meta.Strings("tokenizer.ggml.merges")
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.merges: missing or not a list of strings")
	}
	d := Definition{Tokens: append([]string(nil), texts...), Steps: pattern.steps, IgnoreMerges: pattern.ignoreMerges}
	if kinds, ok := meta.Ints("tokenizer.ggml.token_type"); ok {
		if len(kinds) != len(texts) {
			return nil, fmt.Errorf("tokenizer.ggml.token_type: %d entries for %d tokens", len(kinds), len(texts))
		}
		for id, k := range kinds {
			switch k {
			case ggufNormal, ggufByte, ggufUnused:
				// Unused tokens are names like "[PAD151646]" that fill the matrix up; no
				// merge leads to them.
			case ggufControl, ggufUnknown, ggufUserDefined:
				d.Added = append(d.Added, Added{ID: int32(id), Text: texts[id], Special: k != ggufUserDefined})
			default:
				return nil, fmt.Errorf("tokenizer.ggml.token_type: token %d has the unknown type %d", id, k)
			}
		}
	}
	for i, m := range merges {
		left, right, ok := strings.Cut(m, " ")
		if !ok || left == "" || right == "" {
			return nil, fmt.Errorf("tokenizer.ggml.merges: merge %d: %q is not two tokens with a space between", i, m)
		}
		d.Merges = append(d.Merges, [2]string{left, right})
	}
	var err error
	if d.Before, err = ggufEdge(meta, "bos", len(texts), pattern.addBOS); err != nil {
		return nil, err
	}
	if d.After, err = ggufEdge(meta, "eos", len(texts), false); err != nil {
		return nil, err
	}
	t, err := New(d)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.ggml: %w", err)
	}
	return t, nil
}

// ggufEdge is the token that tokenizer.ggml.add_bos_token (or eos) asks for; usual
// holds when the file does not say.
func ggufEdge(meta Metadata, name string, size int, usual bool) ([]int32, error) {
	key := "tokenizer.ggml.add_" + name + "_token"
	add, said := meta.Bool(key)
	if !said {
		add = usual
	}
	if !add {
		return nil, nil
	}
	id, ok := meta.Uint("tokenizer.ggml." + name + "_token_id")
	if !ok || id >= uint64(size) {
		return nil, fmt.Errorf("%s: true, but tokenizer.ggml.%s_token_id is missing or outside the %d tokens", key, name, size)
	}
	return []int32{int32(id)}, nil
}
