package step

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lian/chat"
	"lian/format/container"
	"lian/format/gguf"
	"lian/tokenizer"
)

// TokenizerFacts are a tokenizer's size and kind; what follows Special needs the tokenizer itself, which --tokenizer opens.
type TokenizerFacts struct {
	Format  string   `json:"format"` // tokenizer.json, GGUF, sentencepiece, …
	Model   string   `json:"model"`  // as the file names it: BPE, Unigram, gpt2, llama
	Tokens  int      `json:"tokens"`
	Merges  int      `json:"merges"`
	Pattern string   `json:"pattern,omitempty"` // as GGUF names it
	Parts   []string `json:"parts,omitempty"`   // of tokenizer.json, by type
	Special []string `json:"special,omitempty"`
	Before  []int32  `json:"before,omitempty"` // ids that the model expects before a text
	After   []int32  `json:"after,omitempty"`  // and after it
	Hash    string   `json:"hash,omitempty"`
	Notes   []string `json:"notes,omitempty"`
}

// TemplateFacts say what is known of a chat template.
type TemplateFacts struct {
	Bytes      int    `json:"bytes"`
	First      string `json:"first_line"`
	Tools      bool   `json:"tools"`              // it mentions tools
	Generation bool   `json:"generation"`         // it marks what a model writes
	BuiltIn    string `json:"built_in,omitempty"` // equal to this one of ours
	Text       string `json:"text,omitempty"`     // with --template
}

// ggufWords looks at the tokenizer of a GGUF file.
func (i *inspector) ggufWords(f *gguf.File) {
	if i.o.Words {
		tok, err := tokenizer.FromGGUF(f)
		i.words("GGUF", tok, err)
		return
	}
	if g, ok := tokenizer.GlanceGGUF(f); ok {
		i.glance("GGUF", g)
	} else {
		i.problem("the file has no tokenizer (tokenizer.ggml.model)")
	}
}

func (i *inspector) glance(format string, g tokenizer.Glance) {
	i.Tokenizer = &TokenizerFacts{Format: format, Model: string(g.Model), Tokens: g.Tokens, Merges: g.Merges, Pattern: g.Pattern, Parts: g.Parts, Special: g.Special}
}

// words fills in the tokenizer, or why it cannot be used.
func (i *inspector) words(format string, tok *tokenizer.Tokenizer, err error) {
	if err != nil {
		i.problem("the tokenizer cannot be used: %v", err)
		return
	}
	before, after := tok.Around()
	i.Tokenizer = &TokenizerFacts{Format: format, Model: string(tok.Model()), Tokens: tok.VocabSize(), Merges: len(tok.Merges()), Pattern: tok.PatternName(), Before: before, After: after, Hash: tok.Hash(), Notes: tok.Notes()}
	for _, s := range tok.SpecialTokens() {
		i.Tokenizer.Special = append(i.Tokenizer.Special, s.Text)
	}
}

// beside looks at what lies beside weights: tokenizer and template.
func (i *inspector) beside(path string) {
	dir := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		dir = filepath.Dir(path)
	}
	i.folderWords(dir)
	if tpl, err := chat.LoadTemplate(dir); !errors.Is(err, fs.ErrNotExist) {
		i.templateFacts(tpl, err)
	}
}

// folderWords looks at the tokenizer of a folder: at first sight where that is a tokenizer.json, else by opening it.
func (i *inspector) folderWords(dir string) {
	file := filepath.Join(dir, "tokenizer.json")
	data, err := os.ReadFile(file)
	if err == nil && !i.o.Words {
		g, err := tokenizer.GlanceJSON(data)
		if err != nil {
			i.problem("the tokenizer cannot be used: %s: %v", file, err)
			return
		}
		i.glance("tokenizer.json", g)
		return
	}
	format := "tokenizer.json"
	if err != nil {
		format = ""
		for _, name := range []string{"tokenizer.model", "vocab.json", "*.tiktoken", "*.model", "tokenizer.bin", "vocab.txt"} {
			if found, _ := filepath.Glob(filepath.Join(dir, name)); len(found) > 0 && format == "" {
				format = filepath.Base(found[0])
			}
		}
		if format == "" {
			i.problem("there is no tokenizer here (tokenizer.json, tokenizer.model)")
			return
		}
	}
	tok, err := tokenizer.Load(dir)
	i.words(format, tok, err)
}

// templateFacts fills in the template, or why it cannot be used.
func (i *inspector) templateFacts(tpl *chat.Template, err error) {
	if err != nil {
		i.problem("the chat template cannot be used: %v", err)
		return
	}
	source := tpl.Source()
	t := &TemplateFacts{Bytes: len(source), First: headOf(source), Tools: strings.Contains(source, "tools"), Generation: tpl.HasGeneration()}
	t.BuiltIn = chat.BuiltInOf(source)
	if i.o.Template {
		t.Text = source
	}
	i.Template = t
}

// headOf is the first line that says something, cut where it is long.
func headOf(text string) string {
	const most = 80
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			if runes := []rune(line); len(runes) > most {
				return string(runes[:most]) + "…"
			}
			return line
		}
	}
	return ""
}

// tokenizer is the file of a tokenizer, or a folder that has only that.
func (i *inspector) tokenizer(path string, kind container.Kind) error {
	i.What, i.Format = WhatTokenizer, string(kind)
	dir := path
	if kind != container.TokenizerFolder {
		dir = filepath.Dir(path)
	}
	switch kind {
	case container.TokenizerFolder, container.TokenizerSettings:
		i.beside(dir)
		return nil
	case container.TokenizerJSON:
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !i.o.Words {
			g, err := tokenizer.GlanceJSON(data)
			i.glance(i.Format, g)
			return err
		}
	}
	tok, err := tokenizer.Load(path)
	i.words(i.Format, tok, err)
	return nil
}

// template is a .jinja file.
func (i *inspector) template(path string) error {
	i.What, i.Format = WhatTemplate, "Jinja"
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	tpl, err := chat.ParseTemplate(filepath.Base(path), string(source))
	if err != nil {
		return err
	}
	i.templateFacts(tpl, nil)
	return nil
}
