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
	Floats(key string) ([]float32, bool)
	Uint(key string) (uint64, bool)
	Bool(key string) (bool, bool)
}

// ggufKind is what one value of tokenizer.ggml.model means where the file does not
// say otherwise. Source: llama.cpp, llama-vocab.cpp.
type ggufKind struct {
	fill           func(g *ggufReader) error
	bos, eos, sep  int64 // -1: none
	unknown        int64
	addBOS, addEOS bool
	addSep         bool // the separator comes after a text instead of EOS
	clean, dummy   bool
}

var ggufKinds = map[string]ggufKind{
	"gpt2":       {fill: (*ggufReader).gpt2, bos: 11, eos: 11, sep: -1, unknown: -1},
	"gemma4":     {fill: (*ggufReader).gemma4, bos: -1, eos: -1, sep: -1, unknown: -1, addBOS: true, clean: true},
	"whitespace": {fill: (*ggufReader).whitespace, bos: 11, eos: 11, sep: -1, unknown: -1, clean: true},
	"llama":      {fill: (*ggufReader).llama, bos: 1, eos: 2, sep: -1, unknown: 0, addBOS: true, dummy: true},
	"t5":         {fill: (*ggufReader).t5, bos: -1, eos: 1, sep: -1, unknown: 2, addEOS: true},
	"bert":       {fill: (*ggufReader).bert, bos: 101, eos: -1, sep: 102, unknown: 100, addBOS: true, addSep: true, clean: true},
	"rwkv":       {fill: (*ggufReader).rwkv, bos: -1, eos: -1, sep: -1, unknown: -1},
}

// FromGGUF reads the tokenizer of a GGUF file (keys tokenizer.ggml.*). It encodes
// and decodes as llama.cpp does. PLaMo-2's and HybridDNA's vocabularies are refused
// by name.
func FromGGUF(meta Metadata) (*Tokenizer, error) {
	model, ok := meta.String("tokenizer.ggml.model")
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.model: missing; %w", ErrNone)
	}
	if model == "none" || model == "no_vocab" {
		return nil, fmt.Errorf("tokenizer.ggml.model: %s; %w", model, ErrNone)
	}
	kind, ok := ggufKinds[model]
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.model: %q is not implemented; gpt2, gemma4, whitespace, llama, t5, bert and rwkv are", model)
	}
	g := &ggufReader{meta: meta, kind: kind}
	if err := g.tokens(); err != nil {
		return nil, err
	}
	if err := kind.fill(g); err != nil {
		return nil, err
	}
	if err := g.around(); err != nil {
		return nil, err
	}
	g.attributes()
	t, err := New(g.d)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.ggml: %w", err)
	}
	return t, nil
}

type ggufReader struct {
	meta Metadata
	kind ggufKind
	d    Definition
}

// flag is a boolean of the file, or what holds when it does not say.
func (g *ggufReader) flag(key string, usual bool) bool {
	if v, said := g.meta.Bool(key); said {
		return v
	}
	return usual
}

// id is a token that the file names by a key, or the usual one; -1 for none.
func (g *ggufReader) id(name string, usual int64) int64 {
	if v, ok := g.meta.Uint("tokenizer.ggml." + name + "_token_id"); ok && v < uint64(len(g.d.Tokens)) {
		return int64(v)
	}
	if usual >= int64(len(g.d.Tokens)) {
		return -1
	}
	return usual
}

// tokens reads the vocabulary with the types and scores.
func (g *ggufReader) tokens() error {
	texts, ok := g.meta.Strings("tokenizer.ggml.tokens")
	if !ok || len(texts) == 0 {
		return fmt.Errorf("tokenizer.ggml.tokens: missing or not a list of strings")
	}
	d := &g.d
	d.Tokens = append([]string(nil), texts...)
	d.LongestFirst = true
	d.Roles = make([]Role, len(texts))
	for id := range d.Roles {
		d.Roles[id] = Ordinary
	}
	if kinds, ok := g.meta.Ints("tokenizer.ggml.token_type"); ok {
		if len(kinds) != len(texts) {
			return fmt.Errorf("tokenizer.ggml.token_type: %d entries for %d tokens", len(kinds), len(texts))
		}
		for id, k := range kinds {
			if k < int64(Ordinary) || k > int64(ByteRole) {
				return fmt.Errorf("tokenizer.ggml.token_type: token %d has the unknown type %d", id, k)
			}
			d.Roles[id] = Role(k)
		}
	}
	g.controls()
	for id, role := range d.Roles {
		if text := d.Tokens[id]; text != "" && (role == Control || role == UnknownRole || role == UserDefined) {
			d.Added = append(d.Added, Added{ID: int32(id), Text: text, Special: role != UserDefined})
		}
	}
	d.Scores = make([]float64, len(texts))
	if scores, ok := g.meta.Floats("tokenizer.ggml.scores"); ok {
		if len(scores) != len(texts) {
			return fmt.Errorf("tokenizer.ggml.scores: %d entries for %d tokens", len(scores), len(texts))
		}
		for id, s := range scores {
			d.Scores[id] = float64(s)
		}
	}
	return nil
}

