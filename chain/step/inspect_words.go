package step

import (
	"os"
	"path/filepath"
	"strings"

	"lian/chat"
	"lian/tokenizer"
)

// TokenizerFacts are a tokenizer's size and kind.
type TokenizerFacts struct {
	Tokens  int      `json:"tokens"`
	Merges  int      `json:"merges"`
	Pattern string   `json:"pattern,omitempty"` // as GGUF names it
	Special []string `json:"special,omitempty"`
	Before  []int32  `json:"before,omitempty"` // ids that the model expects before a text
	Hash    string   `json:"hash"`
	Notes   []string `json:"notes,omitempty"`
}

// TemplateFacts say what is known of a chat template.
type TemplateFacts struct {
	Bytes      int    `json:"bytes"`
	Tools      bool   `json:"tools"`              // it mentions tools
	Generation bool   `json:"generation"`         // it marks what a model writes
	BuiltIn    string `json:"built_in,omitempty"` // equal to this one of ours
}

// words fills in the tokenizer, or why it cannot be used.
func (i *inspector) words(tok *tokenizer.Tokenizer, err error) {
	if err != nil {
		i.problem("the tokenizer cannot be used: %v", err)
		return
	}
	before, _ := tok.Around()
	i.Tokenizer = &TokenizerFacts{Tokens: tok.VocabSize(), Merges: len(tok.Merges()), Pattern: tok.PatternName(), Before: before, Hash: tok.Hash(), Notes: tok.Notes()}
	for _, s := range tok.SpecialTokens() {
		i.Tokenizer.Special = append(i.Tokenizer.Special, s.Text)
	}
}

// templateFacts fills in the template, or why it cannot be used.
func (i *inspector) templateFacts(tpl *chat.Template, err error) {
	if err != nil {
		i.problem("the chat template cannot be used: %v", err)
		return
	}
	t := &TemplateFacts{Bytes: len(tpl.Source()), Tools: strings.Contains(tpl.Source(), "tools"), Generation: tpl.HasGeneration()}
	for _, name := range chat.BuiltInNames() {
		if own, err := chat.BuiltIn(name); err == nil && own.Source() == tpl.Source() {
			t.BuiltIn = name
		}
	}
	i.Template = t
}

// tokenizer is a tokenizer.json.
func (i *inspector) tokenizer(path string) error {
	i.What, i.Format = WhatTokenizer, "tokenizer.json"
	tok, err := tokenizer.Load(path)
	if err != nil {
		return err
	}
	i.words(tok, nil)
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
