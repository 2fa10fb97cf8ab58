package step

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"lian/format/gguf"
	"lian/store"
	"lian/tokenizer"
)

// ggufWords are a model's tokenizer and chat template as GGUF metadata. Those of a GGUF file are taken as they are; others are
// made as llama.cpp's converter makes them. Sources: llama.cpp conversion/base.py, gguf-py vocab.py. end is the token that ends a
// reply.
func ggufWords(m *Opened, end int32) ([]gguf.KeyValue, error) {
	if m.gguf {
		return copiedWords(m.Path)
	}
	d := m.Tokenizer.Definition()
	if len(d.Normalize) > 0 && d.Normalize[0].Kind == tokenizer.LlamaSpaces && !d.Normalize[0].EscapeSpaces { // llama2.c's have plain blanks
		d.Tokens = slices.Clone(d.Tokens)
		for id, text := range d.Tokens {
			d.Tokens[id] = strings.ReplaceAll(text, " ", "\u2581")
		}
	}
	out, err := ggufVocabulary(m.Tokenizer, &d, m.Model.Spec.Vocab)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; --weights-only converts the weights alone", m.Path, err)
	}
	ids, err := specialIDs(m)
	if err != nil {
		return nil, err
	}
	if _, ok := ids["bos"]; !ok {
		ids["bos"] = m.Separator
	}
	if _, ok := ids["eos"]; !ok {
		ids["eos"] = end
	}
	if ids["eos"] != end {
		ids["eot"] = end
	}
	for _, kind := range append(specialKinds, "eot") {
		if id, ok := ids[kind]; ok {
			out = append(out, gguf.KeyValue{Key: "tokenizer.ggml." + ggufSpecial(kind) + "_token_id", Value: uint32(id)})
		}
	}
	before, after := m.Tokenizer.Around()
	out = append(out, gguf.KeyValue{Key: "tokenizer.ggml.add_bos_token", Value: len(before) > 0}, gguf.KeyValue{Key: "tokenizer.ggml.add_eos_token", Value: len(after) > 0})
	if m.Template != nil {
		out = append(out, gguf.KeyValue{Key: "tokenizer.chat_template", Value: m.Template.Source()})
	}
	return out, nil
}

// copiedWords is what a GGUF file says of its tokenizer.
func copiedWords(path string) (out []gguf.KeyValue, err error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for _, key := range f.Keys() {
		if strings.HasPrefix(key, "tokenizer.") {
			value, _ := f.Value(key)
			out = append(out, gguf.KeyValue{Key: key, Value: value})
		}
	}
	return out, nil
}

// specialKinds are the tokens of a tokenizer_config.json (bos_token …) that GGUF has a key for.
var specialKinds = []string{"bos", "eos", "unk", "sep", "pad", "cls", "mask"}

// ggufSpecial is the name in GGUF's key.
func ggufSpecial(kind string) string {
	switch kind {
	case "unk":
		return "unknown"
	case "sep":
		return "seperator" // as GGUF spells it
	case "pad":
		return "padding"
	}
	return kind
}

// specialIDs are the special tokens that a model folder names: in tokenizer_config.json by their text, or in config.json by number.
func specialIDs(m *Opened) (map[string]int32, error) {
	ids := map[string]int32{}
	settings := map[string]any{}
	if err := store.ReadJSON(filepath.Join(m.Dir(), "tokenizer_config.json"), &settings); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, fields := range []map[string]any{settings, m.Config} {
		for _, kind := range specialKinds {
			if _, known := ids[kind]; known {
				continue
			}
			switch v := fields[kind+"_token"].(type) {
			case string:
				if id, ok := m.Tokenizer.ID(v); ok {
					ids[kind] = id
				}
			case map[string]any:
				if text, ok := v["content"].(string); ok {
					if id, ok := m.Tokenizer.ID(text); ok {
						ids[kind] = id
					}
				}
			}
			if v, ok := fields[kind+"_token_id"].(float64); ok && v >= 0 && v < float64(m.Model.Spec.Vocab) {
				ids[kind] = int32(v)
			}
		}
	}
	return ids, nil
}