// controls makes control tokens of those that llama.cpp takes for such by their text.
func (g *ggufReader) controls() {
	list, d := ggufControls(), &g.d
	names := map[string]bool{}
	for _, text := range list.End {
		names[text] = true
	}
	for key, texts := range list.Unnamed {
		if _, named := g.meta.Uint("tokenizer.ggml." + key + "_token_id"); !named {
			for _, text := range texts {
				names[text] = true
			}
		}
	}
	found := map[string]int{}
	for id, text := range d.Tokens {
		if len(text) > 2 && len(text) < 40 && (text[0] == '<' || text[0] == '[' || text[0] == '_' || text[0] == 0xe2) && (names[text] || strings.HasPrefix(text, "<|")) {
			found[text] = id
			if names[text] && d.Roles[id] != UnknownRole {
				d.Roles[id] = Control
			}
		}
	}
	has := func(texts ...string) bool {
		for _, text := range texts {
			if _, ok := found[text]; !ok {
				return false
			}
		}
		return true
	}
	// gpt-oss and Solar: the end of a part of a message is not the end of generation.
	if has("<|end|>") && (has("<|return|>", "<|call|>") || (has("<|calls|>") || has("<|call|>")) && has("<|flush|>")) {
		d.Roles[found["<|end|>"]] = UserDefined
	}
	if has("</s>") && has("<|tool_response>") {
		d.Roles[found["</s>"]] = Ordinary
	}
}

// around reads the ids that belong before and after a text.
func (g *ggufReader) around() error {
	d := &g.d
	edge := func(name, key string, add bool, usual int64) ([]int32, error) {
		if !g.flag("tokenizer.ggml.add_"+name+"_token", add) {
			return nil, nil
		}
		id := g.id(key, usual)
		if id < 0 {
			return nil, fmt.Errorf("tokenizer.ggml.add_%s_token: true, but tokenizer.ggml.%s_token_id is missing or outside the %d tokens", name, key, len(d.Tokens))
		}
		return []int32{int32(id)}, nil
	}
	var err error
	if g.kind.addSep { // BERT's two marks come always
		d.Before, d.After = []int32{int32(max(0, g.id("bos", g.kind.bos)))}, []int32{int32(max(0, g.id("seperator", g.kind.sep)))}
		return nil
	}
	if d.Before, err = edge("bos", "bos", g.kind.addBOS, g.kind.bos); err == nil {
		d.After, err = edge("eos", "eos", g.kind.addEOS, g.kind.eos)
	}
	if pre, _ := g.meta.String("tokenizer.ggml.pre"); pre == "gemma4" && d.Before == nil && g.id("bos", -1) >= 0 {
		d.Before = []int32{int32(g.id("bos", -1))}
	}
	return err
}

// unknown sets the unknown token.
func (g *ggufReader) unknown() {
	if id := g.id("unknown", g.kind.unknown); id >= 0 {
		g.d.Unknown = g.d.Tokens[id]
	}
}

// attributes are those of single tokens, which files do not hold: llama.cpp goes by
// the names of the model and the pre-tokeniser.
func (g *ggufReader) attributes() {
	name, _ := g.meta.String("general.name")
	arch, _ := g.meta.String("general.architecture")
	pre, _ := g.meta.String("tokenizer.ggml.pre")
	name = strings.ToLower(name)
	contains := func(s string, parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(s, p) {
				return true
			}
		}
		return false
	}
	for i := range g.d.Added {
		a := &g.d.Added[i]
		switch {
		case contains(pre, "jina-v2-de", "jina-v2-es", "jina-v2-code") || contains(arch, "nomic-bert-moe", "jina-bert-v3"):
			a.StripLeft = a.Text == "<mask>"
		case contains(name, "phi-3", "phi3"):
			a.StripRight = a.Text != "<unk>" && a.Text != "<s>" && a.Text != "<|endoftext|>"
		case contains(name, "modern-bert"):
			a.StripLeft = a.Text == "[MASK]"
		}
	}
}
