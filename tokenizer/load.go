package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Load reads a tokenizer: a tokenizer.json, a sentencepiece .model, a .tiktoken rank
// file, a vocab.txt (WordPiece), a vocab.json with its merges.txt, a llama2.c
// tokenizer.bin, or the one of these that a folder has, with what its
// tokenizer_config.json says.
func Load(path string) (*Tokenizer, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return loadFolder(path)
	}
	return loadFile(path, nil)
}

// folderFiles are the files that a folder may have a tokenizer in, best first.
var folderFiles = []string{"tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "tiktoken.model", "*.tiktoken",
	"vocab.json", "vocab.txt", "tokenizer.bin", "*.model"}

// InFolder tells whether a folder has a file that Load would read.
func InFolder(dir string) bool {
	for _, pattern := range folderFiles {
		if found, err := filepath.Glob(filepath.Join(escapeGlob(dir), pattern)); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

func loadFolder(dir string) (*Tokenizer, error) {
	for _, pattern := range folderFiles {
		found, err := filepath.Glob(filepath.Join(escapeGlob(dir), pattern))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			continue
		}
		if len(found) > 1 {
			return nil, fmt.Errorf("%s: %d files could be its tokenizer (%s); pass one of them", dir, len(found), strings.Join(found, ", "))
		}
		if pattern == "tokenizer.json" {
			return loadFile(found[0], nil) // it says everything itself
		}
		c, err := readConfig(dir)
		if err != nil {
			return nil, err
		}
		return loadFile(found[0], c)
	}
	return nil, &fs.PathError{Op: "open", Path: filepath.Join(dir, "tokenizer.json"), Err: fs.ErrNotExist}
}

// escapeGlob makes a folder's name match itself only.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

// loadFile reads one file by its name and its beginning. config is what a folder
// says beside it, nil if there is none.
func loadFile(path string, config *configJSON) (*Tokenizer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(path)
	var t *Tokenizer
	switch ext := filepath.Ext(name); {
	case name == "vocab.json":
		t, err = loadPair(data, filepath.Dir(path), config)
	case ext == ".json":
		t, err = Parse(data)
	case ext == ".tiktoken" || ext == ".model" && isRanks(data):
		t, err = ParseTiktoken(data, strings.TrimSuffix(name, ext))
	case ext == ".model":
		t, err = config.sentencePiece(data)
	case ext == ".txt":
		t, err = config.wordPiece(data)
	case ext == ".bin":
		t, err = ParseLlama2C(data)
	default:
		return nil, fmt.Errorf("%s: no tokenizer is known by this name; expected tokenizer.json, vocab.json, vocab.txt, or a file that ends in .model, .tiktoken, .bin or .gguf", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// isRanks tells a rank file from a sentencepiece model: its first line is text.
func isRanks(data []byte) bool {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	_, err := readRanks(line)
	return err == nil || bytes.HasPrefix(data, []byte("IQ== 0"))
}

// loadPair reads vocab.json and the merges.txt beside it.
func loadPair(vocab []byte, dir string, config *configJSON) (*Tokenizer, error) {
	merges, err := os.ReadFile(filepath.Join(dir, "merges.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no merges.txt beside it")
	}
	if err != nil {
		return nil, err
	}
	if config == nil {
		if config, err = readConfig(dir); err != nil {
			return nil, err
		}
	}
	return config.pair(vocab, merges)
}