// ggufVocabulary is a tokenizer's vocabulary as GGUF keeps it, filled up to a size.
func ggufVocabulary(tok *tokenizer.Tokenizer, d *tokenizer.Definition, size int) ([]gguf.KeyValue, error) {
	if len(d.Tokens) > size {
		return nil, fmt.Errorf("its tokenizer has %d tokens, the model %d", len(d.Tokens), size)
	}
	sentences := false // how sentencepiece writes blanks and bytes
	var out []gguf.KeyValue
	put := func(key string, value any) {
		out = append(out, gguf.KeyValue{Key: "tokenizer.ggml." + key, Value: value})
	}
	scores := make([]float32, size)
	switch d.Model {
	case tokenizer.ByteBPE, "", tokenizer.RankBPE:
		name := tok.PatternName()
		if name == "" {
			return nil, errors.New("its tokenizer splits text in a way that GGUF has no name for, so other programs would read other tokens")
		}
		put("model", "gpt2")
		put("pre", name)
	case tokenizer.ScoreBPE, tokenizer.BPE:
		if !d.ByteFallback {
			return nil, fmt.Errorf("its tokenizer (%s without tokens for bytes) has no form in GGUF", d.Model)
		}
		sentences = true
		put("model", "llama")
		put("pre", "default")
		rankScores(d, scores)
	case tokenizer.Unigram:
		sentences = true
		put("model", "t5")
		put("pre", "default")
		rankScores(d, scores)
	default:
		return nil, fmt.Errorf("its tokenizer (%s) has no form in GGUF", d.Model)
	}
	tokens, types := ggufTokens(d, size, sentences)
	put("tokens", tokens)
	if sentences {
		for id, kind := range types {
			if kind == int32(tokenizer.Unused) {
				scores[id] = -10000
			} else if kind == int32(tokenizer.UserDefined) {
				scores[id] = -1000
			}
		}
		for _, a := range d.Added {
			if a.Outside && int(a.ID) < size {
				scores[a.ID] = -1000
			}
		}
		put("scores", scores)
	}
	put("token_type", types)
	if !sentences {
		put("merges", byteMerges(d))
		return out, nil
	}
	for _, n := range d.Normalize {
		if len(n.Map) > 0 {
			put("precompiled_charsmap", []uint8(bytes.Clone(n.Map)))
			put("remove_extra_whitespaces", n.RemoveExtraSpaces)
		}
	}
	if !leadingBlank(d) {
		put("add_space_prefix", false)
	}
	return out, nil
}

// ggufTokens are the texts and the roles of a vocabulary, filled up with names of tokens that nobody uses.
func ggufTokens(d *tokenizer.Definition, size int, sentences bool) (texts []string, types []int32) {
	texts, types = make([]string, size), make([]int32, size)
	for i := range texts {
		texts[i], types[i] = fmt.Sprintf("[PAD%d]", i), int32(tokenizer.Unused)
		if i >= len(d.Tokens) || d.Tokens[i] == "" {
			continue
		}
		texts[i], types[i] = d.Tokens[i], int32(tokenizer.Ordinary)
		switch {
		case d.Roles != nil:
			types[i] = int32(d.Roles[i])
		case sentences && byteName.MatchString(texts[i]):
			types[i] = int32(tokenizer.ByteRole)
		case sentences && texts[i] == d.Unknown:
			types[i] = int32(tokenizer.UnknownRole)
		}
	}
	for _, a := range d.Added {
		if int(a.ID) >= size || types[a.ID] == int32(tokenizer.UnknownRole) {
			continue
		}
		texts[a.ID], types[a.ID] = a.Text, int32(tokenizer.Control)
		if !a.Special && !looksSpecial(a.Text) {
			texts[a.ID], types[a.ID] = strings.ReplaceAll(a.Text, "\u2581", " "), int32(tokenizer.UserDefined)
		}
	}
	return texts, types
}

var byteName = regexp.MustCompile(`^<0x[0-9A-F]{2}>$`)

// looksSpecial says whether an added token is a mark by its look, though its file does not say so: Cohere's, DeepSeek's and
// Gemma's files do not.
func looksSpecial(text string) bool {
	switch text {
	case "<pad>", "<mask>", "<2mass>", "[@BOS@]":
		return true
	}
	for _, sides := range [][2]string{{"<|", "|>"}, {"<｜", "｜>"}, {"<unused", ">"}} {
		if strings.HasPrefix(text, sides[0]) && strings.HasSuffix(text, sides[1]) {
			return true
		}
	}
	return false
}

// rankScores are the scores of a vocabulary: its own, or those that order merges as its list does.
func rankScores(d *tokenizer.Definition, scores []float32) {
	if d.Scores != nil {
		for i, s := range d.Scores {
			scores[i] = float32(s)
		}
		return
	}
	ids := map[string]int{}
	for id, text := range d.Tokens {
		ids[text] = id
	}
	for i := range scores {
		scores[i] = -1e9
	}
	for rank, pair := range d.Merges {
		if id, ok := ids[pair[0]+pair[1]]; ok && scores[id] == -1e9 {
			scores[id] = -float32(rank)
		}
	}
}

// leadingBlank says whether a blank goes before a text.
func leadingBlank(d *tokenizer.Definition) bool {
	for _, n := range d.Normalize {
		if n.DummyPrefix || n.Kind == tokenizer.Prepend && n.Content == "\u2581" {
			return true
		}
	}
	for _, s := range d.Steps {
		if s.Prepend == "first" || s.Prepend == "always" {
			return true
		}
	}
	return false
}

// byteMerges are the merges of a byte-level vocabulary, "left right".
func byteMerges(d *tokenizer.Definition) []string {
	merges := make([]string, 0, len(d.Merges))
	for _, p := range d.Merges {
		merges = append(merges, p[0]+" "+p[1])
	}
	if d.Model == tokenizer.RankBPE {
		for _, p := range d.RankMerges() {
			merges = append(merges, p[0]+" "+p[1])
		}
	}
	return merges
}
