package tokenizer

import (
	"bytes"
	_ "embed" // gguf.yaml
	"fmt"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed gguf.yaml
var ggufYAML []byte

type ggufControlNames struct {
	End     []string
	Unnamed map[string][]string
}

var ggufControls = sync.OnceValue(func() (c ggufControlNames) {
	d := yaml.NewDecoder(bytes.NewReader(ggufYAML))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		panic("tokenizer/gguf.yaml: " + err.Error())
	}
	return c
})

// merges reads the merges. A left side may begin with a blank.
func (g *ggufReader) merges() error {
	merges, ok := g.meta.Strings("tokenizer.ggml.merges")
	if !ok {
		return fmt.Errorf("tokenizer.ggml.merges: missing or not a list of strings")
	}
	g.d.Merges = make([][2]string, len(merges))
	for i, m := range merges {
		at := -1
		if len(m) > 2 {
			at = strings.IndexByte(m[1:], ' ')
		}
		if at < 0 || at+2 >= len(m) {
			return fmt.Errorf("tokenizer.ggml.merges: merge %d: %q is not two tokens with a space between", i, m)
		}
		g.d.Merges[i] = [2]string{m[:at+1], m[at+2:]}
	}
	return nil
}

// gpt2 is byte-level BPE with a named way of splitting.
func (g *ggufReader) gpt2() error {
	pre, ok := g.meta.String("tokenizer.ggml.pre")
	if !ok {
		pre = "default" // files of before April 2024; llama.cpp splits them so
	}
	if pre == "gemma4" || pre == "granite-embed-multi-311m" || pre == "sarvam-moe" {
		g.kind.addBOS, g.kind.clean = false, pre != "sarvam-moe"
		return g.gemma4()
	}
	if pre == "whitespace" {
		return g.whitespace()
	}
	pattern, ok := lookup(pre)
	if !ok {
		return fmt.Errorf("tokenizer.ggml.pre: %w", unknownPattern(pre))
	}
	g.d.Steps, g.d.IgnoreMerges = pattern.steps, pattern.ignoreMerges
	g.kind.addBOS = pattern.addBOS
	g.d.CleanSpaces = !pattern.keepSpaces[pre]
	g.d.Scores = nil
	return g.merges()
}

// gemma4 is BPE over characters with U+2581 for blanks, within lines.
func (g *ggufReader) gemma4() error {
	d := &g.d
	d.Model, d.ByteFallback, d.WholeBreaks = BPE, true, true
	if pre, _ := g.meta.String("tokenizer.ggml.pre"); pre == "sarvam-moe" {
		d.WholeBreaks = false
	}
	d.Normalize = []Normalization{{Kind: LlamaSpaces, EscapeSpaces: true}}
	d.Steps = []Step{{Kind: Split, Pattern: patternLines}}
	d.Decode = []Decoding{{Kind: LlamaDecoding}}
	d.CleanSpaces, d.Scores = g.kind.clean, nil
	return g.merges()
}

// whitespace is BPE over characters of words; blanks are dropped.
func (g *ggufReader) whitespace() error {
	d := &g.d
	d.Model, d.ByteFallback = BPE, true
	pre, _ := g.meta.String("tokenizer.ggml.pre")
	if g.flag("tokenizer.ggml.normalizer.lowercase", pre != "whitespace") {
		d.Normalize = []Normalization{{Kind: Lowercase}}
	}
	d.Steps = []Step{{Kind: WhitespaceSplit}}
	d.Decode = []Decoding{{Kind: LlamaDecoding}}
	d.CleanSpaces, d.Scores = true, nil
	return g.merges()
}

// llama is sentencepiece's BPE as llama.cpp reads it.
func (g *ggufReader) llama() error {
	d := &g.d
	g.unknown()
	dummy := g.flag("tokenizer.ggml.add_space_prefix", g.kind.dummy)
	d.Model, d.ByteFallback = ScoreBPE, true
	d.Normalize = []Normalization{{Kind: LlamaSpaces, DummyPrefix: dummy, EscapeSpaces: true}}
	d.Decode = []Decoding{{Kind: LlamaDecoding, Prepended: dummy}}
	return nil
}

// t5 is sentencepiece's unigram as llama.cpp reads it.
func (g *ggufReader) t5() error {
	d := &g.d
	g.unknown()
	if d.Unknown == "" {
		return fmt.Errorf("tokenizer.ggml.unknown_token_id: missing or outside the %d tokens", len(d.Tokens))
	}
	var charsmap []byte
	if values, ok := g.meta.Ints("tokenizer.ggml.precompiled_charsmap"); ok {
		charsmap = make([]byte, len(values))
		for i, v := range values {
			charsmap[i] = byte(v)
		}
	}
	dummy := g.flag("tokenizer.ggml.add_space_prefix", false)
	d.Model, d.FuseUnknown = Unigram, true
	d.Normalize = []Normalization{{Kind: LlamaUnigramText, Map: charsmap, DummyPrefix: dummy, EscapeSpaces: true,
		RemoveExtraSpaces: g.flag("tokenizer.ggml.remove_extra_whitespaces", false)}}
	d.Decode = []Decoding{{Kind: LlamaDecoding, Prepended: dummy}}
	return nil
}

// bert is WordPiece with U+2581 before words.
func (g *ggufReader) bert() error {
	d := &g.d
	g.unknown()
	lower := g.flag("tokenizer.ggml.normalizer.lowercase", true)
	d.Model = PhantomWordPiece
	d.Normalize = []Normalization{{Kind: LlamaBert, Lowercase: lower, StripAccents: g.flag("tokenizer.ggml.normalizer.strip_accents", lower)}}
	d.Steps = []Step{{Kind: WhitespaceSplit}}
	d.Decode = []Decoding{{Kind: LlamaDecoding, Prepended: g.flag("tokenizer.ggml.add_space_prefix", false)}}
	d.CleanSpaces, d.Scores = true, nil
	return nil
}

// rwkv takes the longest token at each place.
func (g *ggufReader) rwkv() error {
	g.unknown()
	g.d.Model, g.d.Scores = LongestMatch, nil
	g.d.Decode = []Decoding{{Kind: PlainDecoding}}
	return nil
}
