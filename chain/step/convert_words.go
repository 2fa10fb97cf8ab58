package step

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lian/format/gguf"
	"lian/store"
)

// folder says whether the model comes from a folder.
func (c *converter) folder() bool {
	info, err := os.Stat(c.Path)
	return err == nil && info.IsDir()
}

// saveWords writes tokenizer, template and what transformers wants to know of them. A folder's files go on as they are.
func (c *converter) saveWords(path string, end []int32, ids map[string]any) error {
	switch {
	case c.folder():
		return copyBeside(c.Path, path)
	case !c.gguf: // one file of weights, in a folder that may hold other things than this model's
		return copyWords(c.Dir(), path)
	}
	if err := c.Tokenizer.Save(filepath.Join(path, "tokenizer.json")); err != nil {
		return err
	}
	settings, err := c.ggufSettings()
	if err != nil {
		return err
	}
	settings["tokenizer_class"], settings["model_max_length"], settings["clean_up_tokenization_spaces"] = "PreTrainedTokenizerFast", c.Model.Spec.Context, false
	if len(end) > 0 && int(end[0]) < c.Tokenizer.VocabSize() {
		settings["eos_token"] = tokenText(c.Tokenizer, end[0])
	}
	for name, fields := range map[string]map[string]any{"tokenizer_config.json": settings, "generation_config.json": ids} {
		text, err := json.MarshalIndent(fields, "", "  ")
		if err != nil {
			return err
		}
		if err := store.WriteFile(filepath.Join(path, name), append(text, '\n')); err != nil {
			return err
		}
	}
	if c.Template == nil {
		return nil
	}
	return store.WriteFile(filepath.Join(path, "chat_template.jinja"), []byte(c.Template.Source()))
}

// ggufSettings are the fields of a tokenizer_config.json that a GGUF file knows: the special tokens, and which of them go around
// a text.
func (c *converter) ggufSettings() (map[string]any, error) {
	out := map[string]any{}
	if !c.gguf {
		return out, nil
	}
	f, err := gguf.Open(c.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for _, kind := range specialKinds {
		if id, ok := f.Uint("tokenizer.ggml." + ggufSpecial(kind) + "_token_id"); ok && id < uint64(c.Tokenizer.VocabSize()) {
			out[kind+"_token"] = tokenText(c.Tokenizer, int32(id))
		}
		if add, ok := f.Bool("tokenizer.ggml.add_" + kind + "_token"); ok {
			out["add_"+kind+"_token"] = add
		}
	}
	return out, nil
}

// ownFiles are those of a model folder that a conversion writes itself.
var ownFiles = []string{"config.json", "model.safetensors", "model.safetensors.index.json"}

// besideWeights says whether a file of a model folder goes with the weights wherever they go: tokenizer, template, licence, the
// authors' code. Weights in other formats do not.
func besideWeights(name string) bool {
	if slices.Contains(ownFiles, name) || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".index.json") {
		return false
	}
	switch filepath.Ext(name) {
	case ".json", ".model", ".txt", ".jinja", ".tiktoken", ".md", ".py", "":
		return true
	}
	return false
}

// copyBeside copies what goes with the weights.
func copyBeside(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type().IsRegular() && besideWeights(e.Name()) {
			if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// wordsFiles are those of a folder that a tokenizer or a template is in.
var wordsFiles = []string{"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "chat_template.jinja", "chat_template.json",
	"vocab.json", "merges.txt", "vocab.txt", "tokenizer.bin", "*.model", "*.tiktoken"}

// copyWords copies the files of a tokenizer and a template.
func copyWords(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		ours := slices.ContainsFunc(wordsFiles, func(pattern string) bool { ok, _ := filepath.Match(pattern, e.Name()); return ok })
		if e.Type().IsRegular() && ours {
			if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// leftOut are the files of a model folder that have no counterpart in what was written.
func leftOut(from, to string) (names []string, err error) {
	if info, err := os.Stat(from); err != nil || !info.IsDir() {
		return nil, err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return nil, err
	}
	inGGUF := []string{"config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "generation_config.json"}
	for _, e := range entries {
		name := e.Name()
		if slices.Contains(inGGUF, name) || strings.HasPrefix(name, ".") || strings.Contains(name, ".safetensors") {
			continue
		}
		if _, err := os.Stat(filepath.Join(to, name)); err != nil {
			names = append(names, name)
		}
	}
	return names, nil
}
