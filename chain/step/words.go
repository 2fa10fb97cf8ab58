package step

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lian/chat"
	"lian/format/container"
	"lian/format/gguf"
	"lian/tokenizer"
)

// Words are what a model reads and writes with: it is opened without weights, and need not be one that Lian computes.
type Words struct {
	Path      string
	Tokenizer *tokenizer.Tokenizer // nil for a template alone
	Template  *chat.Template       // nil if there is none
	StandIn   string               // as in Opened

	templated templated
}

// OpenWords opens the tokenizer and the chat template of a model (folder, GGUF file, MODEL+ADAPTER, run), of a folder that has
// only these, of a tokenizer.json or .jinja file alone, or the template that comes with Lian under that name.
func OpenWords(path string) (*Words, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && slices.Contains(chat.BuiltInNames(), path) {
		tpl, err := chat.BuiltIn(path)
		return &Words{Path: path, Template: tpl}, err
	}
	base, err := wordsPath(path)
	if err != nil {
		return nil, err
	}
	w := &Words{Path: base}
	switch {
	case strings.HasSuffix(base, ".jinja"):
		w.Template, err = chat.LoadTemplate(base)
	case slices.Contains([]string{"tokenizer_config.json", "chat_template.json"}, filepath.Base(base)):
		if w.Template, err = chat.LoadTemplate(base); err == nil {
			if w.Tokenizer, err = tokenizer.Load(filepath.Dir(base)); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
	case isGGUF(base):
		err = w.gguf()
	default:
		if w.Tokenizer, err = tokenizer.Load(base); errors.Is(err, fs.ErrNotExist) {
			if _, templateErr := chat.LoadTemplate(base); templateErr != nil {
				return nil, err
			}
		} else if err != nil {
			return nil, err
		}
		dir := base
		if info, statErr := os.Stat(base); statErr == nil && !info.IsDir() {
			dir = filepath.Dir(base)
		}
		w.templated, err = templatedFolder(dir, w.Tokenizer)
	}
	if err == nil && w.Template == nil {
		w.Template, w.StandIn, err = w.templated.choose("")
	}
	return w, err
}

// wordsPath finds the folder or file that has the words.
func wordsPath(path string) (string, error) {
	base, _, hasAdapter, err := cutAdapter(path)
	if err == nil && isAdapter(base) && !hasAdapter {
		base, err = baseOf(base)
	}
	if err != nil {
		return "", fmt.Errorf("%w; no built-in template has this name either (there are %s)", err, strings.Join(chat.BuiltInNames(), ", "))
	}
	info, err := os.Stat(base)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: there is no such file or folder, and no built-in template of this name (there are %s)", base, strings.Join(chat.BuiltInNames(), ", "))
	}
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		switch kind, _ := container.Look(base); kind {
		case container.Torch, container.TorchLegacy, container.TorchIndex, container.Llama2C, container.Safetensors, container.SafetensorsIndex:
			return filepath.Dir(base), nil // words lie beside weights
		}
		return base, nil
	}
	if tokenizer.InFolder(base) {
		return base, nil
	}
	for _, name := range []string{"tokenizer_config.json", "chat_template.jinja", "chat_template.json"} {
		if exists(filepath.Join(base, name)) {
			return base, nil
		}
	}
	dir, err := modelPath(base)
	if err != nil {
		return "", fmt.Errorf("%s: there is no tokenizer in it, and it is no model: %w", base, err)
	}
	return dir, nil
}

func (w *Words) gguf() error {
	f, err := gguf.Open(w.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if w.Tokenizer, err = tokenizer.FromGGUF(f); err != nil {
		return fmt.Errorf("%s: %w", w.Path, err)
	}
	w.templated, err = templatedGGUF(f, w.Path, w.Tokenizer)
	return err
}
