package tokenizer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Load reads a tokenizer.json, or the one in a folder.
func Load(path string) (*Tokenizer, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "tokenizer.json")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parse := Parse
	switch filepath.Ext(path) {
	case ".model":
		parse = ParseSentencePiece
	case ".tiktoken":
		parse = func(data []byte) (*Tokenizer, error) {
			return ParseTiktoken(data, strings.TrimSuffix(filepath.Base(path), ".tiktoken"))
		}
	}
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}
