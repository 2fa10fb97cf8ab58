package step

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"lian/chat"
	"lian/format/gguf"
	"lian/store"
	"lian/tokenizer"
)

// Which template a model is used with: the one that a user names with --template; else the one that the model brings; else, of a
// chat model whose kind is known to come without one, a template that comes with Lian, which is then said.

// templated is what a model's template is chosen from.
type templated struct {
	own       *chat.Template // nil: the model brings none
	modelType string
	variables map[string]string // special tokens, as templates name them
	tok       *tokenizer.Tokenizer
}

// choose gives the template, nil if there is none, and the name of the built-in one or of the file that stands in for the model's own.
func (t templated) choose(want string) (tpl *chat.Template, standIn string, err error) {
	switch {
	case want != "":
		if tpl, err = chat.OpenTemplate(want); err != nil {
			return nil, "", fmt.Errorf("--template: %w", err)
		}
		return tpl.WithVariables(t.variables), want, nil
	case t.own != nil || t.tok == nil:
		return t.own, "", nil
	}
	name, ok := chat.BuiltInFor(t.modelType, func(token string) bool { _, ok := t.tok.ID(token); return ok })
	if !ok {
		return nil, "", nil
	}
	if tpl, err = chat.BuiltIn(name); err != nil {
		return nil, "", err
	}
	return tpl.WithVariables(t.variables), name, nil
}

// templatedFolder reads what a folder brings.
func templatedFolder(dir string, tok *tokenizer.Tokenizer) (t templated, err error) {
	t.tok = tok
	if t.own, err = chat.LoadTemplate(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	if t.variables, err = chat.LoadVariables(dir); err != nil {
		return t, err
	}
	var config struct {
		Type string `json:"model_type"`
	}
	if err := store.ReadJSON(filepath.Join(dir, "config.json"), &config); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	t.modelType = config.Type
	return t, nil
}

// templatedGGUF reads what a GGUF file brings; path stands in errors.
func templatedGGUF(f *gguf.File, path string, tok *tokenizer.Tokenizer) (t templated, err error) {
	t.tok, t.variables = tok, map[string]string{}
	vocabulary := tok.Vocabulary()
	for name, key := range map[string]string{"bos_token": "tokenizer.ggml.bos_token_id", "eos_token": "tokenizer.ggml.eos_token_id",
		"unk_token": "tokenizer.ggml.unknown_token_id", "pad_token": "tokenizer.ggml.padding_token_id"} {
		if id, ok := f.Uint(key); ok && id < uint64(len(vocabulary)) {
			t.variables[name] = vocabulary[id].Text
		}
	}
	t.modelType, _ = f.String("general.architecture")
	const key = "tokenizer.chat_template"
	var named []chat.NamedTemplate
	for _, k := range f.Keys() {
		name, ok := strings.CutPrefix(k, key)
		if !ok || name != "" && name[0] != '.' {
			continue
		}
		if source, ok := f.String(k); ok {
			if name = strings.TrimPrefix(name, "."); name == "" {
				name = "default"
			}
			named = append(named, chat.NamedTemplate{Name: name, Template: source})
		}
	}
	if len(named) > 0 {
		t.own, err = chat.NewTemplate(path+": "+key, named, t.variables)
	}
	return t, err
}

// UseTemplate makes the model speak by another template than its own: one that comes with Lian, by name, or a file. Empty changes
// nothing.
func (m *Opened) UseTemplate(want string) (err error) {
	if want == "" {
		return nil
	}
	m.Template, m.StandIn, err = m.templated.choose(want)
	return err
}

// NeedTemplate is the model's chat template, or why there is none.
func (m *Opened) NeedTemplate() (*chat.Template, error) {
	if m.Template == nil {
		return nil, fmt.Errorf("model %s has no chat template; name one with --template (%s, or a .jinja file), use lian generate, or fine-tune it on conversations first",
			m.Path, strings.Join(chat.BuiltInNames(), ", "))
	}
	return m.Template, nil
}
